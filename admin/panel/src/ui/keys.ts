// The keyboard. What is bound at the moment is kept in one place, from which the help is drawn: so the help is true.
import { useEffect, useId, useRef, useSyncExternalStore } from "react";

export interface Binding {
  /** As `KeyboardEvent.key` names it: "j", "J" (with shift), "Shift+ArrowDown", "Delete"; two after each other: "g f". */
  keys: string;
  label: string;
  run: (event: KeyboardEvent) => void;
}

interface Group {
  title: string;
  bindings: readonly Binding[];
}

const SEQUENCE_MS = 1000;
const PREFERENCE = "snaphaven.single-keys";
const groups = new Map<string, Group>();
const listeners = new Set<() => void>();
let snapshot: readonly Group[] = [];
let prefix: { key: string; at: number } | undefined;

function changed() {
  snapshot = [...groups.values()].filter(({ bindings }) => bindings.length > 0);
  for (const tell of listeners) tell();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Binds keys while the component is there. */
export function useKeys(title: string, bindings: readonly Binding[]) {
  const id = useId();
  const current = useRef(bindings);
  current.current = bindings;
  const shape = bindings.map(({ keys, label }) => `${keys}\t${label}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the shape stands for the bindings, which are new each time
  useEffect(() => {
    const bound = current.current.map(({ keys, label }, index) => ({
      keys,
      label,
      run: (event: KeyboardEvent) => current.current[index]?.run(event),
    }));
    groups.set(id, { title, bindings: bound });
    changed();
    return () => {
      groups.delete(id);
      changed();
    };
  }, [id, title, shape]);
}

export function useBoundKeys() {
  return useSyncExternalStore(subscribe, () => snapshot);
}

/** Keys of one character can be turned off, for those who speak to their computer or hit keys by chance. */
export function useSingleKeys(): [on: boolean, set: (on: boolean) => void] {
  const on = useSyncExternalStore(subscribe, singleKeys);
  return [
    on,
    (on) => {
      localStorage.setItem(PREFERENCE, on ? "on" : "off");
      changed();
    },
  ];
}

const singleKeys = () => localStorage.getItem(PREFERENCE) !== "off";

/** Runs what a key is bound to, unless it belongs to a field or a button, or something with keys of its own is open. */
export function onKeyDown(event: KeyboardEvent) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const { target, key } = event;
  if (!(target instanceof Element) || document.querySelector("[data-own-keys]")) return;
  if (target.closest("input, textarea, select") && key !== "Escape") return;
  if (key === "Enter" && target.closest("a, button")) return;
  if (key.length === 1 && !singleKeys()) return;

  const name = event.shiftKey && key.length > 1 ? `Shift+${key}` : key;
  const sequence = prefix && event.timeStamp - prefix.at < SEQUENCE_MS ? `${prefix.key} ${name}` : undefined;
  prefix = undefined;
  const bindings = snapshot.flatMap(({ bindings }) => bindings);
  const binding = bindings.find(({ keys }) => keys === sequence) ?? bindings.find(({ keys }) => keys === name);
  if (binding) {
    event.preventDefault();
    binding.run(event);
  } else if (bindings.some(({ keys }) => keys.startsWith(`${name} `))) {
    prefix = { key: name, at: event.timeStamp };
  }
}
