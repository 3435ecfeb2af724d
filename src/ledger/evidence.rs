//! What stores show of a copy, held against the ledger: the rule of equality, the deep read, and the cursor that the verifier
//! walks with.

use entity::{
    Timestamp, object,
    object::{Kind, State},
    object_copy,
    object_copy::{Proof, Site},
};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef,
    sea_query::{Alias, Expr, Order, Query},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{Roles, jobs::drain, store};
use crate::{
    adapters::objects::{ObjectMeta, Sha256, Stored},
    app::App,
    db::{self, Tx},
    error::Fault,
};

/// Whether a copy is what the ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equality {
    Equal(Proof),
    Differs,
    /// What the store tells without being read decides nothing.
    Unknown,
}

/// A copy against the ledger, by what a HEAD shows. `known`: the ETag under which this very copy was proven before.
#[must_use]
pub fn compare(object: &object::Model, known: Option<&str>, meta: &ObjectMeta) -> Equality {
    if i64::try_from(meta.bytes) != Ok(object.bytes) {
        return Equality::Differs;
    }
    match (&meta.sha256, known) {
        (Some(sha256), _) if sha256.as_slice() == object.sha256 => Equality::Equal(Proof::Checksum),
        (Some(_), _) => Equality::Differs,
        // The same site's own word, so neither encryption nor the layout of parts plays a role.
        (None, Some(etag)) if etag == meta.etag => Equality::Equal(Proof::Etag),
        (None, _) => Equality::Unknown,
    }
}

/// A copy against another that equals the ledger. ETags are compared only where both are digests of the bytes or of the same
/// parts: never under SSE-KMS or SSE-C, and a multipart ETag (`…-5`) has its number of parts in it.
#[must_use]
pub fn compare_pair(proven: &ObjectMeta, copy: &ObjectMeta) -> Equality {
    if proven.bytes != copy.bytes {
        return Equality::Differs;
    }
    if let (Some(one), Some(other)) = (&proven.crc64nvme, &copy.crc64nvme) {
        return if one == other { Equality::Equal(Proof::Checksum) } else { Equality::Differs };
    }
    if !proven.sealed && !copy.sealed && !proven.etag.is_empty() && proven.etag == copy.etag {
        return Equality::Equal(Proof::Etag);
    }
    Equality::Unknown
}

/// Reads and hashes the copy at a site. `None`: there is none.
pub async fn hash_at(app: &App, key: &str, site: Site) -> Result<Option<(Sha256, ObjectMeta)>, Fault> {
    let Some(found) = app.stores.at(site).get(key, None).await? else { return Ok(None) };
    let meta = found.meta.clone();
    Ok(Some((drain(found, &mut tokio::io::sink()).await?, meta)))
}

/// One line of the ledger, as the verifier's cursor reads it: fields in the order that [`entries`] selects them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    pub key: String,
    pub state: State,
    pub bytes: i64,
    pub created_at: Timestamp,
    pub keep_until: Option<Timestamp>,
    pub live_at: Option<Timestamp>,
    pub requested_at: Option<Timestamp>,
    /// By [`Site::ALL`].
    pub copies: [Mark; 2],
}

/// What the ledger holds of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Mark {
    pub state: object_copy::State,
    pub etag: Option<String>,
    pub proof: Option<Proof>,
    pub verified_at: Option<Timestamp>,
}

impl Entry {
    #[must_use]
    pub fn at(&self, site: Site) -> &Mark {
        match site {
            Site::First => &self.copies[0],
            Site::Second => &self.copies[1],
        }
    }
}

