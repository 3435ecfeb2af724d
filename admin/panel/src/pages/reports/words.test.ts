// Reports in words, whatever the server has kept of the thing.
import { expect, test } from "vitest";
import { consequence, factsOf, whatOf } from "./words";

test("what is reported is called as it was", () => {
  expect(whatOf({ kind: "FILE", facts: { name: "sky.png", size: 12 } })).toBe("sky.png");
  expect(whatOf({ kind: "FILE", facts: null })).toBe("File");
  expect(whatOf({ kind: "SNAP", facts: { caption: "no" } })).toBe("Snap");
  expect(factsOf({ facts: { name: 7, size: "large", width: null } })).toEqual({});
});

test("a decision says how many reports it is for, and what it raises", () => {
  const file = { kind: "FILE", sameCount: 2 } as const;
  expect(consequence("DISMISS", file, false)).toBe("This decides 2 reports: all open ones of this file.");
  expect(consequence("REMOVE", file, false)).toMatch(/An alert is raised\.$/);
  const snap = { kind: "SNAP", sameCount: 1 } as const;
  expect(consequence("REMOVE", snap, true)).toBe("This decides 1 report. Its picture is kept no longer.");
  expect(consequence("REMOVE_AND_BLOCK", file, false)).toMatch(/already stay\. An alert is raised\.$/);
  expect(consequence("REMOVE_AND_BLOCK", snap, true)).toMatch(/looks the same is blocked, too\. Files .* stay\.$/);
  expect(consequence("REMOVE_AND_BLOCK", snap, false)).toMatch(/by its hash alone/);
});
