// What is asked of the server about reports.
import { graphql, type ResultOf } from "../../graphql/tada";
import { AUDIT_ROW } from "../audit/documents";

const REPORT_ROW = graphql(`
  fragment ReportRow on Report {
    id kind state category createdAt subjectId facts sameCount upheldCount decision decidedAt
    reporter { id username }
    accused { id username role status }
    decidedBy { id username }
  }
`);

export const REPORTS = graphql(
  `
    query Reports($state: ReportState!, $first: Int!, $after: String) {
      reports(state: $state, first: $first, after: $after) {
        nodes { ...ReportRow }
        pageInfo { hasNextPage endCursor }
        totalCount
      }
    }
  `,
  [REPORT_ROW],
);

export const REPORT = graphql(
  `
    query Report($id: ID!) {
      node(id: $id) {
        __typename
        ... on Report {
          ...ReportRow
          comment sha256 evidence evidenceUrl decisionReason
          file { id name state width height thumbhash preview: rendition(size: FIT_1280) { state url } }
        }
      }
      history: auditLog(filter: { subjectId: $id }, first: 5) { nodes { ...AuditRow } pageInfo { hasNextPage } }
    }
  `,
  [REPORT_ROW, AUDIT_ROW],
);

export const RESOLVE = graphql(
  `
    mutation ResolveReport($id: ID!, $decision: ReportDecision!, $reason: String!) {
      resolveReport(input: { id: $id, decision: $decision, reason: $reason }) {
        report { ...ReportRow evidence evidenceUrl decisionReason file { id state } }
        resolvedCount
        alerts { id }
        userErrors { code message }
      }
    }
  `,
  [REPORT_ROW],
);

export type ReportRow = ResultOf<typeof REPORT_ROW>;
export type ReportDetail = Extract<ResultOf<typeof REPORT>["node"], { __typename: "Report" }>;
export type Decision = NonNullable<ReportRow["decision"]>;
