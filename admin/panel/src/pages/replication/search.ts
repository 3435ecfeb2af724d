// What the address of the replication page holds.
import * as v from "valibot";
import { oneOf, text } from "../../ui/address";

/** The worst first. */
export const KINDS = [
  "LOST",
  "MISSING_IN_PRIMARY",
  "CORRUPT_IN_PRIMARY",
  "MISSING_IN_REPLICA",
  "STALE_IN_REPLICA",
  "FALSE_COMPLETED",
  "NOT_ERASED",
  "IN_FLIGHT",
  "ORPHAN_IN_PRIMARY",
  "ORPHAN_IN_REPLICA",
] as const;
export const SHOWN = ["open", "resolved", "all"] as const;

/** Open findings of every kind, where nothing is given. */
export const ReplicationSearch = v.object({ kind: oneOf(KINDS), show: oneOf(SHOWN), item: text });
export type ReplicationSearch = v.InferOutput<typeof ReplicationSearch>;
