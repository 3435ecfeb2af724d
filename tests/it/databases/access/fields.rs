//! The table of fields: who sees which field of whose things, wherever in the schema they are met.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::Cell;

/// What a field shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Seen,
    /// The object is seen, this field of it is null.
    Null,
    /// Objects of this type are never met.
    Hidden,
}

/// Whose thing it is and who looks: the columns. What belongs to nobody, such as a page, counts as the caller's own.
pub const STANDINGS: [&str; 8] =
    ["anonymous", "one's own", "other user", "friend", "pending friend", "blocked user", "operator", "admin"];

struct Fields {
    kind: &'static str,
    fields: &'static str,
    /// To anonymous, to its owner, to any other user, to operators, to admins.
    shown: [Shown; 5],
    /// To a friend, a pending one and a blocked user, where that is not what any other user sees.
    known: Option<[Shown; 3]>,
}

impl Fields {
    fn columns(&self) -> [Shown; 8] {
        let [anonymous, own, other, operator, admin] = self.shown;
        let [friend, pending, blocked] = self.known.unwrap_or([other; 3]);
        [anonymous, own, other, friend, pending, blocked, operator, admin]
    }
}

const fn fields(kind: &'static str, fields: &'static str, shown: [Shown; 5]) -> Fields {
    Fields { kind, fields, shown, known: None }
}

use Shown::{Hidden as H, Null as N, Seen as S};

const ANYONE: [Shown; 5] = [S, S, H, H, H];
const OWN: [Shown; 5] = [H, S, H, H, H];
const OWN_AND_ADMIN: [Shown; 5] = [H, S, H, H, S];
const OWN_AND_STAFF: [Shown; 5] = [H, S, H, S, S];

