//! A report, and the words for what is in it.

use async_graphql::{Context, Enum, ID, Json, Object};
use chrono::{DateTime, Utc};
use entity::report;

use crate::{
    accounts::graphql::{User, load_user},
    files::graphql::{File, file_node},
    graphql::{
        self, FaultExt as _, NodeKind,
        scalars::{Sha256, date_time},
    },
    reports,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "report::State")]
pub enum ReportState {
    Open,
    Resolved,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Kind")]
pub enum ReportKind {
    File,
    Snap,
}

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Category")]
pub enum ReportCategory {
    Illegal,
    /// Sexual content, or nudity, that was not wanted.
    Sexual,
    Violence,
    Harassment,
    Spam,
    Copyright,
    Other,
}

/// What is left of a reported thing to look at.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Evidence")]
pub enum ReportEvidence {
    /// The file itself.
    File,
    /// The picture of the snap, which is kept until the decision.
    Held,
    /// The picture was kept until the decision, or for as long as such are kept.
    Released,
    /// The snap had ended when it was reported: its hash and its facts are left.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Decision")]
pub enum ReportDecision {
    /// Nothing is wrong with it.
    #[graphql(name = "DISMISS")]
    Dismissed,
    /// A file is removed, a snap ends for everybody.
    #[graphql(name = "REMOVE")]
    Removed,
    /// And its owner or sender is suspended.
    #[graphql(name = "REMOVE_AND_SUSPEND")]
    RemovedAndSuspended,
    /// And nobody may store its content again, see `blockContent`.
    #[graphql(name = "REMOVE_AND_BLOCK")]
    RemovedAndBlocked,
}

/// What somebody reported. Whoever reported it sees what they said and what was decided; admins see all.
pub struct Report(pub report::Model);

impl Report {
    /// For admins; else null.
    fn told<T>(&self, ctx: &Context<'_>, value: impl FnOnce(&report::Model) -> Option<T>) -> Option<T> {
        graphql::viewer(ctx).is_admin().then(|| value(&self.0)).flatten()
    }

    async fn context(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<reports::Context>> {
        let viewer = graphql::viewer(ctx);
        if !viewer.is_admin() {
            return Ok(None);
        }
        reports::context(graphql::app(ctx), viewer, &self.0).await.or_fault().map(Some)
    }
}

#[Object]
impl Report {
    pub async fn id(&self) -> ID {
        NodeKind::Report.id(self.0.id).into()
    }

    async fn kind(&self) -> ReportKind {
        self.0.kind.into()
    }

    async fn state(&self) -> ReportState {
        self.0.state.into()
    }

    async fn category(&self) -> ReportCategory {
        self.0.category.into()
    }

    /// In the words of the reporter.
    async fn comment(&self) -> &str {
        &self.0.comment
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    /// For admins; null where the account is no more.
    async fn reporter(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.told(ctx, |row| row.reporter_id)).await
    }

    /// Whose file or snap it is. For admins; null where the account is no more.
    async fn accused(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.told(ctx, |row| Some(row.accused_id))).await
    }

    /// The reported file as it is now. For admins; null where it is deleted for good, and for a snap.
    async fn file(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<File>> {
        match self.told(ctx, |row| (row.kind == report::Kind::File).then_some(row.subject_id)) {
            Some(id) => file_node(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault(),
            None => Ok(None),
        }
    }

    /// The id of the file or the snap.
    async fn subject_id(&self) -> ID {
        match self.0.kind {
            report::Kind::File => NodeKind::File.id(self.0.subject_id).into(),
            report::Kind::Snap => NodeKind::Snap.id(self.0.subject_id).into(),
        }
    }

    /// Of the content, when it was reported. For admins.
    async fn sha256(&self, ctx: &Context<'_>) -> Option<Sha256> {
        self.told(ctx, |row| row.sha256.clone()).map(Sha256)
    }

    /// What it was when it was reported: name, type, size; of a snap that could still be looked at its caption. For admins.
    async fn facts(&self, ctx: &Context<'_>) -> Option<Json<serde_json::Value>> {
        self.told(ctx, |row| Some(row.facts.clone())).map(Json)
    }

    /// For admins.
    async fn evidence(&self, ctx: &Context<'_>) -> Option<ReportEvidence> {
        self.told(ctx, |row| Some(row.evidence)).map(Into::into)
    }

    /// Where an admin looks at the held picture of a snap, each time with an entry in the audit log.
    async fn evidence_url(&self, ctx: &Context<'_>) -> Option<String> {
        self.told(ctx, |row| (row.evidence == report::Evidence::Held).then_some(row.id))
            .map(|id| format!("{}/evidence/{}", graphql::app(ctx).config.server.base_url(), NodeKind::Report.id(id)))
    }

    /// Open reports of the same thing, with this one; one decision is for all of them. For admins.
    #[graphql(complexity = 5)]
    async fn same_count(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<i32>> {
        Ok(self.context(ctx).await?.map(|context| i32::try_from(context.same).unwrap_or(i32::MAX)))
    }

    /// Reports about the same person that were found right. For admins.
    #[graphql(complexity = 5)]
    async fn upheld_count(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<i32>> {
        Ok(self.context(ctx).await?.map(|context| i32::try_from(context.upheld).unwrap_or(i32::MAX)))
    }

    async fn decision(&self) -> Option<ReportDecision> {
        self.0.decision.map(Into::into)
    }

    /// For admins.
    async fn decision_reason(&self, ctx: &Context<'_>) -> Option<String> {
        self.told(ctx, |row| row.decision_reason.clone())
    }

    /// For admins.
    async fn decided_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.told(ctx, |row| row.decided_by)).await
    }

    async fn decided_at(&self) -> Option<DateTime<Utc>> {
        self.0.decided_at.map(date_time)
    }
}
