//! What a request costs the release binary: CPU time of its process for each operation under a bounded load over
//! loopback, with every answer checked; nginx beside the edge, and argon2 alone beside the log-in, in the same run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on has failed")]

mod load;
mod nginx;
#[path = "../../tests/servers/mod.rs"]
#[expect(dead_code, reason = "the trials use the rest")]
mod servers;
mod subject;

use std::time::Instant;

use self::{
    load::{Get, Graphql, cpu_of, peak_of, run},
    nginx::Nginx,
    servers::{DatabaseServer, Kind},
    subject::{PASSWORD, Subject},
};

const FILES: usize = 50;
const LARGE: usize = 100 << 20;
const LIST: &str = "{ files(first: 50) { nodes { id name size contentType createdAt owner { username } } } }";
const LIST_WITH_URLS: &str = "{ files(first: 50) { nodes { id name size contentType createdAt owner { username } \
     rendition(size: SQUARE_150) { url } } } }";

/// One line of the report.
struct Row {
    what: String,
    unit: &'static str,
    value: f64,
    target: Option<f64>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut rows = Vec::new();
    for (kind, target) in [(Kind::Sqlite, 0.60), (Kind::Postgres, 0.40), (Kind::MariaDb, f64::NAN)] {
        lists(kind, target, &mut rows).await;
    }
    downloads(&mut rows).await;
    log_in(&mut rows).await;
    println!("\n{:<66} {:>10} {:>10}  ratio", "CPU of the server's process", "measured", "target");
    for row in rows {
        let (target, ratio) = match row.target.filter(|target| target.is_finite()) {
            Some(target) => (
                format!("{target:.3}"),
                format!("{:.2}{}", row.value / target, if row.value > target { "  missed" } else { "" }),
            ),
            None => Default::default(),
        };
        println!("{:<66} {:>10.3} {:>10}  {}   {}", row.what, row.value, target, ratio, row.unit);
    }
}

/// A list of fifty with its owner, with log-in and access rules; and with a signed thumbnail URL for each.
async fn lists(kind: Kind, target: f64, rows: &mut Vec<Row>) {
    let database = match kind {
        Kind::Sqlite => None,
        kind => Some(DatabaseServer::start(kind).await.unwrap()),
    };
    let subject = Subject::start(database.as_ref()).await;
    subject.upload_pictures(FILES).await;
    let list = Graphql::new(&subject, LIST, |body| body.matches(r#""username":"ada""#).count() == FILES);
    let urls = Graphql::new(&subject, LIST_WITH_URLS, |body| body.matches("Signature=").count() == FILES);
    let plain = run(&subject.cpu(), 3000, list).await;
    let signed = run(&subject.cpu(), 3000, urls).await;
    let ms = |seconds: f64| seconds * 1e3;
    rows.push(Row {
        what: format!("list of {FILES} with owner, {kind:?} ({} bytes)", plain.bytes),
        unit: "ms",
        value: ms(plain.cpu),
        target: Some(target),
    });
    rows.push(Row {
        what: format!("  the signed thumbnail URLs of it, more ({} bytes)", signed.bytes),
        unit: "ms",
        value: ms(signed.cpu - plain.cpu),
        target: (kind != Kind::MariaDb).then_some(0.05),
    });
}

/// Through the edge, and what nginx needs for the same bytes.
async fn downloads(rows: &mut Vec<Row>) {
    let subject = Subject::start(None).await;
    let (thumbnail, picture) = subject.thumbnail().await;
    let large: Vec<u8> = (0..LARGE).map(|at| (at * 2_654_435_761 >> 13) as u8).collect();
    let large_url = subject.upload_large(large.clone()).await;
    let nginx = Nginx::start(&[("thumbnail", &picture), ("large", &large)]).await;

    let ours = run(&subject.cpu(), 20_000, Get::new(&thumbnail, picture.len())).await;
    let theirs = run(&nginx.cpu(), 20_000, Get::new(&nginx.url("thumbnail"), picture.len())).await;
    rows.push(Row {
        what: format!("warm thumbnail through the edge ({} bytes)", picture.len()),
        unit: "µs",
        value: ours.cpu * 1e6,
        target: Some(50.0),
    });
    rows.push(Row { what: "  nginx".to_owned(), unit: "µs", value: theirs.cpu * 1e6, target: None });

    let before = peak_of(subject.pid());
    let ours = run(&subject.cpu(), 24, Get::new(&large_url, LARGE)).await;
    let grown = peak_of(subject.pid()).saturating_sub(before);
    let theirs = run(&nginx.cpu(), 24, Get::new(&nginx.url("large"), LARGE)).await;
    let per_gib = |cpu: f64| cpu * (1 << 30) as f64 / LARGE as f64;
    rows.push(Row {
        what: "100 MiB through the edge, a GiB".to_owned(),
        unit: "CPU-s",
        value: per_gib(ours.cpu),
        target: Some(1.3 * per_gib(theirs.cpu)),
    });
    rows.push(Row { what: "  nginx".to_owned(), unit: "CPU-s", value: per_gib(theirs.cpu), target: None });
    rows.push(Row {
        what: "  memory above before, 4 at once".to_owned(),
        unit: "MB",
        value: grown as f64 / 1e6,
        target: None,
    });
}

/// With the hashing of the default settings.
async fn log_in(rows: &mut Vec<Row>) {
    const TIMES: u32 = 60;
    let subject = Subject::start(None).await;
    let query =
        format!(r#"mutation {{ logIn(input: {{ login: "ada", password: "{PASSWORD}" }}) {{ user {{ id }} }} }}"#);
    let log_in = Graphql::new(&subject, &query, |body| body.contains(r#""user":{"id":"#));
    let ours = run(&subject.cpu(), TIMES as usize, log_in).await;
    let params = argon2::Params::new(19 * 1024, 2, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let (me, mut out) = (std::process::id(), [0; 32]);
    let (before, started) = (cpu_of(me), Instant::now());
    for _ in 0..TIMES {
        argon2.hash_password_into(PASSWORD.as_bytes(), b"a salt of its own", &mut out).unwrap();
    }
    // Ticks are too coarse where nothing else ran; the wall is the CPU's then.
    let alone = (cpu_of(me) - before).max(0.0).min(started.elapsed().as_secs_f64()) / f64::from(TIMES);
    rows.push(Row { what: "log-in".to_owned(), unit: "ms", value: ours.cpu * 1e3, target: Some(1.1 * alone * 1e3) });
    rows.push(Row { what: "  argon2id alone, 19 MiB, t = 2".to_owned(), unit: "ms", value: alone * 1e3, target: None });
}
