//! The timeline of a file in GraphQL.

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use entity::object_copy::Site;

use super::{Moment, What};
use crate::{
    accounts::graphql::{User, load_user},
    graphql::{self, FaultExt as _, NodeKind, scalars::date_time},
    ledger::graphql::{CopyProof, ErasureReason, ObjectKind},
};

/// What happened to a file, or to one of its objects.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum TimelineEvent {
    /// Bytes were stored, and became part of the file.
    Stored,
    /// The copy at the other site was confirmed for the first time.
    Copied,
    /// A copy was verified for the last time until now.
    Verified,
    /// The erasure of bytes was asked for.
    ErasureAsked,
    /// Nothing of them is left at a site.
    Gone,
    /// Nothing of them is left anywhere.
    Erased,
    /// Somebody did something to the file: the audit log has it.
    Done,
}

/// One line of a file's timeline.
pub struct TimelineEntry(Moment);

impl TimelineEntry {
    fn site(&self) -> Option<Site> {
        match self.0.what {
            What::Copied(site) | What::Verified(site, _) | What::Gone(site) => Some(site),
            _ => None,
        }
    }
}

#[Object]
impl TimelineEntry {
    async fn at(&self) -> DateTime<Utc> {
        date_time(self.0.at)
    }

    async fn event(&self) -> TimelineEvent {
        match self.0.what {
            What::Stored => TimelineEvent::Stored,
            What::Copied(_) => TimelineEvent::Copied,
            What::Verified(..) => TimelineEvent::Verified,
            What::ErasureAsked { .. } => TimelineEvent::ErasureAsked,
            What::Gone(_) => TimelineEvent::Gone,
            What::Erased => TimelineEvent::Erased,
            What::Done { .. } => TimelineEvent::Done,
        }
    }

    /// Of which object; null where it is the file itself.
    async fn kind(&self) -> Option<ObjectKind> {
        self.0.object.as_ref().map(|object| object.kind.into())
    }

    /// The object's key in both buckets; null where it is the file itself.
    async fn key(&self) -> Option<&str> {
        self.0.object.as_ref().map(|object| object.key.as_str())
    }

    /// Where, for what happened at one site.
    async fn region<'a>(&self, ctx: &Context<'a>) -> Option<&'a str> {
        self.site().map(|site| graphql::app(ctx).stores.at(site).region())
    }

    async fn bucket<'a>(&self, ctx: &Context<'a>) -> Option<&'a str> {
        self.site().map(|site| graphql::app(ctx).stores.at(site).bucket())
    }

    /// What a verification compared.
    async fn proof(&self) -> Option<CopyProof> {
        match self.0.what {
            What::Verified(_, proof) => Some(proof.into()),
            _ => None,
        }
    }

    /// Why an erasure was asked for.
    async fn reason(&self) -> Option<ErasureReason> {
        match self.0.what {
            What::ErasureAsked { reason, .. } => reason.map(Into::into),
            _ => None,
        }
    }

    /// Who did it, or asked for it; null for the server itself, and for who is no more.
    async fn by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        match self.0.what {
            What::ErasureAsked { by, .. } | What::Done { by, .. } => load_user(ctx, by).await,
            _ => Ok(None),
        }
    }

    /// What was done, such as `file.removed`.
    async fn action(&self) -> Option<&str> {
        match &self.0.what {
            What::Done { action, .. } => Some(action),
            _ => None,
        }
    }
}

#[derive(Default)]
pub struct TimelineQuery;

#[Object]
impl TimelineQuery {
    /// What the ledger and the audit log know of a file, also of one that is gone, the oldest first: stored, copied, verified, deleted, gone
    /// from each site. Operators and admins; what was done, as the audit log has it, admins alone.
    async fn file_timeline(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Vec<TimelineEntry>> {
        let viewer = graphql::viewer(ctx);
        // What is no file's id is a file that never was.
        let file = NodeKind::File.parse(&id).unwrap_or_default();
        let moments = super::of_file(graphql::app(ctx), viewer, file).await.or_fault()?;
        Ok(moments.into_iter().map(TimelineEntry).collect())
    }
}
