//! A person's events as they come: each once, in order, none left out.
//!
//! Most readers wait, thousands of them: what asks the database is boxed, so that they hold memory for it only while they ask.

use std::{collections::VecDeque, time::Duration};

use entity::event;
use futures::{Stream, stream::try_unfold};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    EventsError,
    reading::{next_to, position},
};
use crate::{app::App, db::Waiting, viewer::Viewer};

/// Events read at once.
const PAGE: u64 = 100;
/// While the database is away.
const PAUSE: Duration = Duration::from_secs(1);

/// The viewer's events of these kinds: those after `after`, or from now on where it is not given. It has no end but an error.
///
/// # Errors
///
/// [`EventsError::Expired`] where some of the events after `after` are not kept any more: the client reads its lists anew.
pub async fn stream(
    app: &App,
    viewer: &Viewer,
    kinds: Vec<&'static str>,
    after: Option<i64>,
) -> Result<impl Stream<Item = Result<event::Model, EventsError>> + Send + use<>, EventsError> {
    let recipient = viewer.person()?.user_id;
    // First, so that nothing falls between the look and the wait.
    let waiting = app.db.bell().wait_for(recipient);
    let seq = Box::pin(position(app, recipient, after)).await?;
    let feed = Feed { app: app.clone(), recipient, kinds, seq, waiting, page: VecDeque::new() };
    Ok(try_unfold(feed, Feed::next))
}

struct Feed {
    app: App,
    recipient: Uuid,
    kinds: Vec<&'static str>,
    /// The last event that was read.
    seq: i64,
    waiting: Waiting,
    page: VecDeque<event::Model>,
}

impl Feed {
    async fn next(mut self) -> Result<Option<(event::Model, Self)>, EventsError> {
        loop {
            while let Some(event) = self.page.pop_front() {
                if self.kinds.contains(&event.kind.as_str()) {
                    return Ok(Some((event, self)));
                }
            }
            match Box::pin(next_to(&self.app, self.recipient, self.seq, PAGE)).await {
                Ok(events) if events.is_empty() => self.waiting.rung().await,
                Ok(events) => {
                    self.seq += i64::try_from(events.len()).unwrap_or(i64::MAX);
                    self.page = events.into();
                }
                Err(EventsError::Fault(error)) if error.is_temporary() => {
                    tracing::debug!(%error, "a reader of events waits for the database");
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
