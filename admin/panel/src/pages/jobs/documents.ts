// What is asked of the server about jobs.
import { graphql, type ResultOf } from "../../graphql/tada";

const JOB_ROW = graphql(`
  fragment JobRow on Job { id kind state payload runAt attempts maxAttempts lastError createdAt failedAt }
`);

export const JOBS = graphql(
  `
    query Jobs($state: JobState!, $first: Int!, $after: String) {
      jobs(state: $state, first: $first, after: $after) { nodes { ...JobRow } pageInfo { hasNextPage endCursor } }
    }
  `,
  [JOB_ROW],
);

export const JOB = graphql(`query Job($id: ID!) { node(id: $id) { __typename ... on Job { ...JobRow } } }`, [JOB_ROW]);

export const RETRY_JOB = graphql(
  `
    mutation RetryJob($id: ID!) { retryJob(input: { id: $id }) { job { ...JobRow } userErrors { code message } } }
  `,
  [JOB_ROW],
);

export type Job = ResultOf<typeof JOB_ROW>;
