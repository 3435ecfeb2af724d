//! What a request's viewer has with the people it shows, gathered into one look.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context,
    dataloader::{DataLoader, Loader},
    runtime::{TokioSpawner, TokioTimer},
};
use uuid::Uuid;

use crate::{
    app::App,
    error::Fault,
    friends::{self, Relation},
    graphql::fault,
};

/// Add one to the schema's data: see [`friend_loader`].
pub struct FriendLoader(App);

/// The loader for a schema's data; it keeps nothing between requests. Call it within a Tokio runtime.
#[must_use]
pub fn friend_loader(app: &App) -> DataLoader<FriendLoader> {
    DataLoader::new(FriendLoader(app.clone()), TokioSpawner::current(), TokioTimer::default())
}

/// What one person has with another, as the first one sees it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Between {
    person: Uuid,
    other: Uuid,
}

impl Loader<Between> for FriendLoader {
    type Value = Relation;
    type Error = Arc<Fault>;

    /// The same queries for each viewer whose requests come together.
    async fn load(&self, wanted: &[Between]) -> Result<HashMap<Between, Relation>, Arc<Fault>> {
        let mut by_person: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for Between { person, other } in wanted {
            by_person.entry(*person).or_default().push(*other);
        }
        let mut found = HashMap::new();
        for (person, others) in by_person {
            let relations = friends::relations(&self.0, person, &others).await.map_err(Arc::new)?;
            found.extend(relations.into_iter().map(|(other, relation)| (Between { person, other }, relation)));
        }
        Ok(found)
    }
}

/// What this viewer has with another person; nothing with themselves, and nothing for who has no account.
pub async fn relation(ctx: &Context<'_>, viewer: Option<Uuid>, other: Uuid) -> async_graphql::Result<Relation> {
    let Some(person) = viewer.filter(|person| *person != other) else { return Ok(Relation::default()) };
    let loader = ctx.data_unchecked::<DataLoader<FriendLoader>>();
    let found = loader.load_one(Between { person, other }).await.map_err(|error| fault(&error))?;
    Ok(found.unwrap_or_default())
}
