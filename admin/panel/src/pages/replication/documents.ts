// What is asked of the server about the copies.
import { graphql, type ResultOf, type VariablesOf } from "../../graphql/tada";

const RUN_ROW = graphql(`
  fragment RunRow on ReplicaRun {
    id mode state startedAt finishedAt total done rate agreed lagging inFlight faults repaired leftOpen bytesRead error
    requestedBy { id username }
    coverage { bytes checksum etag existence }
    drill { manifestAt rpo rto ledger copying objects size sample sampleSize right }
  }
`);

const FINDING_ROW = graphql(`
  fragment FindingRow on ReplicaFinding {
    id kind state key size detail firstSeenAt lastSeenAt sightings attempts lastError resolvedAt outcome
  }
`);

export const REPLICATION = graphql(
  `
    query Replication {
      replication {
        state sentence mode target
        sites { role region bucket isReachable error }
        lag { p50 p95 p99 max probe copies }
        backlog { objects bytes oldest }
        exposure { objects files people }
        findings { kind findings }
        manifestAt
        lastVerification { ...RunRow }
        lastCompleteVerification { ...RunRow }
      }
    }
  `,
  [RUN_ROW],
);

export const RUNS = graphql(`query ReplicaRuns($first: Int!) { replicaRuns(first: $first) { nodes { ...RunRow } } }`, [
  RUN_ROW,
]);

export const FINDINGS = graphql(
  `
    query ReplicaFindings($open: Boolean, $kind: FindingKind, $first: Int!, $after: String) {
      replicaFindings(open: $open, kind: $kind, first: $first, after: $after) {
        nodes { ...FindingRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [FINDING_ROW],
);

/** A finding, or a run, whose id may come from the audit log. */
export const REPLICATION_ITEM = graphql(
  `
    query ReplicationItem($id: ID!) {
      node(id: $id) { __typename ... on ReplicaFinding { ...FindingRow } ... on ReplicaRun { ...RunRow } }
    }
  `,
  [FINDING_ROW, RUN_ROW],
);

export const VERIFY = graphql(
  `
    mutation VerifyReplicas($mode: VerificationMode!, $trustListings: Boolean!) {
      verifyReplicas(input: { mode: $mode, trustListings: $trustListings }) {
        run { ...RunRow }
        userErrors { code message }
      }
    }
  `,
  [RUN_ROW],
);

export const DRILL = graphql(
  `
    mutation StartReplicaDrill($sample: Int!) {
      startReplicaDrill(input: { sample: $sample }) {
        run { ...RunRow }
        userErrors { code message }
      }
    }
  `,
  [RUN_ROW],
);

export const REPAIR = graphql(
  `
    mutation RepairFindings($input: RepairFindingsInput!) {
      repairFindings(input: $input) {
        plan { findings size beyondRepair byKind { kind findings } }
        run { ...RunRow }
        userErrors { code field message }
      }
    }
  `,
  [RUN_ROW],
);

export type Replication = ResultOf<typeof REPLICATION>["replication"];
export type Run = ResultOf<typeof RUN_ROW>;
export type Finding = ResultOf<typeof FINDING_ROW>;
export type Plan = NonNullable<ResultOf<typeof REPAIR>["repairFindings"]["plan"]>;
/** Which findings a repair is for: of these ids, or of these kinds; of all where neither is given. */
export type Scope = Pick<VariablesOf<typeof REPAIR>["input"], "ids" | "kinds">;
