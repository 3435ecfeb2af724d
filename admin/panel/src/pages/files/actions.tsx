// Removing, restoring and deleting files, singly or many: what it leads to is said beside each button before it is done.
import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import type { Fault } from "../../graphql/client";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { count } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import styles from "./actions.module.css";
import { type FileRow, LIMITS, PURGE, REMOVE, RESTORE } from "./documents";
import type { FileState } from "./search";

export type Action = "remove" | "restore" | "purge";

export const PRESETS = ["Illegal content", "Copyright", "Harassment", "Spam"];
export const VERBS = { remove: "Remove", restore: "Restore", purge: "Delete for good" };
const DONE = { remove: "removed", restore: "restored", purge: "deleted for good" };

/** What is offered for files of a state. */
export const OFFERED: Record<FileState, readonly Action[]> = {
  ACTIVE: ["remove", "purge"],
  PROCESSING: ["remove", "purge"],
  REJECTED: ["remove", "purge"],
  TRASHED: ["restore", "remove", "purge"],
  REMOVED: ["restore", "purge"],
};

interface Result {
  refusal?: Fault | undefined;
  alert?: { id: string } | null | undefined;
  held?: number | undefined;
}

/** Carries an action out: what stood in its way, or the alert that it raised, and how many files a hold keeps. */
async function carryOut(action: Action, ids: string[], reason: string): Promise<Result> {
  switch (action) {
    case "remove": {
      const { refusal, done } = await perform(REMOVE, { ids, reason }, ({ removeFiles }) => removeFiles);
      return { refusal, alert: done?.alert };
    }
    case "restore": {
      const { refusal } = await perform(RESTORE, { ids }, ({ restoreFiles }) => restoreFiles);
      return { refusal };
    }
    case "purge": {
      const { refusal, done } = await perform(PURGE, { ids }, ({ purgeFiles }) => purgeFiles);
      return { refusal, alert: done?.alert, held: done?.held.length };
    }
  }
}

async function restoreNow(ids: string[]) {
  const { refusal } = await carryOut("restore", ids, "");
  if (refusal) toast.failed("Nothing was restored", refusal);
  else toast.done(`${count(ids.length, "file")} restored`);
}

function tell(action: Action, files: readonly FileRow[], { alert, held = 0 }: Result) {
  const ids = files.map(({ id }) => id);
  // Back in its owner's trash it could not be put.
  const undoes = action === "remove" && files.every(({ state }) => state === "ACTIVE");
  const done = files.length - held;
  const kept = `${count(held, "file")} kept by a legal hold`;
  toast.done(
    done > 0 ? `${count(done, "file")} ${DONE[action]}` : kept,
    (alert || held > 0) && (
      <>
        {held > 0 && `${done > 0 ? `${kept}: ` : ""}put away now, and deleted for good when that ends. `}
        {alert && (
          <>
            An alert was raised.{" "}
            <Link to="/alerts" search={{ item: alert.id }}>
              Show the alert
            </Link>
          </>
        )}
      </>
    ),
    undoes && <Button onClick={() => restoreNow(ids)}>Undo</Button>,
  );
}

const WHY_NOT_REMOVED: Partial<Record<FileState, string>> = {
  PROCESSING: "It is still being verified, and cannot be removed",
  REJECTED: "It was refused and has no content to remove",
  REMOVED: "It is removed already",
};

/** Why an action is not there for these files, if so. */
function obstacle(action: Action, files: readonly FileRow[], most: number) {
  if (files.length > most) return `At most ${most} at once`;
  const barred = files.filter(({ viewerCan }) => !viewerCan[action]);
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
  const { retention } = useLimits();
  const what = count(files.length, "file");
  const waiting = files.some(({ state }) => state === "TRASHED");
  const held = files.filter(({ isHeld }) => isHeld).length;
  const act = async (form: FormData) => {
    const ids = files.map(({ id }) => id);
    const result = await carryOut(action, ids, reasonOf(form));
    if (result.refusal) return result.refusal;
    tell(action, files, result);
    onDone();
  };
  return (
    <DecisionDialog
      title={action === "purge" ? `Delete ${what} for good` : `${VERBS[action]} ${what}`}
      consequence={
        action === "purge" && held === files.length
          ? "Nothing of it is erased before the hold ends. An alert is raised."
          : consequence(action, waiting, files.length === 1, retention)
      }
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
      {held > 0 && action !== "restore" && (
        <p>
          {held === files.length ? "" : `${held} of them: `}
          Under a legal hold, which keeps {held === 1 ? "it" : "them"} until it ends:{" "}
          {action === "purge"
            ? "put away now, and deleted for good then."
            : "put away all the same, and deleted no sooner."}
        </p>
      )}
      {action === "remove" && (
        <ReasonField
          hint={files.length === 1 ? "Its owner reads it, in these words." : "Their owners read it, in these words."}
          presets={PRESETS}
        />
      )}
    </DecisionDialog>
  );
}

/** `waiting`: some are in the trash already. */
export function consequence(action: Action, waiting: boolean, one: boolean, retention: number | undefined) {
  const time = retention === undefined ? "a time" : count(Math.round(retention / 86_400), "day");
  switch (action) {
    case "remove":
      return [
        `${one ? "Its owner reads" : "Their owners read"} the reason, and nobody can download ${one ? "it" : "them"}.`,
        waiting
          ? "Admins can restore what is removed; what was in the trash keeps its date of deletion."
          : `${one ? "It" : "They"} can be restored for ${time}, by admins only, then ${one ? "it is" : "they are"} deleted for good.`,
        "An alert is raised.",
      ].join(" ");
    case "restore":
      return `${one ? "Its owner has it" : "Their owners have them"} again, with all versions, as before.`;
    case "purge":
      return "Every version and rendition is erased in both regions. This cannot be undone. An alert is raised, and the proof is under Erasures.";
  }
}
