// What is asked of the server about the audit log.
import { graphql, type ResultOf } from "../../graphql/tada";

export const AUDIT_ROW = graphql(`
  fragment AuditRow on AuditEntry {
    id at action subjectId details seq sealedAt
    actor { id username }
    subject {
      __typename id ... on User { username } ... on File { name } ... on Alert { message } ... on Job { kind }
      ... on BlockedContent { name sha256 }
    }
  }
`);

export const AUDIT = graphql(
  `
    query Audit($filter: AuditLogFilter!, $first: Int!, $after: String) {
      auditLog(filter: $filter, first: $first, after: $after) {
        nodes { ...AuditRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [AUDIT_ROW],
);

export const AUDIT_ENTRY = graphql(
  `
    query AuditEntry($id: ID!) { node(id: $id) { __typename ... on AuditEntry { ...AuditRow } } }
  `,
  [AUDIT_ROW],
);

export type AuditRow = ResultOf<typeof AUDIT_ROW>;
