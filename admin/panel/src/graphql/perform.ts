// Mutations: what they answer, or what stood in their way.
import type { AnyVariables, TypedDocumentNode } from "urql";
import { client, explain, type Fault } from "./client";

interface Payload {
  userErrors: readonly { message: string }[];
}

/** `answer`: all that the server said beside its refusal. */
export type Outcome<Done> =
  | { done: Done; refusal?: undefined; answer?: undefined }
  | { done?: undefined; refusal: Fault; answer?: Done };

/** Carries a mutation out. Whatever kept it from being done comes as words for people, with a request id where there is one. */
export async function perform<Data, Variables extends AnyVariables, Done extends Payload>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  pick: (data: Data) => Done,
): Promise<Outcome<Done>> {
  const { data, error } = await client.mutation(document, variables).toPromise();
  if (error) return { refusal: explain(error) };
  if (!data) return { refusal: { message: "The server gave no answer. Look whether it was done, then try again." } };
  const done = pick(data);
  const refused = done.userErrors[0];
  return refused ? { refusal: { message: refused.message }, answer: done } : { done };
}
