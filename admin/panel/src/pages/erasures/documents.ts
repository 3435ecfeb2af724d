// What is asked of the server about erasures.
import { graphql, type ResultOf } from "../../graphql/tada";

const ERASURE_ROW = graphql(`
  fragment ErasureRow on Erasure {
    id key kind size sha256 fileId reason requestedAt isHeld primaryConfirmedAt replicaConfirmedAt erasedAt
    requestedBy { id username }
  }
`);

export const ERASURES = graphql(
  `
    query Erasures($filter: ErasureFilter!, $first: Int!, $after: String) {
      erasures(filter: $filter, first: $first, after: $after) {
        nodes { ...ErasureRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [ERASURE_ROW],
);

export const ERASURE = graphql(
  `
    query Erasure($id: ID!) { node(id: $id) { __typename ... on Erasure { ...ErasureRow } } }
  `,
  [ERASURE_ROW],
);

export type Erasure = ResultOf<typeof ERASURE_ROW>;
