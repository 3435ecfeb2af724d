//! Events in the schema: the log for clients that poll, and what they have read. What an event is about is a node of any
//! module, so it stands here.

use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use entity::event;
use futures::{Stream, StreamExt as _};
use uuid::Uuid;

use super::{Node, node};
use crate::{
    accounts::graphql::Friendship,
    db::page::Page,
    events::{self, EventsError, graphql::refusal},
    friends,
    graphql::{
        self, Connection, FaultExt as _, NodeKind, PageArguments,
        connection::{connection, decode, encode, page_cost},
        scalars::date_time,
    },
    snaps::{
        self,
        graphql::{Snap, SnapRecipient},
    },
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum EventKind {
    /// A friendship of the viewer's began, ended or was asked for.
    FriendshipChanged,
    /// The viewer was sent a snap.
    SnapReceived,
    /// A snap that the viewer had sent was opened, replayed or ended for one person.
    SnapChanged,
    /// The state of a direct upload of the viewer's changed.
    UploadChanged,
}

impl EventKind {
    const ALL: [Self; 4] = [Self::FriendshipChanged, Self::SnapReceived, Self::SnapChanged, Self::UploadChanged];

    /// `None`: of a newer release.
    fn of(event: &event::Model) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == event.kind)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::FriendshipChanged => events::FRIENDSHIP_CHANGED,
            Self::SnapReceived => events::SNAP_RECEIVED,
            Self::SnapChanged => events::SNAP_CHANGED,
            Self::UploadChanged => events::UPLOAD_CHANGED,
        }
    }

    /// Where the payload has the id of what the event is about, and of what type that is.
    const fn subject(self) -> (&'static str, NodeKind) {
        match self {
            Self::UploadChanged => ("upload", NodeKind::UploadSession),
            Self::FriendshipChanged => ("friendship", NodeKind::Friendship),
            Self::SnapReceived | Self::SnapChanged => ("snap", NodeKind::Snap),
        }
    }
}

/// Something that happened, for the viewer.
pub struct Event {
    row: event::Model,
    kind: EventKind,
}

impl Event {
    fn known(row: event::Model) -> Option<Self> {
        EventKind::of(&row).map(|kind| Self { row, kind })
    }
}

#[Object]
impl Event {
    /// For `after`, here and in subscriptions.
    async fn cursor(&self) -> String {
        events::graphql::cursor(&self.row)
    }

