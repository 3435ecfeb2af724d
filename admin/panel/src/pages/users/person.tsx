// Somebody, by name, with the way to their page.
import { ObjectLink } from "../../ui/jump";

/** Null: their account is no more. */
export function Person({ person }: { person: { id: string; username: string } | null }) {
  return person ? <ObjectLink id={person.id}>{person.username}</ObjectLink> : "nobody any more";
}
