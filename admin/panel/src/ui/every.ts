// What changes by itself is read again and again, while somebody looks at it.
import { useEffect, useRef } from "react";

const EVERY_MS = 3_000;

export function useEvery(run: () => void, active = true, every = EVERY_MS) {
  const current = useRef(run);
  current.current = run;
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => document.visibilityState === "visible" && current.current(), every);
    return () => clearInterval(timer);
  }, [active, every]);
}
