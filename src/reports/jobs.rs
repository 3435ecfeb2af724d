//! What becomes of evidence that nobody decides on.

use async_trait::async_trait;
use entity::report::State;
use serde::{Deserialize, Serialize};

use super::{ReportsError, decide::let_go, store};
use crate::{
    app::App,
    jobs::{Job, JobError},
};

/// Reports looked at in one run.
const BATCH: u64 = 100;

/// Releases what was held of snaps for longer than `reports.evidence_for`: nobody's private picture is kept for ever.
#[derive(Serialize, Deserialize)]
pub(super) struct LetGo {}

#[async_trait]
impl Job for LetGo {
    const KIND: &'static str = "reports.let_go";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let before = app.db.now(app.db.read()).await?.minus(app.config.reports.evidence_for);
        for report in store::held_since(app.db.read(), before, BATCH).await? {
            app.transaction::<_, ReportsError, _, _>(async |tx| {
                let same = store::lock_same(&tx, &report).await?;
                let open = same.into_iter().find(|row| row.id == report.id && row.state == State::Open);
                let Some(row) = open else { return Ok(()) };
                Ok(store::update(&tx, let_go(app, &tx, row).await?).await?)
            })
            .await
            .map_err(|error| JobError::Retry(error.to_string()))?;
        }
        Ok(())
    }
}
