// What nobody may store, newest first: contents that were found here, and hashes from elsewhere.
import { getRouteApi } from "@tanstack/react-router";
import { useChange } from "../../ui/address";
import { usePages } from "../../ui/pages";
import { named, Segments } from "../../ui/segments";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { Thumb } from "../files/picture";
import { BlockHash } from "./block-hash";
import { BLOCKED_CONTENTS, type BlockedContent } from "./documents";
import { BlockedInspector } from "./inspector";
import { STATES } from "./search";
import { marksOf, nameOf } from "./words";

const route = getRouteApi("/shell/admins/block-list");

const EMPTY = {
  BLOCKED: {
    title: "Nothing is blocked",
    text: "A content is blocked from the details of a file, by the decision on a report, or here by its hash. Nobody can store it then.",
  },
  UNBLOCKED: { title: "Nothing was unblocked yet", text: "What is unblocked stays here, with who blocked it and why." },
};

const WHAT: readonly Column<BlockedContent>[] = [
  {
    title: "Name",
    width: "minmax(136px, 2fr)",
    narrow: true,
    cell: (entry) => (
      <>
        <Thumb url={undefined} thumbhash={entry.thumbhash} />
        <Cut>{nameOf(entry)}</Cut>
      </>
    ),
  },
  { title: "Type", width: "minmax(80px, 1fr)", cell: ({ contentType }) => contentType && <Cut>{contentType}</Cut> },
  { title: "Known", width: "148px", cell: marksOf },
  { title: "Reason", width: "minmax(96px, 2fr)", cell: ({ reason }) => <Cut>{reason}</Cut> },
  { title: "Refused", width: "72px", narrow: true, align: "end", cell: ({ refusedCount }) => refusedCount },
];

const BLOCKED: Column<BlockedContent> = {
  title: "Blocked",
  width: "104px",
  narrow: true,
  cell: ({ blockedAt }) => <Time at={blockedAt} />,
};

const COLUMNS: Record<(typeof STATES)[number], readonly Column<BlockedContent>[]> = {
  BLOCKED: [...WHAT, BLOCKED],
  UNBLOCKED: [
    ...WHAT,
    { ...BLOCKED, narrow: false },
    {
      title: "Unblocked",
      width: "104px",
      narrow: true,
      cell: ({ unblockedAt }) => unblockedAt && <Time at={unblockedAt} />,
    },
  ],
};

export default function BlockListPage() {
  const search = route.useSearch();
  const change = useChange(search);
  const state = search.state ?? "BLOCKED";
  const active = state === "BLOCKED";
  const paged = usePages(BLOCKED_CONTENTS, { active }, ({ blockedContents }) => blockedContents);
  return (
    <TablePage
      title="Block list"
      noun="entry"
      paged={paged}
      // What is unblocked leaves the list at once.
      rows={paged.rows.filter(({ unblockedAt }) => (unblockedAt === null) === active)}
      whole={<BlockHash onBlocked={(item) => change({ state: undefined, item })} />}
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
      details={(id, close) => <BlockedInspector key={id} id={id} onClose={close} />}
    />
  );
}
