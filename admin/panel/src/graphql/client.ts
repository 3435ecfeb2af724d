// The connection to the server: one client with a normalised cache, signed in by the session's cookie.
import { cacheExchange, type UpdateResolver } from "@urql/exchange-graphcache";
import { Client, type CombinedError, fetchExchange, mapExchange } from "urql";
import { signInAgain } from "../session/sign-in-again";

/** What has no id of its own, and is kept with what it belongs to. */
const EMBEDDED = [
  "Copy",
  "Coverage",
  "FilePermissions",
  "FindingCount",
  "Limits",
  "Receipt",
  "Removal",
  "Rendition",
  "RepairPlan",
  "ReplicaDrill",
  "Replication",
  "ReplicationBacklog",
  "ReplicationExposure",
  "ReplicationLag",
  "ReplicationSite",
  "SignedUrl",
  "Suspension",
  "TimelineEntry",
  "Usage",
];
const ERRORS = [
  "AccountUserError",
  "BlockUserError",
  "FileUserError",
  "OperationsUserError",
  "ReplicationUserError",
  "ReportUserError",
];
const MUTATIONS = [
  "BlockContent",
  "LogIn",
  "LogOut",
  "PlaceLegalHold",
  "PurgeFiles",
  "ReinstateUser",
  "ReleaseLegalHold",
  "RemoveFiles",
  "RepairFindings",
  "ResolveReport",
  "RestoreFiles",
  "RetryAlert",
  "RetryJob",
  "SetQuota",
  "SetUserRole",
  "StartReplicaDrill",
  "SuspendUser",
  "UnblockContent",
  "VerifyReplicas",
];
const WITHOUT_ID = [...EMBEDDED, ...ERRORS, ...MUTATIONS.map((name) => `${name}Payload`)];

/** What is shown of these is read again: acts of admins are in the audit log, raise alerts and leave jobs. */
const TOUCHED = [
  "alerts",
  "auditLog",
  "blockedContents",
  "bulkActions",
  "jobs",
  "replicaFindings",
  "replicaRuns",
  "replication",
  "reports",
  "usage",
];

const touch: UpdateResolver = (_result, _args, cache) => {
  for (const { fieldName, fieldKey } of cache.inspectFields("Query")) {
    if (TOUCHED.includes(fieldName)) cache.invalidate("Query", fieldKey);
  }
};

const cache = cacheExchange({
  keys: Object.fromEntries(WITHOUT_ID.map((name) => [name, () => null])),
  updates: {
    Mutation: {
      removeFiles: touch,
      restoreFiles: touch,
      purgeFiles(result, args, cache, info) {
        const { purgedIds } = result.purgeFiles as { purgedIds: string[] };
        for (const id of purgedIds) cache.invalidate({ __typename: "File", id });
        touch(result, args, cache, info);
      },
      blockContent(result, args, cache, info) {
        const { fileId } = args.input as { fileId?: string };
        // It is removed by that, which the answer does not show.
        if (fileId) cache.invalidate({ __typename: "File", id: fileId });
        touch(result, args, cache, info);
      },
      unblockContent: touch,
      placeLegalHold: touch,
      releaseLegalHold: touch,
      resolveReport: touch,
      suspendUser: touch,
      reinstateUser: touch,
      setUserRole: touch,
      setQuota: touch,
      retryAlert: touch,
      retryJob: touch,
      verifyReplicas: touch,
      startReplicaDrill: touch,
      repairFindings(result, args, cache, info) {
        // A dry run changes nothing.
        if (!(args.input as { dryRun?: boolean }).dryRun) touch(result, args, cache, info);
      },
    },
  },
});

const signedOut = mapExchange({
  onError(error) {
    if (isSignedOut(error)) signInAgain();
  },
});
const CONNECTION = { url: "/graphql", preferGetMethod: false } as const;

export const client = new Client({ ...CONNECTION, exchanges: [signedOut, cache, fetchExchange] });

/** For what is read once and in bulk: nothing of it is kept. */
export const uncached = new Client({ ...CONNECTION, exchanges: [signedOut, fetchExchange] });

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
  const requestId =
    first?.extensions.requestId ?? (error.response as Response | undefined)?.headers.get("x-request-id");
  return {
    message: first?.message ?? "The server cannot be reached. Check the connection, then try again.",
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
}
