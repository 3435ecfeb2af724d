// Who did it, by name.
import { ObjectLink } from "../../ui/jump";
import { useUserName } from "../users/names";
import type { AuditRow } from "./documents";
import { onBehalfOf } from "./words";

export function useWho(entry: AuditRow) {
  const other = useUserName(entry.actor ? undefined : onBehalfOf(entry));
  return entry.actor?.username ?? other ?? "nobody any more";
}

export function Who({ entry }: { entry: AuditRow }) {
  return useWho(entry);
}

/** With the way to their page. */
export function WhoLink({ entry }: { entry: AuditRow }) {
  const id = entry.actor?.id ?? onBehalfOf(entry);
  const name = useWho(entry);
  return id ? <ObjectLink id={id}>{name}</ObjectLink> : name;
}
