//! A large file sent by the uploader's command to the release binary, beside one copy of it with fsync on the same disk; and
//! what the server needs in memory meanwhile. `UPLOAD_MIB` says how large (2048); it needs four times that on the disk.
//!
//! Targets: 1.5 × the copy, from the start of the command to the ACTIVE file, and 32 MB above idle.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

#[path = "support/server.rs"]
mod server;
#[path = "support/table.rs"]
mod table;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use server::{Watch, memory, sign_up, start, stop};
use table::{Row, Target};

const RUNS: usize = 3;

#[expect(clippy::disallowed_methods, reason = "how large the file is, is no setting of the server")]
fn mebibytes() -> u64 {
    std::env::var("UPLOAD_MIB").map_or(2048, |text| text.parse().expect("UPLOAD_MIB is a number"))
}

fn main() {
    if Command::new("node").arg("--version").output().is_err() {
        println!("uploads: skipped, the uploader's command needs Node 20");
        return;
    }
    // Beside the build: a temporary folder may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let (mib, path) = (mebibytes(), folder.path().join("large.bin"));
    write_file(&path, mib << 20);
    let (mut copies, mut uploads, mut growths, mut idles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        copies.push(copy(&path, &folder.path().join("copy.bin")));
        let data_dir = folder.path().join(format!("data-{run}"));
        let (server, address) = start(&data_dir, &[]);
        let token = sign_up(&address);
        // What the sign-up took is given back by then.
        thread::sleep(Duration::from_secs(2));
        let idle = memory(server.id()).expect("Linux says");
        let watch = Watch::begin(server.id());
        uploads.push(upload(&path, &address, &token));
        growths.push(watch.end() - idle);
        idles.push(idle);
        stop(server);
        fs::remove_dir_all(&data_dir).expect("the data goes");
    }
    let speed = mib as f64 * 1.048_576 / median(&mut uploads);
    let row = |what: &str, unit, ours, peer, target| Row { what: what.to_owned(), unit, ours, peer, target };
    table::print(
        &format!("A file of {mib} MiB by the uploader, medians of {RUNS} runs"),
        "cp + fsync",
        &[
            row("to the ACTIVE file", "s", median(&mut uploads), Some(median(&mut copies)), Target::Ratio(1.5)),
            row("the same", "MB/s", speed, None, Target::None),
            row("private memory of the server above idle", "MB", median(&mut growths), None, Target::Limit(32.0)),
            row("idle private memory", "MB", median(&mut idles), None, Target::None),
        ],
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write_file(path: &Path, bytes: u64) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    let (mut rng, mut block) = (StdRng::seed_from_u64(1), vec![0; 1 << 20]);
    for _ in 0..bytes >> 20 {
        rng.fill_bytes(&mut block);
        file.write_all(&block).expect("room on the disk");
    }
    file.into_inner().expect("room on the disk").sync_all().expect("a disk");
}

/// Seconds of one copy that is on the disk.
fn copy(from: &Path, to: &Path) -> f64 {
    let begun = Instant::now();
    fs::copy(from, to).expect("room on the disk");
    File::open(to).and_then(|file| file.sync_all()).expect("a disk");
    let time = begun.elapsed().as_secs_f64();
    fs::remove_file(to).expect("the copy goes");
    time
}

/// Seconds of one run of the command.
fn upload(path: &Path, address: &str, token: &str) -> f64 {
    let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/uploader/bin/snaphaven-upload.js");
    let mut node = Command::new("node");
    node.arg(command).arg(path).args(["--endpoint", &format!("http://{address}"), "--fresh"]).env("HAVEN_TOKEN", token);
    let begun = Instant::now();
    let done = node.stdout(Stdio::null()).status().expect("node runs");
    assert!(done.success(), "the upload failed");
    begun.elapsed().as_secs_f64()
}
