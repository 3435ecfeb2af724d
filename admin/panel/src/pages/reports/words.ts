// Reports in words: what they are about, as it was when it was reported, and what becomes of it.
import * as v from "valibot";
import { text } from "../../ui/address";
import { count } from "../../ui/relative";
import type { Decision, ReportRow } from "./documents";

const number = v.fallback(v.optional(v.number()), undefined);
const Facts = v.fallback(
  v.object({ name: text, caption: text, contentType: text, size: number, width: number, height: number }),
  {},
);

/** What the thing was when it was reported. */
export const factsOf = ({ facts }: Pick<ReportRow, "facts">) => v.parse(Facts, facts);

/** The name of the file, or that it is a snap. */
export const whatOf = (report: Pick<ReportRow, "kind" | "facts">) =>
  report.kind === "SNAP" ? "Snap" : (factsOf(report).name ?? "File");

/** What was decided. */
export const DECIDED: Record<Decision, string> = {
  DISMISS: "Dismissed",
  REMOVE: "Removed",
  REMOVE_AND_SUSPEND: "Removed, suspended",
  REMOVE_AND_BLOCK: "Removed, blocked",
};

export const VERBS: Record<Decision, string> = {
  DISMISS: "Dismiss",
  REMOVE: "Remove",
  REMOVE_AND_SUSPEND: "Remove and suspend",
  REMOVE_AND_BLOCK: "Remove and block",
};

/** What each decision is, of this thing. */
export function meaning(decision: Decision, report: Pick<ReportRow, "kind" | "accused" | "facts">) {
  const { kind, accused } = report;
  switch (decision) {
    case "DISMISS":
      return "Nothing is wrong with it, and it stays as it is.";
    case "REMOVE":
      return kind === "SNAP"
        ? "The snap ends for everybody, at once and for good."
        : "Its owner reads the reason, and nobody can download it. Admins can restore it until it is deleted for good.";
    case "REMOVE_AND_SUSPEND":
      return `The same, and ${accused?.username ?? "its owner"} is suspended: every session and token ends, and nobody can log in.`;
    case "REMOVE_AND_BLOCK":
      return kind === "SNAP"
        ? "It ends for everybody, and nobody can send or store its picture again."
        : `It is removed, and nobody can store these bytes again${factsOf(report).width ? ", nor a picture that looks the same" : ""}.`;
  }
}

/** What follows from it beside that. `held`: whether the picture of a snap is kept for it. */
export function consequence(decision: Decision, report: Pick<ReportRow, "kind" | "sameCount">, held: boolean) {
  const [reports, isSnap] = [report.sameCount ?? 1, report.kind === "SNAP"];
  const removes = decision !== "DISMISS";
  return [
    reports > 1
      ? `This decides ${count(reports, "report")}: all open ones of this ${isSnap ? "snap" : "file"}.`
      : "This decides 1 report.",
    held && "Its picture is kept no longer.",
    decision === "REMOVE_AND_SUSPEND" && "Share links of theirs stop working; their other files stay.",
    ...(decision === "REMOVE_AND_BLOCK" ? blocking(isSnap, held) : []),
    (decision === "REMOVE_AND_SUSPEND" || (removes && !isSnap)) && "An alert is raised.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** `held`: of a snap that has ended the hash alone is left. */
const blocking = (isSnap: boolean, held: boolean) => [
  isSnap && !held && "It is blocked by its hash alone, for its picture is gone.",
  isSnap && held && "A picture that looks the same is blocked, too.",
  "Files that have the content already stay.",
];
