//! The one list of modules: their GraphQL roots, their nodes, their jobs.

pub mod audit;
pub mod events;

use async_graphql::{
    Context, ID, Interface, MergedObject, MergedSubscription, Object, Schema, SchemaBuilder, SimpleObject,
};

use self::{
    audit::{AuditEntry, AuditQuery},
    events::{EventsMutation, EventsQuery, EventsSubscription},
};
use crate::{
    accounts::{
        self,
        graphql::{
            AccountsMutation, AccountsQuery, FriendsMutation, FriendsQuery, Friendship, ModerationMutation, User,
            friend_loader, friendship_node, user_loader, user_node,
        },
    },
    alerts::{
        self,
        graphql::{Alert, AlertsQuery},
    },
    app::App,
    closing::{
        self,
        graphql::{ClosingMutation, ClosingQuery},
    },
    config::Config,
    error::Fault,
    files::{
        self,
        graphql::{
            BulkAction, BulkQuery, File, FileVersion, FilesMutation, FilesQuery, HoldsMutation, HoldsQuery, LegalHold,
            ShareLink, SharesMutation, UploadSession, UploadsMutation, UploadsQuery, UploadsSubscription,
            UsageMutation, UsageQuery, VersionsMutation, action_node, file_loader, file_node, legal_hold_node,
            share_link_node, upload_node, version_node,
        },
    },
    graphql::{self, FaultExt, GlobalId, NodeKind, request::MAX_FILES, scalars::Long},
    jobs::Registry,
    ledger::{
        self,
        graphql::{Erasure, LedgerQuery},
    },
    manifest::{self, graphql::ManifestMutation},
    notary,
    operations::graphql::{Job, OperationsMutation, OperationsQuery, job_node},
    proof::graphql::ProofQuery,
    replication::{
        self,
        graphql::{
            ReplicaFinding, ReplicaRun, ReplicationMutation, ReplicationQuery, ReplicationSubscription, finding_node,
            run_node,
        },
    },
    reports::{
        self,
        graphql::{
            BlockListMutation, BlockListQuery, BlockedContent, Report, ReportsMutation, ReportsQuery,
            blocked_content_node, report_node,
        },
    },
    snaps::{
        self,
        graphql::{Snap, SnapsMutation, SnapsQuery, snap_node},
    },
    timeline::graphql::TimelineQuery,
};

#[derive(MergedObject, Default)]
pub struct Query(
    RootQuery,
    AccountsQuery,
    FriendsQuery,
    FilesQuery,
    BulkQuery,
    UploadsQuery,
    UsageQuery,
    HoldsQuery,
    SnapsQuery,
    ReportsQuery,
    BlockListQuery,
    ClosingQuery,
    LedgerQuery,
    ReplicationQuery,
    TimelineQuery,
    ProofQuery,
    AlertsQuery,
    OperationsQuery,
    AuditQuery,
    EventsQuery,
);

#[derive(MergedObject, Default)]
pub struct Mutation(
    AccountsMutation,
    ModerationMutation,
    FriendsMutation,
    FilesMutation,
    UploadsMutation,
    VersionsMutation,
    SharesMutation,
    UsageMutation,
    HoldsMutation,
    SnapsMutation,
    ReportsMutation,
    BlockListMutation,
    ClosingMutation,
    ReplicationMutation,
    ManifestMutation,
    OperationsMutation,
    EventsMutation,
);

#[derive(MergedSubscription, Default)]
pub struct Subscription(UploadsSubscription, EventsSubscription, ReplicationSubscription);

pub type AppSchema = Schema<Query, Mutation, Subscription>;

/// Anything with a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    User(User),
    Friendship(Box<Friendship>),
    File(Box<File>),
    FileVersion(Box<FileVersion>),
    ShareLink(Box<ShareLink>),
    Erasure(Box<Erasure>),
    Alert(Alert),
    UploadSession(Box<UploadSession>),
    Snap(Snap),
    Job(Box<Job>),
    AuditEntry(Box<AuditEntry>),
    LegalHold(Box<LegalHold>),
    BlockedContent(Box<BlockedContent>),
    Report(Box<Report>),
    BulkAction(Box<BulkAction>),
    ReplicaRun(Box<ReplicaRun>),
    ReplicaFinding(Box<ReplicaFinding>),
}

