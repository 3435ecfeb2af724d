//! `manifest write|list` and `replica drill`.

use std::{fmt::Write as _, fs::File, time::Duration};

use entity::{Timestamp, object_copy::Site, replica_run::State};
use sea_orm::ActiveEnum as _;
use serde_json::json;

use super::{
    Failure,
    args::{DrillArgs, ManifestCommand},
    print,
    replica::{ME, UNKNOWN, fault, follow},
    serve,
};
use crate::{app::App, config::Config, manifest, replication};

pub async fn run(config: Config, command: ManifestCommand) -> Result<(), Failure> {
    let app = serve::connect(config).await?;
    let failed = |error: &dyn std::fmt::Display| Failure::fault(error.to_string());
    match command {
        ManifestCommand::Write { out: Some(path) } => {
            let file = File::create(&path).map_err(|error| failed(&format!("{}: {error}", path.display())))?;
            let written = manifest::write_to(&app.config, &app.db, file).await.map_err(|error| failed(&error))?;
            print(&format!("{}  {} rows, {} bytes\n", path.display(), written.rows, written.bytes))
        }
        ManifestCommand::Write { out: None } => {
            let object = manifest::write(&app, &ME).await.map_err(|error| failed(&error))?;
            print(&format!("{}  {} bytes\n", object.key, object.bytes))
        }
        ManifestCommand::List => {
            let mut text = String::new();
            for site in Site::ALL {
                let store = app.stores.at(site);
                for found in manifest::list(&**store).await.map_err(|error| failed(&error))? {
                    let at = found.at.to_utc().to_rfc3339();
                    let _ = writeln!(text, "{}  {at}  {}  {} bytes", store.bucket(), found.key, found.bytes);
                }
            }
            print(&text)
        }
    }
}

pub(super) async fn drill(app: &App, args: &DrillArgs) -> Result<(), Failure> {
    let begun = manifest::order_drill(app, &ME, args.sample).await.map_err(fault)?;
    let run = follow(app, begun, args.json).await?;
    let figures = replication::counters(&run).drill;
    if args.json {
        let told = figures.map(|drill| {
            json!({
                "manifestAt": Timestamp(drill.manifest_at).to_utc(), "rpo": drill.rpo, "rto": drill.rto,
                "ledger": drill.ledger, "copying": drill.copying, "objects": drill.objects, "bytes": drill.bytes,
                "sample": drill.sample, "sampleBytes": drill.sample_bytes, "right": drill.right,
            })
        });
        print(&format!("{}\n", json!({ "state": run.state.to_value(), "drill": told, "error": run.error })))?;
    } else if let Some(drill) = figures {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<10} {value}");
        };
        line("manifest", format!("of {}", Timestamp(drill.manifest_at).to_utc().to_rfc3339()));
        line("ledger", format!("rebuilt in {}", span(drill.ledger)));
        line(
            "sample",
            format!(
                "{} of {} objects were right, {} bytes in {}",
                drill.right,
                drill.sample,
                drill.sample_bytes,
                span(drill.copying)
            ),
        );
        line("RPO", format!("{}: what is younger than the manifest would be lost of the ledger", span(drill.rpo)));
        line("RTO", format!("{} for all {} objects, {} bytes", span(drill.rto), drill.objects, drill.bytes));
        print(&text)?;
    }
    match (run.state, figures) {
        (State::Complete, _) => Ok(()),
        (_, figures) => {
            let code = if figures.is_some() { 1 } else { UNKNOWN };
            Err(fault(run.error.unwrap_or_else(|| "it did not end".to_owned())).code(code))
        }
    }
}

fn span(seconds: f64) -> String {
    // What is longer than some seconds is told in whole ones.
    let rounded = if seconds < 10.0 { (seconds * 1000.0).round() / 1000.0 } else { seconds.round() };
    humantime_serde::re::humantime::format_duration(Duration::from_secs_f64(rounded.max(0.0))).to_string()
}
