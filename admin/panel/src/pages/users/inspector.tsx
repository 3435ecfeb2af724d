// One person: account, files, quota, log-ins where they are one's own, and what admins did.
import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { Id } from "../../ui/copy";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { Receipt } from "../../ui/receipt";
import { bytes, count, sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { History } from "../audit/history";
import { Picture } from "../files/picture";
import { UserActions } from "./actions";
import { USER, type UserDetail } from "./documents";
import styles from "./page.module.css";
import { Quota } from "./quota";

export function UserInspector({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: USER,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const user = data?.node?.__typename === "User" ? data.node : undefined;
  if (!data || !user) return <Waiting id={id} noun="user" {...{ error, fetching, again, onClose }} />;
  const [usage, sessions] = [data.usage, user.sessions];
  return (
    <Inspector title={user.displayName} onClose={onClose} actions={<UserActions user={user} />}>
      <Facts
        facts={[
          ["User name", user.username],
          ["Status", user.status && <Status value={user.status} />],
          ["Suspended", user.suspension && <Time at={user.suspension.suspendedAt} />],
          ["Reason", user.suspension?.reason],
          ["Role", user.role && sentence(user.role)],
          ["E-mail", user.email],
          ["Since", <Time key="since" at={user.createdAt} />],
          ["About", user.about],
          ["Id", <Id key="id" id={user.id} what="user id" />],
        ]}
      />
      <Files id={id} data={data} />
      {usage && (
        <Section title="Taken up, with trash and versions">
          <Meter
            label="Bytes"
            value={usage.bytes}
            most={usage.maxBytes}
            text={`${bytes(usage.bytes)} of ${bytes(usage.maxBytes)}`}
          />
          <Meter
            label="Files"
            value={usage.files}
            most={usage.maxFiles}
            text={`${usage.files} of ${count(usage.maxFiles, "file")}`}
          />
          <Quota userId={id} maxBytes={usage.maxBytes} maxFiles={usage.maxFiles} />
        </Section>
      )}
      {sessions && (
        <Section title={sessions.pageInfo.hasNextPage ? "Your last 10 log-ins" : "Your log-ins"}>
          <ul className={styles.sessions}>
            {sessions.nodes.map((session) => (
              <li key={session.id}>
                {session.userAgent || "A program without a name"}
                <small>
                  {session.current ? "this one" : <Time at={session.lastUsedAt} />}, from {session.address}
                </small>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Receipt id={id} />
      <History subject={id} entries={data.history} />
      <p className={styles.acts}>
        <Link to="/audit" search={{ actor: id }}>
          What they did, in the audit log
        </Link>
      </p>
    </Inspector>
  );
}

function Files({ id, data: { active, trashed, removed } }: { id: string; data: UserDetail }) {
  return (
    <Section title="Files">
      {active.nodes.length > 0 && (
        <ul className={styles.strip}>
          {active.nodes.map((file) => (
            <li key={file.id}>
              <Link to="/files" search={{ owner: id, item: file.id }} aria-label={file.name} title={file.name}>
                <Picture url={file.thumbnail?.url} thumbhash={file.thumbhash} alt="" />
              </Link>
            </li>
          ))}
        </ul>
      )}
      <ul className={styles.links}>
        <li>
          <Link to="/files" search={{ owner: id }}>
            {counted(active)}
          </Link>
        </li>
        <li>
          <Link to="/trash" search={{ owner: id }}>
            {counted(trashed)} in the trash
          </Link>
        </li>
        <li>
          <Link to="/trash" search={{ owner: id, state: "REMOVED" }}>
            {counted(removed)} removed by admins
          </Link>
        </li>
      </ul>
    </Section>
  );
}

function counted({ totalCount, totalCountIsExact }: { totalCount: number; totalCountIsExact: boolean }) {
  return `${count(totalCount, "file")}${totalCountIsExact ? "" : " or more"}`;
}

function Meter({ label, value, most, text }: { label: string; value: number; most: number; text: string }) {
  return (
    <div className={styles.meter}>
      <span>{text}</span>
      <meter aria-label={label} min={0} max={most} high={most * 0.9} value={Math.min(value, most)} />
    </div>
  );
}
