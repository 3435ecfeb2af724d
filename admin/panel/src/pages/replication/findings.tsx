// Where ledger and buckets disagree: how many findings there are of each kind, and the list of them.
import type { CSSProperties } from "react";
import { explain } from "../../graphql/client";
import { isAdmin, useViewer } from "../../session/viewer";
import { useBrowse } from "../../ui/browse";
import { Button } from "../../ui/button";
import { Empty } from "../../ui/empty";
import { Failure } from "../../ui/failure";
import type { Paged } from "../../ui/pages";
import { bytes, count, sentence } from "../../ui/relative";
import { named, Segments } from "../../ui/segments";
import { Status } from "../../ui/status";
import { type Column, Cut, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import type { Finding, Replication } from "./documents";
import styles from "./findings.module.css";
import page from "./page.module.css";
import { KINDS, type ReplicationSearch, SHOWN } from "./search";
import { meaningOf, repairOf } from "./words";

/** Rows in sight at once. */
const MOST = 12;

const COLUMNS: readonly Column<Finding>[] = [
  { title: "State", width: "112px", cell: ({ outcome, state }) => <Status value={outcome ?? state} /> },
  { title: "Kind", width: "minmax(144px, 1fr)", narrow: true, cell: ({ kind }) => <Cut>{sentence(kind)}</Cut> },
  { title: "Key", width: "minmax(96px, 2fr)", narrow: true, cell: ({ key }) => <Cut>{key}</Cut> },
  { title: "Size", width: "72px", align: "end", cell: ({ size }) => bytes(size) },
  { title: "First seen", width: "104px", cell: ({ firstSeenAt }) => <Time at={firstSeenAt} /> },
  { title: "Last seen", width: "104px", cell: ({ lastSeenAt }) => <Time at={lastSeenAt} /> },
  { title: "Sightings", width: "80px", align: "end", cell: ({ sightings }) => sightings },
  { title: "Last error", width: "minmax(80px, 1fr)", cell: ({ lastError }) => lastError && <Cut>{lastError}</Cut> },
];

interface Props {
  search: ReplicationSearch;
  change: (changes: Partial<ReplicationSearch>) => void;
  /** Open ones, by kind. */
  counts: Replication["findings"];
  paged: Paged<Finding>;
  onRepair: () => void;
}

export function Findings({ search, change, counts, paged, onRepair }: Props) {
  const admin = isAdmin(useViewer());
  const { kind } = search;
  const show = search.show ?? "open";
  const { rows, loading, hasMore, error, retry } = paged;
  const browse = useBrowse(rows, { opened: search.item, open: (item) => change({ item }) });
  const open = counts.reduce((sum, { findings }) => sum + findings, 0);
  const meant = kind ? (counts.find((count) => count.kind === kind)?.findings ?? 0) : open;
  // Of open ones the server has told how many there are.
  const many = show === "open" ? Math.max(meant, rows.length) : rows.length;
  const sum = `${count(many, "finding")}${show !== "open" && hasMore ? " or more" : ""}`;
  const clear = () => change({ kind: undefined, item: undefined });
  return (
    <section className={page.section} aria-labelledby="findings">
      <header className={page.head}>
        <h2 id="findings">Findings</h2>
        <p className={page.note} role="status">
          {rows.length === 0 && loading ? "Loading…" : sum}
        </p>
        <div className={page.actions}>
          {meant > 0 && <Button onClick={onRepair}>{admin ? "Repair…" : "What a repair would do…"}</Button>}
          <Segments
            label="Which findings"
            value={show}
            options={named(SHOWN)}
            onChange={(value) => change({ show: value === "open" ? undefined : value, item: undefined })}
          />
        </div>
      </header>
      {(open > 0 || kind) && (
        <fieldset className={styles.kinds}>
          <legend className="visually-hidden">Kind</legend>
          <button type="button" aria-pressed={!kind} onClick={clear}>
            All <b>{open.toLocaleString("en")}</b>
          </button>
          {KINDS.map((name) => {
            const findings = counts.find((count) => count.kind === name)?.findings ?? 0;
            if (findings === 0 && name !== kind) return null;
            return (
              <button
                key={name}
                type="button"
                aria-pressed={name === kind}
                onClick={() => change({ kind: name, item: undefined })}
              >
                {sentence(name)} <b>{findings.toLocaleString("en")}</b>
              </button>
            );
          })}
        </fieldset>
      )}
      {kind && (
        <p className={page.note}>
          {meaningOf(kind)} {repairOf(kind)}
        </p>
      )}
      {rows.length > 0 ? (
        <div className={styles.list} style={{ "--rows": Math.min(rows.length, MOST) } as CSSProperties}>
          <Table label="Findings" columns={COLUMNS} rows={rows} paged={paged} browse={browse} />
        </div>
      ) : loading || error ? null : kind ? (
        <Empty
          title="None of these"
          text={`No ${show === "all" ? "" : `${show} `}finding is of this kind.`}
          action={<Button onClick={clear}>Clear filters</Button>}
        />
      ) : show === "resolved" ? (
        <Empty
          title="Nothing was resolved yet"
          text="What a repair has ended, or a verification found well again, stays here."
        />
      ) : (
        <Empty
          title="No open finding"
          text="Where a verification finds that ledger and buckets disagree, it is listed here."
        />
      )}
      {error && <Failure {...explain(error)} action={<Button onClick={retry}>Try again</Button>} />}
    </section>
  );
}
