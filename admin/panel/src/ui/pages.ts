// Endless lists: page after page of a connection, each kept as a query of its own, so that a change of one record shows
// without the whole list being read again.

import { useMemo, useSyncExternalStore } from "react";
import type { AnyVariables, Client, CombinedError, TypedDocumentNode } from "urql";
import { useClient } from "urql";

export const PAGE_SIZE = 100;

export interface Keyed {
  id: string;
}

export interface Page<Node> {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  totalCount?: number;
  totalCountIsExact?: boolean;
}

export interface Paged<Node> {
  rows: readonly Node[];
  /** Of the whole list, where the server counts it. */
  total: number | undefined;
  totalIsExact: boolean;
  /** Whether rows are on their way; at first there are none. */
  loading: boolean;
  hasMore: boolean;
  error: CombinedError | undefined;
  more: () => void;
  retry: () => void;
  /** Reads what is shown once more. */
  reload: () => void;
}

interface Part<Node> {
  page: Page<Node> | undefined;
  error: CombinedError | undefined;
  after: string | null;
  stop: () => void;
}

type Tell<Node> = (page: Page<Node> | undefined, error: CombinedError | undefined) => void;

class PageList<Node extends Keyed> {
  #parts: Part<Node>[] = [];
  #listeners = new Set<() => void>();
  #snapshot: Paged<Node>;
  #due = false;
  #read: (after: string | null, tell: Tell<Node>) => () => void;
  #again: (after: string | null) => void;

  /** `read` asks for the page after a cursor, tells of it now and whenever it changes, and returns what ends that;
   * `again` asks for a page that was read before. */
  constructor(read: (after: string | null, tell: Tell<Node>) => () => void, again: (after: string | null) => void) {
    this.#read = read;
    this.#again = again;
    this.#snapshot = this.#summarise();
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    if (this.#parts.length === 0) this.#open(null);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      for (const part of this.#parts) part.stop();
      this.#parts = [];
    };
  };

  snapshot = () => this.#snapshot;

  more = () => {
    const last = this.#parts.at(-1)?.page;
    if (last?.pageInfo.hasNextPage && last.pageInfo.endCursor) this.#open(last.pageInfo.endCursor);
  };

  retry = () => {
    this.#parts.pop()?.stop();
    const before = this.#parts.at(-1)?.page;
    this.#open(before?.pageInfo.endCursor ?? null);
  };

  reload = () => {
    for (const { after } of this.#parts) this.#again(after);
  };

  #open(after: string | null) {
    const part: Part<Node> = { page: undefined, error: undefined, after, stop: () => {} };
    this.#parts.push(part);
    part.stop = this.#read(after, (page, error) => {
      part.page = page ?? part.page;
      part.error = error;
      this.#changed();
    });
    this.#changed();
  }

  /** Many pages change at once where they share a record: they are drawn once. */
  #changed() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#snapshot = this.#summarise();
      for (const tell of this.#listeners) tell();
    });
  }

  #summarise(): Paged<Node> {
    // A page that is read again after a deletion reaches into the next one.
    const rows = new Map<string, Node>();
    for (const { page } of this.#parts) for (const node of page?.nodes ?? []) rows.set(node.id, node);
    const [first, last] = [this.#parts[0]?.page, this.#parts.at(-1)];
    return {
      rows: [...rows.values()],
      total: first?.totalCount,
      totalIsExact: first?.totalCountIsExact ?? true,
      loading: !last || (!last.page && !last.error),
      // A page that was asked for and is not here yet is more, too.
      hasMore: last?.page?.pageInfo.hasNextPage ?? this.#parts.length > 1,
      error: last?.error,
      more: this.more,
      retry: this.retry,
      reload: this.reload,
    };
  }
}

/** The list that a document with the variables `first` and `after` gives; another list for other variables. */
export function usePages<Data, Variables extends AnyVariables, Node extends Keyed>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, "first" | "after">,
  pick: (data: Data) => Page<Node>,
): Paged<Node> {
  const client = useClient();
  const key = JSON.stringify(variables);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the variables, whose object is new each time
  const list = useMemo(() => {
    const asked = (after: string | null) => ({ ...variables, first: PAGE_SIZE, after }) as unknown as Variables;
    return new PageList<Node>(
      (after, tell) => read(client, document, asked(after), pick, tell),
      (after) => client.query(document, asked(after), { requestPolicy: "network-only" }).toPromise(),
    );
  }, [client, document, key]);
  return useSyncExternalStore(list.subscribe, list.snapshot);
}

function read<Data, Variables extends AnyVariables, Node extends Keyed>(
  client: Client,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  pick: (data: Data) => Page<Node>,
  tell: Tell<Node>,
) {
  const source = client.query(document, variables, { requestPolicy: "cache-and-network" });
  return source.subscribe(({ data, error }) => tell(data ? pick(data) : undefined, error)).unsubscribe;
}
