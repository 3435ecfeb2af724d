//! Canaries: faults of four kinds, planted on objects made for that, which the verifier has to find by the same walk as any other. A
//! verifier that has gone blind finds nothing, and would say that all is well: so it is tried.

use std::time::Duration;

use entity::{
    object::{self, Reason, State},
    object_copy::{Proof, Site},
    replica_finding::{Kind, Outcome},
    replica_range,
};
use sea_orm::DbErr;
use tokio::time::{Instant, sleep};

use super::{
    Counters, RunError, jobs,
    ranges::Range,
    store::{self, Claimed},
    sweep,
};
use crate::{
    adapters::objects::{Body, Condition, PutObject, Stored, keys::ObjectKey, sha256},
    app::App,
    config::ReplicationMode,
    error::Fault,
    jobs::JobError,
    ledger::{self, NewObject, Roles, Sight},
};

/// How the keys of canaries begin, and what comes behind the last of them.
pub(super) const CANARIES: &str = "canary/";
const BEHIND: &str = "canary0";
/// Faults of a run.
pub(super) const PLANTED: i64 = 4;
const PAGE: u16 = 1000;
/// How long S3 may take to copy a canary, and between two looks whether it has.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);

/// A fault, and where it is.
struct Planted {
    key: String,
    kind: Kind,
}

/// Plants, looks, holds what was found against what was planted, and clears everything away. May begin anew.
pub(super) async fn run(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    clear(app).await?;
    app.transaction::<_, RunError, _, _>(async |tx| {
        store::hold(&tx, claimed).await?;
        store::forget_ranges(&tx, claimed.run.id).await?;
        let range = Range { after: CANARIES.to_owned(), upto: Some(BEHIND.to_owned()) };
        Ok(store::lay_ranges(&tx, claimed.run.id, vec![range]).await?)
    })
    .await?;
    let (missed, counters, error) = match plant(app).await {
        Ok(planted) => look(app, claimed, &planted).await?,
        Err(error) => (None, Counters::default(), Some(format!("the canaries could not be planted: {error}"))),
    };
    // What could not be tried says nothing of the verifier: as if nothing was planted.
    let (done, total) = missed.map_or((0, 0), |missed| (PLANTED - missed, PLANTED));
    clear(app).await?;
    app.transaction::<_, RunError, _, _>(async |tx| {
        let run = store::hold(&tx, claimed).await?;
        Ok(store::update(&tx, entity::replica_run::Model { done, total, ..run }).await?)
    })
    .await?;
    jobs::end(app, claimed, counters, error).await
}

/// How many were missed, where they could be looked for; what was counted, and what is wrong.
async fn look(
    app: &App,
    claimed: &Claimed,
    planted: &[Planted],
) -> Result<(Option<i64>, Counters, Option<String>), RunError> {
    sweep::run(app, claimed).await?;
    let ranges = store::ranges(app.db.read(), claimed.run.id).await?;
    let counters = store::sum(&ranges);
    if let Some(range) = ranges.iter().find(|range| range.state == replica_range::State::Unreadable) {
        let why = range.error.as_deref().unwrap_or("no reason was kept");
        return Ok((None, counters, Some(format!("the canaries could not be looked for: {why}"))));
    }
    let findings = store::of_canaries(app.db.read()).await?;
    let found = |planted: &&Planted| {
        let of = |kind: Kind| findings.iter().any(|finding| finding.key == planted.key && finding.kind == kind);
        // S3 copies the fault too, sooner or later.
        of(planted.kind) || app.config.objects.replication == ReplicationMode::S3Crr && of(Kind::Lost)
    };
    let missed: Vec<&str> = planted.iter().filter(|one| !found(one)).map(|one| one.kind.as_str()).collect();
    let error = (!missed.is_empty()).then(|| format!("it did not find what was planted: {}", missed.join(", ")));
    Ok((Some(i64::try_from(missed.len()).unwrap_or(PLANTED)), counters, error))
}

