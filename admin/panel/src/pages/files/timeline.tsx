// What happened to a file and to its bytes, the newest first: stored, copied, verified, deleted, gone from each region.
import { Section } from "../../ui/inspector";
import { ObjectLink } from "../../ui/jump";
import { sentence } from "../../ui/relative";
import { Time } from "../../ui/time";
import { inWords } from "../audit/words";
import type { TimelineEntry } from "./documents";
import styles from "./inspector.module.css";

const SHOWN = 50;

/** "Copied to eu-west-1", "Original verified in eu-central-1 by bytes". */
export function happened({ event, kind, region, proof, reason, action }: TimelineEntry) {
  const what = kind ? sentence(kind) : "";
  switch (event) {
    case "STORED":
      return `${what} stored`;
    case "COPIED":
      return `${what} copied to ${region}`;
    case "VERIFIED":
      return `${what} verified in ${region}${proof ? `, by ${proof.toLowerCase()}` : ""}`;
    case "ERASURE_ASKED":
      return `${what} to be erased${reason ? `: ${sentence(reason).toLowerCase()}` : ""}`;
    case "GONE":
      return `${what} gone from ${region}`;
    case "ERASED":
      return `${what} erased everywhere`;
    case "DONE":
      return action ? inWords(action) : "";
  }
}

export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  if (entries.length === 0) return null;
  const shown = entries.slice(-SHOWN).reverse();
  return (
    <Section title={entries.length > SHOWN ? `Timeline, the last ${SHOWN} of ${entries.length}` : "Timeline"}>
      <ol className={styles.timeline}>
        {shown.map((entry) => (
          <li key={`${entry.at} ${entry.event} ${entry.key} ${entry.region} ${entry.action}`}>
            <p>
              {happened(entry)}
              {entry.by && (
                <>
                  {" by "}
                  <ObjectLink id={entry.by.id}>{entry.by.username}</ObjectLink>
                </>
              )}
            </p>
            <small>
              <Time at={entry.at} exact />
            </small>
          </li>
        ))}
      </ol>
    </Section>
  );
}
