//! Checkpoints as the two buckets hold them, against those of the database.

use std::collections::{HashMap, HashSet};

use entity::{
    audit_checkpoint,
    object::{self, Kind, State},
    object_copy::{self, Site},
};
use futures::TryStreamExt as _;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    checkpoint,
    key::PublicKey,
    verify::{Claims, Report},
};
use crate::{
    adapters::objects::{ObjectStore, keys::ObjectKey},
    app::Stores,
    error::Fault,
};

const PAGE: u16 = 1000;
/// No checkpoint is nearly as long.
const LONGEST: usize = 16 * 1024;

/// Reads every checkpoint at both sites: it has to be what the database has, byte for byte. What the database does not
/// have counts too, where it is signed: that is how a log is found out that was rewritten with all of its checkpoints.
pub(super) async fn compare(
    connection: &impl ConnectionTrait,
    stores: &Stores,
    keys: &[PublicKey],
    documents: &HashMap<Uuid, Vec<u8>>,
    report: &mut Report,
    claims: &mut Claims,
) -> Result<(), Fault> {
    let mut copies = [0; 2];
    for (site, count) in Site::ALL.into_iter().zip(&mut copies) {
        let store = stores.at(site).as_ref();
        let (mut seen, mut after) = (HashSet::new(), None::<String>);
        loop {
            let page = store.list(&format!("{}/", Kind::Checkpoint), after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for listed in page {
                let Some(found) = fetch(store, &listed.key).await? else { continue };
                let place = format!("{} in bucket {}", listed.key, store.bucket());
                let id = listed.key.parse::<ObjectKey>().ok().map(|key| key.id);
                seen.extend(id);
                *count += 1;
                let known = id.and_then(|id| documents.get(&id));
                if known.is_some_and(|document| *document == found) {
                    continue;
                }
                let signed = checkpoint::read(&found, keys);
                let what = match &signed {
                    _ if known.is_some() => Some("is not what the database has of it"),
                    Ok(_) if is_under_way(connection, id).await? => None,
                    Ok(_) => Some("is signed, and the database has no such checkpoint"),
                    Err(what) => Some(what.as_str()),
                };
                report.findings.extend(what.map(|what| format!("{place} {what}")));
                if let Ok(statement) = &signed {
                    claims.add(statement, place);
                }
            }
        }
        for id in documents.keys().filter(|id| !seen.contains(*id)) {
            if is_awaited(connection, *id, site).await? {
                report.awaited += 1;
            } else {
                let key = ObjectKey { kind: Kind::Checkpoint, id: *id };
                report.findings.push(format!("{key} is missing in bucket {}", store.bucket()));
            }
        }
    }
    report.copies = Some(copies);
    Ok(())
}

/// The object's bytes, or the beginning of such as are too many. `None`: deleted since it was listed.
async fn fetch(store: &dyn ObjectStore, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    let Some(object) = store.get(key, None).await? else { return Ok(None) };
    let (mut bytes, mut body) = (Vec::new(), object.body);
    while bytes.len() < LONGEST
        && let Some(chunk) = body.try_next().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Whether an object without a checkpoint is one that is just being written, or a write that was never finished.
async fn is_under_way(connection: &impl ConnectionTrait, id: Option<Uuid>) -> Result<bool, DbErr> {
    let Some(id) = id else { return Ok(false) };
    let of_object = audit_checkpoint::Column::ObjectId.eq(id);
    // Looked for again: it may be younger than the list that it is not in.
    if audit_checkpoint::Entity::find().filter(of_object).one(connection).await?.is_some() {
        return Ok(true);
    }
    let object = object::Entity::find_by_id(id).one(connection).await?;
    Ok(object.is_some_and(|object| object.live_at.is_none() && object.state != State::Live))
}

/// Whether the copy is still to be brought to this site.
async fn is_awaited(connection: &impl ConnectionTrait, object: Uuid, site: Site) -> Result<bool, DbErr> {
    let copy = object_copy::Entity::find_by_id((object, site)).one(connection).await?;
    Ok(copy.is_some_and(|copy| copy.state == object_copy::State::Awaiting))
}
