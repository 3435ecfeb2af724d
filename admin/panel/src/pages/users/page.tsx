// Everybody who has an account: search, and one person's files and quota.
import { getRouteApi, Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { explain } from "../../graphql/client";
import { graphql, type ResultOf } from "../../graphql/tada";
import { useBrowse } from "../../ui/browse";
import { Button } from "../../ui/button";
import { Id } from "../../ui/copy";
import { Empty } from "../../ui/empty";
import { Failure } from "../../ui/failure";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { ListPage } from "../../ui/list-page";
import { usePages } from "../../ui/pages";
import { bytes, count, sentence } from "../../ui/relative";
import { SearchField } from "../../ui/search-field";
import { Status } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { Picture } from "../files/picture";
import styles from "./page.module.css";
import { Quota } from "./quota";

const USER_ROW = graphql(`
  fragment UserRow on User { id username displayName email role status createdAt }
`);

const USERS = graphql(
  `
    query Users($search: String, $first: Int!, $after: String) {
      users(search: $search, first: $first, after: $after) { nodes { ...UserRow } pageInfo { hasNextPage endCursor } }
    }
  `,
  [USER_ROW],
);

const USER = graphql(
  `
    query User($id: ID!) {
      node(id: $id) { __typename ... on User { ...UserRow about } }
      usage(userId: $id) { files bytes maxFiles maxBytes }
      active: files(filter: { ownerId: $id }, first: 6) {
        totalCount totalCountIsExact
        nodes { id name thumbhash thumbnail: rendition(size: SQUARE_150) { url } }
      }
      trashed: files(filter: { ownerId: $id, state: TRASHED }, first: 1) { totalCount totalCountIsExact }
      removed: files(filter: { ownerId: $id, state: REMOVED }, first: 1) { totalCount totalCountIsExact }
    }
  `,
  [USER_ROW],
);

type UserRow = ResultOf<typeof USER_ROW>;

const route = getRouteApi("/shell/admins/users");

const COLUMNS: readonly Column<UserRow>[] = [
  {
    title: "User name",
    width: "minmax(96px, 1fr)",
    narrow: true,
    cell: ({ username }) => <span className={styles.text}>{username}</span>,
  },
  {
    title: "Name",
    width: "minmax(96px, 1fr)",
    cell: ({ displayName }) => <span className={styles.text}>{displayName}</span>,
  },
  { title: "E-mail", width: "minmax(120px, 1.5fr)", cell: ({ email }) => <span className={styles.text}>{email}</span> },
  { title: "Role", width: "88px", narrow: true, cell: ({ role }) => role && sentence(role) },
  { title: "Status", width: "112px", narrow: true, cell: ({ status }) => status && <Status value={status} /> },
  { title: "Since", width: "112px", cell: ({ createdAt }) => <Time at={createdAt} /> },
];

export default function UsersPage() {
  const { item, q } = route.useSearch();
  const navigate = route.useNavigate();
  const paged = usePages(USERS, { search: q ?? null }, ({ users }) => users);
  const open = (item: string | undefined) => navigate({ search: (old) => ({ ...old, item }), replace: true });
  const browse = useBrowse(paged.rows, { opened: item, open });
  const search = (q: string | undefined) => navigate({ search: (old) => ({ ...old, q }), replace: true });

  return (
    <ListPage
      title="Users"
      noun="user"
      paged={paged}
      shown={paged.rows.length}
      tools={<SearchField label="Search users" placeholder="User name or name" value={q} onSearch={search} />}
      empty={
        <Empty
          title="Nobody is called that"
          text="The beginning of a user name or of a name is looked for."
          action={<Button onClick={() => search(undefined)}>Show everybody</Button>}
        />
      }
      inspector={item && <UserInspector key={item} id={item} onClose={() => open(undefined)} />}
    >
      <Table label="Users" columns={COLUMNS} rows={paged.rows} paged={paged} browse={browse} />
    </ListPage>
  );
}

function UserInspector({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: USER,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const user = data?.node?.__typename === "User" ? data.node : undefined;
  if (!data || !user) {
    return (
      <Inspector title={error ? "Not shown" : fetching ? "Loading…" : "No such user"} onClose={onClose}>
        {error && <Failure {...explain(error)} action={<Button onClick={() => again()}>Try again</Button>} />}
      </Inspector>
    );
  }
  const { usage, active, trashed, removed } = data;
  return (
    <Inspector title={user.displayName} onClose={onClose}>
      <Facts
        facts={[
          ["User name", user.username],
          ["Status", user.status && <Status value={user.status} />],
          ["Role", user.role && sentence(user.role)],
          ["E-mail", user.email],
          ["Since", <Time key="since" at={user.createdAt} />],
          ["About", user.about],
          ["Id", <Id key="id" id={user.id} what="user id" />],
        ]}
      />
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
          <Quota
            userId={id}
            maxBytes={usage.maxBytes}
            maxFiles={usage.maxFiles}
            changed={() => again({ requestPolicy: "network-only" })}
          />
        </Section>
      )}
    </Inspector>
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
