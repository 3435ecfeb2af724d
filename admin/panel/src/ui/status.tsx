// A status: icon, word and colour. Amber waits, red needs somebody, all else is plain.
import { Icon, type IconName } from "./icon";
import { sentence } from "./relative";
import styles from "./status.module.css";

type Tone = "plain" | "waits" | "failed";

const LOOKS: Record<string, [IconName, Tone]> = {
  ACTIVE: ["check", "plain"],
  DELIVERED: ["check", "plain"],
  ANSWERS: ["check", "plain"],
  COMPLETE: ["check", "plain"],
  QUARANTINED: ["check", "plain"],
  REPAIRED: ["check", "plain"],
  CHANGED: ["check", "plain"],
  VERIFIED: ["check", "plain"],
  GONE: ["check", "plain"],
  PROVEN: ["check", "plain"],
  READY: ["check", "plain"],
  RESOLVED: ["check", "plain"],
  TRASHED: ["trash", "plain"],
  REMOVED: ["trash", "plain"],
  BLOCKED: ["blocked", "plain"],
  OPEN: ["clock", "waits"],
  PENDING: ["clock", "waits"],
  PROCESSING: ["clock", "waits"],
  AWAITING: ["clock", "waits"],
  LAGGING: ["clock", "waits"],
  UNDER_WAY: ["clock", "waits"],
  WAITING: ["clock", "waits"],
  RUNNING: ["ring", "waits"],
  REPAIRING: ["ring", "waits"],
  INCONCLUSIVE: ["question", "waits"],
  SEALED: ["check", "plain"],
  HELD: ["lock", "waits"],
  UNSEALED: ["clock", "waits"],
  CLOSING: ["clock", "waits"],
  FAILED: ["warning", "failed"],
  REJECTED: ["warning", "failed"],
  MISSING: ["warning", "failed"],
  STALE: ["warning", "failed"],
  CORRUPT: ["warning", "failed"],
  SUSPENDED: ["warning", "failed"],
  DOES_NOT_ANSWER: ["warning", "failed"],
  LOST: ["warning", "failed"],
};

export function Status({ value }: { value: string }) {
  const [icon, tone] = LOOKS[value] ?? ["ring", "plain"];
  return (
    <span className={[styles.status, styles[tone]].join(" ")}>
      <Icon name={icon} />
      {sentence(value)}
    </span>
  );
}
