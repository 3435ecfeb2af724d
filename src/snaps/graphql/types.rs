//! Snaps as GraphQL objects.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use entity::{snap, snap_recipient, snap_recipient::State};

use crate::{
    accounts::graphql::{User, load_user},
    graphql::{self, FaultExt, NodeKind, scalars::date_time},
    ledger::graphql::Erasure,
    snaps::{
        self,
        model::{Phase, may_replay, phase},
    },
};

/// What became of a snap for one recipient.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum SnapState {
    /// There, and not opened.
    Delivered,
    Opened,
    /// Looked at a second time.
    Replayed,
    /// Opened, and the recipient's app tells of a picture of the screen.
    Screenshot,
    /// Not opened in its time.
    Expired,
    /// Taken back before it was opened.
    Revoked,
}

/// A picture for friends, to be opened once.
#[derive(Clone)]
pub struct Snap(pub Arc<snaps::Snap>);

#[Object]
impl Snap {
    pub async fn id(&self) -> ID {
        NodeKind::Snap.id(self.0.row.id).into()
    }

    /// Null where the sender has closed the account.
    async fn sender(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.row.sender_id).await
    }

    async fn sent_at(&self) -> DateTime<Utc> {
        date_time(self.0.row.created_at)
    }

    /// Until when it can be opened.
    async fn expires_at(&self) -> DateTime<Utc> {
        date_time(self.0.row.expires_at)
    }

    /// How long it is shown; null: until it is closed, `limits.snapViewCap` seconds at the most.
    async fn view_seconds(&self) -> Option<i32> {
        self.0.row.view_seconds
    }

    /// Whether it may be looked at a second time.
    async fn allow_replay(&self) -> bool {
        self.0.row.allow_replay
    }

    /// What became of it for you; null on a snap of your own.
    async fn state(&self, ctx: &Context<'_>) -> Option<SnapState> {
        self.0.own.as_ref().map(|own| state(ctx, own, &self.0.row))
    }

    /// When you opened it.
    async fn opened_at(&self) -> Option<DateTime<Utc>> {
        self.0.own.as_ref()?.opened_at.map(date_time)
    }

    /// Whether `openSnap` would open it for you now.
    async fn can_open(&self, ctx: &Context<'_>) -> bool {
        let app = graphql::app(ctx);
        let sealed = |own| phase(own, &self.0.row, &app.config.snaps, app.now()) == Phase::Sealed;
        self.0.own.as_ref().is_some_and(sealed)
    }

    /// Whether `replaySnap` would open it for you now.
    async fn can_replay(&self, ctx: &Context<'_>) -> bool {
        let app = graphql::app(ctx);
        let again = |own| may_replay(own, &self.0.row, &app.config.snaps, app.now());
        self.0.own.as_ref().is_some_and(again)
    }

    /// For its sender, until it is gone. Recipients read it in the view that they open.
    async fn caption(&self) -> Option<&str> {
        let caption = self.0.own.is_none().then_some(self.0.row.caption.as_str());
        caption.filter(|caption| !caption.is_empty())
    }

    /// For its sender; null for everybody else.
    async fn recipients(&self) -> Option<Vec<SnapRecipient>> {
        if self.0.own.is_some() {
            return None;
        }
        let rows = self.0.recipients.iter().cloned();
        Some(rows.map(|row| SnapRecipient { row, snap: self.0.clone() }).collect())
    }

    /// When the last recipient was done with it: picture and caption are gone.
    async fn gone_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.gone_at.map(date_time)
    }

    /// For its sender: the proof that the picture is gone at both sites, or how far that is; null while somebody may still
    /// look at it.
    async fn erasure(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Erasure>> {
        if self.0.own.is_some() {
            return Ok(None);
        }
        Ok(snaps::erasure(graphql::app(ctx), &self.0).await.or_fault()?.map(Erasure))
    }
}

/// One recipient of a snap, as its sender sees it.
pub struct SnapRecipient {
    pub row: snap_recipient::Model,
    pub snap: Arc<snaps::Snap>,
}

#[Object]
impl SnapRecipient {
    /// Null where the person has closed the account.
    async fn user(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.row.recipient_id).await
    }

    async fn state(&self, ctx: &Context<'_>) -> SnapState {
        state(ctx, &self.row, &self.snap.row)
    }

    async fn opened_at(&self) -> Option<DateTime<Utc>> {
        self.row.opened_at.map(date_time)
    }

    async fn replayed_at(&self) -> Option<DateTime<Utc>> {
        self.row.replayed_at.map(date_time)
    }

    /// When the recipient's app told of it.
    async fn screenshot_at(&self) -> Option<DateTime<Utc>> {
        self.row.screenshot_at.map(date_time)
    }
}

fn state(ctx: &Context<'_>, row: &snap_recipient::Model, snap: &snap::Model) -> SnapState {
    let app = graphql::app(ctx);
    match row.state {
        State::Revoked => SnapState::Revoked,
        State::Expired => SnapState::Expired,
        State::Opened if row.screenshot_at.is_some() => SnapState::Screenshot,
        State::Opened if row.replayed_at.is_some() => SnapState::Replayed,
        State::Opened => SnapState::Opened,
        // Its time may be over before the job comes that ends it.
        State::Delivered => match phase(row, snap, &app.config.snaps, app.now()) {
            Phase::Over(_) => SnapState::Expired,
            _ => SnapState::Delivered,
        },
    }
}
