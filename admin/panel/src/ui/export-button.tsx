// Saves a list as CSV: all that its filter matches, up to a bound that is told.
import { useState } from "react";
import type { AnyVariables, TypedDocumentNode } from "urql";
import { explain, uncached } from "../graphql/client";
import { Button } from "./button";
import { type CsvColumn, save, toCsv } from "./csv";
import { PAGE_SIZE, type Page } from "./pages";
import { count } from "./relative";
import { toast } from "./toasts";

const MOST = 10_000;

interface Props<Data, Variables extends AnyVariables, Row> {
  /** The name of the file, without its ending. */
  name: string;
  noun: string;
  document: TypedDocumentNode<Data, Variables>;
  variables: Omit<Variables, "first" | "after">;
  pick: (data: Data) => Page<Row>;
  columns: readonly CsvColumn<Row>[];
}

export function ExportButton<Data, Variables extends AnyVariables, Row>(props: Props<Data, Variables, Row>) {
  const { name, noun, document, variables, pick, columns } = props;
  const [read, setRead] = useState<number>();

  const run = async () => {
    const rows: Row[] = [];
    let after: string | null = null;
    let more = true;
    setRead(0);
    while (more && rows.length < MOST) {
      const asked = { ...variables, first: PAGE_SIZE, after } as unknown as Variables;
      const { data, error } = await uncached.query(document, asked).toPromise();
      if (error || !data) {
        setRead(undefined);
        return toast.failed("Nothing was exported", error ? explain(error) : { message: "The server gave no answer." });
      }
      const page: Page<Row> = pick(data);
      rows.push(...page.nodes);
      after = page.pageInfo.endCursor;
      more = page.pageInfo.hasNextPage;
      setRead(rows.length);
    }
    setRead(undefined);
    save(`${name}-${new Date().toISOString().slice(0, 10)}.csv`, toCsv(columns, rows));
    const cut = more
      ? `There are more: these are the first ${count(MOST, noun)}. Narrow the filter down for the rest.`
      : undefined;
    toast.done(`${count(rows.length, noun)} exported`, cut);
  };

  return (
    <Button
      look="quiet"
      disabled={read !== undefined}
      onClick={run}
      title={`All that the filter matches, at most the first ${count(MOST, noun)}`}
    >
      {read === undefined ? "Export CSV" : `Reading… ${count(read, noun)}`}
    </Button>
  );
}
