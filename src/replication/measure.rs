//! The state as metrics: worked out at each scrape, so that backlog and ages are those of the moment.

use std::time::Duration;

use entity::{object_copy::Site, replica_finding::Kind};
use sea_orm::Iterable as _;

use super::{Health, Status, status};
use crate::{app::App, error::Fault, viewer::Viewer};

/// Sets the gauges of the replication. Where the state cannot be read within `limit` it is INCONCLUSIVE, whatever it was before.
pub async fn measure(app: &App, limit: Duration) {
    let status = tokio::time::timeout(limit, status::status(app, &Viewer::System("metrics"))).await;
    match status.unwrap_or_else(|_| Err(Fault::Busy(format!("no answer within {} s", limit.as_secs())))) {
        Ok(status) => tell(&status),
        Err(error) => {
            tracing::warn!(%error, "the replication cannot be measured");
            state(Health::Inconclusive);
        }
    }
}

/// One gauge for each state, 1 where it is this one.
fn state(now: Health) {
    for health in [Health::Healthy, Health::Lagging, Health::Drifted, Health::Inconclusive, Health::Down] {
        let value = if health == now { 1.0 } else { 0.0 };
        metrics::gauge!("snaphaven_replication_state", "state" => health.as_str()).set(value);
    }
}

fn tell(status: &Status) {
    state(status.health);
    metrics::gauge!("snaphaven_replication_backlog_objects").set(status.backlog.objects as f64);
    metrics::gauge!("snaphaven_replication_backlog_bytes").set(status.backlog.bytes as f64);
    metrics::gauge!("snaphaven_replication_backlog_age_seconds")
        .set(status.oldest.map_or(0.0, |oldest| oldest.as_secs_f64()));
    for (quantile, lag) in [
        ("0.5", status.lag.map(|lag| lag.p50)),
        ("0.95", status.lag.map(|lag| lag.p95)),
        ("0.99", status.lag.map(|lag| lag.p99)),
        ("1", status.lag.map(|lag| lag.max)),
    ] {
        let seconds = lag.map_or(f64::NAN, |lag| lag.as_secs_f64());
        metrics::gauge!("snaphaven_replication_lag_seconds", "quantile" => quantile).set(seconds);
    }
    let probe = status.lag.map_or(f64::NAN, |lag| lag.probe.as_secs_f64());
    metrics::gauge!("snaphaven_replication_probe_interval_seconds").set(probe);
    for kind in Kind::iter() {
        let open = status.findings.iter().find(|(of, _)| *of == kind).map_or(0, |(_, count)| *count);
        metrics::gauge!("snaphaven_replication_findings", "kind" => kind.as_str()).set(open as f64);
    }
    for site in Site::ALL {
        let role = if site == status.roles.primary { "primary" } else { "replica" };
        let health = status.sites.iter().find(|health| health.site == site);
        let up = health.is_some_and(|health| health.error.is_none());
        metrics::gauge!("snaphaven_replication_site_up", "role" => role).set(f64::from(u8::from(up)));
    }
    let verified = status.complete.as_ref().map_or(0, |run| run.created_at.unix_seconds());
    metrics::gauge!("snaphaven_replication_verified_timestamp_seconds").set(verified as f64);
    let manifest = status.manifest_at.map_or(0, entity::Timestamp::unix_seconds);
    metrics::gauge!("snaphaven_manifest_timestamp_seconds").set(manifest as f64);
    metrics::gauge!("snaphaven_replication_exposed_files").set(status.exposure.files as f64);
}
