// From addresses to filters.
import * as v from "valibot";
import { expect, test } from "vitest";
import { describe, FilesSearch, toFilter } from "./search";

const read = (query: string) => v.parse(FilesSearch, Object.fromEntries(new URLSearchParams(query)));

test("nothing given: everyone's files of the page's state", () => {
  expect(toFilter(read(""), "ACTIVE")).toEqual({ everyone: true, state: "ACTIVE" });
});

test("all that an address may hold", () => {
  const query = "q=img 20&owner=u1&tags=sea, sky,,&type=image/*&from=2026-11-01&until=2026-11-02&min=1 kB&max=2 MB";
  expect(toFilter(read(query), "TRASHED")).toEqual({
    ownerId: "u1",
    state: "TRASHED",
    search: "img 20",
    tags: ["sea", "sky"],
    contentType: "image/*",
    createdAfter: "2026-11-01T00:00:00.000Z",
    createdBefore: "2026-11-03T00:00:00.000Z",
    sizeFrom: 1000,
    sizeTo: 2_000_001,
  });
});

test("a number is a word, and what is unknown or no day or size is left out", () => {
  const search = read("q=2024&state=NOWHERE&order=COLOUR&from=yesterday&until=2026-13-45&min=many");
  expect([search.state, search.order]).toEqual([undefined, undefined]);
  expect(toFilter(search, "ACTIVE")).toEqual({ everyone: true, state: "ACTIVE", search: "2024" });
});

test("chips say what they do", () => {
  expect(describe("owner", "u1", "ada")).toBe("Owner: ada");
  expect(describe("min", "1500")).toBe("At least 1.5 kB");
  expect(describe("state", "REMOVED")).toBe("State: Removed");
});
