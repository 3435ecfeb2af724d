//! The end of a person's files, with their account: some in each transaction.

use entity::object::Reason;
use sea_orm::DbErr;
use uuid::Uuid;

use super::{FilesError, Scope, direct, model::MAX_FILES_AT_ONCE, purge, quota, store};
use crate::{app::App, db::Tx, ledger};

/// What a person still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    More,
    /// So many files, or objects of no file, and legal holds on all of them.
    Held(u64),
    /// All that had been there by the start of the transaction is on its way to be proven gone.
    Nothing,
}

/// Deletes some of a person's files for good, in whatever state, and gives up their uploads: rows go at once, objects
/// are doomed. A file under a legal hold stays whole. How many files were deleted, and what is left.
pub async fn erase_some(app: &App, tx: &Tx, owner: Uuid) -> Result<(usize, Left), FilesError> {
    let free = store::not_held(tx, owner, MAX_FILES_AT_ONCE as u64).await?;
    if !free.is_empty() {
        let files = store::lock(tx, Scope::Owner(owner), &free).await?;
        // Looked at again under the lock: a hold may have come in between.
        let files: Vec<_> = files.into_iter().filter(|file| file.holds == 0).collect();
        let free: Vec<Uuid> = files.iter().map(|file| file.id).collect();
        let objects = ledger::lock_of_files(tx, &free).await?;
        let objects: Vec<Uuid> = objects.iter().map(|object| object.id).collect();
        purge::delete_for_good(app, tx, &files, &objects, Some(owner), Reason::AccountClosed).await?;
        return Ok((files.len(), Left::More));
    }
    if direct::give_up(app, tx, owner, Reason::AccountClosed).await? {
        return Ok((0, Left::More));
    }
    match store::count(tx, owner).await? {
        0 => {}
        files => return Ok((0, Left::Held(files))),
    }
    if ledger::doom_rest(app, tx, owner, Reason::AccountClosed).await? > 0 {
        return Ok((0, Left::More));
    }
    Ok(match ledger::count_standing(tx, owner).await? {
        0 => (0, Left::Nothing),
        objects => (0, Left::Held(objects)),
    })
}

/// Deletes what is kept of a person whose files are gone.
pub async fn forget(tx: &Tx, owner: Uuid) -> Result<(), DbErr> {
    quota::forget(tx, owner).await
}

/// How many files a person has, in whatever state.
pub async fn count_owned(tx: &Tx, owner: Uuid) -> Result<u64, DbErr> {
    store::count(tx, owner).await
}