/// What a client must know before it asks.
#[derive(SimpleObject)]
pub struct Limits {
    /// Bytes of one file in a multipart upload.
    upload_size: Long,
    /// Bytes of one file in a direct upload.
    direct_upload_size: Long,
    /// Seconds that a direct upload may take.
    upload_session_ttl: Long,
    /// Files of one multipart request.
    files_per_request: i32,
    /// Bytes of a request without its files.
    body_size: Long,
    /// Seconds until a request that is still running is answered 503.
    request_time: Long,
    /// Seconds a download URL lives at the most.
    download_ttl: i32,
    /// Direct uploads that a person may have open at once.
    open_uploads: i32,
    /// Versions kept of each file, with the current one.
    file_versions: i32,
    /// Seconds a version is kept after a new content took its place.
    version_retention: Long,
    /// Seconds a trashed file is kept.
    trash_retention: Long,
    /// Seconds a share link works at the most.
    share_link_ttl: Long,
    /// Downloads a share link allows at the most.
    share_link_downloads: i32,
    /// Friends that one snap is sent to at the most.
    snap_recipients: i32,
    caption_length: i32,
    /// Seconds a snap waits to be opened at the most.
    snap_ttl: Long,
    /// Seconds a snap is shown that is shown until it is closed.
    snap_view_cap: Long,
    /// Seconds in which the picture of an opened snap is to be fetched.
    snap_fetch_time: Long,
    /// Things that one may report within 24 hours.
    reports_per_day: i32,
    report_comment_length: i32,
    /// Friends that one may have.
    friends: i32,
    /// Requests of one's own that may wait for an answer.
    pending_friend_requests: i32,
    /// Seconds until one may ask again who has declined.
    friend_request_pause: Long,
    /// People whom one may block.
    blocked_users: i32,
    page_size: i32,
    /// Bytes of a document.
    document_size: Long,
    /// Names, numbers, strings and signs of a document; names and values of its variables.
    tokens: i32,
    /// Fields within fields.
    depth: i32,
    /// Selection sets within each other, with those of fragments.
    recursion: i32,
    aliases: i32,
    /// Every field counts 1; what is in a list or a page counts once for each item that was asked for.
    complexity: i32,
    directives: i32,
    file_name_length: i32,
    description_length: i32,
    tags: i32,
    tag_length: i32,
    /// Bytes of a file's metadata as JSON.
    metadata_size: i32,
    /// Ids in one trash, restore or purge.
    files_at_once: i32,
    /// Files in one removal by a filter.
    files_by_filter: i32,
    password_min_length: i32,
    /// Seconds that events are kept.
    event_retention: Long,
    /// WebSockets that a person may have open at once.
    sockets: i32,
    /// Operations that a WebSocket may have open at once.
    socket_operations: i32,
    /// Types that are shown inline and get renditions.
    picture_types: Vec<&'static str>,
}

#[derive(Default)]
struct RootQuery;

#[Object]
impl RootQuery {
    /// The object of this id, where the viewer may see it. Another person's answers as a missing one.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Node>> {
        match id.parse() {
            Ok(id) => node(ctx, id).await,
            Err(_) => Ok(None),
        }
    }

    /// Sizes, times and counts that this server allows.
    async fn limits(&self, ctx: &Context<'_>) -> Limits {
        limits(&graphql::app(ctx).config)
    }
}

async fn node(ctx: &Context<'_>, GlobalId { kind, key }: GlobalId) -> async_graphql::Result<Option<Node>> {
    let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
    Ok(match kind {
        NodeKind::User => user_node(ctx, key).await?.map(Node::User),
        NodeKind::Friendship => friendship_node(ctx, key).await?.map(|found| Node::Friendship(Box::new(found))),
        // Lists of one's own; nothing else refers to them.
        NodeKind::Session | NodeKind::ApiToken => None,
        NodeKind::File => file_node(app, viewer, key).await.or_fault()?.map(|file| Node::File(Box::new(file))),
        NodeKind::FileVersion => {
            version_node(app, viewer, key).await.or_fault()?.map(|version| Node::FileVersion(Box::new(version)))
        }
        NodeKind::ShareLink => {
            share_link_node(app, viewer, key).await.or_fault()?.map(|link| Node::ShareLink(Box::new(link)))
        }
        NodeKind::Erasure => {
            let erasure = ledger::erasure(app, viewer, key).await.or_fault()?;
            erasure.map(|erasure| Node::Erasure(Box::new(Erasure(erasure))))
        }
        NodeKind::UploadSession => {
            let upload = upload_node(app, viewer, key).await.or_fault()?;
            upload.map(|upload| Node::UploadSession(Box::new(upload)))
        }
        NodeKind::Snap => snap_node(app, viewer, key).await.or_fault()?.map(Node::Snap),
        NodeKind::Job => job_node(ctx, key).await?.map(Box::new).map(Node::Job),
        NodeKind::AuditEntry => {
            let entry = crate::audit::find(app, viewer, key).await.or_fault()?;
            entry.map(|entry| Node::AuditEntry(Box::new(AuditEntry(entry))))
        }
        NodeKind::BlockedContent => {
            blocked_content_node(ctx, key).await?.map(|entry| Node::BlockedContent(Box::new(entry)))
        }
        NodeKind::LegalHold => legal_hold_node(ctx, key).await?.map(|hold| Node::LegalHold(Box::new(hold))),
        NodeKind::Report => report_node(ctx, key).await?.map(|report| Node::Report(Box::new(report))),
        NodeKind::BulkAction => action_node(app, viewer, key).await.or_fault()?.map(Box::new).map(Node::BulkAction),
        NodeKind::ReplicaRun => run_node(ctx, key).await?.map(Box::new).map(Node::ReplicaRun),
        NodeKind::ReplicaFinding => finding_node(ctx, key).await?.map(Box::new).map(Node::ReplicaFinding),
        NodeKind::Alert => alerts::find(app, viewer, key).await.or_fault()?.map(|alert| Node::Alert(Alert(alert))),
    })
}

