// One entry of the block list: what it forbids, who said so and why, and how often somebody wanted to store it.
import { useState } from "react";
import { useQuery } from "urql";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { Id } from "../../ui/copy";
import { DecisionDialog } from "../../ui/decision";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { count } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toasts";
import { Waiting } from "../../ui/wait";
import { History } from "../audit/history";
import { Picture } from "../files/picture";
import { Person } from "../users/person";
import { BLOCKED_CONTENT, type BlockedContent, UNBLOCK } from "./documents";
import styles from "./inspector.module.css";
import { marksOf, nameOf } from "./words";

export function BlockedInspector({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: BLOCKED_CONTENT,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const entry = data?.node?.__typename === "BlockedContent" ? data.node : undefined;
  if (!data || !entry) return <Waiting id={id} noun="entry" {...{ error, fetching, again, onClose }} />;
  return (
    <Inspector title={nameOf(entry)} onClose={onClose} actions={!entry.unblockedAt && <Unblock entry={entry} />}>
      {entry.thumbhash && (
        <div className={styles.placeholder}>
          <Picture url={undefined} thumbhash={entry.thumbhash} alt="" whole />
          <p>A placeholder. The picture is not kept for the list.</p>
        </div>
      )}
      <Facts
        facts={[
          ["State", <Status key="state" value={entry.unblockedAt ? "UNBLOCKED" : "BLOCKED"} />],
          ["Reason", entry.reason],
          ["Known", marksOf(entry)],
          ["Type", entry.contentType],
          ["Blocked by", <Person key="by" person={entry.blockedBy} />],
          ["Blocked", <Time key="at" at={entry.blockedAt} />],
          ["Unblocked by", entry.unblockedAt && <Person person={entry.unblockedBy} />],
          ["Unblocked", entry.unblockedAt && <Time at={entry.unblockedAt} />],
          ["SHA-256", <Id key="sha256" id={entry.sha256} what="SHA-256" />],
          ["Id", <Id key="id" id={entry.id} what="entry id" />],
        ]}
      />
      <Section title="Attempts to store it">
        <Facts
          facts={[
            ["Refused", entry.refusedCount === 0 ? "never" : count(entry.refusedCount, "time")],
            ["Last", entry.lastRefusedAt && <Time at={entry.lastRefusedAt} />],
          ]}
        />
      </Section>
      <History title="What happened" subject={id} entries={data.history} />
    </Inspector>
  );
}

function Unblock({ entry }: { entry: BlockedContent }) {
  const [asking, setAsking] = useState(false);
  const act = async () => {
    const { refusal } = await perform(UNBLOCK, { id: entry.id }, ({ unblockContent }) => unblockContent);
    if (refusal) return refusal;
    toast.done("It can be stored again");
  };
  return (
    <>
      <Button onClick={() => setAsking(true)}>Unblock…</Button>
      {asking && (
        <DecisionDialog
          title={`Unblock ${entry.name || "this content"}`}
          consequence="It can be stored again, by everybody. What was removed or refused stays so; admins can restore a removed file in the trash."
          verb="Unblock"
          look="primary"
          act={act}
          onClose={() => setAsking(false)}
        >
          <p>Blocked for: {entry.reason}</p>
        </DecisionDialog>
      )}
    </>
  );
}
