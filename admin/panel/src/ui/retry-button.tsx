// Sets something going again that has failed for good. Harmless, so it asks nothing first.
import { useState } from "react";
import type { TypedDocumentNode } from "urql";
import { perform } from "../graphql/perform";
import { isAdmin, useViewer } from "../session/viewer";
import { Button } from "./button";
import styles from "./inspector.module.css";
import { toast } from "./toasts";

interface Props<Data> {
  verb: string;
  consequence: string;
  /** Said once it is done. */
  done: string;
  document: TypedDocumentNode<Data, { id: string }>;
  id: string;
  pick: (data: Data) => { userErrors: readonly { message: string }[] };
}

export function RetryButton<Data>({ verb, consequence, done, document, id, pick }: Props<Data>) {
  const admin = isAdmin(useViewer());
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const { refusal } = await perform(document, { id }, pick);
    setBusy(false);
    if (refusal) toast.failed("It was not set going again", refusal);
    else toast.done(done);
  };
  const note = admin ? consequence : "Only admins can do this.";
  return (
    <>
      <Button disabled={busy || !admin} onClick={run}>
        {verb}
      </Button>
      <span className={styles.note}>{note}</span>
    </>
  );
}
