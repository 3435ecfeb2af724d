// What was done to something, in its details: the latest entries of the audit log, and the way to all of them.
import { Link } from "@tanstack/react-router";
import { Section } from "../../ui/inspector";
import { Time } from "../../ui/time";
import type { AuditRow } from "./documents";
import styles from "./history.module.css";
import { Who } from "./who";
import { inWords, remarkOf } from "./words";

interface Props {
  /** Where not admins alone had to do with it. */
  title?: string;
  subject: string;
  entries: { nodes: readonly AuditRow[]; pageInfo: { hasNextPage: boolean } };
}

export function History({ title = "What admins did", subject, entries: { nodes, pageInfo } }: Props) {
  if (nodes.length === 0) return null;
  return (
    <Section title={title}>
      <ul className={styles.list}>
        {nodes.map((entry) => (
          <li key={entry.id}>
            <Link to="/audit" search={{ subject, item: entry.id }}>
              {inWords(entry.action)}
            </Link>
            <small>
              <Who entry={entry} />, <Time at={entry.at} />
            </small>
            {remarkOf(entry) && <p>{remarkOf(entry)}</p>}
          </li>
        ))}
      </ul>
      {pageInfo.hasNextPage && (
        <Link to="/audit" search={{ subject }} className={styles.all}>
          The whole history
        </Link>
      )}
    </Section>
  );
}
