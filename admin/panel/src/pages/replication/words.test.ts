// Durations, progress and outcomes in words, at their edges.
import { expect, test } from "vitest";
import { KINDS } from "./search";
import { duration, meaningOf, outcomeOf, progressOf, repairOf } from "./words";

test.each([
  [0, "0 s"],
  [0.1289, "0.13 s"],
  [9.999, "10 s"],
  [42.4, "42 s"],
  [119, "119 s"],
  [900, "15 min"],
  [3_600, "1 h"],
  [7_200, "2 h"],
  [7_500, "2 h 5 min"],
  [3 * 86_400, "3 days"],
])("%d seconds: %s", (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test("how far a run is, also where the estimate was too low", () => {
  expect(progressOf({ mode: "SWEEP", done: 20, total: 340, rate: 40 })).toBe(
    "20 of 340 objects, 40 a second, 8 s left",
  );
  expect(progressOf({ mode: "REPAIR", done: 0, total: 1, rate: 0 })).toBe("0 of 1 finding");
  expect(progressOf({ mode: "SCRUB", done: 12, total: 10, rate: 2.5 })).toBe("12 of 12 objects, 2.5 a second");
});

test("what came out of a run", () => {
  const run = {
    id: "run_1",
    state: "COMPLETE",
    startedAt: "",
    finishedAt: null,
    requestedBy: null,
    error: null,
    drill: null,
    coverage: { bytes: 0, checksum: 0, etag: 0, existence: 0 },
    total: 9,
    done: 9,
    rate: 0,
    agreed: 7,
    lagging: 1,
    inFlight: 0,
    faults: 1,
    repaired: 3,
    leftOpen: 1,
    bytesRead: 0,
  } as const;
  expect(outcomeOf({ ...run, mode: "SWEEP" })).toBe("7 of 9 objects at both sites, 1 on their way, 1 fault");
  expect(outcomeOf({ ...run, mode: "REPAIR" })).toBe("3 findings repaired, 1 left open");
  expect(outcomeOf({ ...run, mode: "DRILL" })).toBe("Nothing was rebuilt");
  const figures = { ledger: 1, copying: 2, objects: 900, size: 9, sampleSize: 1, manifestAt: "" };
  const drill = { ...figures, sample: 100, right: 99, rpo: 720, rto: 45 };
  expect(outcomeOf({ ...run, mode: "DRILL", drill })).toBe(
    "99 of 100 objects right, 12 min would be lost of the ledger (RPO), all would be back after 45 s (RTO)",
  );
  expect(outcomeOf({ ...run, mode: "CANARY", done: 3, total: 4 })).toBe("3 of 4 planted faults found");
  expect(outcomeOf({ ...run, mode: "CANARY", done: 0, total: 0 })).toBe("The verifier was not tried");
  expect(outcomeOf({ ...run, mode: "RESTORE" })).toBe("3 objects copied, 1 in no bucket");
});

test("each kind of finding says what it means, and what a repair does", () => {
  for (const kind of KINDS) for (const words of [meaningOf(kind), repairOf(kind)]) expect(words).toMatch(/^[A-Z].*\.$/);
});
