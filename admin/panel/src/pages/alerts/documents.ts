// What is asked of the server about alerts.
import { graphql, type ResultOf } from "../../graphql/tada";

const ALERT_ROW = graphql(`
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
  [ALERT_ROW],
);

export const ALERT = graphql(`query Alert($id: ID!) { node(id: $id) { __typename ... on Alert { ...AlertRow } } }`, [
  ALERT_ROW,
]);

export const RETRY_ALERT = graphql(
  `
    mutation RetryAlert($id: ID!) {
      retryAlert(input: { id: $id }) { alert { ...AlertRow } userErrors { code message } }
    }
  `,
  [ALERT_ROW],
);

export type Alert = ResultOf<typeof ALERT_ROW>;
