// What the address of a list of files holds, and what the server is asked for by it.
import * as v from "valibot";
import type { graphql } from "../../graphql/tada";
import { oneOf, text } from "../../ui/address";
import { after, before } from "../../ui/days";
import { bytes, parseBytes, sentence } from "../../ui/relative";

export const STATES = ["ACTIVE", "TRASHED", "REMOVED", "PROCESSING", "REJECTED"] as const;
export const ORDERS = ["CREATED_AT", "UPDATED_AT", "NAME", "SIZE"] as const;

/** All texts, as they stand in the address. */
export const FilesSearch = v.object({
  /** Words of the name or the description. */
  q: text,
  /** The owner's id. */
  owner: text,
  /** Separated by commas. */
  tags: text,
  type: text,
  state: oneOf(STATES),
  /** Days, such as 2026-11-22, in UTC; the last one is meant whole. */
  from: text,
  until: text,
  /** Sizes as people write them, such as "10 MB". */
  min: text,
  max: text,
  order: oneOf(ORDERS),
  direction: oneOf(["ASC", "DESC"]),
  view: oneOf(["grid", "table"]),
  item: text,
});

export type FilesSearch = v.InferOutput<typeof FilesSearch>;
export type FileFilter = ReturnType<typeof graphql.scalar<"FileFilter">>;
export type FileState = (typeof STATES)[number];

/** What narrows the list down, in the order of its chips. */
export const CONDITIONS = ["q", "owner", "tags", "type", "state", "from", "until", "min", "max"] as const;
export type Condition = (typeof CONDITIONS)[number];

/** The filter of everyone's files. Days and sizes that are none are left out. */
export function toFilter(search: FilesSearch, state: FileState): FileFilter {
  const given: FileFilter = search.owner ? { ownerId: search.owner, state } : { everyone: true, state };
  const [createdAfter, createdBefore] = [after(search.from), before(search.until)];
  const [least, most] = [parseBytes(search.min ?? ""), parseBytes(search.max ?? "")];
  return {
    ...given,
    ...(search.q && { search: search.q }),
    ...(search.tags && { tags: splitTags(search.tags) }),
    ...(search.type && { contentType: search.type }),
    ...(createdAfter && { createdAfter }),
    ...(createdBefore && { createdBefore }),
    ...(least !== undefined && { sizeFrom: least }),
    // The server's end is open; people mean theirs to be within.
    ...(most !== undefined && { sizeTo: most + 1 }),
  };
}

export function splitTags(tags: string) {
  return tags
    .split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
}

/** The words of a chip. An owner is known by name, which somebody has to look up. */
export function describe(condition: Condition, value: string, ownerName?: string): string {
  switch (condition) {
    case "q":
      return `Words: ${value}`;
    case "owner":
      return `Owner: ${ownerName ?? "…"}`;
    case "tags":
      return `Tags: ${splitTags(value).join(", ")}`;
    case "type":
      return `Type: ${value}`;
    case "state":
      return `State: ${sentence(value)}`;
    case "from":
      return `From ${value}`;
    case "until":
      return `Until ${value}`;
    case "min":
      return `At least ${size(value)}`;
    case "max":
      return `At most ${size(value)}`;
  }
}

function size(text: string) {
  const size = parseBytes(text);
  return size === undefined ? text : bytes(size);
}
