// What is asked of the server about files.
import { graphql, type ResultOf } from "../../graphql/tada";
import { AUDIT_ROW } from "../audit/documents";

const FILE_ROW = graphql(`
  fragment FileRow on File {
    id name state size contentType createdAt trashedAt purgeAt thumbhash isHeld
    owner { id username }
    thumbnail: rendition(size: FIT_320) { state url }
    removal { reason by { id username } }
    viewerCan { remove restore purge }
  }
`);

const HOLD = graphql(`fragment Hold on LegalHold { id reason placedAt placedBy { id username } }`);

export const FILES = graphql(
  `
    query Files($filter: FileFilter!, $orderBy: FileOrder!, $first: Int!, $after: String) {
      files(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
        nodes { ...FileRow }
        pageInfo { hasNextPage endCursor }
        totalCount totalCountIsExact
      }
    }
  `,
  [FILE_ROW],
);

export const FILE = graphql(
  `
    query File($id: ID!) {
      node(id: $id) {
        __typename
        ... on File {
          ...FileRow
          description tags metadata sha256 width height revision updatedAt rejection
          preview: rendition(size: FIT_1280) { state url error }
          downloadUrl { url }
          legalHolds { ...Hold }
          copies { region bucket role state verifiedAt proof sha256 goneAt }
          versions(first: 20) {
            nodes { id number isCurrent restoredFrom createdAt size sha256 contentType purgeAt }
            pageInfo { hasNextPage }
          }
          shareLinks(first: 10) { nodes { id state strict downloads maxDownloads createdAt expiresAt } }
        }
      }
      erasures(filter: { fileId: $id }, first: 20) {
        nodes { id kind reason size requestedAt primaryConfirmedAt replicaConfirmedAt erasedAt }
      }
      fileTimeline(id: $id) { at event kind key region proof reason by { id username } action }
      history: auditLog(filter: { subjectId: $id }, first: 5) { nodes { ...AuditRow } pageInfo { hasNextPage } }
    }
  `,
  [FILE_ROW, HOLD, AUDIT_ROW],
);

/** Of each file what a table of them holds. */
export const FILES_FOR_EXPORT = graphql(`
  query FilesForExport($filter: FileFilter!, $orderBy: FileOrder!, $first: Int!, $after: String) {
    files(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      nodes {
        id name state size contentType sha256 tags createdAt purgeAt
        owner { username }
        removal { reason by { username } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const REMOVE = graphql(
  `
    mutation RemoveFiles($ids: [ID!]!, $reason: String!) {
      removeFiles(input: { ids: $ids, reason: $reason }) { files { ...FileRow } alert { id } userErrors { code message } }
    }
  `,
  [FILE_ROW],
);

export const RESTORE = graphql(
  `
    mutation RestoreFiles($ids: [ID!]!) {
      restoreFiles(input: { ids: $ids }) { files { ...FileRow } userErrors { code message } }
    }
  `,
  [FILE_ROW],
);

export const PURGE = graphql(`
  mutation PurgeFiles($ids: [ID!]!) {
    purgeFiles(input: { ids: $ids }) {
      purgedIds
      held { id state isHeld trashedAt purgeAt viewerCan { remove restore purge } }
      erasures { id }
      alert { id }
      userErrors { code message }
    }
  }
`);

/** A file's content, or bytes by their hash. */
export const BLOCK = graphql(`
  mutation BlockContent($input: BlockContentInput!) {
    blockContent(input: $input) { blockedContent { id } alert { id } userErrors { code message } }
  }
`);

export const PLACE_HOLD = graphql(
  `
    mutation PlaceLegalHold($id: ID!, $reason: String!, $key: String!) {
      placeLegalHold(input: { fileId: $id, reason: $reason, idempotencyKey: $key }) {
        legalHold { id file { id isHeld revision updatedAt legalHolds { ...Hold } } }
        userErrors { code message }
      }
    }
  `,
  [HOLD],
);

export const RELEASE_HOLD = graphql(
  `
    mutation ReleaseLegalHold($id: ID!) {
      releaseLegalHold(input: { id: $id }) {
        legalHold { id releasedAt file { id isHeld revision updatedAt legalHolds { ...Hold } } }
        userErrors { code message }
      }
    }
  `,
  [HOLD],
);

export const REMOVE_MATCHING = graphql(`
  mutation RemoveMatchingFiles($matching: MatchingFiles!, $reason: String!, $key: String!) {
    removeFiles(input: { matching: $matching, reason: $reason, idempotencyKey: $key }) {
      action { id state }
      matchingCount
      userErrors { code message }
    }
  }
`);

/** The latest removals by a filter. */
export const BULK_ACTIONS = graphql(`query BulkActions { bulkActions(first: 10) { nodes { id state } } }`);

export const BULK_ACTION = graphql(`
  query BulkAction($id: ID!) {
    node(id: $id) { __typename ... on BulkAction { id state total done skipped reason error alert { id } } }
  }
`);

export const LIMITS = graphql(`query FileLimits { limits { filesAtOnce filesByFilter trashRetention } }`);

export type FileRow = ResultOf<typeof FILE_ROW>;
export type Hold = ResultOf<typeof HOLD>;
export type FileDetail = Extract<ResultOf<typeof FILE>["node"], { __typename: "File" }>;
export type FileErasure = ResultOf<typeof FILE>["erasures"]["nodes"][number];
export type TimelineEntry = ResultOf<typeof FILE>["fileTimeline"][number];
export type BulkAction = Extract<ResultOf<typeof BULK_ACTION>["node"], { __typename: "BulkAction" }>;
