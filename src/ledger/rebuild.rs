//! A ledger whose database was rebuilt from a manifest: what it knew of the copies counts no longer, until they are looked at again.

use entity::{
    Timestamp, object,
    object::State,
    object_copy,
    object_copy::{Proof, Site},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Equality, Roles, Sight, compare, hash_at,
    jobs::{Replicate, copy_again},
    note, roles,
};
use crate::{
    adapters::objects::{Condition, Sha256, Stored, keys::ObjectKey},
    app::App,
    db::{self, Tx},
    error::Fault,
    jobs::{JobError, enqueue_unique},
};

/// Copies of live objects are awaited anew, and a new epoch begins: whatever the former server still writes is not this one's.
pub async fn forget_evidence(tx: &Tx) -> Result<(), DbErr> {
    use object_copy::Column as Of;
    let live =
        object::Entity::find().select_only().column(object::Column::Id).filter(object::Column::State.eq(State::Live));
    object_copy::Entity::update_many()
        .col_expr(Of::State, Expr::value(object_copy::State::Awaiting))
        .col_expr(Of::Etag, Expr::value(None::<String>))
        .col_expr(Of::VersionId, Expr::value(None::<String>))
        .col_expr(Of::Proof, Expr::value(None::<Proof>))
        .col_expr(Of::VerifiedAt, Expr::value(None::<Timestamp>))
        .filter(Of::ObjectId.in_subquery(live.into_query()))
        .exec(tx)
        .await?;
    roles::begin_epoch(tx).await
}

/// Takes an object into the ledger that is in a bucket already, as live and with copies that are awaited.
pub async fn adopt(
    tx: &Tx,
    key: ObjectKey,
    bytes: u64,
    sha256: &Sha256,
    content_type: &str,
    at: Timestamp,
) -> Result<(), DbErr> {
    let new = super::store::Pending { bytes, sha256, content_type, user_id: None, file_id: None, keep_until: None };
    let object = super::store::insert_pending(tx, key, &new, at).await?;
    super::store::set_live(tx, &object, at).await
}

/// How many live objects there are, and their bytes.
pub async fn count_live(connection: &impl ConnectionTrait) -> Result<(u64, u64), DbErr> {
    let live = object::Entity::find().filter(object::Column::State.eq(State::Live));
    let count = live.clone().count(connection).await?;
    let bytes: Option<Option<i64>> =
        live.select_only().column_as(db::sum(connection, "bytes"), "bytes").into_tuple().one(connection).await?;
    Ok((count, u64::try_from(bytes.flatten().unwrap_or(0)).unwrap_or(0)))
}

/// Up to `limit` live objects by id, after this one.
pub async fn live_after(
    connection: &impl ConnectionTrait,
    after: Uuid,
    limit: u64,
) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Id.gt(after))
        .order_by_asc(object::Column::Id)
        .limit(limit)
        .all(connection)
        .await
}

/// What became of one object at the primary of a rebuilt server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Homecoming {
    /// It was there.
    There,
    /// It was copied.
    Copied,
    /// No store has the bytes that the ledger knows.
    Missing,
}

/// Sees to it that the primary has the object, from the other store where it lacks it. Where that `is_replica` and not a store that
/// stands in for it, what is seen there counts too; else, and where the replica lacks it, the copy is ordered.
///
/// # Errors
/// A store does not answer, so that it is not known: it can be done again.
pub async fn bring_home(
    app: &App,
    object: &object::Model,
    roles: Roles,
    is_replica: bool,
) -> Result<Homecoming, JobError> {
    let (home, other) = (roles.primary, roles.replica());
    let (mut sights, mut found) = (Vec::new(), Homecoming::There);
    match look(app, object, home).await? {
        Some(sight) => sights.push((home, sight)),
        None => {
            if let Err(error) = copy_again(app, object, other, home, Condition::None).await {
                // Only a definite answer counts.
                if look(app, object, other).await?.is_some() {
                    return Err(error);
                }
                let missing = [(home, Sight::Missing)];
                app.db.transaction::<_, DbErr, _, _>(async |tx| note(app, &tx, object.id, &missing).await).await?;
                return Ok(Homecoming::Missing);
            }
            found = Homecoming::Copied;
        }
    }
    let seen = if is_replica { look(app, object, other).await? } else { None };
    let lacking = seen.is_none();
    sights.extend(seen.map(|sight| (other, sight)));
    app.db
        .transaction::<_, DbErr, _, _>(async |tx| {
            note(app, &tx, object.id, &sights).await?;
            if lacking {
                let key = format!("replicate:{}", object.id);
                enqueue_unique(app, &tx, &Replicate { object: object.id }, &key).await?;
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// `None`: the site has nothing that equals the ledger.
async fn look(app: &App, object: &object::Model, site: Site) -> Result<Option<Sight>, Fault> {
    let Some(meta) = app.stores.at(site).head(&object.key).await? else { return Ok(None) };
    let proof = match compare(object, None, &meta) {
        Equality::Equal(proof) => Some(proof),
        Equality::Differs => None,
        Equality::Unknown => {
            let hashed = hash_at(app, &object.key, site).await?;
            hashed.is_some_and(|(sha256, _)| sha256.as_slice() == object.sha256).then_some(Proof::Bytes)
        }
    };
    Ok(proof.map(|proof| Sight::Proven(Stored { etag: meta.etag, version_id: meta.version_id }, proof)))
}
