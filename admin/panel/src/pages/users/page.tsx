// Everybody who has an account: search, and one person's details.
import { getRouteApi } from "@tanstack/react-router";
import { useChange } from "../../ui/address";
import type { CsvColumn } from "../../ui/csv";
import { ExportButton } from "../../ui/export-button";
import { usePages } from "../../ui/pages";
import { sentence } from "../../ui/relative";
import { SearchField } from "../../ui/search-field";
import { Status } from "../../ui/status";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { USERS, type UserRow } from "./documents";
import { UserInspector } from "./inspector";

const route = getRouteApi("/shell/admins/users");

const COLUMNS: readonly Column<UserRow>[] = [
  { title: "User name", width: "minmax(96px, 1fr)", narrow: true, cell: ({ username }) => <Cut>{username}</Cut> },
  { title: "Name", width: "minmax(96px, 1fr)", cell: ({ displayName }) => <Cut>{displayName}</Cut> },
  { title: "E-mail", width: "minmax(120px, 1.5fr)", cell: ({ email }) => email && <Cut>{email}</Cut> },
  { title: "Role", width: "88px", narrow: true, cell: ({ role }) => role && sentence(role) },
  { title: "Status", width: "112px", narrow: true, cell: ({ status }) => status && <Status value={status} /> },
  { title: "Since", width: "112px", cell: ({ createdAt }) => <Time at={createdAt} /> },
];

const EXPORTED: readonly CsvColumn<UserRow>[] = [
  ["id", ({ id }) => id],
  ["user_name", ({ username }) => username],
  ["name", ({ displayName }) => displayName],
  ["email", ({ email }) => email],
  ["role", ({ role }) => role],
  ["status", ({ status }) => status],
  ["since", ({ createdAt }) => createdAt],
  ["suspended_at", ({ suspension }) => suspension?.suspendedAt],
  ["suspension_reason", ({ suspension }) => suspension?.reason],
];

export default function UsersPage() {
  const search = route.useSearch();
  const change = useChange(search);
  const variables = { search: search.q ?? null };
  return (
    <TablePage
      title="Users"
      noun="user"
      paged={usePages(USERS, variables, ({ users }) => users)}
      whole={
        <ExportButton
          name="users"
          noun="user"
          document={USERS}
          variables={variables}
          pick={({ users }) => users}
          columns={EXPORTED}
        />
      }
      tools={
        <SearchField
          label="Search users"
          placeholder="User name, name or id"
          value={search.q}
          onSearch={(q) => change({ q })}
        />
      }
      columns={COLUMNS}
      item={search.item}
      change={change}
      narrowed={{
        title: "Nobody is called that",
        text: "The beginning of a user name or of a name is looked for.",
        clear: () => change({ q: undefined }),
      }}
      empty={{ title: "There is nobody yet", text: "Whoever signs up shows up here." }}
      details={(id, close) => <UserInspector key={id} id={id} onClose={close} />}
    />
  );
}
