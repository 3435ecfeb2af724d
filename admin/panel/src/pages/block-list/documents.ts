// What is asked of the server about the block list.
import { graphql, type ResultOf } from "../../graphql/tada";
import { AUDIT_ROW } from "../audit/documents";

const BLOCKED_ROW = graphql(`
  fragment BlockedRow on BlockedContent {
    id sha256 byLooks name contentType thumbhash reason blockedAt unblockedAt refusedCount lastRefusedAt
    blockedBy { id username }
    unblockedBy { id username }
  }
`);

export const BLOCKED_CONTENTS = graphql(
  `
    query BlockedContents($active: Boolean!, $first: Int!, $after: String) {
      blockedContents(active: $active, first: $first, after: $after) {
        nodes { ...BlockedRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [BLOCKED_ROW],
);

export const BLOCKED_CONTENT = graphql(
  `
    query BlockedContent($id: ID!) {
      node(id: $id) { __typename ... on BlockedContent { ...BlockedRow } }
      history: auditLog(filter: { subjectId: $id }, first: 5) { nodes { ...AuditRow } pageInfo { hasNextPage } }
    }
  `,
  [BLOCKED_ROW, AUDIT_ROW],
);

export const UNBLOCK = graphql(
  `
    mutation UnblockContent($id: ID!) {
      unblockContent(input: { id: $id }) { blockedContent { ...BlockedRow } userErrors { code message } }
    }
  `,
  [BLOCKED_ROW],
);

export type BlockedContent = ResultOf<typeof BLOCKED_ROW>;
