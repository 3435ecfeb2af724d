// Proof of erasure: every stored object that was to be deleted, and when each region was found empty of it.
import { getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { useChange } from "../../ui/address";
import { Chips } from "../../ui/chips";
import { Id } from "../../ui/copy";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { ObjectLink } from "../../ui/jump";
import { usePages } from "../../ui/pages";
import { bytes, sentence } from "../../ui/relative";
import { Segments } from "../../ui/segments";
import { Status } from "../../ui/status";
import type { Column } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { ERASURE, ERASURES, type Erasure } from "./documents";

const route = getRouteApi("/shell/erasures");

const COLUMNS: readonly Column<Erasure>[] = [
  {
    title: "State",
    width: "108px",
    narrow: true,
    cell: (erasure) => <Status value={stateOf(erasure)} />,
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

/** What a hold keeps is erased when that ends. */
const stateOf = ({ erasedAt, isHeld }: Erasure) => (erasedAt ? "PROVEN" : isHeld ? "HELD" : "UNDER_WAY");

function Confirmed({ at }: { at: string | null }) {
  return at ? <Time at={at} /> : <Status value="AWAITING" />;
}

export default function ErasuresPage() {
  const search = route.useSearch();
  const { show, file } = search;
  const change = useChange(search);
  const filter = { ...(file && { fileId: file }), ...(show && { erased: show === "proven" }) };
  const all = () => change({ show: undefined, file: undefined, item: undefined });
  return (
    <TablePage
      title="Erasures"
      noun="erasure"
      paged={usePages(ERASURES, { filter }, ({ erasures }) => erasures)}
      tools={
        <>
          <div>
            <Segments
              label="Which"
              value={show ?? "all"}
              options={[
                ["all", "All"],
                ["open", "Under way"],
                ["proven", "Proven"],
              ]}
              onChange={(value) => change({ show: value === "all" ? undefined : value, item: undefined })}
            />
          </div>
          <Chips
            chips={file ? [{ name: "file", text: "Of one file" }] : []}
            remove={() => change({ file: undefined })}
            clear={all}
          />
        </>
      }
      columns={COLUMNS}
      item={search.item}
      change={change}
      narrowed={
        show || file ? { title: "None of these", text: "No erasure meets this filter.", clear: all } : undefined
      }
      empty={{
        title: "Nothing was erased yet",
        text: "When something is deleted for good, the proof for both regions is kept here.",
      }}
      details={(id, close) => <Details key={id} id={id} onClose={close} />}
    />
  );
}

function Details({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: ERASURE,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const erasure = data?.node?.__typename === "Erasure" ? data.node : undefined;
  if (!erasure) return <Waiting id={id} noun="erasure" {...{ error, fetching, again, onClose }} />;
  const { requestedBy, fileId } = erasure;
  return (
    <Inspector title={`${sentence(erasure.kind)} of ${bytes(erasure.size)}`} onClose={onClose}>
      <Facts
        facts={[
          ["State", <Status key="state" value={stateOf(erasure)} />],
          ["Why", erasure.reason && sentence(erasure.reason)],
          [
            "Asked by",
            requestedBy ? (
              <ObjectLink key="link" id={requestedBy.id}>
                {requestedBy.username}
              </ObjectLink>
            ) : (
              "the server"
            ),
          ],
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
            ["File", fileId && <ObjectLink id={fileId} />],
            ["Id", <Id key="id" id={erasure.id} what="erasure id" />],
          ]}
        />
      </Section>
    </Inspector>
  );
}
