// Entries of the audit log in words, also of what is gone.
import { expect, test } from "vitest";
import { inWords, onBehalfOf, remarkOf, targetOf } from "./words";

test("what was done, known or not", () => {
  expect(inWords("user.role_changed")).toBe("Changed the role");
  expect(inWords("hold.placed_again")).toBe("Hold placed again");
});

test("what is gone is called as it was", () => {
  const subjectId = "file_00000000000000000000000000000001";
  const gone = { subject: null, subjectId, details: { name: "sky.png", reason: null } };
  expect(targetOf(gone)).toBe("sky.png");
  expect(targetOf({ ...gone, details: null })).toBe(subjectId);
  expect(targetOf({ ...gone, subject: { __typename: "User", id: "user_1", username: "ada" } })).toBe("ada");
});

test("a hash alone is called by it", () => {
  const subject = { __typename: "BlockedContent", id: "content_1", name: "", sha256: "ab" } as const;
  expect(targetOf({ subject, subjectId: subject.id, details: {} })).toBe("ab");
});

test("the server refuses for whoever has uploaded", () => {
  const details = { owner: "01a20272-e553-751e-b4ba-b9e796881661" };
  expect(onBehalfOf({ action: "content.refused", details })).toBe("user_01a20272e553751eb4bab9e796881661");
  expect(onBehalfOf({ action: "share.revoked", details })).toBeUndefined();
});

test("a reason, or a change", () => {
  expect(remarkOf({ details: { reason: "Spam" } })).toBe("Spam");
  expect(remarkOf({ details: { decision: "REMOVED", reason: "Spam" } })).toBe("Removed: Spam");
  expect(remarkOf({ details: { from: "USER", to: "ADMIN" } })).toBe("User → Admin");
  expect(remarkOf({ details: {} })).toBeUndefined();
});