/// The next `limit` entries with `after < key ≤ upto` that are not erased, by key.
pub async fn entries(
    connection: &impl ConnectionTrait,
    after: &str,
    upto: Option<&str>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    use object::Column as Of;
    let of = |column: Of| Expr::col((object::Entity, column));
    let mut select = Query::select()
        .from(object::Entity)
        .and_where(of(Of::Key).gt(after))
        // Not by a list of the others: a planner without statistics would go by the states, and sort them all.
        .and_where(of(Of::State).ne(State::Erased.to_value()))
        .order_by((object::Entity, Of::Key), Order::Asc)
        .limit(limit)
        .take();
    if let Some(upto) = upto {
        select.and_where(of(Of::Key).lte(upto));
    }
    let copies = Site::ALL.map(|site| {
        use object_copy::Column as To;
        let copy = Alias::new(format!("{}_copy", site.as_str()));
        let to = |column: To| Expr::col((copy.clone(), column));
        let on = to(To::ObjectId).equals((object::Entity, Of::Id)).and(to(To::Site).eq(site.to_value()));
        // From the left: each object has both copies, and a planner without statistics must not begin with those.
        select.join_as(JoinType::LeftJoin, object_copy::Entity, copy.clone(), on);
        db::json_array(connection, [To::State, To::Etag, To::Proof, To::VerifiedAt].map(to))
    });
    let of_object = [Of::Key, Of::State, Of::Bytes, Of::CreatedAt, Of::KeepUntil, Of::LiveAt, Of::RequestedAt].map(of);
    let line = of_object.into_iter().chain([db::json_array(connection, copies)]);
    let mut entries: Vec<Entry> = db::all_json(connection, select, db::json_array(connection, line)).await?;
    entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(entries)
}

/// How many objects of each kind are not erased, by the kind's name: the order of their keys.
pub async fn census(connection: &impl ConnectionTrait) -> Result<Vec<(Kind, u64)>, DbErr> {
    let mut counts: Vec<(Kind, i64)> = object::Entity::find()
        .select_only()
        .column(object::Column::Kind)
        .column_as(object::Column::Id.count(), "objects")
        .filter(object::Column::State.is_in([State::Pending, State::Live, State::Deleting]))
        .group_by(object::Column::Kind)
        .into_tuple()
        .all(connection)
        .await?;
    counts.sort_by_key(|(kind, _)| kind.as_str());
    Ok(counts.into_iter().map(|(kind, count)| (kind, u64::try_from(count).unwrap_or(0))).collect())
}

/// What a look at a copy of a live object has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    Proven(Stored, Proof),
    Missing,
    /// At the replica: something else than the ledger has.
    Stale,
    /// At the primary.
    Corrupt,
}

/// Writes down what was seen of a live object's copies. Of one that is no longer live nothing changes.
pub async fn note(app: &App, tx: &Tx, object: Uuid, seen: &[(Site, Sight)]) -> Result<(), DbErr> {
    if store::lock(tx, object).await?.is_none_or(|object| object.state != State::Live) {
        return Ok(());
    }
    let now = app.db.now(tx).await?;
    for (site, sight) in seen {
        match sight {
            Sight::Proven(stored, proof) => store::set_verified(tx, object, *site, stored, *proof, now).await?,
            Sight::Missing => store::set_fault(tx, object, *site, object_copy::State::Missing).await?,
            Sight::Stale => store::set_fault(tx, object, *site, object_copy::State::Stale).await?,
            Sight::Corrupt => store::set_fault(tx, object, *site, object_copy::State::Corrupt).await?,
        }
    }
    Ok(())
}

fn object_of_copy() -> RelationDef {
    object_copy::Entity::belongs_to(object::Entity).from(object_copy::Column::ObjectId).to(object::Column::Id).into()
}

/// Live objects with a copy whose last proof is older than `before`, the oldest proof first; one may come twice.
pub async fn oldest_proofs(
    connection: &impl ConnectionTrait,
    before: Timestamp,
    limit: u64,
) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        .join_rev(JoinType::InnerJoin, object_of_copy())
        .filter(object_copy::Column::State.eq(object_copy::State::Verified))
        .filter(object_copy::Column::VerifiedAt.lt(before))
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Kind.ne(Kind::Canary))
        .order_by_asc(object_copy::Column::VerifiedAt)
        .limit(limit)
        .all(connection)
        .await
}

