// Verifications and repairs: how far those are that run, what came of them, and the last ones.
import { Link } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { type CombinedError, useQuery } from "urql";
import { Button } from "../../ui/button";
import { useEvery } from "../../ui/every";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import notices from "../files/bulk.module.css";
import { RUNS, type Run } from "./documents";
import styles from "./runs.module.css";
import { MODES, outcomeOf, progressOf } from "./words";

const LAST = 10;
const RUNNING_MS = 1_000;
const RESTING_MS = 5_000;

export interface Runs {
  runs: readonly Run[] | undefined;
  error: CombinedError | undefined;
  reload: () => void;
  /** Those that run, whoever ordered them, and those that ended since the page was opened, until they are closed. */
  watched: readonly Run[];
  watch: (id: string) => void;
  close: (id: string) => void;
}

export function useRuns(): Runs {
  const [{ data, error }, again] = useQuery({
    query: RUNS,
    variables: { first: LAST },
    requestPolicy: "cache-and-network",
  });
  const [ids, setIds] = useState<readonly string[]>([]);
  const watch = useCallback((id: string) => setIds((old) => (old.includes(id) ? old : [...old, id])), []);
  const close = useCallback((id: string) => setIds((old) => old.filter((other) => other !== id)), []);
  const runs = data?.replicaRuns.nodes;
  const running = runs?.some(({ state }) => state === "RUNNING");
  const reload = () => again({ requestPolicy: "network-only" });
  useEvery(reload, true, running ? RUNNING_MS : RESTING_MS);
  useEffect(() => {
    for (const { id, state } of runs ?? []) if (state === "RUNNING") watch(id);
  }, [runs, watch]);
  const watched = runs?.filter(({ id }) => ids.includes(id)) ?? [];
  return { runs, error, reload, watched, watch, close };
}

export function RunNotice({ run, onClose }: { run: Run; onClose: () => void }) {
  const ended = run.state !== "RUNNING";
  const name = MODES[run.mode];
  return (
    <section className={notices.notice} data-state={run.state} aria-label={name}>
      {ended ? (
        <p role="status">
          {name}: {outcomeOf(run)}.
        </p>
      ) : (
        <>
          <p>
            {name}: {progressOf(run)}
          </p>
          <progress max={Math.max(run.total, run.done, 1)} value={run.done} aria-label={`${name}, under way`} />
        </>
      )}
      <p className={notices.more}>
        {run.error && <span>{run.error}</span>}
        {ended && (
          <Button look="quiet" onClick={onClose}>
            Close
          </Button>
        )}
      </p>
    </section>
  );
}

export function LastRuns({ runs }: { runs: readonly Run[] }) {
  if (runs.length === 0) return <p className={styles.none}>None yet.</p>;
  return (
    <ul className={styles.runs}>
      {runs.map((run) => (
        <li key={run.id}>
          <Status value={run.state} />
          <Link to="." search={(old) => ({ ...old, item: run.id })}>
            {MODES[run.mode]}
          </Link>
          <Time at={run.startedAt} />
          <span>by {run.requestedBy?.username ?? "schedule"}</span>
          <span className={styles.outcome}>{run.state === "RUNNING" ? progressOf(run) : outcomeOf(run)}</span>
          {run.error && <p className={styles.error}>{run.error}</p>}
        </li>
      ))}
    </ul>
  );
}
