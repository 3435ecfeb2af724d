//! What a request costs the release binary: CPU time of its process for each operation under a bounded load over
//! loopback, with every answer checked; nginx beside the edge, and argon2 alone beside the log-in, in the same run.
//! `cargo bench --bench endpoints -- sqlite` runs those whose name holds the word.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on has failed")]

#[path = "../../tests/it/databases/crowd.rs"]
mod crowd;
mod load;
mod nginx;
#[path = "../../tests/servers/mod.rs"]
#[expect(dead_code, reason = "the trials use the rest")]
mod servers;
mod subject;
#[path = "../support/table.rs"]
mod table;

use std::{
    env,
    time::{Duration, Instant},
};

use self::{
    load::{Get, Graphql, Request as _, cpu_of, peak_of, run, run_at_once},
    nginx::Nginx,
    servers::{DatabaseServer, Kind},
    subject::{PASSWORD, Subject},
    table::{Row, Target},
};

const FILES: usize = 50;
const LARGE: usize = 100 << 20;
const LIST: &str = "{ files(first: 50) { nodes { id name size contentType createdAt owner { username } } } }";
const LIST_WITH_URLS: &str = "{ files(first: 50) { nodes { id name size contentType createdAt owner { username } \
     rendition(size: SQUARE_150) { url } } } }";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut rows = Vec::new();
    for (kind, target) in
        [(Kind::Sqlite, Target::Limit(600.0)), (Kind::Postgres, Target::Limit(400.0)), (Kind::MariaDb, Target::None)]
    {
        if format!("lists {}", kind.name()).contains(&wanted) {
            lists(kind, target, &mut rows).await;
        }
    }
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        if format!("searches {}", kind.name()).contains(&wanted) {
            searches(kind, &mut rows).await;
        }
    }
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        if format!("panel {}", kind.name()).contains(&wanted) {
            panel(kind, &mut rows).await;
        }
    }
    if "downloads".contains(&wanted) {
        downloads(&mut rows).await;
    }
    if "log-in".contains(&wanted) {
        log_in(&mut rows).await;
    }
    table::print("Requests: processor time of the server's process", "peer", &rows);
}