async fn plant(app: &App) -> Result<Vec<Planted>, JobError> {
    let roles = ledger::roles(app.db.read()).await?;
    let mut planted = Vec::new();
    for kind in [Kind::MissingInReplica, Kind::StaleInReplica, Kind::CorruptInPrimary] {
        let object = make(app, roles).await?;
        match kind {
            Kind::MissingInReplica => app.stores.at(roles.replica()).delete(&object.key).await?,
            Kind::StaleInReplica => put(app, roles.replica(), &object.key, "somewhat stale").await?,
            _ => put(app, roles.primary, &object.key, "something else").await?,
        }
        planted.push(Planted { key: object.key, kind });
    }
    let stray = ObjectKey::new(object::Kind::Canary).to_string();
    put(app, roles.primary, &stray, "nobody's bytes").await?;
    planted.push(Planted { key: stray, kind: Kind::OrphanInPrimary });
    Ok(planted)
}

/// A canary that is whole at both sites.
async fn make(app: &App, roles: Roles) -> Result<object::Model, JobError> {
    // As long as what is planted over it.
    let text = b"canary's bytes";
    let new = NewObject {
        kind: object::Kind::Canary,
        bytes: text.len() as u64,
        sha256: sha256(text),
        content_type: "text/plain".to_owned(),
        user_id: None,
        file_id: None,
    };
    let written = ledger::write(app, new, Body::Memory(text.as_slice().into())).await?;
    let live = app.transaction::<_, Fault, _, _>(async |tx| Ok(ledger::make_live(app, &tx, &written).await?)).await;
    if !matches!(live, Ok(true)) {
        ledger::give_up(app, &written).await;
        live?;
        return Err(JobError::Retry("the primary changed".to_owned()));
    }
    let object = written.object;
    match app.config.objects.replication {
        ReplicationMode::Managed => {
            ledger::copy_again(app, &object, roles.primary, roles.replica(), Condition::None).await?;
        }
        ReplicationMode::S3Crr => {
            let seen = arrival(app, &object.key, roles.replica()).await?;
            let seen = [(roles.replica(), Sight::Proven(seen, Proof::Bytes))];
            app.db.transaction::<_, DbErr, _, _>(async |tx| ledger::note(app, &tx, object.id, &seen).await).await?;
        }
    }
    Ok(object)
}

/// Waits until S3 has copied it.
async fn arrival(app: &App, key: &str, site: Site) -> Result<Stored, JobError> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some((_, meta)) = ledger::hash_at(app, key, site).await? {
            return Ok(Stored { etag: meta.etag, version_id: meta.version_id });
        }
        if Instant::now() > end {
            return Err(JobError::Retry(format!("S3 has not copied one within {} s", PATIENCE.as_secs())));
        }
        sleep(LOOK).await;
    }
}

async fn put(app: &App, site: Site, key: &str, text: &'static str) -> Result<(), JobError> {
    let put = PutObject {
        key: key.to_owned(),
        body: Body::Memory(text.as_bytes().into()),
        bytes: text.len() as u64,
        sha256: sha256(text.as_bytes()),
        content_type: "text/plain".to_owned(),
        condition: Condition::None,
    };
    app.stores.at(site).put(put, app.config.objects.write_timeout).await?;
    Ok(())
}

/// Whatever there is of canaries, also of a run that was cut off: their objects are erased as all are, what the ledger does not know
/// is deleted, and the findings are over.
async fn clear(app: &App) -> Result<(), RunError> {
    app.transaction::<_, DbErr, _, _>(async |tx| {
        let live = ledger::of_kind(&tx, object::Kind::Canary).await?;
        let ids: Vec<_> = live.iter().map(|object| object.id).collect();
        ledger::doom(app, &tx, &ids, None, Reason::Superseded).await?;
        let now = app.db.now(&tx).await?;
        for finding in store::of_canaries(&tx).await? {
            store::resolve(&tx, finding.id, Outcome::Changed, now).await?;
        }
        Ok(())
    })
    .await?;
    for site in Site::ALL {
        let (store, mut after) = (app.stores.at(site), None::<String>);
        loop {
            // What cannot be cleared now is cleared by the next run.
            let Ok(page) = store.list(CANARIES, after.as_deref(), PAGE).await else { break };
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for listed in page {
                let known = ledger::by_key(app, &listed.key).await?;
                if known.is_none_or(|object| object.state == State::Erased)
                    && let Err(error) = store.delete(&listed.key).await
                {
                    tracing::info!(%error, "a canary is left to the next run");
                }
            }
        }
    }
    Ok(())
}