fn limits(config: &Config) -> Limits {
    let int = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let long = |value: u64| Long(i64::try_from(value).unwrap_or(i64::MAX));
    Limits {
        upload_size: long(config.uploads.max_size.as_u64()),
        direct_upload_size: long(config.uploads.max_direct_size.as_u64()),
        upload_session_ttl: long(config.uploads.session_ttl.as_secs()),
        files_per_request: int(MAX_FILES),
        request_time: long(config.server.request_timeout.as_secs()),
        body_size: long(config.graphql.max_body.as_u64()),
        download_ttl: i32::try_from(config.downloads.max_ttl.as_secs()).unwrap_or(i32::MAX),
        open_uploads: i32::try_from(config.uploads.max_open).unwrap_or(i32::MAX),
        file_versions: i32::try_from(config.files.max_versions).unwrap_or(i32::MAX),
        version_retention: long(config.files.version_retention.as_secs()),
        trash_retention: long(config.files.trash_retention.as_secs()),
        share_link_ttl: long(config.shares.max_ttl.as_secs()),
        share_link_downloads: config.shares.max_downloads,
        snap_recipients: int(snaps::model::MAX_RECIPIENTS),
        caption_length: int(snaps::model::MAX_CAPTION),
        snap_ttl: long(config.snaps.max_ttl.as_secs()),
        snap_view_cap: long(config.snaps.view_cap.as_secs()),
        snap_fetch_time: long(config.snaps.fetch_within.as_secs()),
        reports_per_day: i32::try_from(config.reports.per_day).unwrap_or(i32::MAX),
        report_comment_length: int(reports::COMMENT_MAX),
        friends: i32::try_from(config.friends.max_friends).unwrap_or(i32::MAX),
        pending_friend_requests: i32::try_from(config.friends.max_pending).unwrap_or(i32::MAX),
        friend_request_pause: long(config.friends.request_pause.as_secs()),
        blocked_users: i32::try_from(config.friends.max_blocks).unwrap_or(i32::MAX),
        page_size: int(config.graphql.max_page_size),
        document_size: long(config.graphql.max_document.as_u64()),
        tokens: int(config.graphql.max_tokens),
        depth: int(config.graphql.max_depth),
        recursion: int(config.graphql.max_recursion),
        aliases: int(config.graphql.max_aliases),
        complexity: int(config.graphql.max_complexity),
        directives: int(config.graphql.max_directives),
        file_name_length: int(files::model::MAX_NAME),
        description_length: int(files::model::MAX_DESCRIPTION),
        tags: int(files::model::MAX_TAGS),
        tag_length: int(files::model::MAX_TAG),
        metadata_size: int(files::model::MAX_METADATA),
        files_at_once: int(files::model::MAX_FILES_AT_ONCE),
        files_by_filter: i32::try_from(files::bulk::MAX_FILES).unwrap_or(i32::MAX),
        password_min_length: int(config.accounts.password_min_length),
        event_retention: long(config.events.retention.as_secs()),
        sockets: int(config.live.max_sockets),
        socket_operations: int(config.live.max_operations),
        picture_types: crate::images::raster_types(),
    }
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// The schema over a running app, with its limits. Call it within a Tokio runtime.
#[must_use]
pub fn schema(app: &App) -> AppSchema {
    let limits = &app.config.graphql;
    builder()
        .data(app.clone())
        .data(user_loader(app))
        .data(friend_loader(app))
        .data(file_loader(app))
        .limit_depth(limits.max_depth)
        // The HTTP layer holds to the limit itself; by then each spread of a fragment is two levels.
        .limit_recursive_depth(2 * limits.max_recursion)
        .limit_complexity(limits.max_complexity)
        .limit_aliases(limits.max_aliases)
        .limit_directives(limits.max_directives)
        .finish()
}

/// The schema's text, for `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    builder().finish().sdl()
}

/// Every job kind and schedule.
pub fn registry(config: &Config) -> Result<Registry, Fault> {
    let mut registry = Registry::default();
    alerts::register(&mut registry);
    crate::audit::register(&mut registry, config).map_err(Fault::internal)?;
    accounts::register(&mut registry).map_err(Fault::internal)?;
    ledger::register(&mut registry, config).map_err(Fault::internal)?;
    replication::register(&mut registry, config).map_err(Fault::internal)?;
    files::register(&mut registry, config).map_err(Fault::internal)?;
    snaps::register(&mut registry, config).map_err(Fault::internal)?;
    reports::register(&mut registry, config).map_err(Fault::internal)?;
    closing::register(&mut registry);
    notary::register(&mut registry, config)?;
    manifest::register(&mut registry, config).map_err(Fault::internal)?;
    crate::events::register(&mut registry).map_err(Fault::internal)?;
    Ok(registry)
}
