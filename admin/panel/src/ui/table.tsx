// A table that draws only the rows in sight, and asks for more before its end is reached. The whole of it takes the focus;
// the active row is told by aria-activedescendant, and keys act on that (browse.ts).
import { Checkbox } from "@base-ui/react/checkbox";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, useEffect, useRef } from "react";
import type { Browse } from "./browse";
import { Icon } from "./icon";
import type { Keyed, Paged } from "./pages";
import { SelectMark } from "./select-mark";
import styles from "./table.module.css";

const ROW_HEIGHT = 36;
/** Rows before the end at which the next page is asked for. */
const AHEAD = 50;

export interface Column<Row> {
  title: string;
  /** A track of CSS grid, such as "minmax(12ch, 1fr)". */
  width: string;
  cell: (row: Row) => ReactNode;
  /** Whether it is shown on a phone too. */
  narrow?: boolean;
  align?: "end";
  /** What the header's button does, where the list can be put in this column's order, and how it is now. */
  order?: { state: "ascending" | "descending" | "none"; change: () => void };
}

interface Props<Row extends Keyed> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  paged: Paged<Row>;
  browse: Browse;
}

export function Table<Row extends Keyed>({ label, columns, rows, paged, browse }: Props<Row>) {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    scrollPaddingStart: ROW_HEIGHT,
  });
  const items = virtual.getVirtualItems();
  useMoreAhead(items.at(-1)?.index, rows.length, paged, AHEAD);
  useActiveInSight(rows, browse.activeId, (index) => virtual.scrollToIndex(index));

  const { selection } = browse;
  const tracks = (of: readonly Column<Row>[]) =>
    [...(selection ? ["36px"] : []), ...of.map(({ width }) => width)].join(" ");
  const style = {
    "--wide": tracks(columns),
    "--narrow": tracks(columns.filter(({ narrow }) => narrow)),
  } as CSSProperties;
  const active = browse.activeId && items.some(({ index }) => rows[index]?.id === browse.activeId);

  return (
    <div
      ref={scroll}
      className={styles.table}
      style={style}
      role="grid"
      aria-label={label}
      aria-rowcount={paged.hasMore ? -1 : rows.length + 1}
      aria-multiselectable={selection ? true : undefined}
      aria-activedescendant={active ? `row-${browse.activeId}` : undefined}
      aria-busy={paged.loading}
      tabIndex={0}
    >
      <div role="rowgroup" className={styles.head}>
        <div role="row" aria-rowindex={1} className={styles.row}>
          {selection && (
            <div role="columnheader" className={styles.cell}>
              <SelectAll browse={browse} count={rows.length} />
            </div>
          )}
          {columns.map((column) => (
            <div key={column.title} role="columnheader" aria-sort={column.order?.state} className={cellClass(column)}>
              {column.order ? (
                <button type="button" className={styles.order} onClick={column.order.change}>
                  {column.title}
                  {column.order.state !== "none" && <Icon name={column.order.state === "ascending" ? "up" : "down"} />}
                </button>
              ) : (
                column.title
              )}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {items.map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <div
              key={row.id}
              id={`row-${row.id}`}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={selection ? selection.ids.has(row.id) : row.id === browse.opened}
              data-active={row.id === browse.activeId || undefined}
              data-opened={row.id === browse.opened || undefined}
              className={styles.row}
              style={{ position: "absolute", top: start, left: 0, right: 0 }}
              onClick={(event) => browse.onRowClick(event, row.id)}
            >
              {selection && (
                <div role="gridcell" data-select className={styles.cell}>
                  <SelectMark selected={selection.ids.has(row.id)} />
                </div>
              )}
              {columns.map((column) => (
                <div key={column.title} role="gridcell" className={cellClass(column)}>
                  {column.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** A text that is cut off where there is no room for all of it. */
export function Cut({ children }: { children: string }) {
  return (
    <span className={styles.cut} title={children}>
      {children}
    </span>
  );
}

function cellClass({ narrow, align }: { narrow?: boolean; align?: "end" }) {
  return [styles.cell, !narrow && styles.wide, align && styles.end].filter(Boolean).join(" ");
}

/** Nothing, some or all of what is loaded. */
function SelectAll({ browse, count }: { browse: Browse; count: number }) {
  const selected = browse.selection?.ids.size ?? 0;
  const state = selected === 0 ? "none" : selected === count ? "all" : "some";
  return (
    <Checkbox.Root
      aria-label="Select all that are loaded"
      className={styles.all}
      checked={state === "all"}
      indeterminate={state === "some"}
      onCheckedChange={browse.toggleAll}
    >
      <SelectMark selected={state} />
    </Checkbox.Root>
  );
}

/** Asks for the next page when the last row in sight comes near the end. */
export function useMoreAhead(
  last: number | undefined,
  count: number,
  { hasMore, loading, error, more }: Paged<Keyed>,
  ahead: number,
) {
  useEffect(() => {
    if (last !== undefined && last >= count - ahead && hasMore && !loading && !error) more();
  }, [last, count, hasMore, loading, error, more, ahead]);
}

/** Follows the active row when it changes, not when rows come and go around it. */
export function useActiveInSight(rows: readonly Keyed[], activeId: string | undefined, show: (index: number) => void) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new active row moves the list
  useEffect(() => {
    const index = rows.findIndex(({ id }) => id === activeId);
    if (index >= 0) show(index);
  }, [activeId]);
}
