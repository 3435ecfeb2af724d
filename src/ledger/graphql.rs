//! Copies and erasures in GraphQL: where every copy is, and the proof that it is gone.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::{object, object_copy};

use super::{Erasure as Row, ErasureFilter as Filter, Roles};
use crate::{
    accounts::graphql::{User, load_user},
    db::page::Position,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::bad_input,
        scalars::{Long, Sha256, date_time},
    },
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "object_copy::State")]
pub enum CopyState {
    /// Not there yet.
    Awaiting,
    Verified,
    Lagging,
    Missing,
    Stale,
    Corrupt,
    /// Its absence is proven.
    Gone,
}

/// What the last verification of a copy compared, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "object_copy::Proof")]
pub enum CopyProof {
    /// The bytes were read back and hashed.
    Bytes,
    /// The store's own checksum of the whole object equals the ledger's.
    Checksum,
    Etag,
    /// Size alone.
    Existence,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum SiteRole {
    Primary,
    Replica,
}

/// One copy of an object, in one bucket of one region.
pub struct Copy {
    pub row: object_copy::Model,
    pub sha256: Vec<u8>,
    pub roles: Roles,
}

#[Object]
impl Copy {
    async fn region<'a>(&self, ctx: &Context<'a>) -> &'a str {
        graphql::app(ctx).stores.at(self.row.site).region()
    }

    async fn bucket<'a>(&self, ctx: &Context<'a>) -> &'a str {
        graphql::app(ctx).stores.at(self.row.site).bucket()
    }

    async fn role(&self) -> SiteRole {
        if self.row.site == self.roles.primary { SiteRole::Primary } else { SiteRole::Replica }
    }

    async fn state(&self) -> CopyState {
        self.row.state.into()
    }

    /// When the copy was last confirmed.
    async fn verified_at(&self) -> Option<DateTime<Utc>> {
        self.row.verified_at.map(date_time)
    }

    async fn proof(&self) -> Option<CopyProof> {
        self.row.proof.map(Into::into)
    }

    /// The checksum that the copy was confirmed to have; null before.
    async fn sha256(&self) -> Option<Sha256> {
        use object_copy::Proof;
        let compared = matches!(self.row.proof, Some(Proof::Bytes | Proof::Checksum));
        compared.then(|| Sha256(self.sha256.clone()))
    }

    /// When its absence was proven.
    async fn gone_at(&self) -> Option<DateTime<Utc>> {
        self.row.gone_at.map(date_time)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "object::Kind")]
pub enum ObjectKind {
    Original,
    Rendition,
    Snap,
    Staging,
    Canary,
    Quarantine,
    /// What was signed of the audit log.
    Checkpoint,
    /// The database as it was at one time, to rebuild a server from.
    Manifest,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "object::Reason")]
pub enum ErasureReason {
    /// Deleted for good by its owner.
    Purged,
    /// Deleted for good by an admin.
    Removed,
    /// The trash retention ran out.
    RetentionExpired,
    /// A write that was never finished.
    Abandoned,
    /// A rendition that was no longer needed, or a manifest.
    Superseded,
    /// A version beyond those that are kept.
    VersionExpired,
    /// What a client sent of a direct upload, once that ended.
    Staged,
    /// A direct upload whose content was refused.
    Rejected,
    /// With the account that it belonged to.
    AccountClosed,
    /// A snap that its last recipient is done with.
    SnapEnded,
}

/// The erasure of one stored object, and its proof. It outlives the object.
pub struct Erasure(pub Row);

#[Object]
impl Erasure {
    pub async fn id(&self) -> ID {
        NodeKind::Erasure.id(self.0.object.id).into()
    }

    /// The key the object had in both buckets.
    async fn key(&self) -> &str {
        &self.0.object.key
    }

    async fn kind(&self) -> ObjectKind {
        self.0.object.kind.into()
    }

    async fn size(&self) -> Long {
        Long(self.0.object.bytes)
    }

    /// Null where nobody has hashed the bytes: parts of an upload that was never completed.
    async fn sha256(&self) -> Option<Sha256> {
        (!self.0.object.sha256.is_empty()).then(|| Sha256(self.0.object.sha256.clone()))
    }

    /// The file it belonged to.
    async fn file_id(&self) -> Option<ID> {
        self.0.object.file_id.map(|id| NodeKind::File.id(id).into())
    }

    /// Who asked for it; null for the server itself.
    async fn requested_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.object.requested_by).await
    }

    async fn requested_at(&self) -> Option<DateTime<Utc>> {
        self.0.object.requested_at.or(self.0.object.due_at).map(date_time)
    }

    /// Whether a hold keeps the object: it is deleted when that ends.
    async fn is_held(&self) -> bool {
        self.0.object.requested_at.is_none()
    }

    async fn reason(&self) -> Option<ErasureReason> {
        self.0.object.reason.map(Into::into)
    }

    /// When no version, marker or unfinished upload was left at the primary.
    async fn primary_confirmed_at(&self) -> Option<DateTime<Utc>> {
        self.0.primary_confirmed_at.map(date_time)
    }

    /// The same for the replica.
    async fn replica_confirmed_at(&self) -> Option<DateTime<Utc>> {
        self.0.replica_confirmed_at.map(date_time)
    }

    /// When it was proven gone at every site; null while under way.
    async fn erased_at(&self) -> Option<DateTime<Utc>> {
        self.0.object.erased_at.map(date_time)
    }
}

#[derive(InputObject, Default)]
pub struct ErasureFilter {
    pub file_id: Option<ID>,
    /// True: proven gone at both sites. False: still under way.
    pub erased: Option<bool>,
}

#[derive(Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// Proof of erasure, newest request first: of one's own objects; operators and admins see all.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn erasures(
        &self,
        ctx: &Context<'_>,
        filter: Option<ErasureFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<Erasure>> {
        let app = graphql::app(ctx);
        let filter = filter.unwrap_or_default();
        let file_id = match filter.file_id {
            Some(id) => Some(NodeKind::File.parse(&id).ok_or_else(|| bad_input("`fileId` is not the id of a file."))?),
            None => None,
        };
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let filter = Filter { file_id, erased: filter.erased };
        let found = super::erasures(app, graphql::viewer(ctx), &filter, &page).await.or_fault()?;
        Ok(connection(found.map(Erasure), Default::default(), |erasure| {
            let object = &erasure.0.object;
            Position { key: object.requested_at.unwrap_or(object.created_at), id: object.id }
        }))
    }
}
