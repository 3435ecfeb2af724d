// What is asked of the server about alerts.
import { graphql, type ResultOf } from "../../graphql/tada";

export const ALERT = graphql(`
  fragment AlertRow on Alert {
    id kind state subject message details count actorId attempts lastError createdAt deliveredAt
  }
`);

export const ALERTS = graphql(
  `
    query Alerts($first: Int!, $after: String) {
      alerts(first: $first, after: $after) { nodes { ...AlertRow } pageInfo { hasNextPage endCursor } }
    }
  `,
  [ALERT],
);

export type Alert = ResultOf<typeof ALERT>;
