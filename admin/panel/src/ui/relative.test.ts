// Words for times and sizes, at their edges.
import { expect, test } from "vitest";
import { absolute, bytes, count, parseBytes, relative, sentence } from "./relative";

test.each([
  [0, "just now"],
  [-9, "just now"],
  [-30, "30 sec. ago"],
  [-59, "59 sec. ago"],
  [-60, "1 min. ago"],
  [-3599, "59 min. ago"],
  [-3600, "1 hr. ago"],
  [59, "just now"],
  [60, "in 1 min."],
  [90_000, "in 1 day"],
  [29 * 86400, "in 29 days"],
  [-59 * 86400, "59 days ago"],
  [-60 * 86400, "2 mo. ago"],
  [-729 * 86400, "24 mo. ago"],
  [-730 * 86400, "2 yr. ago"],
])("%i seconds from now: %s", (seconds, words) => {
  expect(relative(1e12 + seconds * 1000, 1e12)).toBe(words);
});

test("absolute times are in UTC", () => {
  expect(absolute("2026-11-22T02:35:58.270024+01:00")).toBe("2026-11-22 01:35:58 UTC");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [12_345, "12 kB"],
  [2_400_000, "2.4 MB"],
  [5e15, "5000 TB"],
])("%i bytes: %s", (size, words) => {
  expect(bytes(size)).toBe(words);
});

test.each([
  ["200", 200],
  ["10 MB", 10_000_000],
  ["1.5 gib", 1_610_612_736],
  ["3k", 3000],
  ["", undefined],
  ["many", undefined],
  ["-1", undefined],
])("%s is read as bytes", (text, size) => {
  expect(parseBytes(text)).toBe(size);
});

test("counts and constants", () => {
  expect([count(1, "file"), count(1234, "file")]).toEqual(["1 file", "1,234 files"]);
  expect([count(2, "entry"), count(2, "day")]).toEqual(["2 entries", "2 days"]);
  expect(sentence("FILES_REMOVED")).toBe("Files removed");
});
