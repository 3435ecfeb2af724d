// Carrying out what an admin has decided on files, and telling of it.
import { Link } from "@tanstack/react-router";
import type { Fault } from "../../graphql/client";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { count } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import { BLOCK, type FileRow, PURGE, REMOVE, RESTORE } from "./documents";
import { type Action, DONE } from "./words";

interface Result {
  refusal?: Fault | undefined;
  alert?: { id: string } | null | undefined;
  /** How many files a hold keeps. */
  held?: number | undefined;
  /** The entry in the block list. */
  blocked?: { id: string } | null | undefined;
}

/** What stood in its way, if something did; else it is told what was done. */
export async function carryOut(action: Action, files: readonly FileRow[], reason: string): Promise<Fault | undefined> {
  const ids = files.map(({ id }) => id);
  const result = await send(action, ids, reason);
  if (!result.refusal) tell(action, files, result);
  return result.refusal;
}

async function send(action: Action, ids: string[], reason: string): Promise<Result> {
  switch (action) {
    case "remove": {
      const { refusal, done } = await perform(REMOVE, { ids, reason }, ({ removeFiles }) => removeFiles);
      return { refusal, alert: done?.alert };
    }
    case "restore": {
      const { refusal, answer } = await perform(RESTORE, { ids }, ({ restoreFiles }) => restoreFiles);
      const blocked = answer?.userErrors.some(({ code }) => code === "CONTENT_BLOCKED");
      return { refusal: blocked ? { message: "What is blocked cannot be restored. Unblock it first." } : refusal };
    }
    case "block": {
      const input = { fileId: ids[0], reason };
      const { refusal, done } = await perform(BLOCK, { input }, ({ blockContent }) => blockContent);
      return { refusal, alert: done?.alert, blocked: done?.blockedContent };
    }
    case "purge": {
      const { refusal, done } = await perform(PURGE, { ids }, ({ purgeFiles }) => purgeFiles);
      return { refusal, alert: done?.alert, held: done?.held.length };
    }
  }
}

async function restoreNow(ids: string[]) {
  const { refusal } = await send("restore", ids, "");
  if (refusal) toast.failed("Nothing was restored", refusal);
  else toast.done(`${count(ids.length, "file")} restored`);
}

function tell(action: Action, files: readonly FileRow[], { alert, held = 0, blocked }: Result) {
  const ids = files.map(({ id }) => id);
  // Back in its owner's trash it could not be put.
  const undoes = action === "remove" && files.every(({ state }) => state === "ACTIVE");
  const done = files.length - held;
  const kept = `${count(held, "file")} kept by a legal hold`;
  toast.done(
    done > 0 ? `${count(done, "file")} ${DONE[action]}` : kept,
    (alert || held > 0 || blocked) && (
      <>
        {held > 0 && `${done > 0 ? `${kept}: ` : ""}put away now, and deleted for good when that ends. `}
        {blocked && (
          <Link to="/block-list" search={{ item: blocked.id }}>
            Show it in the block list
          </Link>
        )}
        {blocked && alert && ". "}
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