#[rustfmt::skip]
const TABLE: &[Fields] = &[
    fields("Limits", "friends pendingFriendRequests friendRequestPause blockedUsers openUploads fileVersions versionRetention uploadSize directUploadSize uploadSessionTtl bodySize downloadTtl trashRetention pageSize depth aliases complexity directives recursion documentSize tokens filesPerRequest requestTime \
        eventRetention sockets socketOperations snapRecipients captionLength snapTtl snapViewCap snapFetchTime reportsPerDay reportCommentLength shareLinkTtl shareLinkDownloads fileNameLength descriptionLength tags tagLength metadataSize filesAtOnce filesByFilter passwordMinLength pictureTypes", ANYONE),

    fields("User", "id username firstName lastName displayName about createdAt", [H, S, S, S, S]),
    // Everybody has something with somebody.
    fields("User", "friendship", [H, N, S, S, S]),
    fields("User", "viewerHasBlocked", [H, S, S, S, S]),
    Fields { known: Some([S, N, N]), ..fields("User", "lastSeenAt", [H, S, N, N, N]) },
    fields("User", "email role status showsLastSeen", [H, S, N, N, S]),
    fields("User", "sessions apiTokens", [H, S, N, N, N]),
    fields("User", "suspension", [H, N, N, N, S]),
    fields("Suspension", "suspendedAt reason", [H, H, H, H, S]),
    fields("UserConnection", "pageInfo edges nodes", OWN),
    fields("UserEdge", "node cursor", OWN),
    fields("Friendship", "id user state direction createdAt changedAt viewerCan", OWN),
    // Nobody has declined.
    fields("Friendship", "requestableAt", [H, N, H, H, H]),
    fields("FriendshipPermissions", "request accept decline cancel remove", OWN),
    fields("FriendshipConnection", "pageInfo edges nodes totalCount", OWN),
    fields("FriendshipEdge", "node cursor", OWN),
    fields("Session", "id current userAgent address createdAt lastUsedAt expiresAt", OWN),
    fields("SessionConnection", "pageInfo edges nodes", OWN),
    fields("SessionEdge", "node cursor", OWN),
    fields("ApiToken", "id name createdAt lastUsedAt expiresAt", OWN),
    fields("ApiTokenConnection", "pageInfo edges nodes", OWN),
    fields("ApiTokenEdge", "node cursor", OWN),

    fields("File", "id name description tags metadata owner createdAt updatedAt revision contentType size sha256 width \
        height thumbhash downloadUrl rendition versions shareLinks state copies trashedAt purgeAt removal isHeld legalHolds viewerCan", OWN_AND_ADMIN),
    // None of these was rejected.
    fields("File", "rejection", [H, N, H, H, N]),
    fields("FileConnection", "pageInfo edges nodes totalCount totalCountIsExact", OWN),
    fields("FileEdge", "node cursor", OWN),
    fields("Removal", "reason", OWN_AND_ADMIN),
    fields("Removal", "by", [H, N, H, H, S]),
    fields("FilePermissions", "edit replaceContent trash remove restore purge share", OWN_AND_ADMIN),
    fields("FileVersion", "id number isCurrent restoredFrom purgeAt createdAt contentType size sha256 width height downloadUrl",
        OWN_AND_ADMIN),
    fields("FileVersionConnection", "pageInfo edges nodes", OWN_AND_ADMIN),
    fields("FileVersionEdge", "node cursor", OWN_AND_ADMIN),
    fields("ShareLink", "id file state strict maxDownloads downloads createdAt expiresAt revokedAt lastUsedAt",
        OWN_AND_ADMIN),
    fields("ShareLinkConnection", "pageInfo edges nodes", OWN_AND_ADMIN),
    fields("ShareLinkEdge", "node cursor", OWN_AND_ADMIN),
    fields("PageInfo", "hasPreviousPage hasNextPage startCursor endCursor", OWN_AND_ADMIN),
    fields("SignedUrl", "url expiresAt", OWN_AND_ADMIN),
    fields("Rendition", "size state url urlExpiresAt width height contentType error", OWN_AND_ADMIN),
    fields("Copy", "region bucket role state verifiedAt proof sha256", OWN_AND_ADMIN),
    // A file that is there has its copies: none of them is gone.
    fields("Copy", "goneAt", [H, N, H, H, N]),

    fields("Erasure", "id key kind size sha256 fileId requestedBy requestedAt isHeld reason primaryConfirmedAt \
        replicaConfirmedAt erasedAt", OWN_AND_STAFF),
    fields("ErasureConnection", "pageInfo edges nodes", OWN),
    fields("ErasureEdge", "node cursor", OWN),
    fields("Alert", "id kind state subject message details count actorId attempts createdAt deliveredAt", OWN_AND_STAFF),
    // The words of what the alerts are sent to: addresses and accounts of the operators'.
    fields("Alert", "lastError", [H, N, H, S, S]),
    fields("AlertConnection", "pageInfo edges nodes", OWN),
    fields("AlertEdge", "node cursor", OWN),

    fields("LegalHold", "id file fileId fileName reason placedBy placedAt releasedBy releasedAt", [H, H, H, H, S]),
    fields("BlockedContent", "id sha256 byLooks name contentType thumbhash reason blockedBy blockedAt unblockedBy unblockedAt
        refusedCount lastRefusedAt", [H, H, H, H, S]),
    fields("BlockedContentConnection", "pageInfo edges nodes", OWN),
    fields("BlockedContentEdge", "node cursor", OWN),
    fields("BlockContentPayload", "blockedContent alert userErrors", OWN),
    fields("UnblockContentPayload", "blockedContent userErrors", OWN),
    fields("BlockUserError", "code field message", OWN),
    fields("LegalHoldConnection", "pageInfo edges nodes", OWN),
    fields("LegalHoldEdge", "node cursor", OWN),
    fields("PlaceLegalHoldPayload", "legalHold userErrors", OWN),
    fields("ReleaseLegalHoldPayload", "legalHold userErrors", OWN),
    fields("Report", "id kind state category comment createdAt subjectId decision decidedAt", OWN_AND_ADMIN),
    fields("Report", "reporter accused file sha256 facts evidence evidenceUrl sameCount upheldCount decisionReason decidedBy",
        [H, N, H, H, S]),
    fields("ReportConnection", "pageInfo edges nodes totalCount", OWN),
    fields("ReportEdge", "node cursor", OWN),
    fields("ReportFilePayload", "report userErrors", OWN),
    fields("ReportSnapPayload", "report userErrors", OWN),
    fields("ResolveReportPayload", "report resolvedCount alerts userErrors", OWN),
    fields("ReportUserError", "code field message", OWN),

    fields("Job", "id kind state payload runAt attempts maxAttempts lastError createdAt failedAt", [H, H, H, S, S]),
    fields("JobConnection", "pageInfo edges nodes", OWN),
    fields("JobEdge", "node cursor", OWN),
    fields("Replication", "state sentence mode sites target lag backlog exposure findings running lastVerification \
        lastCompleteVerification", OWN),
    fields("Replication", "manifestAt", [H, N, H, H, H]),
    fields("ReplicationSite", "role region bucket isReachable", OWN),
    fields("ReplicationSite", "error", [H, N, H, H, H]),
    fields("ReplicationLag", "p50 p95 p99 max probe copies", OWN),
    fields("ReplicationBacklog", "objects bytes", OWN),
    fields("ReplicationBacklog", "oldest", [H, N, H, H, H]),
    fields("ReplicationExposure", "objects files people", OWN),
    fields("TimelineEntry", "at event", OWN),
    fields("TimelineEntry", "kind key region bucket", [H, S, H, H, H]),
    fields("TimelineEntry", "proof reason by action", [H, N, H, H, H]),
    fields("Receipt", "document kept gone underWay wanting", OWN),
    fields("FindingCount", "kind findings", OWN),
    fields("Coverage", "bytes checksum etag existence", [H, H, H, S, S]),
    fields("ReplicaRun", "id mode state requestedBy startedAt finishedAt total done rate agreed coverage lagging inFlight faults \
        repaired leftOpen bytesRead drill error", [H, H, H, S, S]),
    fields("ReplicaDrill", "manifestAt rpo rto ledger copying objects size sample sampleSize right", [H, H, H, S, S]),
    fields("ReplicaRunConnection", "pageInfo edges nodes", OWN),
    fields("ReplicaRunEdge", "node cursor", OWN),
    fields("ReplicaFinding", "id kind state key size detail firstSeenAt lastSeenAt sightings attempts lastError resolvedAt \
        outcome", [H, H, H, S, S]),
    fields("ReplicaFindingConnection", "pageInfo edges nodes", OWN),
    fields("ReplicaFindingEdge", "node cursor", OWN),
    fields("RepairPlan", "findings size byKind beyondRepair", OWN),
    fields("VerifyReplicasPayload", "run userErrors", OWN),
    fields("StartReplicaDrillPayload", "run userErrors", OWN),
    fields("RepairFindingsPayload", "plan run userErrors", OWN),
    fields("ReplicationUserError", "code field message", OWN),
    fields("RetryJobPayload", "job userErrors", OWN),
    fields("RetryAlertPayload", "alert userErrors", OWN),
    fields("OperationsUserError", "code field message", OWN),
    fields("AuditEntry", "id at action actor subject subjectId details seq sealedAt", [H, H, H, H, S]),
    fields("BulkAction", "id kind state total done skipped reason actor alert createdAt finishedAt", [H, H, H, H, S]),
    // None of these was stopped.
    fields("BulkAction", "error", [H, H, H, H, N]),
    fields("BulkActionConnection", "pageInfo edges nodes", OWN),
    fields("BulkActionEdge", "node cursor", OWN),
    fields("AuditEntryConnection", "pageInfo edges nodes", OWN),
    fields("AuditEntryEdge", "node cursor", OWN),

    fields("Event", "cursor kind createdAt subject", OWN),
    fields("EventConnection", "pageInfo edges nodes latestCursor", OWN),
    fields("EventEdge", "node cursor", OWN),
    fields("MarkEventsReadPayload", "unreadCount userErrors", OWN),
    fields("EventUserError", "code field message", OWN),

    fields("Snap", "id sender sentAt expiresAt viewSeconds allowReplay state openedAt canOpen canReplay caption recipients goneAt \
        erasure", OWN),
    fields("SnapRecipient", "user state openedAt replayedAt screenshotAt", OWN),
    fields("SnapConnection", "pageInfo edges nodes", OWN),
    fields("SnapEdge", "node cursor", OWN),
    fields("SnapView", "snap url fetchBefore viewSeconds caption width height", OWN),
    fields("SendSnapPayload", "snap userErrors", OWN),
    fields("OpenSnapPayload", "view userErrors", OWN),
    fields("ReplaySnapPayload", "view userErrors", OWN),
    fields("CloseSnapPayload", "snap userErrors", OWN),
    fields("RevokeSnapPayload", "snap userErrors", OWN),
    fields("ReportScreenshotPayload", "snap userErrors", OWN),
    fields("SnapUserError", "code field message recipientId", OWN),
    fields("SnapEvent", "cursor createdAt snap recipient", OWN),
    fields("FriendshipEvent", "cursor createdAt friendship", OWN),

    fields("SignUpPayload", "user token expiresAt userErrors", OWN),
    fields("LogInPayload", "user token expiresAt userErrors", OWN),
    fields("LogOutPayload", "sessionId userErrors", OWN),
    fields("ChangePasswordPayload", "user revoked userErrors", OWN),
    fields("UpdateProfilePayload", "user userErrors", OWN),
    fields("CreateApiTokenPayload", "apiToken token userErrors", OWN),
    fields("RevokeApiTokenPayload", "apiTokenId userErrors", OWN),
    fields("RevokeSessionPayload", "sessionId userErrors", OWN),
    fields("RequestFriendshipPayload", "friendship userErrors", OWN),
    fields("AcceptFriendshipPayload", "friendship userErrors", OWN),
    fields("DeclineFriendshipPayload", "friendship userErrors", OWN),
    fields("CancelFriendshipPayload", "friendship userErrors", OWN),
    fields("RemoveFriendPayload", "user userErrors", OWN),
    fields("BlockUserPayload", "user userErrors", OWN),
    fields("UnblockUserPayload", "user userErrors", OWN),
    fields("SuspendUserPayload", "user alert userErrors", OWN),
    fields("ReinstateUserPayload", "user userErrors", OWN),
    fields("SetUserRolePayload", "user alert userErrors", OWN),
    fields("FriendUserError", "code field message", OWN),
    fields("FriendUserError", "retryAfter", [H, N, H, H, H]),
    fields("AccountUserError", "code field message", OWN),
    fields("AccountUserError", "retryAfter", [H, N, H, H, H]),
    fields("UploadFilePayload", "file userErrors", OWN),
    fields("EditFilePayload", "file userErrors", OWN),
    fields("ReplaceFileContentPayload", "file uploadSession userErrors", OWN),
    fields("RestoreFileVersionPayload", "file userErrors", OWN),
    fields("DeleteFileVersionPayload", "file erasure userErrors", OWN),
    fields("Usage", "files bytes maxFiles maxBytes", OWN),
    fields("SetQuotaPayload", "usage userErrors", OWN),
    fields("TrashFilesPayload", "files alert userErrors", OWN),
    fields("RemoveFilesPayload", "files alert action matchingCount userErrors", OWN),
    fields("RestoreFilesPayload", "files userErrors", OWN),
    fields("PurgeFilesPayload", "purgedIds held erasures alert userErrors", OWN),
    fields("CreateUploadPayload", "uploadSession userErrors", OWN),
    fields("SignUploadPartsPayload", "parts userErrors", OWN),
    fields("CompleteUploadPayload", "uploadSession userErrors", OWN),
    fields("AbortUploadPayload", "uploadSession userErrors", OWN),
    fields("UploadSession", "id state purpose name size partSize partCount parts verifiedSize file createdAt expiresAt endedAt", OWN),
    fields("UploadSession", "rejection", [H, N, H, H, H]),
    fields("UploadSessionConnection", "pageInfo edges nodes", OWN),
    fields("UploadSessionEdge", "node cursor", OWN),
    fields("UploadPart", "number size sha256", OWN),
    fields("SignedUploadPart", "number size url headers expiresAt", OWN),
    fields("UploadHeader", "name value", OWN),
    fields("FileUserError", "code field message", OWN),
    fields("CreateShareLinkPayload", "shareLink url userErrors", OWN),
    fields("RevokeShareLinkPayload", "shareLink userErrors", OWN),
    fields("ShareUserError", "code field message", OWN),
    fields("CloseAccountPayload", "closure receipt userErrors", OWN),
    fields("AccountClosure", "state requestedAt files filesLeft held objects objectsErased erasedAt", ANYONE),
];

/// Values for the arguments of fields: everything is asked for without them and with them.
const SAMPLES: &[(&str, &str)] = &[
    ("File.downloadUrl(disposition)", "INLINE"),
    ("File.downloadUrl(expiresIn)", "60"),
    ("File.rendition(size)", "FIT_320"),
    ("FileVersion.downloadUrl(disposition)", "INLINE"),
    ("FileVersion.downloadUrl(expiresIn)", "60"),
];

pub fn sample(argument: &str) -> Option<&'static str> {
    if argument.ends_with("(first)") {
        return Some("7");
    }
    SAMPLES.iter().find(|(name, _)| *name == argument).map(|(_, value)| *value)
}

/// The arguments that have a value.
pub fn sampled() -> BTreeSet<String> {
    SAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// `Type.field` by column.
pub fn expected() -> BTreeMap<Cell, String> {
    let rows = TABLE.iter().flat_map(|row| {
        row.fields.split_whitespace().map(move |field| (format!("{}.{field}", row.kind), row.columns()))
    });
    rows.flat_map(|(key, shown)| {
        STANDINGS.into_iter().zip(shown).map(move |(standing, shown)| ((key.clone(), standing), format!("{shown:?}")))
    })
    .collect()
}

/// The rows for reading: a type, its fields that are alike, and the columns.
pub fn rows() -> impl Iterator<Item = (&'static str, String, [Shown; 8])> {
    TABLE.iter().map(|row| {
        let fields = row.fields.split_whitespace().map(|field| format!("`{field}`"));
        (row.kind, fields.collect::<Vec<_>>().join(" "), row.columns())
    })
}
