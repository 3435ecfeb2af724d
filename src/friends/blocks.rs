//! Blocking. To the blocked it looks as if nothing had happened, or as if the other had removed a friend or cancelled a
//! request.

use entity::{Timestamp, block};
use uuid::Uuid;

use super::{
    act::{make_and_lock, people, settle},
    error::FriendsError,
    model::{Act, next},
    store,
};
use crate::{
    app::App,
    db::page::{Page, PageRequest, Position},
    error::Fault,
    viewer::Viewer,
};

/// Ends what there is between the two, and lets no request of either arrive. A repeat changes nothing.
pub async fn block(app: &App, viewer: &Viewer, user: Uuid) -> Result<(), FriendsError> {
    let me = viewer.person()?.user_id;
    if user == me {
        return Err(FriendsError::Oneself);
    }
    app.db
        .transaction(async |tx| {
            let row = make_and_lock(app, &tx, me, user).await?;
            people(&tx, me, user, false).await?;
            if store::blocks_between(&tx, me, user).await?.contains(&me) {
                return Ok(());
            }
            let max = app.config.friends.max_blocks;
            if store::count_blocks(&tx, me).await? >= u64::from(max) {
                return Err(FriendsError::TooManyBlocks { max });
            }
            let now = app.db.now(&tx).await?;
            store::insert_block(&tx, block::Model { blocker_id: me, blocked_id: user, created_at: now }).await?;
            let state = next(Act::Block, row.state, row.requested_by == me).ok_or(FriendsError::WrongState)?;
            if state != row.state {
                settle(&tx, row, me, state, now).await?;
            }
            Ok(())
        })
        .await
}

/// The two have nothing with each other then. What the other one has asked meanwhile stays unheard, until they ask again.
pub async fn unblock(app: &App, viewer: &Viewer, user: Uuid) -> Result<(), FriendsError> {
    let me = viewer.person()?.user_id;
    if user == me {
        return Err(FriendsError::Oneself);
    }
    app.db
        .transaction(async |tx| {
            store::lock_pair(&tx, me, user).await?;
            people(&tx, me, user, false).await?;
            Ok(store::delete_block(&tx, me, user).await?)
        })
        .await
}

/// Whom the viewer blocks, the last one first.
pub async fn blocked(
    app: &App,
    viewer: &Viewer,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<block::Model>, Fault> {
    let me = viewer.person()?.user_id;
    Ok(page.finish(store::list_blocks(app.db.read(), me, page).await?))
}
