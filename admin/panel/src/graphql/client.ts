// The connection to the server: one client with a normalised cache, signed in by the session's cookie.
import { cacheExchange } from "@urql/exchange-graphcache";
import { Client, type CombinedError, fetchExchange, mapExchange } from "urql";
import { signInAgain } from "../session/sign-in-again";

const EMBEDDED = ["Copy", "FilePermissions", "Limits", "Rendition", "SignedUrl", "Usage"];
const PAYLOADS = ["TrashFilesPayload", "RestoreFilesPayload", "PurgeFilesPayload", "SetQuotaPayload", "LogInPayload"];
const WITHOUT_ID = [...EMBEDDED, ...PAYLOADS, "LogOutPayload", "FileUserError", "AccountUserError"];

const cache = cacheExchange({
  keys: Object.fromEntries(WITHOUT_ID.map((name) => [name, () => null])),
  updates: {
    Mutation: {
      purgeFiles(result, _, cache) {
        const { purgedIds } = result.purgeFiles as { purgedIds: string[] };
        for (const id of purgedIds) cache.invalidate({ __typename: "File", id });
      },
    },
  },
});

export const client = new Client({
  url: "/graphql",
  preferGetMethod: false,
  exchanges: [
    mapExchange({
      onError(error) {
        if (isSignedOut(error)) signInAgain();
      },
    }),
    cache,
    fetchExchange,
  ],
});

function isSignedOut(error: CombinedError) {
  return error.graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED");
}

/** What went wrong, for people, and the id under which the server's log has it. */
export interface Fault {
  message: string;
  requestId?: string | undefined;
}

export function explain(error: CombinedError): Fault {
  const first = error.graphQLErrors[0];
  const requestId = first?.extensions.requestId;
  return {
    message: first?.message ?? "The server cannot be reached. Check the connection, then try again.",
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
}
