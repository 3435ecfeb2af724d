// Removals by a filter that the server works off: how far each is, until its end was read.
import { Link } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { useQuery } from "urql";
import { explain } from "../../graphql/client";
import { Button } from "../../ui/button";
import { useEvery } from "../../ui/every";
import { Failure } from "../../ui/failure";
import { count } from "../../ui/relative";
import styles from "./bulk.module.css";
import { BULK_ACTION, BULK_ACTIONS, type BulkAction } from "./documents";

const EVERY_MS = 1_000;

/** Those that run, whoever ordered them, and those that ended since the page was opened, until they are closed. */
export function useBulkActions() {
  const [{ data }] = useQuery({ query: BULK_ACTIONS, requestPolicy: "cache-and-network" });
  const [ids, setIds] = useState<readonly string[]>([]);
  const add = useCallback((id: string) => setIds((old) => (old.includes(id) ? old : [...old, id])), []);
  const close = useCallback((id: string) => setIds((old) => old.filter((other) => other !== id)), []);
  useEffect(() => {
    for (const { id, state } of data?.bulkActions.nodes ?? []) if (state === "RUNNING") add(id);
  }, [data, add]);
  return { ids, add, close };
}

interface Props {
  id: string;
  onEnd: () => void;
  onClose: () => void;
}

export function BulkNotice({ id, onEnd, onClose }: Props) {
  const [{ data, error }, again] = useQuery({
    query: BULK_ACTION,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const action = data?.node?.__typename === "BulkAction" ? data.node : undefined;
  const ended = action !== undefined && action.state !== "RUNNING";
  useEvery(() => again({ requestPolicy: "network-only" }), !ended, EVERY_MS);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, at the end
  useEffect(() => {
    if (ended) onEnd();
  }, [ended]);
  if (!action) return error && <Failure {...explain(error)} />;
  const { state, total, done, skipped, reason, alert } = action;
  return (
    <section className={styles.notice} data-state={state} aria-label="Removal by a filter">
      {ended ? (
        <p role="status">{outcome(action)}</p>
      ) : (
        <>
          <p>
            Removing: {(done + skipped).toLocaleString("en")} of {count(total, "file")}
            {skipped > 0 && `, ${skipped.toLocaleString("en")} skipped`}
          </p>
          <progress max={total} value={done + skipped} aria-label="Removing files" />
        </>
      )}
      <p className={styles.more}>
        {reason && <span>{reason}</span>}
        {alert && (
          <Link to="/alerts" search={{ item: alert.id }}>
            Show the alert
          </Link>
        )}
        {ended && (
          <Button look="quiet" onClick={onClose}>
            Close
          </Button>
        )}
      </p>
    </section>
  );
}

function outcome({ state, total, done, skipped, error }: BulkAction) {
  const left = total - done - skipped;
  return [
    `${count(done, "file")} removed.`,
    skipped > 0 &&
      `${count(skipped, "file")} skipped: removed before by somebody else, gone, or in a state that does not allow it.`,
    state === "STOPPED" && `Stopped, with ${count(left, "file")} left: ${error}`,
    state === "FAILED" && `Given up, with ${count(left, "file")} left: the server could not go on.`,
  ]
    .filter(Boolean)
    .join(" ");
}
