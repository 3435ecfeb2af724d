//! Copies of live objects: the same bytes under a key of their own.

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Begun, NewObject, State, Written, abandon, begin,
    staging::{copy_timeout, read_back},
    store,
};
use crate::{
    adapters::objects::{CopyObject, keys::ObjectKey},
    app::App,
    error::Fault,
};

/// Copies a live object within the primary to a new one of the same bytes, and reads the copy back: what is written is
/// what was hashed there. As with [`super::write`], [`super::make_live`] or [`super::give_up`] comes next.
pub async fn duplicate(app: &App, source: Uuid, new: NewObject) -> Result<Written, Fault> {
    let started = Instant::now();
    let timeout = copy_timeout(app, new.bytes);
    let key = ObjectKey::new(new.kind);
    let begun = app
        .db
        .transaction::<_, Fault, _, _>(async |tx| {
            let source = store::find(&tx, source).await?.filter(|source| source.state == State::Live);
            let Some(source) = source else { return Ok(None) };
            // Reading it back takes its time too.
            let begun = begin(app, &tx, key, &new, timeout, Some(timeout * 2)).await?;
            Ok(Some((source, begun)))
        })
        .await?;
    let Some((source, Begun { object, roles, intent })) = begun else {
        return Err(Fault::Internal("the object is not live".to_owned()));
    };
    let copy = CopyObject {
        from: source.key,
        to: object.key.clone(),
        bytes: new.bytes,
        content_type: new.content_type.clone(),
    };
    let stored = match app.stores.at(roles.primary).copy(copy, timeout.saturating_sub(started.elapsed())).await {
        Ok(stored) => stored,
        Err(error) => {
            abandon(app, object.id, error.is_definite().then_some(intent)).await;
            return Err(error.into());
        }
    };
    let written = Written { object, roles, intent, stored, proof: super::Proof::Bytes };
    match is_same(app, &written, &new).await {
        Ok(true) => Ok(written),
        Ok(false) => {
            super::give_up(app, &written).await;
            Err(Fault::Busy(format!("the copy of {} is not like it", written.object.key)))
        }
        Err(fault) => {
            super::give_up(app, &written).await;
            Err(fault)
        }
    }
}

async fn is_same(app: &App, written: &Written, new: &NewObject) -> Result<bool, Fault> {
    let Some(mut reading) = read_back(app, written, u64::MAX).await? else { return Ok(false) };
    while reading.next().await?.is_some() {}
    let reading = reading.finish().await?;
    Ok(reading.bytes == new.bytes && reading.sha256 == new.sha256)
}
