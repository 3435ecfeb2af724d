// The inspector while its object is on its way, or where there is none.
import type { ReactNode } from "react";
import type { CombinedError } from "urql";
import { explain } from "../graphql/client";
import { Button } from "./button";
import { Id } from "./copy";
import { Failure } from "./failure";
import { Facts, Inspector } from "./inspector";

interface Props {
  id: string;
  /** What it would be called: "alert". */
  noun: string;
  error: CombinedError | undefined;
  fetching: boolean;
  /** Why it may be missing, where that is usual. */
  missing?: string | undefined;
  again: () => void;
  onClose: () => void;
  children?: ReactNode;
}

export function Waiting({ id, noun, error, fetching, missing, again, onClose, children }: Props) {
  const absent = !error && !fetching;
  return (
    <Inspector title={error ? "Not shown" : absent ? `No such ${noun}` : "Loading…"} onClose={onClose}>
      {error && <Failure {...explain(error)} action={<Button onClick={() => again()}>Try again</Button>} />}
      {absent && missing && <p>{missing}</p>}
      {absent && <Facts facts={[["Id", <Id key="id" id={id} what={`${noun} id`} />]]} />}
      {children}
    </Inspector>
  );
}
