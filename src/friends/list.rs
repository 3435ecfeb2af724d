//! Lists of one's own friends and requests, the last change first.

use entity::{Timestamp, friendship::State};

use super::{
    model::{Direction, Friendship},
    store::{self, Stream},
};
use crate::{
    app::App,
    db::page::{Page, PageRequest, Position},
    error::Fault,
    viewer::Viewer,
};

/// Which pairs; all that the viewer sees where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub direction: Option<Direction>,
}

impl Filter {
    /// Each walks an index, and no two of them find the same pair.
    fn streams(self) -> Vec<Stream> {
        let mut streams = Vec::new();
        for state in [State::Pending, State::Accepted, State::Declined] {
            if self.state.is_some_and(|wanted| wanted != state) {
                continue;
            }
            match self.direction {
                Some(Direction::Outgoing) => streams.push(Stream::Asked(state)),
                direction => {
                    let incoming = direction.is_some();
                    streams.extend([Stream::Low { state, incoming }, Stream::High { state, incoming }]);
                }
            }
            if state == State::Pending && self.direction != Some(Direction::Incoming) {
                streams.push(Stream::Asked(State::Withheld));
            }
        }
        streams
    }
}

/// The viewer's, as they see them.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    filter: Filter,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Friendship>, Fault> {
    let me = viewer.person()?.user_id;
    let mut rows = Vec::new();
    for stream in filter.streams() {
        rows.extend(store::list(app.db.read(), me, stream, page).await?);
    }
    rows.sort_unstable_by_key(|row| (row.changed_at, row.id));
    if !page.from_end {
        rows.reverse();
    }
    rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX).saturating_add(1));
    let page = page.finish(rows);
    Ok(page.map(|row| Friendship::made(row, me)))
}

/// How many there are.
pub async fn count(app: &App, viewer: &Viewer, filter: Filter) -> Result<u64, Fault> {
    let me = viewer.person()?.user_id;
    let mut count = 0;
    for stream in filter.streams() {
        count += store::count(app.db.read(), me, stream).await?;
    }
    Ok(count)
}
