// Times: relative, which one reads at a glance, with the exact UTC time under the pointer.
import { useSyncExternalStore } from "react";
import { absolute, relative } from "./relative";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for the whole page; it stands still while nobody looks at it. */
function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const tell of listeners) tell();
  }, 15_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function current() {
  if (Math.abs(Date.now() - now) > 30_000) now = Date.now();
  return now;
}

export function useNow() {
  return useSyncExternalStore(subscribe, current);
}

/** `exact`: the UTC time too, where that is what one looks for. */
export function Time({ at, exact = false }: { at: string; exact?: boolean }) {
  const now = useNow();
  const words = relative(Date.parse(at), now);
  return (
    <time dateTime={at} title={absolute(at)}>
      {exact ? `${absolute(at)} (${words})` : words}
    </time>
  );
}
