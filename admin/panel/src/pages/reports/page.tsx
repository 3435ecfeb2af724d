// What people reported: the open ones, oldest first, until somebody decides them; and what was decided.
import { getRouteApi } from "@tanstack/react-router";
import { useChange } from "../../ui/address";
import { usePages } from "../../ui/pages";
import { sentence } from "../../ui/relative";
import { named, Segments } from "../../ui/segments";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { REPORTS, type ReportRow } from "./documents";
import { ReportInspector } from "./inspector";
import { MOST } from "./open";
import { STATES } from "./search";
import { DECIDED, whatOf } from "./words";

const route = getRouteApi("/shell/admins/reports");

const EMPTY = {
  OPEN: {
    title: "No report is open",
    text: "What people report, a file by its link or a snap that they were sent, waits here until an admin decides.",
  },
  RESOLVED: { title: "Nothing was decided yet", text: "Decided reports stay here, with the decision and its reason." },
};

const WHAT: readonly Column<ReportRow>[] = [
  { title: "Category", width: "96px", narrow: true, cell: ({ category }) => sentence(category) },
  { title: "What", width: "minmax(96px, 2fr)", narrow: true, cell: (report) => <Cut>{whatOf(report)}</Cut> },
  { title: "Whose", width: "minmax(64px, 1fr)", narrow: true, cell: ({ accused }) => <Cut>{nameOf(accused)}</Cut> },
  { title: "Reported by", width: "minmax(64px, 1fr)", cell: ({ reporter }) => <Cut>{nameOf(reporter)}</Cut> },
  { title: "Reported", width: "104px", narrow: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
];

const COLUMNS: Record<ReportRow["state"], readonly Column<ReportRow>[]> = {
  OPEN: [
    ...WHAT,
    { title: "Same thing", width: "88px", align: "end", cell: ({ sameCount }) => sameCount },
    { title: "Upheld before", width: "112px", align: "end", cell: ({ upheldCount }) => upheldCount },
  ],
  RESOLVED: [
    ...WHAT.filter(({ title }) => title !== "Reported"),
    { title: "Decision", width: "minmax(128px, 1fr)", cell: ({ decision }) => decision && DECIDED[decision] },
    { title: "By", width: "minmax(64px, 1fr)", cell: ({ decidedBy }) => <Cut>{nameOf(decidedBy)}</Cut> },
    { title: "Decided", width: "104px", narrow: true, cell: ({ decidedAt }) => decidedAt && <Time at={decidedAt} /> },
  ],
};

const nameOf = (person: { username: string } | null) => person?.username ?? "nobody any more";

export default function ReportsPage() {
  const search = route.useSearch();
  const change = useChange(search);
  const state = search.state ?? "OPEN";
  const paged = usePages(REPORTS, { state }, ({ reports }) => ({
    ...reports,
    totalCountIsExact: reports.totalCount < MOST,
  }));
  // What is decided leaves the list at once.
  const rows = paged.rows.filter((report) => report.state === state);
  const goOn = ({ id, subjectId }: ReportRow) => {
    if (state !== "OPEN") return;
    // The decision was for all that are about the same.
    const others = (row: ReportRow) => row.subjectId !== subjectId;
    const after = rows.slice(rows.findIndex((row) => row.id === id) + 1).find(others);
    change({ item: (after ?? rows.find(others))?.id });
  };
  return (
    <TablePage
      title="Reports"
      noun="report"
      paged={paged}
      rows={rows}
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
      columns={COLUMNS[state]}
      item={search.item}
      change={change}
      empty={EMPTY[state]}
      details={(id, close) => <ReportInspector key={id} id={id} onDecided={goOn} onClose={close} />}
    />
  );
}
