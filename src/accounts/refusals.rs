//! Telling admins of log-ins that are refused because too many had failed: of one account, or from one address.

use entity::alert;
use serde_json::{Value, json};

use super::{error::AccountsError, log_in, throttle::Over};
use crate::{
    alerts::storms::{self, NewStorm},
    app::App,
    db::Batch,
    error::Fault,
    id::NodeKind,
};

const KIND: alert::Kind = alert::Kind::LogInThrottled;

/// Counts one refused log-in, and says so in an alert where it is the first of many. It is written when this returns, with all
/// that are refused meanwhile: however many come, one transaction at a time writes them.
pub(super) async fn count(app: &App, over: &Over, login: &str) -> Result<(), AccountsError> {
    app.refused_log_ins().add(&over.key, login);
    let app = app.clone();
    // On a task of its own: it counts for others, too, who do not go away with this request.
    let counted = tokio::spawn(async move { write(&app, app.refused_log_ins().take().await).await });
    counted.await.map_err(Fault::internal)?
}

async fn write(app: &App, batch: Batch<'_>) -> Result<(), AccountsError> {
    let mut storms = Vec::with_capacity(batch.counts.len());
    for (counter, refused) in &batch.counts {
        let (message, details) = words(app, counter, &refused.about).await?;
        storms.push((NewStorm { kind: KIND, key: counter.clone(), message, details }, refused.count));
    }
    app.transaction::<_, AccountsError, _, _>(async |tx| {
        for (storm, refused) in &storms {
            storms::count(app, &tx, storm, *refused).await?;
        }
        Ok(())
    })
    .await?;
    batch.written();
    Ok(())
}

/// What is refused. Never what was typed: it may be a password.
async fn words(app: &App, counter: &str, login: &str) -> Result<(String, Value), AccountsError> {
    if let Some(address) = counter.strip_prefix("log_in:address:") {
        return Ok((
            format!("Too many failed log-ins from {address}, further ones are refused"),
            json!({ "address": address }),
        ));
    }
    Ok(match log_in::find(app, login).await? {
        Some(user) => (
            format!("Too many failed log-ins to {}, further ones are refused", user.username),
            json!({ "user": NodeKind::User.id(user.id).to_string(), "username": user.username }),
        ),
        None => (
            "Too many failed log-ins to a name that nobody has, further ones are refused".to_owned(),
            json!({ "user": null }),
        ),
    })
}
