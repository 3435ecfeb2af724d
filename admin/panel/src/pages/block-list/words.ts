// What is blocked, in words.
import type { BlockedContent } from "./documents";

/** As it was called where it was found. A snap has no name, and of a hash nothing else is known. */
export function nameOf({ name, contentType }: Pick<BlockedContent, "name" | "contentType">) {
  return name || (contentType ? "Picture of a snap" : "By its hash");
}

/** What it is known again by. */
export const marksOf = ({ byLooks }: Pick<BlockedContent, "byLooks">) => (byLooks ? "By bytes and looks" : "By bytes");

/** The hash that somebody wrote or pasted; undefined where it is none. */
export function parseSha256(text: string) {
  const hash = text.trim().toLowerCase();
  return /^[0-9a-f]{64}$/.test(hash) ? hash : undefined;
}
