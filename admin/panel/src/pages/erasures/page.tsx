// Proof of erasure: every stored object that was to be deleted, and when each region was found empty of it.
import { getRouteApi, Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../graphql/tada";
import { isAdmin, useViewer } from "../../session/viewer";
import { useBrowse } from "../../ui/browse";
import { Button } from "../../ui/button";
import { Id } from "../../ui/copy";
import { Empty } from "../../ui/empty";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { ListPage } from "../../ui/list-page";
import { usePages } from "../../ui/pages";
import { bytes, sentence } from "../../ui/relative";
import { Segments } from "../../ui/segments";
import { Status } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";

const ERASURES = graphql(`
  query Erasures($filter: ErasureFilter!, $first: Int!, $after: String) {
    erasures(filter: $filter, first: $first, after: $after) {
      nodes {
        id key kind size sha256 fileId reason requestedAt primaryConfirmedAt replicaConfirmedAt erasedAt
        requestedBy { id username }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type Erasure = ResultOf<typeof ERASURES>["erasures"]["nodes"][number];

const route = getRouteApi("/shell/erasures");

const COLUMNS: readonly Column<Erasure>[] = [
  {
    title: "State",
    width: "108px",
    narrow: true,
    cell: ({ erasedAt }) => <Status value={erasedAt ? "PROVEN" : "UNDER_WAY"} />,
  },
  { title: "What", width: "104px", narrow: true, cell: ({ kind }) => sentence(kind) },
  { title: "Why", width: "minmax(112px, 1fr)", cell: ({ reason }) => reason && sentence(reason) },
  { title: "Asked by", width: "minmax(80px, 1fr)", cell: ({ requestedBy }) => requestedBy?.username ?? "the server" },
  {
    title: "Asked",
    width: "minmax(96px, 1fr)",
    narrow: true,
    cell: ({ requestedAt }) => requestedAt && <Time at={requestedAt} />,
  },
  { title: "Primary", width: "112px", cell: ({ primaryConfirmedAt }) => <Confirmed at={primaryConfirmedAt} /> },
  { title: "Replica", width: "112px", cell: ({ replicaConfirmedAt }) => <Confirmed at={replicaConfirmedAt} /> },
];

function Confirmed({ at }: { at: string | null }) {
  return at ? <Time at={at} /> : <Status value="AWAITING" />;
}

export default function ErasuresPage() {
  const { item, show, file } = route.useSearch();
  const navigate = route.useNavigate();
  const filter = { ...(file && { fileId: file }), ...(show && { erased: show === "proven" }) };
  const paged = usePages(ERASURES, { filter }, ({ erasures }) => erasures);
  const open = (item: string | undefined) => navigate({ search: (old) => ({ ...old, item }), replace: true });
  const browse = useBrowse(paged.rows, { opened: item, open });
  const opened = paged.rows.find(({ id }) => id === item);
  const all = () => navigate({ search: {} });

  return (
    <ListPage
      title="Erasures"
      noun="erasure"
      paged={paged}
      shown={paged.rows.length}
      tools={
        <div style={{ display: "flex", flexWrap: "wrap", gap: 8 }}>
          <Segments
            label="Which"
            value={show ?? "all"}
            options={[
              ["all", "All"],
              ["open", "Under way"],
              ["proven", "Proven"],
            ]}
            onChange={(value) =>
              navigate({ search: (old) => ({ ...old, item: undefined, show: value === "all" ? undefined : value }) })
            }
          />
          {file && (
            <Button look="quiet" onClick={() => navigate({ search: (old) => ({ ...old, file: undefined }) })}>
              Of one file — show all
            </Button>
          )}
        </div>
      }
      empty={
        show || file ? (
          <Empty
            title="None of these"
            text="No erasure meets this filter."
            action={<Button onClick={all}>Clear filters</Button>}
          />
        ) : (
          <Empty
            title="Nothing was erased yet"
            text="When something is deleted for good, the proof for both regions is kept here."
          />
        )
      }
      inspector={opened && <Details erasure={opened} onClose={() => open(undefined)} />}
    >
      <Table label="Erasures" columns={COLUMNS} rows={paged.rows} paged={paged} browse={browse} />
    </ListPage>
  );
}

function Details({ erasure, onClose }: { erasure: Erasure; onClose: () => void }) {
  const admin = isAdmin(useViewer());
  return (
    <Inspector title={`${sentence(erasure.kind)} of ${bytes(erasure.size)}`} onClose={onClose}>
      <Facts
        facts={[
          ["State", <Status key="state" value={erasure.erasedAt ? "PROVEN" : "UNDER_WAY"} />],
          ["Why", erasure.reason && sentence(erasure.reason)],
          ["Asked by", erasure.requestedBy?.username ?? "the server"],
          ["Asked", erasure.requestedAt && <Time at={erasure.requestedAt} />],
        ]}
      />
      <Section title="Found empty: no version, marker or unfinished upload">
        <Facts
          facts={[
            ["Primary", <Confirmed key="primary" at={erasure.primaryConfirmedAt} />],
            ["Replica", <Confirmed key="replica" at={erasure.replicaConfirmedAt} />],
            ["Proven", erasure.erasedAt && <Time at={erasure.erasedAt} />],
          ]}
        />
      </Section>
      <Section title="What it was">
        <Facts
          facts={[
            ["Key", <Id key="key" id={erasure.key} what="key" />],
            ["SHA-256", erasure.sha256 && <Id id={erasure.sha256} what="SHA-256" />],
            [
              "File",
              erasure.fileId &&
                (admin ? (
                  <Link to="/files" search={{ item: erasure.fileId }}>
                    Show the file
                  </Link>
                ) : (
                  <Id id={erasure.fileId} what="file id" />
                )),
            ],
            ["Id", <Id key="id" id={erasure.id} what="erasure id" />],
          ]}
        />
      </Section>
    </Inspector>
  );
}
