// Every alert that was raised, and how far its delivery is.
import { getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { useChange } from "../../ui/address";
import { Id } from "../../ui/copy";
import { useEvery } from "../../ui/every";
import { Facts, Inspector, Json, Section } from "../../ui/inspector";
import { ObjectLink } from "../../ui/jump";
import { LastError } from "../../ui/last-error";
import { usePages } from "../../ui/pages";
import { sentence } from "../../ui/relative";
import { RetryButton } from "../../ui/retry-button";
import { Status } from "../../ui/status";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { useUserName } from "../users/names";
import { ALERT, ALERTS, type Alert, RETRY_ALERT } from "./documents";

const route = getRouteApi("/shell/alerts");

const COLUMNS: readonly Column<Alert>[] = [
  { title: "State", width: "108px", narrow: true, cell: ({ state }) => <Status value={state} /> },
  { title: "What", width: "128px", cell: ({ kind }) => sentence(kind) },
  { title: "Message", width: "minmax(120px, 3fr)", narrow: true, cell: ({ message }) => <Cut>{message}</Cut> },
  { title: "Attempts", width: "80px", align: "end", cell: ({ attempts }) => attempts },
  { title: "Raised", width: "112px", narrow: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: "Delivered", width: "112px", cell: ({ deliveredAt }) => deliveredAt && <Time at={deliveredAt} /> },
];

export default function AlertsPage() {
  const search = route.useSearch();
  return (
    <TablePage
      title="Alerts"
      noun="alert"
      paged={usePages(ALERTS, {}, ({ alerts }) => alerts)}
      columns={COLUMNS}
      item={search.item}
      change={useChange(search)}
      empty={{
        title: "No alert was raised yet",
        text: "Every deletion, suspension and new admin raises one. It stays here whatever becomes of its delivery.",
      }}
      details={(id, close) => <Details key={id} id={id} onClose={close} />}
    />
  );
}

function Details({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: ALERT,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const alert = data?.node?.__typename === "Alert" ? data.node : undefined;
  useEvery(() => again({ requestPolicy: "network-only" }), alert?.state === "PENDING");
  if (!alert) return <Waiting id={id} noun="alert" {...{ error, fetching, again, onClose }} />;
  return (
    <Inspector
      title={alert.subject}
      onClose={onClose}
      actions={
        alert.state === "FAILED" && (
          <RetryButton
            verb="Deliver again"
            consequence="Under the same id, with all its attempts."
            done="The alert is on its way"
            document={RETRY_ALERT}
            id={id}
            pick={({ retryAlert }) => retryAlert}
          />
        )
      }
    >
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
        {alert.state !== "DELIVERED" && alert.lastError && <LastError error={alert.lastError} />}
      </Section>
      <Section title="What it tells of">
        <Facts
          facts={[
            ["Kind", sentence(alert.kind)],
            ["Count", alert.count],
            ["By", alert.actorId ? <Actor key="by" id={alert.actorId} /> : "the server"],
            ["Id", <Id key="id" id={alert.id} what="alert id" />],
          ]}
        />
        <Json value={alert.details} />
      </Section>
    </Inspector>
  );
}

function Actor({ id }: { id: string }) {
  return <ObjectLink id={id}>{useUserName(id)}</ObjectLink>;
}
