// What a page shows stands in its address: filters, order, view, and the row whose details are open.
import { useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";
import * as v from "valibot";

/** A part of an address: a text, or nothing. */
export const text = v.fallback(v.optional(v.string()), undefined);
/** The same, one of a few texts. */
export const oneOf = <const Options extends readonly string[]>(options: Options) =>
  v.fallback(v.optional(v.picklist(options)), undefined);

interface Listed {
  /** Words that are searched for. */
  q?: string | undefined;
  /** The row whose details are open. */
  item?: string | undefined;
}

/** Whether a change is one of many on a way, as from row to row or letter to letter, which nobody wants to go back by. */
function isStep(search: Listed, changes: Listed) {
  return "q" in changes || ("item" in changes && search.item !== undefined);
}

/** Changes parts of the page's address, whose present parts are `search`. */
export function useChange<Search extends Listed>(search: Search) {
  const navigate = useNavigate();
  const opened = search.item;
  return useCallback(
    (changes: Partial<Search>) => {
      const next = (old: object) => ({ ...old, ...changes }) as never;
      navigate({ to: ".", search: next, replace: isStep({ item: opened }, changes) });
    },
    [navigate, opened],
  );
}
