//! Orphans: bytes under a key that the ledger does not know. They may be all that is left of something, so they are put away under
//! a key of the ledger's, at both sites, before the key they were found under is freed; never deleted unseen.

use entity::{
    object::Kind,
    object_copy::Site,
    replica_finding::{self, Outcome},
};
use humantime_serde::re::humantime::format_duration;
use sea_orm::DbErr;

use super::{judge::Found, repair::Turn};
use crate::{
    adapters::objects::{Body, ObjectMeta, Presence, Sha256},
    app::App,
    jobs::JobError,
    ledger::{self, NewObject},
};

/// Larger ones are for a person: they would have to go through this server's disk.
const LARGEST: u64 = 5 << 30;

pub(super) async fn put_away(app: &App, finding: &replica_finding::Model, found: &Found) -> Result<Turn, JobError> {
    let now = app.db.now(app.db.read()).await?;
    let grace = app.config.replication.orphan_grace;
    if finding.sightings < 2 || now.since(finding.first_seen_at) < grace {
        let told = format!("an orphan is put away once it was seen twice and for {}", format_duration(grace));
        return Ok(Turn::Left(told));
    }
    let mut kept = Vec::new();
    for (site, meta) in Site::ALL.into_iter().zip(&found.metas) {
        let presence = app.stores.at(site).look(&found.key).await?;
        match (presence, meta) {
            (Presence::Gone, _) => {}
            // More than what a GET shows: nobody has looked at the rest.
            (Presence::Present { versions: 1, markers: 0, uploads: 0 }, Some(meta)) if meta.bytes <= LARGEST => {
                keep(app, site, found, meta, &mut kept).await?;
            }
            (Presence::Present { versions, markers, uploads }, _) => {
                let told =
                    format!("{versions} versions, {markers} markers and {uploads} uploads, or too large: for a person");
                return Ok(Turn::Left(told));
            }
        }
    }
    for (site, meta) in Site::ALL.into_iter().zip(&found.metas) {
        if let Some(meta) = meta {
            let still = app.stores.at(site).head(&found.key).await?;
            if still.as_ref().is_some_and(|still| still.etag != meta.etag) {
                return Ok(Turn::Again("it changed while it was put away".to_owned()));
            }
            app.stores.at(site).delete(&found.key).await?;
        }
    }
    Ok(Turn::Over(Outcome::Quarantined))
}

/// One site's bytes, under a key of the ledger's.
async fn keep(app: &App, site: Site, found: &Found, meta: &ObjectMeta, kept: &mut Vec<Sha256>) -> Result<(), JobError> {
    let Some((path, sha256, bytes)) = ledger::spool_key(app, &found.key, site).await? else { return Ok(()) };
    if kept.contains(&sha256) {
        return Ok(());
    }
    kept.push(sha256);
    let new = NewObject {
        kind: Kind::Quarantine,
        bytes,
        sha256,
        content_type: meta.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        user_id: None,
        file_id: None,
    };
    let written = ledger::write(app, new, Body::File(path.to_path_buf())).await?;
    let live = app.transaction::<_, DbErr, _, _>(async |tx| ledger::make_live(app, &tx, &written).await).await;
    match live {
        Ok(true) => {
            tracing::warn!(key = %found.key, site = site.as_str(), kept = %written.object.key, "an orphan was put away");
            Ok(())
        }
        Ok(false) => Err(JobError::Retry("the primary changed meanwhile".to_owned())),
        Err(error) => {
            ledger::give_up(app, &written).await;
            Err(error.into())
        }
    }
}
