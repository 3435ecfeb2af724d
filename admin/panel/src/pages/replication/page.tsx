// Disaster recovery: how the copies stand, what is wrong with them, and what mends it.
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { explain } from "../../graphql/client";
import { isAdmin, useViewer } from "../../session/viewer";
import { useChange } from "../../ui/address";
import { Button, IconButton } from "../../ui/button";
import { useEvery } from "../../ui/every";
import { Failure } from "../../ui/failure";
import { Icon } from "../../ui/icon";
import { useKeys } from "../../ui/keys";
import { usePages } from "../../ui/pages";
import { FINDINGS, REPLICATION, type Scope } from "./documents";
import { Findings } from "./findings";
import { ReplicationInspector } from "./inspector";
import { Measures } from "./measures";
import styles from "./page.module.css";
import { RepairDialog } from "./repair";
import { LastRuns, RunNotice, useRuns } from "./runs";
import { Sites, State } from "./state";
import { BelieveListings, DrillButton, VerifyButtons } from "./verify";

const route = getRouteApi("/shell/replication");

/** Both buckets are asked each time. */
const EVERY_MS = 5_000;
const OPEN = { open: true, resolved: false, all: null };

export default function ReplicationPage() {
  const search = route.useSearch();
  const change = useChange(search);
  const admin = isAdmin(useViewer());
  const [repairing, setRepairing] = useState<Scope>();
  const [{ data, error }, again] = useQuery({ query: REPLICATION, requestPolicy: "cache-and-network" });
  const variables = { open: OPEN[search.show ?? "open"], kind: search.kind ?? null };
  const paged = usePages(FINDINGS, variables, ({ replicaFindings }) => replicaFindings);
  const runs = useRuns();
  const reload = () => {
    again({ requestPolicy: "network-only" });
    paged.reload();
  };
  useEvery(reload, true, EVERY_MS);
  // A run that began or ended has changed what is known.
  const news = runs.runs?.map(({ id, state }) => `${id} ${state}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each of them
  useEffect(() => {
    if (news) reload();
  }, [news]);
  const readAgain = () => {
    reload();
    runs.reload();
  };
  useKeys("Replication", [{ keys: "r", label: "Read the page again", run: readAgain }]);

  const replication = data?.replication;
  const kinds = search.kind && [search.kind];
  return (
    <div className={styles.split} data-inspecting={search.item ? true : undefined}>
      <div className={styles.page} aria-busy={!replication && !error}>
        <header className={styles.head}>
          <h1>Replication</h1>
          <div className={styles.actions}>
            {admin && <VerifyButtons runs={runs} />}
            {admin && <DrillButton runs={runs} />}
            <IconButton label="Read again" onClick={readAgain}>
              <Icon name="reload" />
            </IconButton>
          </div>
        </header>
        {error && <Failure {...explain(error)} action={<Button onClick={readAgain}>Try again</Button>} />}
        {replication ? <State replication={replication} /> : !error && <div className={styles.waiting} aria-hidden />}
        {runs.watched.map((run) => (
          <RunNotice key={run.id} run={run} onClose={() => runs.close(run.id)} />
        ))}
        {admin && replication?.lastVerification?.state === "INCONCLUSIVE" && (
          <p>
            <BelieveListings watch={runs.watch} />
          </p>
        )}
        {replication && <Sites replication={replication} />}
        {replication && <Measures replication={replication} />}
        {replication && (
          <Findings
            search={search}
            change={change}
            counts={replication.findings}
            paged={paged}
            onRepair={() => setRepairing(kinds ? { kinds } : {})}
          />
        )}
        <section className={styles.section} aria-labelledby="runs">
          <header className={styles.head}>
            <h2 id="runs">Last verifications, repairs and drills</h2>
          </header>
          {runs.error && <Failure {...explain(runs.error)} />}
          {runs.runs && <LastRuns runs={runs.runs} />}
        </section>
      </div>
      {search.item && (
        <ReplicationInspector
          key={search.item}
          id={search.item}
          onRepair={(id) => setRepairing({ ids: [id] })}
          onClose={() => change({ item: undefined })}
        />
      )}
      {repairing && <RepairDialog scope={repairing} onOrdered={runs.watch} onClose={() => setRepairing(undefined)} />}
    </div>
  );
}
