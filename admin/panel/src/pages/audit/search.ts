// What the address of the audit log holds, and what the server is asked for by it.
import * as v from "valibot";
import type { graphql } from "../../graphql/tada";
import { text } from "../../ui/address";
import { after, before } from "../../ui/days";

export const AuditSearch = v.object({
  action: text,
  /** Ids: of a user, and of anything. */
  actor: text,
  subject: text,
  /** Days, such as 2026-11-22, in UTC; the last one is meant whole. */
  from: text,
  until: text,
  item: text,
});

export type AuditSearch = v.InferOutput<typeof AuditSearch>;
type Filter = ReturnType<typeof graphql.scalar<"AuditLogFilter">>;

export const CONDITIONS = ["action", "actor", "subject", "from", "until"] as const;

export function toFilter({ action, actor, subject, from, until }: AuditSearch): Filter {
  const [begin, end] = [after(from), before(until)];
  return {
    ...(action && { action }),
    ...(actor && { actorId: actor }),
    ...(subject && { subjectId: subject }),
    ...(begin && { from: begin }),
    ...(end && { to: end }),
  };
}
