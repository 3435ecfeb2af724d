//! How the readers of one process learn of what other processes have committed: Postgres tells, SQLite and MariaDB are
//! asked. Either is only a hint; readers look for themselves.

use std::{collections::HashMap, time::Duration};

use entity::event_counter;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{app::App, db::Listener};

/// Of NOTIFY; the payload is the recipient.
pub(super) const CHANNEL: &str = "snaphaven_events";

/// Before a lost connection is looked for again.
const PAUSE: Duration = Duration::from_millis(500);
/// Recipients of one question.
const BATCH: usize = 1000;

/// Wakes this process's readers, until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    stop.run_until_cancelled(async {
        loop {
            match app.db.listen(CHANNEL).await {
                Ok(Some(listener)) => hear(&app, listener).await,
                Ok(None) => poll(&app).await,
                Err(error) => tracing::warn!(%error, "events of other processes are not heard of"),
            }
            sleep(PAUSE).await;
        }
    })
    .await;
}

/// Until the connection is lost.
async fn hear(app: &App, mut listener: Listener) {
    // Of what was committed before, nobody may have told.
    app.db.bell().ring_all();
    loop {
        match listener.next().await {
            Ok(payload) => {
                if let Ok(recipient) = payload.parse() {
                    app.db.bell().ring(recipient);
                }
            }
            Err(error) => return tracing::warn!(%error, "events of other processes are not heard of"),
        }
    }
}

/// Asks while somebody reads, and only about those who do.
async fn poll(app: &App) {
    let bell = app.db.bell();
    let mut seen = HashMap::new();
    loop {
        let recipients = bell.names();
        if recipients.is_empty() {
            seen.clear();
            bell.arrival().await;
            continue;
        }
        match counters(app, &recipients).await {
            Ok(counters) => {
                for (recipient, seq) in &counters {
                    if seen.get(recipient) != Some(seq) {
                        bell.ring(*recipient);
                    }
                }
                seen = counters;
            }
            Err(error) => tracing::debug!(%error, "cannot look for events"),
        }
        sleep(app.config.events.poll_interval).await;
    }
}

async fn counters(app: &App, recipients: &[Uuid]) -> Result<HashMap<Uuid, i64>, DbErr> {
    let mut counters = HashMap::with_capacity(recipients.len());
    for some in recipients.chunks(BATCH) {
        let rows: Vec<(Uuid, i64)> = event_counter::Entity::find()
            .select_only()
            .columns([event_counter::Column::Recipient, event_counter::Column::Seq])
            .filter(event_counter::Column::Recipient.is_in(some.iter().copied()))
            .into_tuple()
            .all(app.db.read())
            .await?;
        counters.extend(rows);
    }
    Ok(counters)
}
