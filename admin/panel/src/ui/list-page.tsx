// The frame of every page with a list: heading and tools, the list or what stands in for it, and details beside it.
import type { ReactNode } from "react";
import { explain } from "../graphql/client";
import { Button, IconButton } from "./button";
import { Failure } from "./failure";
import { Icon } from "./icon";
import { useKeys } from "./keys";
import styles from "./list-page.module.css";
import type { Keyed, Paged } from "./pages";
import { count } from "./relative";

interface Props {
  title: string;
  /** What one row is called. */
  noun: string;
  tools?: ReactNode;
  /** What can be done with the list as a whole. */
  whole?: ReactNode;
  paged: Paged<Keyed>;
  /** How many rows are shown, where that is not all that were read. */
  shown: number;
  /** In place of an empty list. */
  empty: ReactNode;
  inspector?: ReactNode;
  children: ReactNode;
}

export function ListPage({ title, noun, tools, whole, paged, shown, empty, inspector, children }: Props) {
  const { rows, total, totalIsExact, loading, hasMore, error, retry, reload } = paged;
  useKeys(title, [{ keys: "r", label: "Read the list again", run: reload }]);
  const counted = total === undefined ? shown : total - (rows.length - shown);
  const sum = `${count(counted, noun)}${(total === undefined ? hasMore : !totalIsExact) ? " or more" : ""}`;
  return (
    <div className={styles.split} data-inspecting={inspector ? true : undefined}>
      <div className={styles.page}>
        <header className={styles.head}>
          <h1>{title}</h1>
          <p className={styles.count} role="status">
            {rows.length === 0 && loading ? "Loading…" : sum}
          </p>
          <div className={styles.whole}>
            {whole}
            <IconButton label="Read again" onClick={reload}>
              <Icon name="reload" />
            </IconButton>
          </div>
        </header>
        {tools && <div className={styles.tools}>{tools}</div>}
        {shown === 0 && loading ? <Skeleton /> : shown === 0 && !error ? empty : children}
        {error && <Failure {...explain(error)} action={<Button onClick={retry}>Try again</Button>} />}
      </div>
      {inspector}
    </div>
  );
}

function Skeleton() {
  return (
    <div className={styles.skeleton} aria-hidden="true">
      {Array.from({ length: 14 }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={row} style={{ "--share": `${35 + ((row * 37) % 40)}%` } as React.CSSProperties} />
      ))}
    </div>
  );
}
