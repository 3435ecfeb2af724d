// Who did what to what, newest first, and whether it is sealed.
import { getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { useChange } from "../../ui/address";
import { Chips } from "../../ui/chips";
import { Id } from "../../ui/copy";
import type { CsvColumn } from "../../ui/csv";
import { useEvery } from "../../ui/every";
import { ExportButton } from "../../ui/export-button";
import { SelectField, TextField } from "../../ui/field";
import { FilterPopup, given, Pair } from "../../ui/filter";
import { Facts, Inspector, Json, Section } from "../../ui/inspector";
import { isId, ObjectLink } from "../../ui/jump";
import { usePages } from "../../ui/pages";
import { Status } from "../../ui/status";
import { type Column, Cut } from "../../ui/table";
import { TablePage } from "../../ui/table-page";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { findUser, useUserName } from "../users/names";
import { AUDIT, AUDIT_ENTRY, type AuditRow } from "./documents";
import { type AuditSearch, CONDITIONS, toFilter } from "./search";
import { useWho, WhoLink } from "./who";
import { inWords, KNOWN_ACTIONS, remarkOf, targetOf } from "./words";

const route = getRouteApi("/shell/admins/audit");

const COLUMNS: readonly Column<AuditRow>[] = [
  { title: "When", width: "104px", narrow: true, cell: ({ at }) => <Time at={at} /> },
  { title: "Who", width: "minmax(64px, 0.8fr)", narrow: true, cell: (entry) => <WhoCell entry={entry} /> },
  {
    title: "What",
    width: "minmax(136px, 1.2fr)",
    narrow: true,
    cell: ({ action }) => <Cut>{inWords(action)}</Cut>,
  },
  {
    title: "To what",
    width: "minmax(120px, 2fr)",
    cell: (entry) => (
      <ObjectLink id={entry.subjectId}>
        <Cut>{targetOf(entry)}</Cut>
      </ObjectLink>
    ),
  },
  { title: "Reason", width: "minmax(120px, 2fr)", cell: (entry) => <Cut>{remarkOf(entry) ?? ""}</Cut> },
  { title: "Seal", width: "96px", cell: ({ seq }) => <Status value={seq === null ? "UNSEALED" : "SEALED"} /> },
];

const EXPORTED: readonly CsvColumn<AuditRow>[] = [
  ["id", ({ id }) => id],
  ["at", ({ at }) => at],
  ["actor", ({ actor }) => actor?.username],
  ["actor_id", ({ actor }) => actor?.id],
  ["action", ({ action }) => action],
  ["target_id", ({ subjectId }) => subjectId],
  ["target", targetOf],
  ["reason", remarkOf],
  ["seal", ({ seq }) => seq],
  ["sealed_at", ({ sealedAt }) => sealedAt],
];

function WhoCell({ entry }: { entry: AuditRow }) {
  return <Cut>{useWho(entry)}</Cut>;
}

export default function AuditPage() {
  const search = route.useSearch();
  const change = useChange<AuditSearch>(search);
  const filter = toFilter(search);
  const clear = () => change({ ...Object.fromEntries(CONDITIONS.map((name) => [name, undefined])), item: undefined });
  const actorName = useUserName(search.actor);
  const words = {
    action: (action: string) => `Action: ${inWords(action)}`,
    actor: () => `By: ${actorName ?? "…"}`,
    subject: (id: string) => `To: ${id}`,
    from: (day: string) => `From ${day}`,
    until: (day: string) => `Until ${day}`,
  };
  const chips = CONDITIONS.flatMap((name) => {
    const value = search[name];
    return value ? [{ name, text: words[name](value) }] : [];
  });
  return (
    <TablePage
      title="Audit"
      noun="entry"
      paged={usePages(AUDIT, { filter }, ({ auditLog }) => auditLog)}
      whole={
        <ExportButton
          name="audit"
          noun="entry"
          document={AUDIT}
          variables={{ filter }}
          pick={({ auditLog }) => auditLog}
          columns={EXPORTED}
        />
      }
      tools={
        <>
          <div>
            <AuditFilter {...{ search, actorName, change, clear }} />
          </div>
          <Chips chips={chips} remove={(name) => change({ [name]: undefined })} clear={clear} />
        </>
      }
      columns={COLUMNS}
      item={search.item}
      change={change}
      narrowed={
        chips.length > 0
          ? { title: "No entry meets these filters", text: "Take one away, or begin anew.", clear }
          : undefined
      }
      empty={{
        title: "Nothing was done yet",
        text: "Every act of an admin is written down here, in the same transaction.",
      }}
      details={(id, close) => <Details key={id} id={id} onClose={close} />}
    />
  );
}

interface FilterProps {
  search: AuditSearch;
  actorName: string | undefined;
  change: (changes: Partial<AuditSearch>) => void;
  clear: () => void;
}

function AuditFilter({ search, actorName, change, clear }: FilterProps) {
  const apply = async (form: FormData) => {
    const subject = given(form, "subject");
    const actor = await findUser(given(form, "actor"));
    const noId = subject && !isId(subject) ? "An id, such as user_0192…" : undefined;
    if (actor.fault || noId) return { actor: actor.fault, subject: noId };
    const [action, from, until] = ["action", "from", "until"].map((name) => given(form, name));
    change({ action, actor: actor.id, subject, from, until, item: undefined });
    return {};
  };
  const known = KNOWN_ACTIONS.some(([action]) => action === search.action);
  const other = search.action && !known ? [[search.action, inWords(search.action)] as const] : [];
  return (
    <FilterPopup
      apply={apply}
      clear={clear}
      fields={(faults) => (
        <>
          <SelectField
            label="Action"
            name="action"
            defaultValue={search.action ?? ""}
            options={[["", "Any"], ...other, ...KNOWN_ACTIONS]}
          />
          <TextField
            key={actorName}
            label="By"
            name="actor"
            defaultValue={actorName}
            placeholder="User name"
            fault={faults.actor}
            autoComplete="off"
          />
          <TextField
            label="To"
            name="subject"
            defaultValue={search.subject}
            placeholder="The id of a file, a user, …"
            fault={faults.subject}
            autoComplete="off"
          />
          <Pair>
            <TextField label="From" name="from" type="date" defaultValue={search.from} />
            <TextField label="Until" name="until" type="date" defaultValue={search.until} />
          </Pair>
        </>
      )}
    />
  );
}

function Details({ id, onClose }: { id: string; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: AUDIT_ENTRY,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const entry = data?.node?.__typename === "AuditEntry" ? data.node : undefined;
  useEvery(() => again({ requestPolicy: "network-only" }), entry?.seq === null);
  if (!entry) return <Waiting id={id} noun="entry" {...{ error, fetching, again, onClose }} />;
  return (
    <Inspector title={inWords(entry.action)} onClose={onClose}>
      <Facts
        facts={[
          ["When", <Time key="when" at={entry.at} exact />],
          ["Who", <WhoLink key="who" entry={entry} />],
          ["Action", <code key="action">{entry.action}</code>],
          [
            "To what",
            entry.subject ? (
              <ObjectLink key="link" id={entry.subjectId}>
                {targetOf(entry)}
              </ObjectLink>
            ) : (
              targetOf(entry)
            ),
          ],
          ["Its id", <Id key="target" id={entry.subjectId} what="target id" />],
          ["Reason", remarkOf(entry)],
          ["Id", <Id key="id" id={entry.id} what="entry id" />],
        ]}
      />
      <Section title="Seal">
        <Facts
          facts={[
            ["State", <Status key="state" value={entry.seq === null ? "UNSEALED" : "SEALED"} />],
            ["Number", entry.seq],
            ["Sealed", entry.sealedAt && <Time at={entry.sealedAt} exact />],
          ]}
        />
      </Section>
      <Section title="Details">
        <Json value={entry.details} />
      </Section>
    </Inspector>
  );
}
