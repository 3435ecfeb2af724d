//! What people are told live: events, uploads, the ends of their log-ins.

mod log;
mod resume;
mod sessions;
mod uploads;

use base64::Engine as _;
use entity::Timestamp;
use sea_orm::DbErr;
use serde_json::{Value, json};
use snaphaven::{app::App, events, id::NodeKind};
use uuid::Uuid;

use crate::support::Person;

/// Appends so many events for a person, each in a transaction of its own.
async fn append(app: &App, person: &Person, count: usize) {
    let recipient = NodeKind::User.parse(&person.id).unwrap();
    for _ in 0..count {
        append_at(app, recipient, events::SNAP_RECEIVED, app.now()).await;
    }
}

async fn append_at(app: &App, recipient: Uuid, kind: &str, now: Timestamp) {
    let payload = json!({ "snap": Uuid::now_v7() });
    app.transaction::<_, DbErr, _, _>(async |tx| {
        events::append(&tx, recipient, kind, payload.clone(), now).await.map(drop)
    })
    .await
    .unwrap();
}

/// The place in a person's log that a cursor stands for.
fn seq(cursor: &Value) -> i64 {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor.as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn cursor(seq: i64) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(seq.to_string())
}

/// Where a person's log ends now.
async fn latest(person: &Person) -> Value {
    person.query("{ events(first: 0) { latestCursor } }", Value::Null).await["events"]["latestCursor"].clone()
}
