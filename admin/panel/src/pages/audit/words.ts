// The audit log in words: what was done, to what, and why.
import { sentence } from "../../ui/relative";
import type { AuditRow } from "./documents";

/** By the kind of what it is done to. Actions that are not known here are told by their name. */
const ACTIONS: Record<string, string> = {
  "file.removed": "Removed a file",
  "file.restored": "Restored a file",
  "file.purged": "Deleted a file for good",
  "file.hold_placed": "Placed a legal hold",
  "file.hold_released": "Released a legal hold",
  "action.ordered": "Removed files by a filter",
  "share.revoked": "Revoked a share link",
  "user.suspended": "Suspended",
  "user.reinstated": "Reinstated",
  "user.role_changed": "Changed the role",
  "user.quota_changed": "Changed the quota",
  "content.blocked": "Blocked a content",
  "content.unblocked": "Unblocked a content",
  "content.refused": "Tried to store a blocked content",
  "report.made": "Reported",
  "report.evidence_viewed": "Looked at what was reported",
  "report.resolved": "Decided a report",
  "run.ordered": "Ordered a verification or repair",
  "job.retried": "Retried a job",
  "alert.retried": "Retried an alert",
  "snap.opened": "Opened a snap",
  "snap.replayed": "Replayed a snap",
};

/** What can be filtered by, with its words. */
export const KNOWN_ACTIONS = Object.entries(ACTIONS);

/** "file.removed" → "Removed a file". */
export const inWords = (action: string) => ACTIONS[action] ?? sentence(action.replaceAll(/[._]/g, " "));

type Details = Record<string, unknown>;

function detail({ details }: Pick<AuditRow, "details">, name: string) {
  const value = (details as Details | null)?.[name];
  return typeof value === "string" ? value : undefined;
}

/** What it was done to, by a name: as it is now, or as it was then. */
export function targetOf(entry: Pick<AuditRow, "subject" | "details" | "subjectId">) {
  const { subject } = entry;
  switch (subject?.__typename) {
    case "User":
      return subject.username;
    case "File":
      return subject.name;
    case "Alert":
      return subject.message;
    case "Job":
      return subject.kind;
    case "BlockedContent":
      return subject.name || subject.sha256;
  }
  if (entry.subjectId.startsWith("report_")) return "A report";
  if (entry.subjectId.startsWith("run_")) return "A run over the copies";
  return detail(entry, "name") || detail(entry, "kind") || entry.subjectId;
}

/** The id of the user for whom the server did it: what is uploaded directly it looks at by itself. */
export function onBehalfOf(entry: Pick<AuditRow, "action" | "details">) {
  const owner = entry.action === "content.refused" ? detail(entry, "owner") : undefined;
  return owner && `user_${owner.replaceAll("-", "")}`;
}

/** Why it was done, or what was changed. */
export function remarkOf(entry: Pick<AuditRow, "details">) {
  const [from, to, decision] = [detail(entry, "from"), detail(entry, "to"), detail(entry, "decision")];
  const reason = detail(entry, "reason");
  if (decision && reason) return `${sentence(decision)}: ${reason}`;
  return reason ?? (from && to ? `${sentence(from)} → ${sentence(to)}` : undefined);
}
