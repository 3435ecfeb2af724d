// Who is signed in, and what of the panel is theirs to see.
import { getRouteApi, redirect } from "@tanstack/react-router";
import { client } from "../graphql/client";
import { graphql, type ResultOf } from "../graphql/tada";

const VIEWER = graphql(`query Viewer { viewer { id username displayName role } }`);

export type Viewer = NonNullable<ResultOf<typeof VIEWER>["viewer"]>;

/** The viewer; without one, the sign-in page. `here` is where they come back to. */
export async function requireViewer(here: string): Promise<Viewer> {
  const { data, error } = await client.query(VIEWER, {}).toPromise();
  if (error) throw error;
  if (!data?.viewer) throw redirect({ to: "/sign-in", search: { to: here } });
  return data.viewer;
}

const shell = getRouteApi("/shell");

export function useViewer(): Viewer {
  return shell.useRouteContext({ select: ({ viewer }) => viewer });
}

/** Operators watch the running; people and their files are for admins. */
export const isAdmin = ({ role }: Viewer) => role === "ADMIN";
export const mayEnter = ({ role }: Viewer) => role === "ADMIN" || role === "OPERATOR";
