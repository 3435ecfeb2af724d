// What is selected in a list: single rows, and ranges from the row that was selected last.

export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range begins. */
  anchor: string | undefined;
  /** The list of which all that match are selected, loaded or not. */
  list?: string;
}

export const NOTHING: Selection = { ids: new Set(), anchor: undefined };

export function toggle({ ids }: Selection, id: string): Selection {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return { ids: next, anchor: id };
}

/** Adds all rows from the anchor to this one, in whichever direction. */
export function extend(selection: Selection, rows: readonly string[], to: string): Selection {
  const [start, end] = [rows.indexOf(selection.anchor ?? to), rows.indexOf(to)];
  if (end < 0) return selection;
  const from = start < 0 ? end : start;
  const range = rows.slice(Math.min(from, end), Math.max(from, end) + 1);
  return { ids: new Set([...selection.ids, ...range]), anchor: rows[from] };
}

/** Forgets rows that are in the list no more; the very same object where there are none. */
export function within(selection: Selection, rows: readonly string[]): Selection {
  if (selection.ids.size === 0) return selection;
  const there = new Set(rows);
  const kept = [...selection.ids].filter((id) => there.has(id));
  if (kept.length === selection.ids.size) return selection;
  return { ids: new Set(kept), anchor: selection.anchor && there.has(selection.anchor) ? selection.anchor : undefined };
}

/** All that a list has, also what is loaded later. */
export function whole(list: string, rows: readonly string[]): Selection {
  return { ...all(rows), list };
}

export function all(rows: readonly string[]): Selection {
  return { ids: new Set(rows), anchor: rows[0] };
}
