// What is done to files, in words, and what it leads to.
import { count } from "../../ui/relative";
import type { FileRow } from "./documents";

export type Action = "remove" | "restore" | "block" | "purge";

export const PRESETS = ["Illegal content", "Copyright", "Harassment", "Spam"];
export const VERBS = { remove: "Remove", restore: "Restore", block: "Block", purge: "Delete for good" };
export const DONE = { remove: "removed", restore: "restored", block: "blocked", purge: "deleted for good" };

/** `waiting`: some are in the trash already. */
export function consequence(
  action: Exclude<Action, "block">,
  waiting: boolean,
  one: boolean,
  retention: number | undefined,
) {
  const time = retention === undefined ? "a time" : count(Math.round(retention / 86_400), "day");
  switch (action) {
    case "remove":
      return [
        `${one ? "Its owner reads" : "Their owners read"} the reason, and nobody can download ${one ? "it" : "them"}.`,
        waiting
          ? "Admins can restore what is removed; what was in the trash keeps its date of deletion."
          : `${one ? "It" : "They"} can be restored for ${time}, by admins only, then ${one ? "it is" : "they are"} deleted for good.`,
        "An alert is raised.",
      ].join(" ");
    case "restore":
      return `${one ? "Its owner has it" : "Their owners have them"} again, with all versions, as before.`;
    case "purge":
      return "Every version and rendition is erased in both regions. This cannot be undone. An alert is raised, and the proof is under Erasures.";
  }
}

/** The same of blocking the content of a file. */
export function blocking({ state, thumbnail }: Pick<FileRow, "state" | "thumbnail">) {
  const removed = state === "REMOVED";
  return [
    removed ? "The file stays removed." : "The file is removed, and its owner reads the reason.",
    `Until they are unblocked, nobody can store these bytes again${thumbnail ? ", nor a picture that looks the same," : ""} and the file cannot be restored.`,
    "Other files that have them already stay.",
    !removed && "An alert is raised.",
  ]
    .filter(Boolean)
    .join(" ");
}
