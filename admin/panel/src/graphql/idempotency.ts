// Keys by which the server knows a mutation again that it was sent before: a second try finds what the first has done.
import { useRef } from "react";

/** A key for an input: the same one for the same input, as long as the form is open. */
export function useIdempotencyKey() {
  const last = useRef<{ input: string; key: string }>(undefined);
  return (...input: readonly unknown[]) => {
    const text = JSON.stringify(input);
    if (last.current?.input !== text) last.current = { input: text, key: random() };
    return last.current.key;
  };
}

/** `crypto.randomUUID` is there over HTTPS alone. */
const random = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
