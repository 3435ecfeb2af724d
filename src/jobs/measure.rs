//! The queue as metrics, worked out at each scrape.

use std::time::Duration;

use entity::job::Lane;
use sea_orm::{ActiveEnum as _, DbErr, Iterable as _};

use super::store;
use crate::app::App;

/// Sets, for each lane, how long what is due longest has waited for a worker: 0 where nothing waits, NaN where the queue cannot
/// be read within `limit`.
pub async fn measure(app: &App, limit: Duration) {
    let oldest = tokio::time::timeout(limit, oldest(app)).await;
    if let Ok(Err(error)) = &oldest {
        tracing::warn!(%error, "the queue cannot be measured");
    }
    for lane in Lane::iter() {
        let waited = match &oldest {
            Ok(Ok(waited)) => waited.iter().find(|(of, _)| *of == lane).map_or(0.0, |(_, waited)| waited.as_secs_f64()),
            _ => f64::NAN,
        };
        metrics::gauge!("snaphaven_jobs_oldest_due_seconds", "lane" => lane.to_value()).set(waited);
    }
}

async fn oldest(app: &App) -> Result<Vec<(Lane, Duration)>, DbErr> {
    let now = app.db.now(app.db.read()).await?;
    let first = store::waiting(&app.db, now, Lane::iter().map(|lane| (lane, 1))).await?;
    Ok(first.iter().filter(|job| job.run_at <= now).map(|job| (job.lane, now.since(job.run_at))).collect())
}
