//! The primary lost under load: reads go on from the replica, uploads are refused soon, a promotion takes them again, and the
//! fail-back, still under load, leaves nothing behind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Options,
    world::{Database, World},
};
use crate::{
    common::{
        Failure,
        client::{Client, End, Log, Shown, sha256},
        content::Contents,
        process::Launcher,
    },
    proxy::HttpFault,
};

/// By when an upload is refused whose bucket has gone silent.
const REFUSED: Duration = Duration::from_secs(5);
/// Of all reads.
const RIGHT: f64 = 0.999;
/// Until uploads succeed after a promotion.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than a refusal may take: what cuts a silent write short is not its own end.
const WRITE_TIMEOUT: &str = "12s";

#[derive(Clone, Copy)]
struct Size {
    files: usize,
    readers: u64,
    writers: u64,
    hold: Duration,
}

const SHORT: Size = Size { files: 10, readers: 12, writers: 3, hold: Duration::from_secs(6) };
const LONG: Size = Size { files: 60, readers: 50, writers: 6, hold: Duration::from_secs(15) };

/// What readers have got.
#[derive(Clone, Debug, Default)]
struct Reads {
    right: usize,
    wrong: Vec<String>,
    /// File and error.
    failed: Vec<(String, String)>,
    longest: Duration,
}

/// Files that were acknowledged, by id, with their SHA-256 and URL.
type Kept = Arc<Mutex<BTreeMap<String, Shown>>>;

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let size = if options.short { SHORT } else { LONG };
    let mut world = World::new(options, Database::shared().await?, &[&settings]).await?;
    let kept = Kept::default();
    let contents = Contents::new(options.seed);
    let mut rng = StdRng::seed_from_u64(options.seed);
    for n in 0..size.files {
        let content = contents.next(&mut rng);
        let file = world.client.upload(&format!("kept {n}"), &content.bytes, &format!("kept {n}")).await?;
        kept.lock().expect("no holder panics").insert(file.id.clone(), file);
    }
    everywhere(&world).await?;
    let faults = [("refuses connections", HttpFault::Down), ("is silent", HttpFault::Slow(Duration::from_secs(600)))];
    for round in 0..options.rounds {
        for (what, fault) in &faults {
            // Short, one fault is enough: the one that is harder to tell.
            if options.short && *fault == HttpFault::Down {
                continue;
            }
            one(&mut world, &format!("the primary {what}, round {round}"), fault, size, &kept).await?;
        }
    }
    // The judge of reads, held against a planted wrong byte.
    let file = kept.lock().expect("no holder panics").values().next().cloned().ok_or("nothing was kept")?;
    let mut reads = Reads::default();
    read(&world.client, &Shown { sha256: sha256(b"another"), ..file }, &mut reads).await;
    if weigh(&reads).is_ok() {
        return Err("a read with other bytes than expected was not noticed".into());
    }
    judge(&world, &kept).await
}

/// Ledger and buckets agree, and whatever was acknowledged is there.
async fn judge(world: &World<'_>, kept: &Kept) -> Result<(), Failure> {
    let report = world.auditor().await?.audit(usize::MAX).await?;
    let files: Vec<Shown> = kept.lock().expect("no holder panics").values().cloned().collect();
    let mut reads = Reads::default();
    for file in &files {
        read(&world.client, file, &mut reads).await;
    }
    world.say(&format!(
        "{:<44} {} live, {} erased, {} copies read, {} of {} files downloaded whole: {} findings",
        "  judged",
        report.live,
        report.erased,
        report.read,
        reads.right,
        files.len(),
        report.findings.len(),
    ));
    if report.findings.is_empty() && reads.right == files.len() {
        return Ok(());
    }
    let findings = report.findings.iter().map(ToString::to_string);
    Err(findings.chain([format!("{reads:?}")]).collect::<Vec<_>>().join("\n").into())
}

/// Every download asks the stores, and writes have more time than a refusal may take.
fn settings(launcher: Launcher) -> Launcher {
    launcher
        .with("embedded.edge_cache", "1 KiB")
        .with("embedded.edge_cache_object", "1 KiB")
        .with("objects.write_timeout", WRITE_TIMEOUT)
        .with("replication.sweep_interval", "0s")
        .with("replication.scrub_interval", "0s")
}

