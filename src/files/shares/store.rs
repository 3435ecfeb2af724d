//! Queries over `share_link` and `share_download`.

use std::collections::HashMap;

use entity::{Timestamp, share_download, share_link, user};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, FromQueryResult as _, IntoActiveModel as _,
    Order, PaginatorTrait as _, QueryFilter, QuerySelect, QueryTrait as _,
    sea_query::{Asterisk, Expr, Query},
};
use uuid::Uuid;

use crate::db::{
    Tx,
    page::{self, Page, PageRequest, Position},
};

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<share_link::Model>, DbErr> {
    share_link::Entity::find_by_id(id).one(connection).await
}

pub(super) async fn by_token(
    connection: &impl ConnectionTrait,
    token_hash: Vec<u8>,
) -> Result<Option<share_link::Model>, DbErr> {
    share_link::Entity::find().filter(share_link::Column::TokenHash.eq(token_hash)).one(connection).await
}

/// The row, locked until the transaction ends.
pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Option<share_link::Model>, DbErr> {
    share_link::Entity::find_by_id(id).lock_exclusive().one(tx).await
}

pub(super) async fn insert(tx: &Tx, row: share_link::Model) -> Result<(), DbErr> {
    share_link::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

/// Newest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    file: Uuid,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<share_link::Model>, DbErr> {
    let select = share_link::Entity::find().filter(share_link::Column::FileId.eq(file));
    let (time, id) = (share_link::Column::CreatedAt, share_link::Column::Id);
    Ok(page.finish(page::keyset(select, time, id, Order::Desc, page).all(connection).await?))
}

/// The first page of [`list`] of each file, in one query.
pub(super) async fn newest(
    connection: &impl ConnectionTrait,
    files: &[Uuid],
    limit: u64,
) -> Result<HashMap<Uuid, Page<share_link::Model>>, DbErr> {
    let place = "ROW_NUMBER() OVER (PARTITION BY file_id ORDER BY created_at DESC, id DESC)";
    let ranked = Query::select()
        .column(Asterisk)
        .expr_as(Expr::cust(place), "place")
        .from(share_link::Entity)
        .and_where(share_link::Column::FileId.is_in(files.iter().copied()))
        .take();
    let select = Query::select()
        .column(Asterisk)
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col("place").lte(limit + 1))
        .order_by("place", Order::Asc)
        .take();
    let mut found: HashMap<Uuid, Vec<share_link::Model>> = HashMap::new();
    for row in connection.query_all(&select).await? {
        let link = share_link::Model::from_query_result(&row, "")?;
        found.entry(link.file_id).or_default().push(link);
    }
    let page = PageRequest::<Position<Timestamp>> { after: None, before: None, limit, from_end: false };
    Ok(found.into_iter().map(|(file, rows)| (file, page.finish(rows))).collect())
}

pub(super) async fn set_revoked(tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), DbErr> {
    let update = share_link::Entity::update_many().col_expr(share_link::Column::RevokedAt, Expr::value(now));
    update.filter(share_link::Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// One more download of a link that the caller has locked.
pub(super) async fn count_download(tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), DbErr> {
    share_link::Entity::update_many()
        .col_expr(share_link::Column::Downloads, Expr::col(share_link::Column::Downloads).add(1))
        .col_expr(share_link::Column::LastUsedAt, Expr::value(now))
        .filter(share_link::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_download(tx: &Tx, id: Uuid, link: Uuid, lease_until: Timestamp) -> Result<(), DbErr> {
    let row = share_download::ActiveModel { id: Set(id), link_id: Set(link), lease_until: Set(lease_until) };
    share_download::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Takes the places of downloads whose leases have run out.
pub(super) async fn delete_lapsed(tx: &Tx, link: Uuid, now: Timestamp) -> Result<(), DbErr> {
    share_download::Entity::delete_many()
        .filter(share_download::Column::LinkId.eq(link))
        .filter(share_download::Column::LeaseUntil.lte(now))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn under_way(connection: &impl ConnectionTrait, link: Uuid) -> Result<u64, DbErr> {
    share_download::Entity::find().filter(share_download::Column::LinkId.eq(link)).count(connection).await
}

/// `false`: the place is another's by now.
pub(super) async fn extend_download(tx: &Tx, id: Uuid, lease_until: Timestamp) -> Result<bool, DbErr> {
    let update =
        share_download::Entity::update_many().col_expr(share_download::Column::LeaseUntil, Expr::value(lease_until));
    Ok(update.filter(share_download::Column::Id.eq(id)).exec(tx).await?.rows_affected == 1)
}

/// `false`: the place was another's already.
pub(super) async fn delete_download(tx: &Tx, id: Uuid) -> Result<bool, DbErr> {
    Ok(share_download::Entity::delete_by_id(id).exec(tx).await?.rows_affected == 1)
}

/// The links of these files, with the downloads under way.
pub(in crate::files) async fn delete_of(tx: &Tx, files: &[Uuid]) -> Result<(), DbErr> {
    let of_files = || share_link::Column::FileId.is_in(files.iter().copied());
    let links = share_link::Entity::find().select_only().column(share_link::Column::Id).filter(of_files()).into_query();
    let downloads = share_download::Entity::delete_many().filter(share_download::Column::LinkId.in_subquery(links));
    downloads.exec(tx).await?;
    share_link::Entity::delete_many().filter(of_files()).exec(tx).await?;
    Ok(())
}

pub(super) async fn is_active(connection: &impl ConnectionTrait, user: Uuid) -> Result<bool, DbErr> {
    let row = user::Entity::find_by_id(user).one(connection).await?;
    Ok(row.is_some_and(|row| row.status == user::Status::Active))
}
