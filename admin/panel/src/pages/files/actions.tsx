// Removing, restoring, blocking and deleting files, singly or many: what it leads to is said beside each button before it is
// done.
import { useQuery } from "urql";
import { Button } from "../../ui/button";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { count } from "../../ui/relative";
import styles from "./actions.module.css";
import { carryOut } from "./carry-out";
import { type FileRow, LIMITS } from "./documents";
import type { FileState } from "./search";
import { type Action, blocking, consequence, DONE, PRESETS, VERBS } from "./words";

/** What is offered for files of a state. */
export const OFFERED: Record<FileState, readonly Action[]> = {
  ACTIVE: ["remove", "purge"],
  PROCESSING: ["remove", "purge"],
  REJECTED: ["remove", "purge"],
  TRASHED: ["restore", "remove", "purge"],
  REMOVED: ["restore", "purge"],
};

/** What is offered in the details of one file. Its content can be blocked where it has one. */
export const OFFERED_FOR_ONE: Record<FileState, readonly Action[]> = {
  ...OFFERED,
  ACTIVE: ["remove", "block", "purge"],
  TRASHED: ["restore", "remove", "block", "purge"],
  REMOVED: ["restore", "block", "purge"],
};

export const allowed = (action: Action, { viewerCan }: FileRow) => action === "block" || viewerCan[action];

const WHY_NOT_REMOVED: Partial<Record<FileState, string>> = {
  PROCESSING: "It is still being verified, and cannot be removed",
  REJECTED: "It was refused and has no content to remove",
  REMOVED: "It is removed already",
};

/** Why an action is not there for these files, if so. */
function obstacle(action: Action, files: readonly FileRow[], most: number) {
  if (files.length > most) return `At most ${most} at once`;
  const barred = files.filter((file) => !allowed(action, file));
  const [first] = barred;
  if (!first) return undefined;
  if (files.length === 1 && action === "remove") return WHY_NOT_REMOVED[first.state] ?? "It cannot be removed";
  return `${barred.length} of ${files.length} cannot be ${DONE[action]}`;
}

export function useLimits() {
  const [{ data }] = useQuery({ query: LIMITS });
  return {
    most: data?.limits.filesAtOnce ?? Number.POSITIVE_INFINITY,
    byFilter: data?.limits.filesByFilter ?? Number.POSITIVE_INFINITY,
    retention: data?.limits.trashRetention,
  };
}

interface ButtonsProps {
  actions: readonly Action[];
  files: readonly FileRow[];
  onChoose: (action: Action) => void;
}

export function ActionButtons({ actions, files, onChoose }: ButtonsProps) {
  const { most } = useLimits();
  const stated = actions.map((action) => [action, obstacle(action, files, most)] as const);
  const reasons = [...new Set(stated.map(([, reason]) => reason).filter(Boolean))];
  return (
    <>
      {stated.map(([action, reason]) => (
        <Button key={action} disabled={reason !== undefined} title={reason} onClick={() => onChoose(action)}>
          {VERBS[action]}…
        </Button>
      ))}
      {reasons.length > 0 && <span className={styles.reason}>{reasons.join(". ")}</span>}
    </>
  );
}

interface DialogProps {
  action: Action;
  files: readonly FileRow[];
  onClose: () => void;
  onDone: () => void;
}

export function ActionDialog({ action, files, onClose, onDone }: DialogProps) {
  const what = count(files.length, "file");
  const held = files.filter(({ isHeld }) => isHeld).length;
  const removes = action === "remove" || (action === "block" && files.some(({ state }) => state !== "REMOVED"));
  const act = async (form: FormData) => {
    const refusal = await carryOut(action, files, reasonOf(form));
    if (refusal) return refusal;
    onDone();
  };
  return (
    <DecisionDialog
      title={action === "purge" ? `Delete ${what} for good` : `${VERBS[action]} ${what}`}
      consequence={useConsequence(action, files, held)}
      verb={VERBS[action]}
      look={action === "restore" ? "primary" : "danger"}
      phrase={action === "purge" ? `delete ${what}` : undefined}
      act={act}
      onClose={onClose}
    >
      <ul className={styles.names}>
        {files.slice(0, 5).map(({ id, name, owner }) => (
          <li key={id}>
            {name} <span>of {owner.username}</span>
          </li>
        ))}
        {files.length > 5 && <li>and {count(files.length - 5, "more file")}</li>}
      </ul>
      {held > 0 && (removes || action === "purge") && (
        <p>
          {held === files.length ? "" : `${held} of them: `}
          Under a legal hold, which keeps {held === 1 ? "it" : "them"} until it ends:{" "}
          {action === "purge"
            ? "put away now, and deleted for good then."
            : "put away all the same, and deleted no sooner."}
        </p>
      )}
      {(action === "remove" || action === "block") && <ReasonField hint={readers(removes, files)} presets={PRESETS} />}
    </DecisionDialog>
  );
}

function useConsequence(action: Action, files: readonly FileRow[], held: number) {
  const { retention } = useLimits();
  const [first] = files;
  if (action === "block") return first && blocking(first);
  if (action === "purge" && held === files.length) {
    return "Nothing of it is erased before the hold ends. An alert is raised.";
  }
  const waiting = files.some(({ state }) => state === "TRASHED");
  return consequence(action, waiting, files.length === 1, retention);
}

function readers(removes: boolean, files: readonly FileRow[]) {
  if (!removes) return "For the other admins and the audit log.";
  return files.length === 1 ? "Its owner reads it, in these words." : "Their owners read it, in these words.";
}
