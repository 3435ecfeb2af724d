// The state in one word and one sentence, what it asks for, and whether both sites answer.
import { Icon, type IconName } from "../../ui/icon";
import { sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import type { Replication } from "./documents";
import styles from "./state.module.css";
import { ADVICE } from "./words";

const ICONS: Record<Replication["state"], IconName> = {
  HEALTHY: "check",
  LAGGING: "clock",
  DRIFTED: "warning",
  INCONCLUSIVE: "question",
  DOWN: "blocked",
};

export function State({ replication: { state, sentence } }: { replication: Replication }) {
  return (
    <div className={styles.state} data-state={state} role="status">
      {/* The same word as in alerts, in the metrics and on the command line. */}
      <p className={styles.word}>
        <Icon name={ICONS[state]} />
        {state}
      </p>
      <p>{sentence}</p>
      <p>{ADVICE[state]}</p>
    </div>
  );
}

export function Sites({ replication: { sites, mode } }: { replication: Replication }) {
  return (
    <section aria-labelledby="sites">
      <header className={styles.head}>
        <h2 id="sites">Sites</h2>
        <p>{mode === "MANAGED" ? "This server copies." : "S3 copies, and this server verifies."}</p>
      </header>
      <ul className={styles.sites}>
        {sites.map(({ role, bucket, region, isReachable, error }) => (
          <li key={role}>
            <span className={styles.role}>{sentence(role)}</span>
            <code>{bucket}</code>
            <span>{region}</span>
            <Status value={isReachable ? "ANSWERS" : "DOES_NOT_ANSWER"} />
            {error && <p className={styles.error}>{error}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
