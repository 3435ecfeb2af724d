//! `audit verify|export`: the proof of the audit log, beside running servers or without any.

use std::fmt::Write as _;

use entity::Timestamp;

use super::{
    Failure,
    args::{AuditCommand, ExportArgs, VerifyArgs},
    print, serve,
};
use crate::{
    app,
    clock::Clock,
    config::Config,
    db::Db,
    notary::{self, Report, Span},
};

pub async fn run(config: Config, command: AuditCommand) -> Result<(), Failure> {
    app::prepare_data_dir(&config).map_err(fault)?;
    let db = Db::connect(&config.database, &config.data_dir, Clock::system()).await.map_err(fault)?;
    match command {
        AuditCommand::Verify(args) => verify(&config, &db, &args).await,
        AuditCommand::Export(args) => export(&db, &args).await,
    }
}

async fn verify(config: &Config, db: &Db, args: &VerifyArgs) -> Result<(), Failure> {
    let keys = notary::known_keys(config, &args.public_keys).map_err(fault)?;
    let stores = if args.no_buckets { None } else { Some(serve::remote_stores(config).await?) };
    let report = notary::verify(db.read(), stores.as_ref(), &keys).await.map_err(|error| match stores {
        Some(_) => fault(error).help("--no-buckets leaves out what needs the buckets"),
        None => fault(error),
    })?;
    print(&told(config, &report))?;
    match report.findings.len() {
        0 => print("Verified\n"),
        count => Err(Failure::fault(format!("the audit log does not verify: findings: {count}"))),
    }
}

fn told(config: &Config, report: &Report) -> String {
    let time = |time: Timestamp| time.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut text = String::new();
    let _ = writeln!(text, "sealed       {} entries, last hash {}", report.head.seq, hex::encode(report.head.hash));
    let _ = match report.unsealed_since {
        Some(since) => writeln!(text, "not sealed   {} entries, the oldest of {}", report.unsealed, time(since)),
        None => writeln!(text, "not sealed   none"),
    };
    let _ = match report.signed {
        Some((seq, at)) => {
            writeln!(text, "signed       {seq} entries at {}, checkpoints: {}", time(at), report.checkpoints)
        }
        None => writeln!(text, "signed       nothing yet"),
    };
    let _ = match report.copies {
        Some([first, second]) => {
            let objects = &config.objects;
            let (one, other) = (&objects.first.bucket, &objects.second.bucket);
            writeln!(text, "buckets      {first} in {one}, {second} in {other}, on their way: {}", report.awaited)
        }
        None => writeln!(text, "buckets      not asked"),
    };
    for finding in &report.findings {
        let _ = writeln!(text, "finding      {finding}");
    }
    text
}

async fn export(db: &Db, args: &ExportArgs) -> Result<(), Failure> {
    let span = Span { since: args.since.map(Timestamp::from_utc), until: args.until.map(Timestamp::from_utc) };
    let mut after = 0;
    while let Some(exported) = notary::export(db, &span, after).await.map_err(fault)? {
        print(&exported.lines)?;
        after = exported.after;
    }
    Ok(())
}

fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::fault(error.to_string())
}
