//! Reading the log, newest entry first. Admins only: it tells who looked at what.

use std::collections::HashMap;

use entity::{
    Timestamp,
    audit_entry::{Column, Entity, Model},
    audit_seal,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::{
    app::App,
    db::page::{self, Page, PageRequest, Position},
    error::Fault,
    viewer::Viewer,
};

/// An entry, and its seal once it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub row: Model,
    pub seal: Option<audit_seal::Model>,
}

/// Which entries are wanted: those that fit everything that is given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub action: Option<String>,
    pub actor_id: Option<Uuid>,
    pub subject_id: Option<Uuid>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.action.as_deref().map(|action| Column::Action.eq(action)))
            .add_option(self.actor_id.map(|actor| Column::ActorId.eq(actor)))
            .add_option(self.subject_id.map(|subject| Column::SubjectId.eq(subject)))
            .add_option(self.from.map(|from| Column::CreatedAt.gte(from)))
            .add_option(self.to.map(|to| Column::CreatedAt.lt(to)))
    }
}

/// Entries that fit, newest first. Admins.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    filter: &Filter,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Entry>, Fault> {
    viewer.admin()?;
    let select = Entity::find().filter(filter.condition());
    let rows = page::keyset(select, Column::CreatedAt, Column::Id, Order::Desc, page).all(app.db.read()).await?;
    let Page { items, has_previous, has_next } = page.finish(rows);
    Ok(Page { items: with_seals(app.db.read(), items).await?, has_previous, has_next })
}

/// One entry. To anybody but admins it is not there.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Entry>, Fault> {
    if !viewer.is_admin() {
        return Ok(None);
    }
    let rows = Entity::find_by_id(id).all(app.db.read()).await?;
    Ok(with_seals(app.db.read(), rows).await?.pop())
}

/// Every entry about this thing, the oldest first. The caller has authorised that.
pub async fn of_subject(connection: &impl ConnectionTrait, subject: Uuid) -> Result<Vec<Entry>, DbErr> {
    let select = Entity::find().filter(Column::SubjectId.eq(subject));
    let rows = select.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(connection).await?;
    with_seals(connection, rows).await
}

async fn with_seals(connection: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Entry>, DbErr> {
    let of_rows = audit_seal::Column::EntryId.is_in(rows.iter().map(|row| row.id));
    let seals = audit_seal::Entity::find().filter(of_rows).all(connection).await?;
    let mut seals: HashMap<Uuid, audit_seal::Model> = seals.into_iter().map(|seal| (seal.entry_id, seal)).collect();
    Ok(rows.into_iter().map(|row| Entry { seal: seals.remove(&row.id), row }).collect())
}
