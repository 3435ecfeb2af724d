//! Events in GraphQL: cursors, errors, and the stream that subscriptions are made of.

use async_graphql::{Context, Error, ErrorExtensions};
use entity::event;
use futures::{Stream, StreamExt as _};

use super::EventsError;
use crate::graphql::{
    self,
    connection::{decode, encode},
    error::{bad_input, fault},
};

/// The cursor of an event, for `after`.
#[must_use]
pub fn cursor(event: &event::Model) -> String {
    encode(&event.seq)
}

/// Why events cannot be read, as clients see it. `CURSOR_EXPIRED`: read the lists anew, and go on from `latestCursor`.
pub fn refusal(error: &EventsError) -> Error {
    match error {
        EventsError::Expired => {
            let message = "Events this old are not kept any more: read your lists anew, and go on from `latestCursor`.";
            Error::new(message).extend_with(|_, extensions| extensions.set("code", "CURSOR_EXPIRED"))
        }
        EventsError::UnknownCursor => bad_input("This cursor is not one of ours: use the `cursor` of an event."),
        EventsError::Fault(error) => fault(error),
    }
}

/// The viewer's events of these kinds, after the cursor `after` or from now on: what a subscription is made of. Each is to
/// be sent with its [`cursor`].
pub async fn stream(
    ctx: &Context<'_>,
    kinds: Vec<&'static str>,
    after: Option<String>,
) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<event::Model>> + Send + use<>> {
    let after = decode(after)?;
    let events = super::stream(graphql::app(ctx), graphql::viewer(ctx), kinds, after).await;
    let events = events.map_err(|error| refusal(&error))?;
    Ok(events.map(|event| event.map_err(|error| refusal(&error))))
}
