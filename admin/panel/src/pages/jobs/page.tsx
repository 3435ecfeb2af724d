// Effects outside the database that are still to be done: those that failed for good, first of all.
import { getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { useChange } from "../../ui/address";
import { Id } from "../../ui/copy";
import { useEvery } from "../../ui/every";
import { Facts, Inspector, Json, Section } from "../../ui/inspector";
import { LastError } from "../../ui/last-error";
import { usePages } from "../../ui/pages";
import { RetryButton } from "../../ui/retry-button";
import { named, Segments } from "../../ui/segments";
import { Status } from "../../ui/status";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { JOB, JOBS, type Job, RETRY_JOB } from "./documents";
import { STATES } from "./search";

const route = getRouteApi("/shell/jobs");

const EMPTY = {
  FAILED: { title: "No job has failed for good", text: "One that is out of attempts waits here until it is retried." },
  WAITING: { title: "No job waits", text: "What is to be done later, or once more, waits here. What is done is gone." },
  RUNNING: { title: "No job runs at the moment", text: "Most take milliseconds. What is done is gone." },
};

const columns = (state: Job["state"]): readonly Column<Job>[] => [
  { title: "State", width: "108px", cell: ({ state }) => <Status value={state} /> },
  { title: "Kind", width: "minmax(128px, 1fr)", narrow: true, cell: ({ kind }) => <Cut>{kind}</Cut> },
  {
    title: "Attempts",
    width: "80px",
    narrow: true,
    align: "end",
    cell: ({ attempts, maxAttempts }) => `${attempts} of ${maxAttempts}`,
  },
  state === "FAILED"
    ? { title: "Failed", width: "112px", narrow: true, cell: ({ failedAt }) => failedAt && <Time at={failedAt} /> }
    : { title: "Due", width: "112px", narrow: true, cell: ({ runAt }) => <Time at={runAt} /> },
  { title: "Last error", width: "minmax(120px, 3fr)", cell: ({ lastError }) => lastError && <Cut>{lastError}</Cut> },
];

export default function JobsPage() {
  const search = route.useSearch();
  const change = useChange(search);
  const state = search.state ?? "FAILED";
  const paged = usePages(JOBS, { state }, ({ jobs }) => jobs);
  // They come and go by themselves.
  useEvery(paged.reload);
  return (
    <TablePage
      title="Jobs"
      noun="job"
      paged={paged}
      // What is retried leaves the list at once.
      rows={paged.rows.filter((job) => job.state === state)}
      tools={
        <div>
          <Segments
            label="State"
            value={state}
            options={named(STATES)}
            onChange={(state) => change({ state, item: undefined })}
          />
        </div>
      }
      columns={columns(state)}
      item={search.item}
      change={change}
      empty={EMPTY[state]}
      details={(id, close) => <Details key={id} id={id} onClose={close} />}
    />
  );
}

function Details({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: JOB,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const job = data?.node?.__typename === "Job" ? data.node : undefined;
  if (!job) {
    const missing = "A job that is done is there no more. Its outcome shows where its effect is.";
    return <Waiting id={id} noun="job" {...{ error, fetching, missing, again, onClose }} />;
  }
  return (
    <Inspector
      title={job.kind}
      onClose={onClose}
      actions={
        job.state === "FAILED" && (
          <RetryButton
            verb="Retry"
            consequence="It runs at once, with all its attempts again."
            done="The job runs again"
            document={RETRY_JOB}
            id={id}
            pick={({ retryJob }) => retryJob}
          />
        )
      }
    >
      <Facts
        facts={[
          ["State", <Status key="state" value={job.state} />],
          ["Attempts", `${job.attempts} of ${job.maxAttempts}`],
          job.state === "FAILED"
            ? ["Failed", job.failedAt && <Time at={job.failedAt} />]
            : [job.attempts > 0 ? "Next attempt" : "Due", <Time key="due" at={job.runAt} />],
          ["Written", <Time key="written" at={job.createdAt} />],
          ["Id", <Id key="id" id={job.id} what="job id" />],
        ]}
      />
      {job.lastError && <LastError error={job.lastError} />}
      <Section title="What it works on">
        <Json value={parsed(job.payload)} />
      </Section>
    </Inspector>
  );
}

/** Of a newer release it may be anything. */
function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}