/// A list of fifty with its owner, with log-in and access rules; and with a signed thumbnail URL for each.
async fn lists(kind: Kind, target: Target, rows: &mut Vec<Row>) {
    let database = match kind {
        Kind::Sqlite => None,
        kind => Some(DatabaseServer::start(kind).await.unwrap()),
    };
    let subject = Subject::start(database.as_ref()).await;
    subject.upload_pictures(FILES).await;
    let list = Graphql::new(&subject, LIST, |body| body.matches(r#""username":"ada""#).count() == FILES);
    let urls = Graphql::new(&subject, LIST_WITH_URLS, |body| body.matches("Signature=").count() == FILES);
    subject.cpu().idle().await;
    let plain = run(&subject.cpu(), 3000, list).await;
    let signed = run(&subject.cpu(), 3000, urls).await;
    let what = format!("list of {FILES} with owner, {} ({} bytes)", kind.name(), plain.bytes);
    rows.push(Row { what, unit: "µs", ours: plain.cpu * 1e6, peer: None, target });
    let what = format!("  thumbnail URLs beside ({} bytes)", signed.bytes);
    rows.push(Row {
        what,
        unit: "µs",
        ours: (signed.cpu - plain.cpu) * 1e6,
        peer: None,
        target: if kind == Kind::MariaDb { Target::None } else { Target::Limit(50.0) },
    });
}

/// A word that one of a hundred thousand files has, and one that half of them have; how long an answer takes.
async fn searches(kind: Kind, rows: &mut Vec<Row>) {
    const TIMES: u32 = 40;
    let database = match kind {
        Kind::Sqlite => None,
        kind => Some(DatabaseServer::start(kind).await.unwrap()),
    };
    let subject = Subject::start(database.as_ref()).await;
    subject.multiply_files("common needle.txt", crowd::FILES).await;
    for (word, files) in [("needle", 1), ("common", 50)] {
        for order in ["CREATED_AT", "NAME"] {
            let query = format!(
                r#"{{ files(first: 50, filter: {{ search: "{word}" }}, orderBy: {{ field: {order} }}) {{ nodes {{ id name }} }} }}"#
            );
            let right: Right = match files {
                1 => |body| body.matches(r#""id""#).count() == 1,
                _ => |body| body.matches(r#""id""#).count() == 50,
            };
            let search = Graphql::new(&subject, &query, right);
            search.send().await;
            let start = Instant::now();
            for _ in 0..TIMES {
                search.send().await;
            }
            rows.push(Row {
                what: format!("{word:?} among {} files by {order}, {}", crowd::FILES, kind.name()),
                unit: "ms",
                ours: start.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES),
                peer: None,
                target: Target::Limit(50.0),
            });
        }
    }
}

/// Whether an answer is what was asked for.
type Right = fn(&str) -> bool;

/// What an admin's panel asks for among a million files: pages of its list by each filter, and a person's page; the slowest
/// of forty answers.
async fn panel(kind: Kind, rows: &mut Vec<Row>) {
    const MANY: u64 = 1_000_000;
    const TIMES: usize = 40;
    let database = match kind {
        Kind::Sqlite => None,
        kind => Some(DatabaseServer::start(kind).await.unwrap()),
    };
    let subject = Subject::start(database.as_ref()).await;
    subject.multiply_files("common needle.txt", MANY).await;
    let ada = subject.promote().await;
    let list = |filter: &str, order: &str| {
        format!(
            "{{ files(filter: {{ {filter} }}, orderBy: {{ {order} }}, first: 100) {{ nodes {{ id name state size contentType \
             createdAt trashedAt purgeAt thumbhash isHeld owner {{ id username }} thumbnail: rendition(size: FIT_320) \
             {{ state url }} removal {{ reason by {{ id username }} }} viewerCan {{ remove restore purge }} }} \
             pageInfo {{ hasNextPage endCursor }} totalCount totalCountIsExact }} }}"
        )
    };
    let newest = "field: CREATED_AT, direction: DESC";
    let person = format!(
        "{{ node(id: \"{ada}\") {{ ... on User {{ id username displayName email role status createdAt \
         sessions(first: 10) {{ nodes {{ id }} }} }} }} usage(userId: \"{ada}\") {{ files bytes maxFiles maxBytes }} \
         files(filter: {{ ownerId: \"{ada}\" }}, first: 6) {{ totalCount totalCountIsExact nodes {{ id name }} }} \
         trashed: files(filter: {{ ownerId: \"{ada}\", state: TRASHED }}, first: 1) {{ totalCount }} \
         removed: files(filter: {{ ownerId: \"{ada}\", state: REMOVED }}, first: 1) {{ totalCount }} \
         history: auditLog(filter: {{ subjectId: \"{ada}\" }}, first: 5) {{ nodes {{ id action }} }} }}"
    );
    let whole: Right = |body| body.matches(r#""owner""#).count() == 100;
    let cases: [(&str, String, Right); 9] = [
        ("list, newest", list("everyone: true", newest), whole),
        ("list by name", list("everyone: true", "field: NAME, direction: ASC"), whole),
        ("list by size", list("everyone: true", "field: SIZE, direction: DESC"), whole),
        ("of a tag", list(r#"everyone: true, tags: ["half"]"#, newest), whole),
        ("of a type", list(r#"everyone: true, contentType: "text/*""#, newest), whole),
        ("of a size", list("everyone: true, sizeFrom: 50000, sizeTo: 60000", "field: SIZE, direction: DESC"), whole),
        ("of a word", list(r#"everyone: true, search: "common""#, newest), whole),
        ("in the trash", list("everyone: true, state: TRASHED", newest), |body| body.contains(r#""nodes":[]"#)),
        ("a person's page", person, |body| body.contains(r#""totalCountIsExact":false"#)),
    ];
    for (what, query, right) in cases {
        let request = Graphql::new(&subject, &query, right);
        request.send().await;
        let mut slowest = Duration::ZERO;
        for _ in 0..TIMES {
            let start = Instant::now();
            request.send().await;
            slowest = slowest.max(start.elapsed());
        }
        rows.push(Row {
            what: format!("panel, {MANY} files, {what}, {}", kind.name()),
            unit: "ms",
            ours: slowest.as_secs_f64() * 1e3,
            peer: None,
            target: Target::Limit(50.0),
        });
    }
}

/// Through the edge, and what nginx needs for the same bytes.
async fn downloads(rows: &mut Vec<Row>) {
    let subject = Subject::start(None).await;
    let (thumbnail, picture) = subject.thumbnail().await;
    let large: Vec<u8> = (0..LARGE).map(|at| ((at * 2_654_435_761) >> 13) as u8).collect();
    let large_url = subject.upload_large(large.clone()).await;
    let nginx = Nginx::start(&[("thumbnail", &picture), ("large", &large)]).await;
    subject.cpu().idle().await;

    let ours = run(&subject.cpu(), 20_000, Get::new(&thumbnail, picture.len())).await;
    let theirs = run(&nginx.cpu(), 20_000, Get::new(&nginx.url("thumbnail"), picture.len())).await;
    rows.push(Row {
        what: format!("warm thumbnail, edge ({} bytes), nginx", picture.len()),
        unit: "µs",
        ours: ours.cpu * 1e6,
        peer: Some(theirs.cpu * 1e6),
        target: Target::Limit(50.0),
    });

    subject.forget_peak();
    let before = peak_of(subject.pid());
    // By turns, since the machine is not the same from one minute to the next.
    let (mut ours, mut theirs) = ([0.0; 5], [0.0; 5]);
    for turn in 0..5 {
        ours[turn] = run(&subject.cpu(), 8, Get::new(&large_url, LARGE)).await.cpu;
        theirs[turn] = run(&nginx.cpu(), 8, Get::new(&nginx.url("large"), LARGE)).await.cpu;
    }
    let grown = peak_of(subject.pid()).saturating_sub(before);
    let median = |mut turns: [f64; 5]| {
        turns.sort_by(f64::total_cmp);
        turns[2]
    };
    let per_gib = |cpu: f64| cpu * 1e3 * (1 << 30) as f64 / LARGE as f64;
    rows.push(Row {
        what: "a GiB in files of 100 MiB, edge, nginx".to_owned(),
        unit: "ms",
        ours: per_gib(median(ours)),
        peer: Some(per_gib(median(theirs))),
        target: Target::Ratio(1.3),
    });
    let what = "  memory above before, 4 at once".to_owned();
    rows.push(Row { what, unit: "MB", ours: grown as f64 / 1e6, peer: None, target: Target::None });
}

/// With the hashing of the default settings.
async fn log_in(rows: &mut Vec<Row>) {
    const TIMES: u32 = 60;
    let subject = Subject::start(None).await;
    let query =
        format!(r#"mutation {{ logIn(input: {{ login: "ada", password: "{PASSWORD}" }}) {{ user {{ id }} }} }}"#);
    let log_in = Graphql::new(&subject, &query, |body| body.contains(r#""user":{"id":"#));
    // One at a time, as the library alone: two at once would share the processor's cache.
    let ours = run_at_once(&subject.cpu(), 1, TIMES as usize, log_in).await;
    let params = argon2::Params::new(19 * 1024, 2, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut out = [0; 32];
    let before = cpu_of(std::process::id());
    for _ in 0..TIMES {
        argon2.hash_password_into(PASSWORD.as_bytes(), b"a salt of its own", &mut out).unwrap();
    }
    let alone = (cpu_of(std::process::id()) - before) / f64::from(TIMES);
    rows.push(Row {
        what: "log-in, argon2id alone".to_owned(),
        unit: "ms",
        ours: ours.cpu * 1e3,
        peer: Some(alone * 1e3),
        target: Target::Ratio(1.1),
    });
}
