//! An upload as it goes on, for whoever watches it.

use std::time::Duration;

use entity::{upload, upload::State};
use futures::{Stream, stream::try_unfold};
use tokio::time::sleep;
use uuid::Uuid;

use super::store;
use crate::{app::App, db::Waiting, error::Fault, viewer::Viewer};

/// Between two looks at how far a verification is: that is noted often, and told nobody.
const LOOK: Duration = Duration::from_millis(500);

/// The viewer's own upload: as it is, then after each change, to its end. `None`: there is no such upload.
pub async fn progress(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<impl Stream<Item = Result<upload::Model, Fault>> + Send + use<>>, Fault> {
    let owner = viewer.person()?.user_id;
    // First, so that no change falls between the look and the wait.
    let waiting = app.db.bell().wait_for(owner);
    let Some(row) = store::find(app.db.read(), owner, id).await? else { return Ok(None) };
    let watch = Watch { app: app.clone(), owner, id, waiting, seen: Seen::Not(Box::new(row)) };
    Ok(Some(try_unfold(watch, Watch::next)))
}

struct Watch {
    app: App,
    owner: Uuid,
    id: Uuid,
    waiting: Waiting,
    seen: Seen,
}

enum Seen {
    Not(Box<upload::Model>),
    /// The state, and the bytes verified by then.
    At(State, i64),
}

impl Watch {
    async fn next(mut self) -> Result<Option<(upload::Model, Self)>, Fault> {
        loop {
            let (state, verified) = match self.seen {
                Seen::Not(row) => {
                    self.seen = Seen::At(row.state, row.verified_bytes);
                    return Ok(Some((*row, self)));
                }
                Seen::At(state, verified) => (state, verified),
            };
            if !matches!(state, State::Open | State::Verifying) {
                return Ok(None);
            }
            tokio::select! {
                () = self.waiting.rung() => {}
                () = sleep(LOOK), if state == State::Verifying => {}
            }
            match self.look().await? {
                // Its file was purged.
                None => return Ok(None),
                Some(row) if (row.state, row.verified_bytes) != (state, verified) => {
                    self.seen = Seen::Not(Box::new(row));
                }
                Some(_) => {}
            }
        }
    }

    /// The row as it is now, however long the database is away.
    async fn look(&self) -> Result<Option<upload::Model>, Fault> {
        loop {
            match store::find(self.app.db.read(), self.owner, self.id).await.map_err(Fault::from) {
                Err(error) if error.is_temporary() => {
                    tracing::debug!(%error, "an upload's watcher waits for the database");
                    sleep(LOOK).await;
                }
                outcome => return outcome,
            }
        }
    }
}
