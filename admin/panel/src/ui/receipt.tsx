// The signed receipt on a file or a person: where every copy is, or that it is gone. Saved as it was signed, byte by byte.
import { useState } from "react";
import { explain, uncached } from "../graphql/client";
import { graphql } from "../graphql/tada";
import { Button } from "./button";
import { save } from "./csv";
import { Section } from "./inspector";
import styles from "./inspector.module.css";
import { count } from "./relative";
import { toast } from "./toasts";

const RECEIPT = graphql(`
  query Receipt($id: ID!) { receipt(id: $id) { document kept gone underWay wanting } }
`);

interface Counts {
  kept: number;
  gone: number;
  underWay: number;
  wanting: number;
}

/** "12 objects at both sites, 1 gone from both". */
export function comesTo({ kept, gone, underWay, wanting }: Counts) {
  const parts = [
    kept > 0 && `${count(kept, "object")} at both sites`,
    gone > 0 && `${kept > 0 ? gone : count(gone, "object")} gone from both`,
    underWay > 0 && `${underWay} under way`,
    wanting > 0 && `${wanting} not as the ledger says`,
  ];
  return parts.filter(Boolean).join(", ") || "No object, and what the audit log has";
}

export function Receipt({ id }: { id: string }) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const { data, error } = await uncached.query(RECEIPT, { id }).toPromise();
    setBusy(false);
    if (error) return toast.failed("There is no receipt", explain(error));
    const receipt = data?.receipt;
    if (!receipt) return toast.failed("There is no receipt", { message: "Nothing is known of it." });
    save(`receipt-${id}.json`, receipt.document, "application/json");
    toast.done("Receipt saved", `${comesTo(receipt)}.`);
  };
  return (
    <Section title="Receipt">
      <p className={styles.note}>
        Where every copy is now, or that it is gone: signed, and checked by anybody with scripts/verify-receipt.
      </p>
      <Button look="quiet" disabled={busy} onClick={run}>
        {busy ? "Looking at both sites…" : "Download receipt"}
      </Button>
    </Section>
  );
}
