//! Finding people: what they are found by, written in the transaction of their account, and the search itself.

use std::collections::BTreeSet;

use async_trait::async_trait;
use entity::user::Model;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    jobs::{self, Job, JobError, Lane},
    text::fold,
    viewer::Viewer,
};

/// Characters kept of a term.
const MAX_TERM: usize = 64;
/// Words of a name that a search may begin with.
const MAX_WORDS: usize = 8;
/// People of one transaction of [`Reindex`].
const BATCH: u64 = 100;

/// The user name, and the name from each of its words on: `ada lovelace` and `lovelace`.
fn terms(user: &Model) -> BTreeSet<String> {
    let name = spaced(&format!("{} {}", user.first_name, user.last_name));
    let words = name.match_indices(' ').map(|(space, _)| space + 1).take(MAX_WORDS - 1);
    let from_words = [0].into_iter().chain(words).map(|at| cut(&name[at..]));
    from_words.chain([cut(&spaced(&user.username))]).filter(|term| !term.is_empty()).collect()
}

/// Text as it is compared, with one space between words and nothing that a database refuses.
fn spaced(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    fold(&printable).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TERM).collect()
}

pub(super) async fn insert(tx: &Tx, user: &Model) -> Result<(), DbErr> {
    store::insert_terms(tx, user, terms(user)).await
}

/// After a change of the account.
pub(super) async fn update(tx: &Tx, user: &Model) -> Result<(), DbErr> {
    store::delete_terms(tx, user.id).await?;
    insert(tx, user).await
}

/// People whose user name, first name, last name or any part of these from a word on begins with `search`, whatever its
/// case and accents, each with the term that they were found by: that is the order. Without a search, everybody by user
/// name.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    search: Option<&str>,
    page: &PageRequest<Position<String>>,
) -> Result<Page<(String, Model)>, Fault> {
    super::known(viewer)?;
    let prefix = search.map(|search| cut(&spaced(search))).unwrap_or_default();
    let (db, closing) = (app.db.read(), viewer.is_admin());
    let rows = if prefix.is_empty() {
        let users = store::list_users(db, closing, page).await?;
        users.into_iter().map(|user| (user.username_key.clone(), user)).collect()
    } else {
        store::find_users(db, &prefix, closing, page).await?
    };
    Ok(page.finish(rows))
}

/// Makes people findable who were there before they could be searched by name, in the order of their ids. The migration
/// enqueues it; each run does some and enqueues the next.
#[derive(Serialize, Deserialize)]
pub(super) struct Reindex {
    /// The last person who is done.
    pub after: Option<Uuid>,
}

#[async_trait]
impl Job for Reindex {
    const KIND: &'static str = "accounts.reindex";
    const LANE: Lane = Lane::Upkeep;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        app.transaction::<_, DbErr, _, _>(async |tx| {
            let users = store::lock_users_after(&tx, self.after, BATCH).await?;
            for user in &users {
                update(&tx, user).await?;
            }
            match users.last() {
                Some(last) => jobs::enqueue(app, &tx, &Self { after: Some(last.id) }).await,
                None => Ok(()),
            }
        })
        .await?;
        Ok(())
    }
}
