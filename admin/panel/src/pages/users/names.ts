// People are known by name, and asked for by id.
import { useQuery } from "urql";
import { client, explain } from "../../graphql/client";
import { graphql } from "../../graphql/tada";

const NAME = graphql(`query UserName($id: ID!) { node(id: $id) { __typename id ... on User { username } } }`);
const BY_NAME = graphql(`query UserByName($username: String!) { user(username: $username) { id username } }`);

/** The user name of an id: "nobody" where there is nobody, undefined until it is known. */
export function useUserName(id: string | null | undefined) {
  const [{ data }] = useQuery({ query: NAME, variables: { id: id ?? "" }, pause: !id });
  if (!id || !data) return undefined;
  return data.node?.__typename === "User" ? data.node.username : "nobody";
}

/** The id of a user name, or what is wrong with it. Nobody is asked for where no name is given. */
export async function findUser(username: string | undefined): Promise<{ id?: string; fault?: string }> {
  if (!username) return {};
  const { data, error } = await client.query(BY_NAME, { username }).toPromise();
  if (error) return { fault: explain(error).message };
  return data?.user ? { id: data.user.id } : { fault: "There is nobody of this name" };
}
