// The list of files, as the page of all files and the trash show it: filter, grid or table, selection, details.
import { useCallback, useState } from "react";
import type { ResultOf } from "../../graphql/tada";
import { useBrowse } from "../../ui/browse";
import { Button } from "../../ui/button";
import type { CsvColumn } from "../../ui/csv";
import { Empty } from "../../ui/empty";
import { ExportButton } from "../../ui/export-button";
import { useKeys } from "../../ui/keys";
import { ListPage } from "../../ui/list-page";
import { usePages } from "../../ui/pages";
import { bytes } from "../../ui/relative";
import { Segments } from "../../ui/segments";
import { Status } from "../../ui/status";
import { type Column, Cut, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { ActionDialog, allowed } from "./actions";
import { BulkNotice, useBulkActions } from "./bulk";
import { FILES, FILES_FOR_EXPORT, type FileRow } from "./documents";
import { FilterBar, withoutConditions } from "./filter-bar";
import { Deletion, HeldMark } from "./holds";
import { FileInspector } from "./inspector";
import { MatchingDialog } from "./matching";
import { Thumb } from "./picture";
import { CONDITIONS, type FileState, type FilesSearch, toFilter } from "./search";
import { SelectionBar } from "./selection-bar";
import { Tiles, useTileSize } from "./tiles";
import { type Action, VERBS } from "./words";

interface Props {
  title: string;
  search: FilesSearch;
  change: (changes: Partial<FilesSearch>) => void;
  /** What `state` of the address may be here; the first one where it is not given. */
  states: readonly [FileState, ...FileState[]];
  /** Names of the states, where people switch between them above the list; else they are a filter. */
  tabs?: readonly (readonly [state: FileState, text: string])[];
  /** What `Del` does. */
  remove: Action;
  empty: { title: string; text: string };
}

export function FileBrowser({ title, search, change, states, tabs, remove, empty }: Props) {
  const state = states.find((name) => name === search.state) ?? states[0];
  const order = { field: search.order ?? "CREATED_AT", direction: search.direction ?? "DESC" } as const;
  const variables = { filter: toFilter(search, state), orderBy: order };
  const paged = usePages(FILES, variables, ({ files }) => files);
  // What an action takes to another state leaves this list at once.
  const rows = paged.rows.filter((file) => file.state === state);

  const table = search.view === "table";
  const [frame, setFrame] = useState<HTMLDivElement | null>(null);
  const size = useTileSize(frame);
  const open = useCallback((item: string | undefined) => change({ item }), [change]);
  const list = JSON.stringify(variables.filter);
  const perLine = table ? 1 : size.perLine;
  const browse = useBrowse(rows, { opened: search.item, open, selectable: true, list, perLine });
  // What has left the list since it was counted.
  const total = paged.total === undefined ? undefined : paged.total - (paged.rows.length - rows.length);
  const bulk = useBulkActions();

  const [pending, setPending] = useState<{ action: Action; files: readonly FileRow[] }>();
  const [matching, setMatching] = useState<{ seen: number }>();
  const selected = rows.filter(({ id }) => browse.selection?.ids.has(id));
  const active = rows.filter(({ id }) => id === browse.activeId);
  const ask = (action: Action, files: readonly FileRow[]) => {
    if (files.length > 0 && files.every((file) => allowed(action, file))) setPending({ action, files });
  };
  const removeMatching = () => total !== undefined && setMatching({ seen: total });
  const onDelete = () => {
    if (!browse.matching) return ask(remove, selected.length > 0 ? selected : active);
    if (remove === "remove") removeMatching();
  };
  useKeys(title, [
    { keys: "Delete", label: `${VERBS[remove]}: what is selected, or the active one`, run: onDelete },
    { keys: "v", label: "Grid or table", run: () => change({ view: table ? "grid" : "table" }) },
  ]);

  const narrowed = CONDITIONS.some((condition) => search[condition] && !(tabs && condition === "state"));
  return (
    <>
      <ListPage
        title={title}
        noun="file"
        paged={paged}
        shown={rows.length}
        whole={
          <ExportButton
            name={title.toLowerCase()}
            noun="file"
            document={FILES_FOR_EXPORT}
            variables={variables}
            pick={({ files }) => files}
            columns={EXPORTED}
          />
        }
        tools={
          <>
            {tabs && (
              <div>
                <Segments
                  label="Who deleted them"
                  value={state}
                  options={tabs}
                  onChange={(state) => change({ state, item: undefined })}
                />
              </div>
            )}
            <FilterBar search={search} change={change} states={tabs ? [] : states} />
            <SelectionBar
              state={state}
              selected={selected}
              loaded={rows.length}
              total={total}
              totalIsExact={paged.totalIsExact}
              browse={browse}
              onChoose={(action) => ask(action, selected)}
              onRemoveMatching={removeMatching}
            />
            {bulk.ids.map((id) => (
              <BulkNotice key={id} id={id} onEnd={paged.reload} onClose={() => bulk.close(id)} />
            ))}
          </>
        }
        empty={
          narrowed ? (
            <Empty
              title="No file meets these filters"
              text="Take one away, or begin anew."
              action={
                <Button onClick={() => change(tabs ? { ...withoutConditions(), state } : withoutConditions())}>
                  Clear filters
                </Button>
              }
            />
          ) : (
            <Empty {...empty} />
          )
        }
        inspector={
          search.item && (
            <FileInspector key={search.item} id={search.item} onChoose={ask} onClose={() => open(undefined)} />
          )
        }
      >
        {table ? (
          <Table label={title} columns={columns(order, change, state)} rows={rows} paged={paged} browse={browse} />
        ) : (
          <Tiles
            label={title}
            frame={frame}
            setFrame={setFrame}
            size={size}
            rows={rows}
            paged={paged}
            browse={browse}
          />
        )}
      </ListPage>
      {pending && (
        <ActionDialog
          {...pending}
          onClose={() => setPending(undefined)}
          onDone={() => {
            setPending(undefined);
            browse.clear();
          }}
        />
      )}
      {matching && (
        <MatchingDialog
          {...{ search, state }}
          seen={matching.seen}
          onClose={() => setMatching(undefined)}
          onOrdered={(action) => {
            bulk.add(action);
            browse.clear();
          }}
        />
      )}
    </>
  );
}

type Order = { field: NonNullable<FilesSearch["order"]>; direction: NonNullable<FilesSearch["direction"]> };

const EXPORTED: readonly CsvColumn<ResultOf<typeof FILES_FOR_EXPORT>["files"]["nodes"][number]>[] = [
  ["id", ({ id }) => id],
  ["name", ({ name }) => name],
  ["owner", ({ owner }) => owner.username],
  ["state", ({ state }) => state],
  ["type", ({ contentType }) => contentType],
  ["bytes", ({ size }) => size],
  ["sha256", ({ sha256 }) => sha256],
  ["tags", ({ tags }) => tags.join(", ")],
  ["uploaded_at", ({ createdAt }) => createdAt],
  ["deleted_at", ({ purgeAt }) => purgeAt],
  ["removed_by", ({ removal }) => removal?.by?.username],
  ["removal_reason", ({ removal }) => removal?.reason],
];

function columns(order: Order, change: Props["change"], state: FileState): Column<FileRow>[] {
  const [removed, inTrash] = [state === "REMOVED", state === "REMOVED" || state === "TRASHED"];
  const by = (field: Order["field"], first: Order["direction"]) => {
    const current = order.field === field;
    const other = order.direction === "ASC" ? "DESC" : "ASC";
    return {
      state: !current ? "none" : order.direction === "ASC" ? "ascending" : "descending",
      change: () => change({ order: field, direction: current ? other : first }),
    } as const;
  };
  return [
    {
      title: "Name",
      width: "minmax(160px, 2fr)",
      narrow: true,
      order: by("NAME", "ASC"),
      cell: (file) => (
        <>
          <Thumb url={file.thumbnail?.url} thumbhash={file.thumbhash} />
          <Cut>{file.name}</Cut>
          {file.isHeld && <HeldMark />}
        </>
      ),
    },
    { title: "Owner", width: "minmax(80px, 1fr)", cell: ({ owner }) => <Cut>{owner.username}</Cut> },
    ...(removed
      ? [
          {
            title: "Removed by",
            width: "minmax(80px, 1fr)",
            cell: ({ removal }: FileRow) => <Cut>{removal?.by?.username ?? ""}</Cut>,
          },
          {
            title: "Reason",
            width: "minmax(120px, 2fr)",
            cell: ({ removal }: FileRow) => <Cut>{removal?.reason ?? ""}</Cut>,
          },
        ]
      : [
          {
            title: "Type",
            width: "minmax(88px, 1fr)",
            cell: ({ contentType }: FileRow) => <Cut>{contentType}</Cut>,
          },
        ]),
    {
      title: "Size",
      width: "80px",
      narrow: true,
      align: "end",
      order: by("SIZE", "DESC"),
      cell: ({ size }) => bytes(size),
    },
    { title: "State", width: "112px", cell: ({ state }) => <Status value={state} /> },
    inTrash
      ? {
          title: "Deletion",
          width: "128px",
          narrow: true,
          cell: (file) => <Deletion file={file} />,
        }
      : {
          title: "Uploaded",
          width: "112px",
          order: by("CREATED_AT", "DESC"),
          cell: ({ createdAt }) => <Time at={createdAt} />,
        },
  ];
}
