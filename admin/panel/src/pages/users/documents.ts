// What is asked of the server about people.
import { graphql, type ResultOf } from "../../graphql/tada";
import { AUDIT_ROW } from "../audit/documents";

const USER_ROW = graphql(`
  fragment UserRow on User { id username displayName email role status createdAt suspension { suspendedAt reason } }
`);

export const USERS = graphql(
  `
    query Users($search: String, $first: Int!, $after: String) {
      users(search: $search, first: $first, after: $after) { nodes { ...UserRow } pageInfo { hasNextPage endCursor } }
    }
  `,
  [USER_ROW],
);

export const USER = graphql(
  `
    query User($id: ID!) {
      node(id: $id) {
        __typename
        ... on User {
          ...UserRow
          about
          sessions(first: 10) { nodes { id current userAgent address lastUsedAt } pageInfo { hasNextPage } }
        }
      }
      usage(userId: $id) { files bytes maxFiles maxBytes }
      active: files(filter: { ownerId: $id }, first: 6) {
        totalCount totalCountIsExact
        nodes { id name thumbhash thumbnail: rendition(size: SQUARE_150) { url } }
      }
      trashed: files(filter: { ownerId: $id, state: TRASHED }, first: 1) { totalCount totalCountIsExact }
      removed: files(filter: { ownerId: $id, state: REMOVED }, first: 1) { totalCount totalCountIsExact }
      history: auditLog(filter: { subjectId: $id }, first: 5) { nodes { ...AuditRow } pageInfo { hasNextPage } }
    }
  `,
  [USER_ROW, AUDIT_ROW],
);

export const SUSPEND = graphql(
  `
    mutation SuspendUser($id: ID!, $reason: String!) {
      suspendUser(input: { id: $id, reason: $reason }) { user { ...UserRow } alert { id } userErrors { code message } }
    }
  `,
  [USER_ROW],
);

export const REINSTATE = graphql(
  `
    mutation ReinstateUser($id: ID!) {
      reinstateUser(input: { id: $id }) { user { ...UserRow } userErrors { code message } }
    }
  `,
  [USER_ROW],
);

export const SET_ROLE = graphql(
  `
    mutation SetUserRole($id: ID!, $role: Role!) {
      setUserRole(input: { id: $id, role: $role }) { user { ...UserRow } alert { id } userErrors { code message } }
    }
  `,
  [USER_ROW],
);

export const SET_QUOTA = graphql(`
  mutation SetQuota($input: SetQuotaInput!) { setQuota(input: $input) { usage { maxFiles maxBytes } userErrors { code message } } }
`);

export type UserRow = ResultOf<typeof USER_ROW>;
export type UserDetail = ResultOf<typeof USER>;
export type Role = NonNullable<UserRow["role"]>;
