// Moving through a list and selecting in it, by keyboard and pointer, the same in tables and in grids of tiles.
import { type MouseEvent, useMemo, useState } from "react";
import { type Binding, useKeys } from "./keys";
import type { Keyed } from "./pages";
import { all, extend, NOTHING, type Selection, toggle, whole, within } from "./selection";

interface Options {
  /** The row whose details are shown. */
  opened: string | undefined;
  open: (id: string | undefined) => void;
  selectable?: boolean;
  /** What tells this list from others on the same page, where all that match can be selected at once. */
  list?: string;
  /** How many rows lie beside each other. */
  perLine?: number;
  /** What else keys do here. */
  keys?: readonly Binding[];
}

export interface Browse {
  activeId: string | undefined;
  opened: string | undefined;
  selection: Selection | undefined;
  onRowClick: (event: MouseEvent, id: string) => void;
  /** The header's checkbox: all that is loaded, or nothing. */
  toggleAll: () => void;
  clear: () => void;
  /** Whether not only loaded rows are selected, but all that match. */
  matching: boolean;
  selectMatching: () => void;
}

export function useBrowse(
  rows: readonly Keyed[],
  { opened, open, selectable = false, list = "", perLine = 1, keys = [] }: Options,
): Browse {
  const [place, setPlace] = useState<{ id: string; index: number }>();
  const [kept, setSelection] = useState(NOTHING);
  const ids = useMemo(() => rows.map(({ id }) => id), [rows]);
  const matching = kept.list === list;
  const selection = useMemo(() => {
    if (kept.list === undefined) return within(kept, ids);
    return matching ? whole(list, ids) : NOTHING;
  }, [kept, ids, matching, list]);
  // Where the active row has left the list, the one that took its place is active.
  const found = ids.indexOf(place?.id ?? opened ?? "");
  const index = found >= 0 || !place ? found : Math.min(place.index, ids.length - 1);
  const activeId = ids[index];

  const go = (id: string | undefined) => {
    if (id === undefined) return;
    setPlace({ id, index: ids.indexOf(id) });
    if (opened !== undefined && opened !== id) open(id);
  };
  const step = (by: number) => ids[Math.max(0, Math.min(ids.length - 1, index < 0 ? 0 : index + by))];
  const reach = (by: number) => {
    const to = step(by);
    if (!to) return;
    const begun = selection.anchor || !activeId ? selection : { ...selection, anchor: activeId };
    setSelection(extend(begun, ids, to));
    go(to);
  };

  const moving: Binding[] = [
    { keys: "j", label: "Next", run: () => go(step(1)) },
    { keys: "k", label: "Previous", run: () => go(step(-1)) },
    { keys: "ArrowDown", label: "Down", run: () => go(step(perLine)) },
    { keys: "ArrowUp", label: "Up", run: () => go(step(-perLine)) },
    { keys: "Home", label: "First", run: () => go(ids[0]) },
    { keys: "End", label: "Last that is loaded", run: () => go(ids.at(-1)) },
    { keys: "Enter", label: "Show details", run: () => activeId && open(activeId) },
    {
      keys: "Escape",
      label: selectable ? "Close details, then clear the selection" : "Close details",
      run: () => (opened === undefined ? setSelection(NOTHING) : open(undefined)),
    },
  ];
  const sideways: Binding[] = [
    { keys: "ArrowRight", label: "Right", run: () => go(step(1)) },
    { keys: "ArrowLeft", label: "Left", run: () => go(step(-1)) },
  ];
  const selecting: Binding[] = [
    { keys: "x", label: "Select or let go", run: () => activeId && setSelection(toggle(selection, activeId)) },
    {
      keys: "X",
      label: "Select from the last one to here",
      run: () => activeId && setSelection(extend(selection, ids, activeId)),
    },
    { keys: "J", label: "Select on to the next", run: () => reach(1) },
    { keys: "K", label: "Select on to the previous", run: () => reach(-1) },
    { keys: "Shift+ArrowDown", label: "Select on downwards", run: () => reach(perLine) },
    { keys: "Shift+ArrowUp", label: "Select on upwards", run: () => reach(-perLine) },
  ];
  useKeys("In the list", [...moving, ...(perLine > 1 ? sideways : []), ...(selectable ? selecting : []), ...keys]);

  return {
    activeId,
    opened,
    selection: selectable ? selection : undefined,
    onRowClick(event, id) {
      if (event.target instanceof Element && event.target.closest("a, button")) return;
      const box = event.target instanceof Element && event.target.closest("[data-select]");
      setPlace({ id, index: ids.indexOf(id) });
      if (selectable && event.shiftKey) setSelection(extend(selection, ids, id));
      else if (selectable && (box || event.ctrlKey || event.metaKey)) setSelection(toggle(selection, id));
      else open(id);
    },
    toggleAll: () => setSelection(selection.ids.size === ids.length ? NOTHING : all(ids)),
    clear: () => setSelection(NOTHING),
    matching,
    selectMatching: () => setSelection(whole(list, ids)),
  };
}
