// One finding: what it means, what was seen where, and what a repair does about it; or one run, with all that it counted.
import { useQuery } from "urql";
import { isAdmin, useViewer } from "../../session/viewer";
import { Button } from "../../ui/button";
import { Id } from "../../ui/copy";
import { useEvery } from "../../ui/every";
import { Failure } from "../../ui/failure";
import { Facts, Inspector, Section } from "../../ui/inspector";
import styles from "../../ui/inspector.module.css";
import { LastError } from "../../ui/last-error";
import { bytes, count, sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { Person } from "../users/person";
import { type Finding, REPLICATION_ITEM, type Run } from "./documents";
import { duration, isBeyondRepair, MODES, meaningOf, outcomeOf, progressOf, repairOf } from "./words";

interface Props {
  id: string;
  onRepair: (id: string) => void;
  onClose: () => void;
}

export function ReplicationInspector({ id, onRepair, onClose }: Props) {
  const [{ data, error, fetching }, again] = useQuery({
    query: REPLICATION_ITEM,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const ended = data?.node && "state" in data.node && ["RESOLVED", "COMPLETE"].includes(data.node.state);
  // What is repaired leaves the list of what is open, and is told here.
  useEvery(() => again({ requestPolicy: "network-only" }), !ended);
  switch (data?.node?.__typename) {
    case "ReplicaFinding":
      return <FindingDetails finding={data.node} onRepair={onRepair} onClose={onClose} />;
    case "ReplicaRun":
      return <RunDetails run={data.node} onClose={onClose} />;
  }
  return <Waiting id={id} noun="finding" {...{ error, fetching, again, onClose }} />;
}

function FindingDetails({ finding, onRepair, onClose }: { finding: Finding } & Omit<Props, "id">) {
  const { id, kind, state, outcome, lastError, resolvedAt } = finding;
  return (
    <Inspector
      title={sentence(kind)}
      onClose={onClose}
      actions={state === "OPEN" && !isBeyondRepair(kind) && <RepairThis onRepair={() => onRepair(id)} />}
    >
      <p>{meaningOf(kind)}</p>
      {state === "OPEN" && <p>{repairOf(kind)}</p>}
      <Section title="What was seen">
        <pre className={styles.json}>{finding.detail}</pre>
      </Section>
      <Section title="The finding">
        <Facts
          facts={[
            ["State", <Status key="state" value={outcome ?? state} />],
            ["Key", <Id key="key" id={finding.key} what="key" />],
            ["Size", bytes(finding.size)],
            ["First seen", <Time key="first" at={finding.firstSeenAt} exact />],
            ["Last seen", <Time key="last" at={finding.lastSeenAt} exact />],
            ["Sightings", `In ${count(finding.sightings, "run")}`],
            ["Attempts", finding.attempts > 0 && `${count(finding.attempts, "repair")} could not mend it`],
            ["Resolved", resolvedAt && <Time at={resolvedAt} exact />],
            ["Id", <Id key="id" id={id} what="finding id" />],
          ]}
        />
      </Section>
      {lastError && state !== "RESOLVED" && <LastError error={lastError} />}
    </Inspector>
  );
}

function RepairThis({ onRepair }: { onRepair: () => void }) {
  if (!isAdmin(useViewer())) return <span className={styles.note}>Only admins can repair.</span>;
  return <Button onClick={onRepair}>Repair this…</Button>;
}

function RunDetails({ run, onClose }: { run: Run; onClose: () => void }) {
  const { coverage, error, finishedAt, mode } = run;
  const verifies = mode === "SWEEP" || mode === "SCRUB";
  return (
    <Inspector title={MODES[mode]} onClose={onClose}>
      <p>{run.state === "RUNNING" ? progressOf(run) : outcomeOf(run)}</p>
      {error && <Failure message={error} />}
      <Section title="The run">
        <Facts
          facts={[
            ["State", <Status key="state" value={run.state} />],
            ["Ordered by", run.requestedBy ? <Person key="by" person={run.requestedBy} /> : "the schedule"],
            ["Started", <Time key="started" at={run.startedAt} exact />],
            ["Finished", finishedAt && <Time at={finishedAt} exact />],
            ["Faults", verifies && run.faults.toLocaleString("en")],
            ["Read", run.bytesRead > 0 && bytes(run.bytesRead)],
            ["Id", <Id key="id" id={run.id} what="run id" />],
          ]}
        />
      </Section>
      {verifies && (
        <Section title="Whole at both sites, by what was compared">
          <Facts
            facts={[
              ["Bytes read back", count(coverage.bytes, "object")],
              ["Checksum", count(coverage.checksum, "object")],
              ["ETag", count(coverage.etag, "object")],
              ["Existence", count(coverage.existence, "object")],
            ]}
          />
        </Section>
      )}
      {run.drill && <DrillDetails drill={run.drill} />}
    </Inspector>
  );
}

function DrillDetails({ drill }: { drill: NonNullable<Run["drill"]> }) {
  return (
    <Section title="What was measured">
      <Facts
        facts={[
          ["Manifest of", <Time key="at" at={drill.manifestAt} exact />],
          ["Ledger rebuilt", `After ${duration(drill.ledger)}`],
          ["Sample", `${count(drill.sample, "object")}, ${bytes(drill.sampleSize)}, in ${duration(drill.copying)}`],
          ["Right", `${drill.right.toLocaleString("en")} of ${drill.sample.toLocaleString("en")}`],
          ["All", `${count(drill.objects, "object")}, ${bytes(drill.size)}`],
          ["RPO", `${duration(drill.rpo)}, the age of the manifest`],
          ["RTO", `${duration(drill.rto)}, by the pace of the sample`],
        ]}
      />
    </Section>
  );
}
