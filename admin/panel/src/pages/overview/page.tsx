// One calm page: what needs somebody, how much there is, and what happened last.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useQuery } from "urql";
import { explain } from "../../graphql/client";
import { graphql, type ResultOf } from "../../graphql/tada";
import { isAdmin, useViewer } from "../../session/viewer";
import { Button } from "../../ui/button";
import { Failure } from "../../ui/failure";
import { Icon } from "../../ui/icon";
import { count, sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time, useNow } from "../../ui/time";
import { useOpenReports } from "../reports/open";
import styles from "./page.module.css";

const SEEN = 50;
/** An erasure that takes longer than this wants somebody to look. */
const SLOW_ERASURE_MS = 3_600_000;

const OVERVIEW = graphql(`
  query Overview($seen: Int!) {
    alerts(first: $seen) { nodes { id kind state message createdAt } }
    jobs(state: FAILED, first: $seen) { nodes { id } pageInfo { hasNextPage } }
    erasures(filter: { erased: false }, first: $seen) { nodes { id requestedAt isHeld } pageInfo { hasNextPage } }
  }
`);

/** On its own: both buckets are asked, which may take seconds. */
const COPIES = graphql(`query Copies { replication { state sentence } }`);

const FILE_COUNTS = graphql(`
  query FileCounts {
    active: files(filter: { everyone: true }, first: 1) { totalCount totalCountIsExact }
    processing: files(filter: { everyone: true, state: PROCESSING }, first: 1) { totalCount totalCountIsExact }
    rejected: files(filter: { everyone: true, state: REJECTED }, first: 1) { totalCount totalCountIsExact }
    trashed: files(filter: { everyone: true, state: TRASHED }, first: 1) { totalCount totalCountIsExact }
    removed: files(filter: { everyone: true, state: REMOVED }, first: 1) { totalCount totalCountIsExact }
  }
`);

type Overview = ResultOf<typeof OVERVIEW>;

export default function OverviewPage() {
  const [{ data, error }, again] = useQuery({
    query: OVERVIEW,
    variables: { seen: SEEN },
    requestPolicy: "cache-and-network",
  });
  return (
    <div className={styles.page} aria-busy={!data && !error}>
      <h1>Overview</h1>
      {error && <Failure {...explain(error)} action={<Button onClick={() => again()}>Try again</Button>} />}
      <Attention data={data} />
      {isAdmin(useViewer()) && <FileCounts />}
      <section aria-labelledby="latest">
        <header className={styles.head}>
          <h2 id="latest">Latest alerts</h2>
          <Link to="/alerts">All alerts</Link>
        </header>
        {data ? <LatestAlerts alerts={data.alerts.nodes.slice(0, 8)} /> : <Waiting lines={8} />}
      </section>
    </div>
  );
}

/** What somebody should look at, or that there is nothing. */
function Attention({ data }: { data: Overview | undefined }) {
  const now = useNow();
  const reports = useOpenReports();
  const [copies] = useQuery({ query: COPIES, requestPolicy: "cache-and-network" });
  const replication = copies.data?.replication;
  if (!data || !(replication || copies.error)) return <Waiting lines={1} />;
  const failed = data.alerts.nodes.filter(({ state }) => state === "FAILED").length;
  const jobs = data.jobs.nodes.length;
  const open = data.erasures.nodes;
  const isSlow = ({ requestedAt, isHeld }: (typeof open)[number]) =>
    !isHeld && requestedAt && now - Date.parse(requestedAt) > SLOW_ERASURE_MS;
  const slow = open.filter(isSlow).length;
  const items: { key: string; node: ReactNode }[] = [];
  if (reports) {
    const text = reports === "1" ? "1 report waits for a decision" : `${reports} reports wait for a decision`;
    items.push({ key: "reports", node: <Link to="/reports">{text}</Link> });
  }
  if (replication?.state !== "HEALTHY") {
    const text = replication
      ? `Replication is ${replication.state}. ${replication.sentence}`
      : "How the replication stands could not be read";
    items.unshift({ key: "replication", node: <Link to="/replication">{text}</Link> });
  }
  if (failed > 0) {
    const text = `${count(failed, "alert")} of the last ${SEEN} could not be delivered`;
    items.push({ key: "alerts", node: <Link to="/alerts">{text}</Link> });
  }
  if (jobs > 0) {
    const text = `${count(jobs, "job")}${data.jobs.pageInfo.hasNextPage ? " or more" : ""} failed for good`;
    items.push({ key: "jobs", node: <Link to="/jobs">{text}</Link> });
  }
  if (slow > 0) {
    const more = data.erasures.pageInfo.hasNextPage ? " or more" : "";
    const text = `${count(slow, "erasure")}${more} under way for over an hour`;
    const link = (
      <Link to="/erasures" search={{ show: "open" }}>
        {text}
      </Link>
    );
    items.push({ key: "erasures", node: link });
  }
  return (
    <section aria-label="What needs attention">
      {items.length === 0 ? (
        <p className={styles.calm}>
          <Icon name="check" />
          Nothing needs attention.
          {open.length > 0 && (
            <Link to="/erasures" search={{ show: "open" }}>
              {count(open.length, "erasure")}
              {data.erasures.pageInfo.hasNextPage && " or more"} under way
            </Link>
          )}
        </p>
      ) : (
        <ul className={styles.attention}>
          {items.map(({ key, node }) => (
            <li key={key}>
              <Icon name="warning" />
              {node}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function FileCounts() {
  const [{ data, error }, again] = useQuery({ query: FILE_COUNTS, requestPolicy: "cache-and-network" });
  if (error) return <Failure {...explain(error)} action={<Button onClick={() => again()}>Try again</Button>} />;
  const number = (part: { totalCount: number; totalCountIsExact: boolean } | undefined) =>
    part ? `${part.totalCount.toLocaleString("en")}${part.totalCountIsExact ? "" : "+"}` : "…";
  return (
    <section aria-labelledby="files">
      <header className={styles.head}>
        <h2 id="files">Files</h2>
        <Link to="/files">All files</Link>
      </header>
      <ul className={styles.counts}>
        <li>
          <Link to="/files">
            <b>{number(data?.active)}</b> active
          </Link>
        </li>
        <li>
          <Link to="/files" search={{ state: "PROCESSING" }}>
            <b>{number(data?.processing)}</b> processing
          </Link>
        </li>
        <li>
          <Link to="/files" search={{ state: "REJECTED" }}>
            <b>{number(data?.rejected)}</b> rejected
          </Link>
        </li>
        <li>
          <Link to="/trash">
            <b>{number(data?.trashed)}</b> in the trash
          </Link>
        </li>
        <li>
          <Link to="/trash" search={{ state: "REMOVED" }}>
            <b>{number(data?.removed)}</b> removed by admins
          </Link>
        </li>
      </ul>
    </section>
  );
}

function LatestAlerts({ alerts }: { alerts: Overview["alerts"]["nodes"] }) {
  if (alerts.length === 0) return <p className={styles.none}>None yet. Every deletion of a file raises one.</p>;
  return (
    <ul className={styles.alerts}>
      {alerts.map(({ id, kind, state, message, createdAt }) => (
        <li key={id}>
          <Status value={state} />
          <Link to="/alerts" search={{ item: id }} className={styles.message}>
            <span className="visually-hidden">{sentence(kind)}: </span>
            {message}
          </Link>
          <Time at={createdAt} />
        </li>
      ))}
    </ul>
  );
}

function Waiting({ lines }: { lines: number }) {
  return (
    <div aria-hidden="true">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={line} className={styles.waiting} />
      ))}
    </div>
  );
}
