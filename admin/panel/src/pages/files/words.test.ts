// What blocking a file leads to, by what the file is.
import { expect, test } from "vitest";
import { blocking } from "./words";

const thumbnail = { state: "READY", url: null } as const;

test("a picture is blocked by its looks, too", () => {
  expect(blocking({ state: "ACTIVE", thumbnail })).toMatch(/nor a picture that looks the same/);
  expect(blocking({ state: "ACTIVE", thumbnail: null })).not.toMatch(/looks/);
});

test("what is removed already is not removed again", () => {
  expect(blocking({ state: "TRASHED", thumbnail: null })).toMatch(/^The file is removed, .* An alert is raised\.$/);
  expect(blocking({ state: "REMOVED", thumbnail: null })).toMatch(/^The file stays removed\. .* already stay\.$/);
});