/// Live objects of a kind, up to `limit` behind `after` by id, whose bytes the verifier found at no site.
pub async fn lost(
    connection: &impl ConnectionTrait,
    kind: Kind,
    after: Uuid,
    limit: u64,
) -> Result<Vec<object::Model>, DbErr> {
    use object_copy::State::{Corrupt, Missing, Stale};
    let mut select = object::Entity::find()
        .filter(object::Column::Kind.eq(kind))
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Id.gt(after))
        .order_by_asc(object::Column::Id)
        .limit(limit);
    for site in Site::ALL {
        let without = object_copy::Entity::find()
            .select_only()
            .column(object_copy::Column::ObjectId)
            .filter(object_copy::Column::Site.eq(site))
            .filter(object_copy::Column::State.is_in([Missing, Stale, Corrupt]));
        select = select.filter(object::Column::Id.in_subquery(without.into_query()));
    }
    select.all(connection).await
}

/// What waits for its copy at the replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub objects: u64,
    pub bytes: u64,
    /// When the oldest of them became live.
    pub oldest: Option<Timestamp>,
}

/// Live objects that have never been seen at the replica.
pub async fn backlog(connection: &impl ConnectionTrait, roles: Roles) -> Result<Backlog, DbErr> {
    let row: Option<(i64, Option<i64>, Option<Timestamp>)> = object_copy::Entity::find()
        .select_only()
        .column_as(object::Column::Id.count(), "objects")
        .column_as(db::sum(connection, "object.bytes"), "bytes")
        .column_as(object::Column::LiveAt.min(), "oldest")
        .join(JoinType::InnerJoin, object_of_copy())
        .filter(object_copy::Column::State.eq(object_copy::State::Awaiting))
        .filter(object_copy::Column::Site.eq(roles.replica()))
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Kind.ne(Kind::Canary))
        .into_tuple()
        .one(connection)
        .await?;
    let Some((objects, bytes, oldest)) = row else { return Ok(Backlog::default()) };
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Backlog { objects: number(objects), bytes: number(bytes.unwrap_or(0)), oldest })
}

/// How long copies took from live to proven at the replica, in microseconds, ascending: those that arrived since, the newest
/// `most` of them.
pub async fn lags(
    connection: &impl ConnectionTrait,
    roles: Roles,
    since: Timestamp,
    most: u64,
) -> Result<Vec<i64>, DbErr> {
    let times: Vec<(Timestamp, Option<Timestamp>)> = object_copy::Entity::find()
        .select_only()
        .column(object_copy::Column::ArrivedAt)
        .column(object::Column::LiveAt)
        .join(JoinType::InnerJoin, object_of_copy())
        .filter(object_copy::Column::Site.eq(roles.replica()))
        .filter(object_copy::Column::ArrivedAt.gte(since))
        .filter(object::Column::Kind.ne(Kind::Canary))
        .order_by_desc(object_copy::Column::ArrivedAt)
        .limit(most)
        .into_tuple()
        .all(connection)
        .await?;
    let lag =
        |(arrived, live): (Timestamp, Option<Timestamp>)| Some(arrived.0.saturating_sub(live?.0).clamp(0, i64::MAX));
    let mut lags: Vec<i64> = times.into_iter().filter_map(lag).collect();
    lags.sort_unstable();
    Ok(lags)
}

/// What is lost where the primary is lost now: live objects without a proven copy at the replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    pub objects: u64,
    pub files: u64,
    pub people: u64,
}

pub async fn exposure(connection: &impl ConnectionTrait, roles: Roles) -> Result<Exposure, DbErr> {
    use object_copy::State::{Awaiting, Corrupt, Lagging, Missing, Stale};
    let row: Option<(i64, i64, i64)> = object_copy::Entity::find()
        .select_only()
        .column_as(object::Column::Id.count(), "objects")
        .column_as(Expr::cust("COUNT(DISTINCT object.file_id)"), "files")
        .column_as(Expr::cust("COUNT(DISTINCT object.user_id)"), "people")
        .join(JoinType::InnerJoin, object_of_copy())
        .filter(object_copy::Column::State.is_in([Awaiting, Lagging, Missing, Stale, Corrupt]))
        .filter(object_copy::Column::Site.eq(roles.replica()))
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Kind.ne(Kind::Canary))
        .into_tuple()
        .one(connection)
        .await?;
    let (objects, files, people) = row.unwrap_or_default();
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Exposure { objects: number(objects), files: number(files), people: number(people) })
}
