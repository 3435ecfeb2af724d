// Every alert that a deletion raised, and how far its delivery is.
import { getRouteApi, Link } from "@tanstack/react-router";
import { isAdmin, useViewer } from "../../session/viewer";
import { useBrowse } from "../../ui/browse";
import { Id } from "../../ui/copy";
import { Empty } from "../../ui/empty";
import { Failure } from "../../ui/failure";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { ListPage } from "../../ui/list-page";
import { usePages } from "../../ui/pages";
import { sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { ALERTS, type Alert } from "./documents";
import styles from "./page.module.css";

const route = getRouteApi("/shell/alerts");

const COLUMNS: readonly Column<Alert>[] = [
  { title: "State", width: "108px", narrow: true, cell: ({ state }) => <Status value={state} /> },
  { title: "What", width: "128px", cell: ({ kind }) => sentence(kind) },
  {
    title: "Message",
    width: "minmax(120px, 3fr)",
    narrow: true,
    cell: ({ message }) => <span className={styles.text}>{message}</span>,
  },
  { title: "Attempts", width: "80px", align: "end", cell: ({ attempts }) => attempts },
  { title: "Raised", width: "112px", narrow: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: "Delivered", width: "112px", cell: ({ deliveredAt }) => deliveredAt && <Time at={deliveredAt} /> },
];

export default function AlertsPage() {
  const { item } = route.useSearch();
  const navigate = route.useNavigate();
  const paged = usePages(ALERTS, {}, ({ alerts }) => alerts);
  const open = (item: string | undefined) => navigate({ search: { item }, replace: true });
  const browse = useBrowse(paged.rows, { opened: item, open });
  const opened = paged.rows.find(({ id }) => id === item);

  return (
    <ListPage
      title="Alerts"
      noun="alert"
      paged={paged}
      shown={paged.rows.length}
      empty={
        <Empty
          title="No alert was raised yet"
          text="Every deletion of a file raises one, and it stays here whatever becomes of its delivery."
        />
      }
      inspector={opened && <Details alert={opened} onClose={() => open(undefined)} />}
    >
      <Table label="Alerts" columns={COLUMNS} rows={paged.rows} paged={paged} browse={browse} />
    </ListPage>
  );
}

function Details({ alert, onClose }: { alert: Alert; onClose: () => void }) {
  return (
    <Inspector title={alert.subject} onClose={onClose}>
      <p>{alert.message}</p>
      <Section title="Delivery">
        <Facts
          facts={[
            ["State", <Status key="state" value={alert.state} />],
            ["Attempts", alert.attempts],
            ["Raised", <Time key="raised" at={alert.createdAt} />],
            ["Delivered", alert.deliveredAt && <Time at={alert.deliveredAt} />],
          ]}
        />
        {alert.lastError && <Failure message={`The last attempt failed: ${alert.lastError}`} />}
      </Section>
      <Section title="What it tells of">
        <Facts
          facts={[
            ["Kind", sentence(alert.kind)],
            ["Count", alert.count],
            ["By", <Actor key="by" id={alert.actorId} />],
            ["Id", <Id key="id" id={alert.id} what="alert id" />],
          ]}
        />
        <pre className={styles.json}>{JSON.stringify(alert.details, null, 2)}</pre>
      </Section>
    </Inspector>
  );
}

function Actor({ id }: { id: string | null }) {
  const viewer = useViewer();
  if (id === null) return "the server";
  if (!isAdmin(viewer)) return <Id id={id} what="id of the actor" />;
  return (
    <Link to="/users" search={{ item: id }}>
      Show who
    </Link>
  );
}
