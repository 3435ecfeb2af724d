// Entries of the block list in words, whatever is known of the content.
import { expect, test } from "vitest";
import { nameOf, parseSha256 } from "./words";

test("what is blocked is called as it was found", () => {
  expect(nameOf({ name: "sky.png", contentType: "image/png" })).toBe("sky.png");
  expect(nameOf({ name: "", contentType: "image/png" })).toBe("Picture of a snap");
  expect(nameOf({ name: "", contentType: null })).toBe("By its hash");
});

test("a hash has 64 hex digits, and may be pasted with what is around it", () => {
  expect(parseSha256(` ${"AB".repeat(32)}\n`)).toBe("ab".repeat(32));
  expect(parseSha256("ab".repeat(31))).toBeUndefined();
  expect(parseSha256("xy".repeat(32))).toBeUndefined();
});
