// The replication in words: what a state, a finding and a run mean, and how long things take.
import { bytes, count } from "../../ui/relative";
import type { Finding, Replication, Run } from "./documents";

export type Kind = Finding["kind"];

/** What each kind of finding means, and what a repair does about it. The worst first. */
const MEANINGS: Record<Kind, readonly [meaning: string, repair: string]> = {
  LOST: ["No site has the bytes.", "No repair can mend it: a person has to look for them."],
  MISSING_IN_PRIMARY: ["The primary has no copy.", "A repair restores it from the replica."],
  CORRUPT_IN_PRIMARY: ["The primary has other bytes than were stored.", "A repair restores them from the replica."],
  MISSING_IN_REPLICA: ["The replica has no copy, and it is late.", "A repair copies it again."],
  STALE_IN_REPLICA: ["The replica has other bytes.", "A repair copies it again, over what is there."],
  FALSE_COMPLETED: ["S3 says COMPLETED, and there is no copy.", "A repair copies it."],
  NOT_ERASED: ["Something is left of what was to be erased.", "A repair erases it again."],
  IN_FLIGHT: ["A write or an erasure should have ended long ago.", "A repair brings it to its end."],
  ORPHAN_IN_PRIMARY: [
    "The primary has bytes that the ledger does not know.",
    "A repair puts them away in quarantine, once they were seen twice and for long enough.",
  ],
  ORPHAN_IN_REPLICA: [
    "The replica has bytes that the ledger does not know.",
    "A repair puts them away in quarantine, once they were seen twice and for long enough.",
  ],
};

export const meaningOf = (kind: Kind) => MEANINGS[kind][0];
export const repairOf = (kind: Kind) => MEANINGS[kind][1];

/** No repair can do anything about it. */
export const isBeyondRepair = (kind: Kind) => kind === "LOST";

/** Beside the server's sentence: what it asks of whoever looks. */
export const ADVICE: Record<Replication["state"], string> = {
  HEALTHY: "Nothing is to be done.",
  LAGGING: "Copies are late, none is known to be lost. Look at the backlog, and whether both sites answer.",
  DRIFTED: "Look at the findings below: most of them a repair can mend.",
  INCONCLUSIVE: "Whether the copies are whole is not known. Make sure that both sites answer, then verify.",
  DOWN: "The primary is out of reach. What the replica has so far, and what it does not, is told below.",
};

export const MODES: Record<Run["mode"], string> = {
  SWEEP: "Verify",
  SCRUB: "Read back and hash",
  REPAIR: "Repair",
  CANARY: "Canary",
  PROMOTION: "Another primary",
  RESTORE: "Rebuilt from a manifest",
  DRILL: "Drill",
};

const NOUNS: Partial<Record<Run["mode"], string>> = { REPAIR: "finding", CANARY: "planted fault" };

/** What is counted while it runs. */
export const nounOf = ({ mode }: Pick<Run, "mode">) => NOUNS[mode] ?? "object";

/** "0.13 s", "42 s", "15 min", "1 h 5 min", "3 days". */
export function duration(seconds: number) {
  if (seconds < 10) return `${Number(seconds.toFixed(2))} s`;
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return count(Math.floor(hours / 24), "day");
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** "12 of 340 objects, 40 a second, 8 s left". The total is an estimate, and may be passed. */
export function progressOf(run: Pick<Run, "mode" | "done" | "total" | "rate">) {
  const { done, total, rate } = run;
  const most = Math.max(done, total);
  const parts = [`${done.toLocaleString("en")} of ${count(most, nounOf(run))}`];
  if (rate > 0) {
    parts.push(`${Number(rate.toFixed(rate < 10 ? 1 : 0)).toLocaleString("en")} a second`);
    if (most > done) parts.push(`${duration(Math.ceil((most - done) / rate))} left`);
  }
  return parts.join(", ");
}

/** "100 of 100 objects right; what would be lost of the ledger: 12 min; all back after 45 s". */
const drillOf = ({ right, sample, rpo, rto }: NonNullable<Run["drill"]>) =>
  `${right.toLocaleString("en")} of ${count(sample, "object")} right, ${duration(rpo)} would be lost of the ledger (RPO), all would be back after ${duration(rto)} (RTO)`;

/** What came out of a run that has ended. */
export function outcomeOf(run: Run) {
  if (run.mode === "PROMOTION") return "Another site became the primary";
  if (run.mode === "CANARY" && run.total === 0) return "The verifier was not tried";
  if (run.mode === "CANARY") return `${run.done} of ${count(run.total, "planted fault")} found`;
  if (run.mode === "RESTORE") {
    return `${count(run.repaired, "object")} copied, ${run.leftOpen.toLocaleString("en")} in no bucket`;
  }
  if (run.mode === "DRILL") return run.drill ? drillOf(run.drill) : "Nothing was rebuilt";
  const parts =
    run.mode === "REPAIR"
      ? [`${count(run.repaired, "finding")} repaired`, `${run.leftOpen.toLocaleString("en")} left open`]
      : [
          `${run.agreed.toLocaleString("en")} of ${count(run.done, "object")} at both sites`,
          run.lagging > 0 && `${run.lagging.toLocaleString("en")} on their way`,
          run.inFlight > 0 && `${run.inFlight.toLocaleString("en")} being written or erased`,
          count(run.faults, "fault"),
          run.bytesRead > 0 && `${bytes(run.bytesRead)} read`,
        ];
  return parts.filter(Boolean).join(", ");
}
