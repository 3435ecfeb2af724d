//! `events`: the server's event log, one JSON line an event.

use serde_json::json;

use super::{Failure, args::EventsArgs, print};
use crate::{app, clock::Clock, config::Config, db::Db, events};

/// Lines printed when not following.
const RECENT: i64 = 100;
const BATCH: u64 = 500;

pub async fn run(config: Config, args: EventsArgs) -> Result<(), Failure> {
    let fault = |error: &dyn std::fmt::Display| Failure::fault(error.to_string());
    app::prepare_data_dir(&config).map_err(|error| fault(&error))?;
    let db = Db::connect(&config.database, &config.data_dir, Clock::system()).await.map_err(|error| fault(&error))?;
    let last = events::last_seq(db.read(), events::SERVER_LOG).await.map_err(|error| fault(&error))?;
    let mut seq = (last - RECENT).max(0);
    loop {
        let batch = events::after(db.read(), events::SERVER_LOG, seq, BATCH).await.map_err(|error| fault(&error))?;
        for event in &batch {
            seq = event.seq;
            let line = json!({
                "seq": event.seq,
                "at": event.created_at.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
                "event": event.kind,
                "payload": event.payload,
            });
            print(&format!("{line}\n"))?;
        }
        if batch.is_empty() {
            if !args.follow {
                return Ok(());
            }
            tokio::time::sleep(config.jobs.poll_interval).await;
        }
    }
}
