// Removing, restoring and deleting files, singly or many: what it leads to is said beside each button before it is done.
import { Link } from "@tanstack/react-router";
import { useActionState, useState } from "react";
import { type TypedDocumentNode, useQuery } from "urql";
import { client, explain, type Fault } from "../../graphql/client";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Failure } from "../../ui/failure";
import { TextField } from "../../ui/field";
import { count } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import styles from "./actions.module.css";
import { type FileRow, LIMITS, PURGE, RESTORE, TRASH } from "./documents";

export type Action = "trash" | "restore" | "purge";

interface Outcome {
  alert?: { id: string } | null;
  userErrors: { message: string }[];
}

/** Carries an action out: what stood in its way, or the alert that it raised. */
async function perform<Data>(
  document: TypedDocumentNode<Data, { ids: string[] }>,
  ids: string[],
  pick: (data: Data) => Outcome,
) {
  const { data, error } = await client.mutation(document, { ids }).toPromise();
  if (error) return { refusal: explain(error) };
  const outcome = data && pick(data);
  const refused = outcome?.userErrors[0];
  return refused ? { refusal: { message: refused.message } } : { alert: outcome?.alert };
}

const PERFORM = {
  trash: (ids: string[]) => perform(TRASH, ids, ({ trashFiles }) => trashFiles),
  restore: (ids: string[]) => perform(RESTORE, ids, ({ restoreFiles }) => restoreFiles),
  purge: (ids: string[]) => perform(PURGE, ids, ({ purgeFiles }) => purgeFiles),
};

const DONE = { trash: "in the trash", restore: "restored", purge: "deleted for good" };
const VERBS = { trash: "Remove", restore: "Restore", purge: "Delete for good" };

async function restoreNow(ids: string[]) {
  const { refusal } = await PERFORM.restore(ids);
  if (refusal) toast.failed("Nothing was restored", refusal);
  else toast.done(`${count(ids.length, "file")} restored`);
}

function tell(action: Action, ids: string[], alert: Outcome["alert"]) {
  const raised = alert && (
    <>
      An alert was raised.{" "}
      <Link to="/alerts" search={{ item: alert.id }}>
        Show the alert
      </Link>
    </>
  );
  const undo = action === "trash" && <Button onClick={() => restoreNow(ids)}>Undo</Button>;
  toast.done(`${count(ids.length, "file")} ${DONE[action]}`, raised, undo);
}

/** Why an action is not there for these files, if so. */
function obstacle(action: Action, files: readonly FileRow[], most: number) {
  if (files.length > most) return `At most ${most} at once`;
  if (files.every(({ viewerCan }) => viewerCan[action])) return undefined;
  return { trash: "Not all can be removed", restore: "Not all are in the trash", purge: "Not all can be deleted" }[
    action
  ];
}

export function useFilesAtOnce() {
  const [{ data }] = useQuery({ query: LIMITS });
  return { most: data?.limits.filesAtOnce ?? Number.POSITIVE_INFINITY, retention: data?.limits.trashRetention };
}

interface ButtonsProps {
  actions: readonly Action[];
  files: readonly FileRow[];
  onChoose: (action: Action) => void;
}

export function ActionButtons({ actions, files, onChoose }: ButtonsProps) {
  const { most } = useFilesAtOnce();
  const stated = actions.map((action) => [action, obstacle(action, files, most)] as const);
  const reasons = [...new Set(stated.map(([, reason]) => reason).filter(Boolean))];
  return (
    <>
      {stated.map(([action, reason]) => (
        <Button key={action} disabled={reason !== undefined} title={reason} onClick={() => onChoose(action)}>
          {VERBS[action]}
          {action !== "restore" && "…"}
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
  const { retention } = useFilesAtOnce();
  const [typed, setTyped] = useState("");
  const what = count(files.length, "file");
  const phrase = `delete ${what}`;
  const [refusal, submit, busy] = useActionState(async (): Promise<Fault | undefined> => {
    const ids = files.map(({ id }) => id);
    const { refusal, alert } = await PERFORM[action](ids);
    if (refusal) return refusal;
    tell(action, ids, alert);
    onDone();
  }, undefined);

  return (
    <Dialog title={action === "purge" ? `Delete ${what} for good` : `${VERBS[action]} ${what}`} onClose={onClose}>
      <form action={submit} className={styles.form}>
        <ul className={styles.names}>
          {files.slice(0, 5).map(({ id, name, owner }) => (
            <li key={id}>
              {name} <span>of {owner.username}</span>
            </li>
          ))}
          {files.length > 5 && <li>and {count(files.length - 5, "more file")}</li>}
        </ul>
        {action === "purge" && (
          <TextField
            label={`Type “${phrase}” to confirm`}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
          />
        )}
        {refusal && <Failure {...refusal} />}
        <div className={styles.decision}>
          <p>{consequence(action, retention)}</p>
          <div className={styles.buttons}>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              type="submit"
              look={action === "restore" ? "primary" : "danger"}
              disabled={busy || (action === "purge" && typed.trim().toLowerCase() !== phrase)}
            >
              {busy ? "Working…" : VERBS[action]}
            </Button>
          </div>
        </div>
      </form>
    </Dialog>
  );
}

function consequence(action: Action, retention: number | undefined) {
  const time = retention === undefined ? "the retention time" : count(Math.round(retention / 86_400), "day");
  switch (action) {
    case "trash":
      return `Nobody can download them from now on. For ${time} admins can restore them, their owners cannot; then they are deleted for good. An alert is raised.`;
    case "restore":
      return "Their owners have them again, with all versions, as they were.";
    case "purge":
      return "Every version and rendition is erased in both regions. This cannot be undone. An alert is raised, and the proof is under Erasures.";
  }
}