async fn one(world: &mut World<'_>, what: &str, fault: &HttpFault, size: Size, kept: &Kept) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
    for n in 0..size.readers {
        let (client, kept, stop) = (world.client.clone().with_log(Log::default()), kept.clone(), stop.clone());
        readers.spawn(async move { read_on(&client, n, &kept, &stop).await });
    }
    let uploads = Log::default();
    for n in 0..size.writers {
        let (client, kept, stop) = (world.client.clone().with_log(uploads.clone()), kept.clone(), stop.clone());
        writers.spawn(async move { write_on(&client, n, &kept, &stop).await });
    }
    let count = || kept.lock().expect("no holder panics").len();
    let calm = count();
    until("uploads succeed before the fault", || count() > calm + 4).await?;

    world.sites[0].set(fault.clone(), &[]);
    let struck = Instant::now();
    sleep(size.hold).await;
    let refused = uploads.take();
    let before = count();
    // What had not reached the replica yet cannot be read until its site is back; the ledger says which these are.
    let behind = world.auditor().await?.left_behind().await?;
    let (code, plan) = world.launcher.command(&["replica", "promote", "second", "--apply", "--json"]).await?;
    // 1: something is at the lost site alone, as its own answer says.
    if !matches!(code, 0 | 1) || plan["applied"] != true {
        return Err(format!("{what}: the promotion exits {code}: {plan}").into());
    }
    if plan["leftBehind"]["files"] != behind.len() {
        return Err(format!("{what}: {} files are left behind, and the promotion says {plan}", behind.len()).into());
    }
    let promoted = Instant::now();
    until("uploads succeed after the promotion", || count() > before + 8).await?;
    let taken = promoted.elapsed();

    world.sites[0].clear();
    let (code, back) = world.launcher.command(&["replica", "failback", "--apply", "--json"]).await?;
    let returned = promoted.elapsed();
    if code != 0 || back["primary"] != "first" {
        return Err(format!("{what}: the fail-back exits {code}: {back}").into());
    }
    let again = count();
    until("uploads succeed after the fail-back", || count() > again + 4).await?;
    stop.cancel();
    let mut reads = Reads::default();
    for seen in readers.join_all().await {
        reads.right += seen.right;
        reads.wrong.extend(seen.wrong);
        reads.failed.extend(seen.failed);
        reads.longest = reads.longest.max(seen.longest);
    }
    writers.join_all().await;
    let all = reads.failed.len();
    reads.failed.retain(|(file, _)| !behind.contains(file));
    world.client.log.take();
    everywhere(world).await?;
    let (code, run) = world.launcher.command(&["replica", "verify", "--json"]).await?;
    if code != 0 || run["faults"] != 0 {
        return Err(format!("{what}: the last verification exits {code}: {run}").into());
    }
    // Those begun after the loss was there to be noticed.
    let late = refused.iter().filter(|sample| sample.began >= struck);
    let longest = late.clone().map(|sample| sample.took).max().unwrap_or_default();
    let odd = late.clone().find(|sample| !matches!(&sample.end, End::Fault(code, _) if code == "UNAVAILABLE"));
    world.say(&format!(
        "{what:<44} {} reads right, {} wrong, {} failed, longest {} ms; {} uploads refused, the longest in {} ms; {} files left behind \
         at the promotion, of which {} reads were refused; uploads again after {} ms; failed back after {} ms: {run}",
        reads.right,
        reads.wrong.len(),
        reads.failed.len(),
        reads.longest.as_millis(),
        late.clone().count(),
        longest.as_millis(),
        behind.len(),
        all - reads.failed.len(),
        taken.as_millis(),
        returned.as_millis(),
    ));
    if let Some(odd) = odd {
        return Err(format!("{what}: an upload ended as {:?} after {:?}", odd.end, odd.took).into());
    }
    if late.count() == 0 || longest > REFUSED {
        return Err(format!("{what}: an upload was refused after {longest:?} only, or none was").into());
    }
    weigh(&reads).map_err(|error| format!("{what}: {error}").into())
}

fn weigh(reads: &Reads) -> Result<(), String> {
    let all = reads.right + reads.wrong.len() + reads.failed.len();
    if let Some(wrong) = reads.wrong.first() {
        return Err(format!("{} reads had wrong bytes, such as {wrong}", reads.wrong.len()));
    }
    if (reads.right as f64) < RIGHT * all as f64 {
        return Err(format!("{} of {all} reads failed, such as {:?}", reads.failed.len(), reads.failed.first()));
    }
    Ok(())
}

async fn read(client: &Client, file: &Shown, reads: &mut Reads) {
    let Some(url) = &file.url else {
        reads.failed.push((file.id.clone(), "no URL".to_owned()));
        return;
    };
    let began = Instant::now();
    match client.download(url).await {
        Ok(found) if found == file.sha256 => reads.right += 1,
        Ok(_) => reads.wrong.push(file.name.clone()),
        Err(error) => reads.failed.push((file.id.clone(), error.to_string())),
    }
    reads.longest = reads.longest.max(began.elapsed());
}

async fn read_on(client: &Client, seed: u64, kept: &Kept, stop: &CancellationToken) -> Reads {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut reads = Reads::default();
    while !stop.is_cancelled() {
        let file = {
            let kept = kept.lock().expect("no holder panics");
            let at = rng.random_range(0..kept.len());
            kept.values().nth(at).cloned()
        };
        if let Some(file) = file {
            read(client, &file, &mut reads).await;
        }
        // A person looks at what has come.
        sleep(Duration::from_millis(20)).await;
    }
    reads
}

async fn write_on(client: &Client, seed: u64, kept: &Kept, stop: &CancellationToken) {
    let mut rng = StdRng::seed_from_u64(seed);
    while !stop.is_cancelled() {
        let mut bytes = vec![0_u8; rng.random_range(1..200_000)];
        rand::Rng::fill_bytes(&mut rng, &mut bytes);
        let name = format!("{seed} {}", rng.random::<u64>());
        if let Ok(file) = client.upload(&name, &Bytes::from(bytes), &name).await {
            kept.lock().expect("no holder panics").insert(file.id.clone(), file);
        }
        sleep(Duration::from_millis(30)).await;
    }
}

/// Every live object has its proven copies.
async fn everywhere(world: &World<'_>) -> Result<(), Failure> {
    let (quiet, findings) = world.auditor().await?.quiet(Duration::from_secs(60)).await?;
    if findings.is_empty() { Ok(()) } else { Err(format!("not quiet ({quiet}): {}", findings.len()).into()) }
}

async fn until(what: &str, done: impl Fn() -> bool) -> Result<(), Failure> {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > PATIENCE {
            return Err(format!("{what}: not within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
