// The page of a list that is a table: its rows, and the details of one of them beside it.
import type { ComponentProps, ReactNode } from "react";
import { useBrowse } from "./browse";
import { Button } from "./button";
import { Empty } from "./empty";
import { ListPage } from "./list-page";
import type { Keyed, Paged } from "./pages";
import { type Column, Table } from "./table";

interface Props<Row extends Keyed> extends Pick<ComponentProps<typeof ListPage>, "title" | "noun" | "tools" | "whole"> {
  paged: Paged<Row>;
  /** Where that is not all that was read. */
  rows?: readonly Row[];
  columns: readonly Column<Row>[];
  /** The row whose details are open. */
  item: string | undefined;
  change: (changes: { item: string | undefined }) => void;
  /** How an empty list came to be filtered away, if it is, and the way back. */
  narrowed?: { title: string; text: string; clear: () => void } | undefined;
  empty: { title: string; text: string };
  details: (id: string, close: () => void) => ReactNode;
}

export function TablePage<Row extends Keyed>(props: Props<Row>) {
  const { title, paged, rows = paged.rows, columns, item, change, narrowed, empty, details, ...rest } = props;
  const open = (item: string | undefined) => change({ item });
  const browse = useBrowse(rows, { opened: item, open });
  return (
    <ListPage
      {...rest}
      title={title}
      paged={paged}
      shown={rows.length}
      empty={
        narrowed ? (
          <Empty
            title={narrowed.title}
            text={narrowed.text}
            action={<Button onClick={narrowed.clear}>Clear filters</Button>}
          />
        ) : (
          <Empty {...empty} />
        )
      }
      inspector={item && details(item, () => open(undefined))}
    >
      <Table label={title} columns={columns} rows={rows} paged={paged} browse={browse} />
    </ListPage>
  );
}