    async fn kind(&self) -> EventKind {
        self.kind
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    /// What it is about, as it is now; null where that is gone, or the viewer may not see it any more.
    async fn subject(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Node>> {
        let (name, kind) = self.kind.subject();
        match key(&self.row, name) {
            Some(key) => node(ctx, kind.id(key)).await,
            None => Ok(None),
        }
    }
}

/// What the payload has under this name.
fn key(row: &event::Model, name: &str) -> Option<Uuid> {
    row.payload.get(name)?.as_str()?.parse().ok()
}

/// A snap that the viewer received, or one of their own of which a recipient did something.
#[derive(SimpleObject)]
pub struct SnapEvent {
    /// For `after`.
    cursor: String,
    created_at: DateTime<Utc>,
    /// As it is now.
    snap: Snap,
    /// Of one's own snap: whom it is about, as they are now.
    recipient: Option<SnapRecipient>,
}

/// A friendship of the viewer's that changed.
#[derive(SimpleObject)]
pub struct FriendshipEvent {
    /// For `after`.
    cursor: String,
    created_at: DateTime<Utc>,
    /// As it is now; null where there is none any more.
    friendship: Option<Friendship>,
}

/// What the connection of events has beside its edges.
#[derive(SimpleObject)]
pub struct EventConnectionFields {
    /// Where the log ends now. A client asks for it first, then reads its lists, and goes on from here: so it misses nothing.
    latest_cursor: String,
}

#[derive(Default)]
pub struct EventsQuery;

#[Object]
impl EventsQuery {
    /// The viewer's events, oldest first, for clients that poll. A cursor whose next event is kept no longer is refused with
    /// `CURSOR_EXPIRED`: the client reads its lists anew, and goes on from `latestCursor`.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<Event, EventConnectionFields>> {
        let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let latest = events::latest(app, viewer).await.or_fault()?;
        let Page { items, has_previous, has_next } =
            events::list(app, viewer, &page).await.map_err(|error| refusal(&error))?;
        let found = Page { items: items.into_iter().filter_map(Event::known).collect(), has_previous, has_next };
        let fields = EventConnectionFields { latest_cursor: encode(&latest) };
        Ok(connection(found, fields, |event| event.row.seq))
    }

    /// How many events the viewer has not marked as read, of these kinds where any are given. Counted up to 1,000.
    async fn unread_count(&self, ctx: &Context<'_>, kinds: Option<Vec<EventKind>>) -> async_graphql::Result<i32> {
        let kinds = kinds.map(|kinds| kinds.into_iter().map(EventKind::name).collect::<Vec<_>>());
        let count = events::unread(graphql::app(ctx), graphql::viewer(ctx), kinds.as_deref()).await.or_fault()?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

/// A repeat changes nothing, and nothing that was read becomes unread.
#[derive(InputObject)]
pub struct MarkEventsReadInput {
    /// Of the last event that was read.
    pub cursor: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum EventErrorCode {
    /// There was no such event.
    InvalidCursor,
}

#[derive(SimpleObject)]
pub struct EventUserError {
    code: EventErrorCode,
    field: Option<&'static str>,
    message: &'static str,
}

#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkEventsReadPayload {
    user_errors: Vec<EventUserError>,
}

#[ComplexObject]
impl MarkEventsReadPayload {
    /// Of events of all kinds. Counted up to 1,000.
    async fn unread_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        EventsQuery.unread_count(ctx, None).await
    }
}

#[derive(Default)]
pub struct EventsMutation;

#[Object]
impl EventsMutation {
    /// Marks the viewer's events up to a cursor as read.
    async fn mark_events_read(
        &self,
        ctx: &Context<'_>,
        input: MarkEventsReadInput,
    ) -> async_graphql::Result<MarkEventsReadPayload> {
        let invalid = || {
            let message = "This cursor is not one of ours: use the `cursor` of an event.";
            EventUserError { code: EventErrorCode::InvalidCursor, field: Some("cursor"), message }
        };
        let viewer = graphql::viewer(ctx);
        viewer.person().or_fault()?;
        let Ok(Some(seq)) = decode(Some(input.cursor)) else {
            return Ok(MarkEventsReadPayload { user_errors: vec![invalid()] });
        };
        match events::mark_read(graphql::app(ctx), viewer, seq).await {
            Ok(()) => Ok(MarkEventsReadPayload { user_errors: Vec::new() }),
            Err(EventsError::UnknownCursor) => Ok(MarkEventsReadPayload { user_errors: vec![invalid()] }),
            Err(error) => Err(refusal(&error)),
        }
    }
}

#[derive(Default)]
pub struct EventsSubscription;

#[Subscription]
impl EventsSubscription {
    /// The viewer's events as they come, of these kinds where any are given: those after the cursor `after`, each once and in
    /// order, or from now on. A cursor whose next event is kept no longer is refused with `CURSOR_EXPIRED`.
    async fn event_received(
        &self,
        ctx: &Context<'_>,
        kinds: Option<Vec<EventKind>>,
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Event>> + use<>> {
        let kinds = kinds.unwrap_or(EventKind::ALL.to_vec()).into_iter().map(EventKind::name).collect();
        let events = events::graphql::stream(ctx, kinds, after).await?;
        Ok(events.filter_map(async |row| row.map(Event::known).transpose()))
    }

    /// Snaps that the viewer receives: those after the cursor `after`, or from now on. One that was taken back meanwhile is
    /// left out.
    async fn snap_received(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<SnapEvent>> + use<>> {
        snap_events(ctx, events::SNAP_RECEIVED, after).await
    }

    /// What becomes of the viewer's own snaps, recipient by recipient: opened, replayed, a picture of the screen, expired. Of
    /// what happened after the cursor `after`, or from now on.
    async fn snap_opened(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<SnapEvent>> + use<>> {
        snap_events(ctx, events::SNAP_CHANGED, after).await
    }

    /// Friendships of the viewer's that were asked for, began or ended after the cursor `after`, or from now on.
    async fn friendship_changed(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<FriendshipEvent>> + use<>> {
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        let events = events::graphql::stream(ctx, vec![events::FRIENDSHIP_CHANGED], after).await?;
        Ok(events.then(move |row| {
            let (app, viewer) = (app.clone(), viewer.clone());
            Box::pin(async move {
                let row = row?;
                let friendship = match key(&row, "friendship") {
                    Some(key) => friends::find(&app, &viewer, key).await.or_fault()?.map(Friendship),
                    None => None,
                };
                let (cursor, created_at) = (events::graphql::cursor(&row), date_time(row.created_at));
                Ok(FriendshipEvent { cursor, created_at, friendship })
            })
        }))
    }
}

/// The viewer's events of this kind with their snaps; without those whose snap the viewer may not see any more.
async fn snap_events(
    ctx: &Context<'_>,
    kind: &'static str,
    after: Option<String>,
) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<SnapEvent>> + use<>> {
    let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
    let events = events::graphql::stream(ctx, vec![kind], after).await?;
    Ok(events.filter_map(move |row| {
        let (app, viewer) = (app.clone(), viewer.clone());
        Box::pin(async move {
            let found = async {
                let row = row?;
                let Some(id) = key(&row, "snap") else { return Ok(None) };
                let Some(snap) = snaps::find(&app, &viewer, id).await.or_fault()? else { return Ok(None) };
                let (cursor, created_at) = (events::graphql::cursor(&row), date_time(row.created_at));
                let snap = Snap::from(snap);
                let recipient = key(&row, "recipient").and_then(|person| snap.recipient(person));
                Ok(Some(SnapEvent { cursor, created_at, snap, recipient }))
            };
            found.await.transpose()
        })
    }))
}
