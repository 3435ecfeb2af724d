// What the state rests on: how long copies take, what waits, what a loss of the primary would cost, and what was verified.
import { bytes, count } from "../../ui/relative";
import { Time } from "../../ui/time";
import { Bars } from "./bars";
import type { Replication } from "./documents";
import styles from "./page.module.css";
import { duration } from "./words";

export function Measures({ replication }: { replication: Replication }) {
  return (
    <div className={styles.measures}>
      <LagChart replication={replication} />
      <Exposure replication={replication} />
      <Verified replication={replication} />
    </div>
  );
}

function LagChart({ replication: { lag, target } }: { replication: Replication }) {
  const row = (name: string, value: number) => ({ name, value, text: duration(value), over: value > target });
  return (
    <section aria-labelledby="lag">
      <h2 id="lag">How long copies take</h2>
      {lag ? (
        <>
          <Bars
            mark={target}
            bars={[
              row("Half (p50)", lag.p50),
              row("95% (p95)", lag.p95),
              row("99% (p99)", lag.p99),
              row("The longest", lag.max),
            ]}
          />
          <p className={styles.note}>
            Target: {duration(target)}, the line across. {lag.max > target && "Red took longer. "}
            {count(lag.copies, "arrival")} within the last hour
            {lag.probe > 0 && `, looked for every ${duration(lag.probe)}`}.
          </p>
        </>
      ) : (
        <p className={styles.note}>Nothing has arrived within the last hour. Target: {duration(target)}.</p>
      )}
    </section>
  );
}

function Exposure({ replication: { backlog, exposure, target, manifestAt } }: { replication: Replication }) {
  const { oldest } = backlog;
  const people = exposure.people === 1 ? "1 person" : `${exposure.people.toLocaleString("en")} people`;
  const late = oldest !== null && oldest > target;
  return (
    <section aria-labelledby="exposure">
      <h2 id="exposure">If the primary were lost now</h2>
      <p className={styles.figure}>
        {exposure.objects === 0 ? (
          "Nothing would be lost with it."
        ) : (
          <>
            <b>{count(exposure.objects, "object")}</b>
            {exposure.files > 0 && ` of ${count(exposure.files, "file")} and ${people}`} would be lost.
          </>
        )}
      </p>
      <p className={styles.note}>
        Backlog: {backlog.objects === 0 ? "none" : `${count(backlog.objects, "object")}, ${bytes(backlog.bytes)}`}
        {oldest !== null && (
          <>
            , the oldest waiting for <span className={late ? styles.late : undefined}>{duration(oldest)}</span>
            {late && ", longer than the target"}
          </>
        )}
        .
      </p>
      <p className={styles.note}>
        {manifestAt ? (
          <>
            The database at the replica: as of <Time at={manifestAt} />.
          </>
        ) : (
          "The database is not at the replica yet."
        )}
      </p>
    </section>
  );
}

function Verified({ replication: { lastVerification, lastCompleteVerification: last } }: { replication: Replication }) {
  const stopped = lastVerification && lastVerification.id !== last?.id;
  return (
    <section aria-labelledby="verified">
      <h2 id="verified">Last complete verification</h2>
      {last ? (
        <>
          <p className={styles.figure}>
            <Time at={last.finishedAt ?? last.startedAt} exact />
          </p>
          <Bars
            bars={[
              { name: "Bytes read back", ...strength(last.coverage.bytes) },
              { name: "Checksum", ...strength(last.coverage.checksum) },
              { name: "ETag", ...strength(last.coverage.etag) },
              { name: "Existence", ...strength(last.coverage.existence) },
            ]}
          />
          <p className={styles.note}>Objects whole at both sites, by what was compared last: the strongest first.</p>
        </>
      ) : (
        <p className={styles.figure}>Never. Nothing is known yet.</p>
      )}
      {stopped && (
        <p className={styles.late}>
          The last one was not complete
          {lastVerification.error ? `: ${lastVerification.error}` : ""}.
        </p>
      )}
    </section>
  );
}

const strength = (objects: number) => ({ value: objects, text: count(objects, "object") });
