// Selecting by toggles and ranges.
import { expect, test } from "vitest";
import { all, extend, NOTHING, toggle, whole, within } from "./selection";

const ROWS = ["a", "b", "c", "d", "e"];
const ids = ({ ids }: { ids: ReadonlySet<string> }) => [...ids].sort().join("");

test("a toggle selects, then lets go", () => {
  const once = toggle(NOTHING, "b");
  expect(ids(once)).toBe("b");
  expect(ids(toggle(once, "b"))).toBe("");
});

test("a range goes from the last toggle to either side, and adds to what is selected", () => {
  const selection = toggle(toggle(NOTHING, "a"), "d");
  expect(ids(extend(selection, ROWS, "e"))).toBe("ade");
  expect(ids(extend(selection, ROWS, "c"))).toBe("acd");
  expect(ids(extend(extend(selection, ROWS, "e"), ROWS, "b"))).toBe("abcde");
});

test("a range without a beginning, or from a row that is gone, is the row itself", () => {
  expect(ids(extend(NOTHING, ROWS, "c"))).toBe("c");
  expect(ids(extend({ ids: new Set(), anchor: "gone" }, ROWS, "c"))).toBe("c");
  expect(extend(NOTHING, ROWS, "gone")).toBe(NOTHING);
});

test("rows that left the list are selected no more", () => {
  const selection = all(ROWS);
  expect(within(selection, ROWS)).toBe(selection);
  const left = within(selection, ["b", "c"]);
  expect([ids(left), left.anchor]).toEqual(["bc", undefined]);
});

test("all that match are selected until one of them is let go", () => {
  const selection = whole("sky", ROWS);
  expect(ids(selection)).toBe("abcde");
  expect(selection.list).toBe("sky");
  expect(toggle(selection, "c").list).toBeUndefined();
  expect(extend(selection, ROWS, "c").list).toBeUndefined();
});
