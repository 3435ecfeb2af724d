//! The consumer of S3's notifications: a line in the event log for each new file, and the end of uploads whose clients
//! never came back. A notification is a hint, which may come late, twice or from anybody who may write to the queue:
//! what is done about it the ledger and S3 itself decide. What the server writes on its own account sets nothing off.

use std::{sync::Arc, time::Duration};

use entity::{object, object::Kind, object_copy::Site};
use futures::{StreamExt as _, stream};
use sea_orm::DbErr;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    adapters::object_events::{Message, ObjectCreated, ObjectEvents, parse},
    app::App,
    error::Fault,
    events,
    files::direct,
    ledger,
};

/// Between two attempts while the queue, the database or S3 is away: doubles from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Messages handled at once: requests want connections too.
const AT_ONCE: usize = 4;

/// Takes in what the queue brings, until `shutdown`.
pub async fn run(app: App, queue: Arc<dyn ObjectEvents>, shutdown: CancellationToken) {
    let mut pause: Option<Duration> = None;
    loop {
        let received = tokio::select! {
            () = shutdown.cancelled() => return,
            received = queue.receive() => received,
        };
        let outcome = match received {
            Ok(messages) => handle_all(&app, &*queue, messages).await,
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(()) if pause.take().is_some() => tracing::info!("notifications of new objects are taken in again"),
            Ok(()) => {}
            Err(error) => {
                let next = pause.map_or(PAUSES.0, |before| PAUSES.1.min(2 * before));
                if pause.replace(next).is_none() {
                    tracing::warn!(%error, "notifications of new objects cannot be taken in; they wait in the queue");
                } else {
                    tracing::debug!(%error, ?next, "notifications of new objects still cannot be taken in");
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = sleep(next) => {}
                }
            }
        }
    }
}

/// Why messages stay in the queue.
type Waiting = Box<dyn std::error::Error + Send + Sync>;

/// Those that were handled go, whatever happened to the others.
async fn handle_all(app: &App, queue: &dyn ObjectEvents, messages: Vec<Message>) -> Result<(), Waiting> {
    let outcomes = stream::iter(messages).map(async |message| (handle(app, &message).await, message));
    let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
    let (mut handled, mut failure) = (Vec::with_capacity(outcomes.len()), None);
    for (outcome, message) in outcomes {
        match outcome {
            Ok(()) => handled.push(message),
            Err(fault) => failure = Some(fault),
        }
    }
    queue.acknowledge(&handled).await?;
    failure.map_or(Ok(()), |fault| Err(fault.into()))
}

async fn handle(app: &App, message: &Message) -> Result<(), Fault> {
    match parse(&message.body) {
        Ok(news) => {
            for created in &news {
                take_in(app, created).await?;
            }
            Ok(())
        }
        // It will not be readable next time either, and nothing is lost: uploads are looked after without notifications.
        Err(error) => {
            tracing::warn!(message = %message.id, %error, "an unreadable message was taken out of the queue");
            Ok(())
        }
    }
}

async fn take_in(app: &App, created: &ObjectCreated) -> Result<(), Fault> {
    let ObjectCreated { bucket, key, .. } = created;
    let site = Site::ALL.into_iter().find(|site| app.stores.at(*site).bucket() == bucket);
    let object = ledger::by_key(app, key).await?;
    let (Some(site), Some(object)) = (site, object) else {
        tracing::debug!(bucket, key, "a notification tells of an object that is not ours");
        return Ok(());
    };
    match object.kind {
        Kind::Original => announce(app, site, &object, created).await,
        Kind::Staging => direct::joined(app, &object).await,
        Kind::Rendition | Kind::Snap | Kind::Canary | Kind::Quarantine | Kind::Checkpoint | Kind::Manifest => Ok(()),
    }
}

/// Writes the event, once: a key is written once, so any further notification of it is a repeat.
async fn announce(app: &App, site: Site, object: &object::Model, created: &ObjectCreated) -> Result<(), Fault> {
    let payload = json!({
        "message": "new file uploaded", "key": created.key, "bucket": created.bucket, "size": created.size,
    });
    app.db
        .transaction::<_, DbErr, _, _>(async |tx| {
            // At the other site it is a copy, and no news.
            if ledger::roles(&tx).await?.primary != site || !ledger::note_notified(app, &tx, object.id).await? {
                return Ok(());
            }
            events::append(&tx, events::SERVER_LOG, "object.created", payload.clone(), app.db.now(&tx).await?).await?;
            Ok(())
        })
        .await?;
    Ok(())
}
