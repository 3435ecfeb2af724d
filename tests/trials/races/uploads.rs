//! Uploads against a quota, against each other and against deletion, at both processes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use tokio::time::sleep;

use super::{
    arena::Arena,
    content,
    door::{Answer, Person, volley},
    tally::{Tally, count},
};
use crate::{
    common::Failure,
    judges::usage,
    servers::{KIND, Kind},
};

const RACERS: usize = 50;
/// Of the files that race for the last room.
const BYTES: usize = 700;
/// How long a verification may take.
const PATIENCE: Duration = Duration::from_secs(40);

pub async fn round(arena: &Arena, admin: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let owner = arena.person("uploader").await?;
    last_room(arena, admin, &owner, rng, tally).await?;
    completions(arena, &owner, rng, tally).await?;
    ends(arena, &owner, rng, tally).await?;
    versions(arena, &owner, rng, tally).await?;
    let left = arena.doors[1].usage(&owner.token).await;
    tally.expect(left.number("/files") == 0 && left.number("/bytes") == 0, || format!("nothing is left, but {left:?}"));
    let wrong = usage::wrong(&arena.tables).await?;
    tally.expect(wrong.is_empty(), || format!("the counters differ from the rows: {wrong:?}"));
    Ok(())
}

/// Many want the last room of a quota: one gets it, and what was refused leaves nothing.
async fn last_room(
    arena: &Arena,
    admin: &Person,
    owner: &Person,
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let (id, by_files) = (arena.doors[0].user_id(&owner.token).await, rng.random::<bool>());
    let first = arena.doors[0].upload(&owner.token, "first", content(rng), None).await;
    let used = arena.doors[1].usage(&owner.token).await;
    let bytes = usize::try_from(used.number("/bytes"))?;
    let (max_files, max_bytes) =
        if by_files { (2, bytes + RACERS * BYTES) } else { (1_000, bytes + BYTES + BYTES / 2) };
    let set = arena.doors[1].set_quota(&admin.token, &id, max_files, max_bytes).await;
    tally.take(&[first.clone(), set], &["ok"]);
    let requests = (0..RACERS).map(|number| {
        let (door, token) = (arena.doors[number % 2].clone(), owner.token.clone());
        async move {
            if number % 3 == 0 {
                door.create_upload(&token, BYTES, None).await
            } else {
                door.upload(&token, "last", Bytes::from(vec![0; BYTES]), None).await
            }
        }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok", if by_files { "TOO_MANY_FILES" } else { "QUOTA_EXCEEDED" }]);
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.is_ok()).collect();
    tally.expect(won.len() == 1, || format!("{} took the last room of a quota", won.len()));
    let used = arena.doors[0].usage(&owner.token).await;
    let is_full = used.number("/files") == 2 && used.number("/bytes") == i64::try_from(bytes + BYTES)?;
    tally.expect(is_full, || format!("{bytes} and one of {BYTES} bytes, but {used:?}"));
    for answer in won {
        let ended = match answer.text("/file/id") {
            file if file.is_empty() => {
                arena.doors[1].abort_upload(&owner.token, &answer.text("/uploadSession/id")).await
            }
            file => arena.doors[1].purge(&owner.token, &[file]).await,
        };
        tally.take(&[ended], &["ok"]);
    }
    let purged = arena.doors[0].purge(&owner.token, &[first.text("/file/id")]).await;
    let reset = arena.doors[0].set_quota(&admin.token, &id, 1_000, 1 << 30).await;
    tally.take(&[purged, reset], &["ok"]);
    Ok(())
}

/// One key and one upload at both processes, begun and completed over and over: one file.
async fn completions(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let (bytes, key) = (content(rng), arena.fresh("key"));
    let requests = (0..4).map(|number| {
        let (door, token, key) = (arena.doors[number % 2].clone(), owner.token.clone(), key.clone());
        let size = bytes.len();
        async move { door.create_upload(&token, size, Some(&key)).await }
    });
    let begun = volley(requests.collect()).await;
    tally.take(&begun, &["ok"]);
    let upload = begun[0].text("/uploadSession/id");
    let is_one = begun.iter().all(|answer| answer.text("/uploadSession/id") == upload);
    tally.expect(is_one, || format!("one key began several uploads: {begun:?}"));
    arena.doors[0].send_part(&owner.token, &upload, bytes).await?;
    let requests = (0..6).map(|number| {
        let (door, token, upload) = (arena.doors[number % 2].clone(), owner.token.clone(), upload.clone());
        async move { door.complete_upload(&token, &upload).await }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok"]);
    let file = answers[0].text("/uploadSession/file/id");
    let is_one = answers.iter().all(|answer| answer.text("/uploadSession/file/id") == file);
    tally.expect(is_one && !file.is_empty(), || format!("one upload became several files: {answers:?}"));
    let state = ended(arena, owner, &upload).await;
    tally.expect(state == "COMPLETED", || format!("a completed upload is {state}"));
    let rows = arena.number(&format!("SELECT COUNT(*) FROM file_version WHERE file_id = {}", arena.key(&file))).await?;
    tally.expect(rows == 1, || format!("a file of one upload has {rows} versions"));
    let purged = arena.doors[1].purge(&owner.token, &[file]).await;
    tally.take(&[purged], &["ok"]);
    Ok(())
}

/// Completion against abortion, and against the purge of what it makes.
async fn ends(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let bytes = content(rng);
    let upload = arena.doors[0].create_upload(&owner.token, bytes.len(), None).await.text("/uploadSession/id");
    arena.doors[1].send_part(&owner.token, &upload, bytes.clone()).await?;
    let requests = (0..4).map(|number| {
        let (door, token, upload) = (arena.doors[number % 2].clone(), owner.token.clone(), upload.clone());
        let pause = Duration::from_micros(rng.random_range(0..15_000));
        async move {
            sleep(pause).await;
            if number < 2 {
                door.complete_upload(&token, &upload).await
            } else {
                door.abort_upload(&token, &upload).await
            }
        }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok", "WRONG_STATE"]);
    let (completed, aborted) = (count(&answers[..2], "ok"), count(&answers[2..], "ok"));
    let is_one = (completed == 2 && aborted == 0) || (completed == 0 && aborted == 2);
    tally.expect(is_one, || format!("{completed} completed and {aborted} aborted one upload"));
    let file = answers.iter().map(|answer| answer.text("/uploadSession/file/id")).find(|file| !file.is_empty());
    if let Some(file) = file {
        sleep(Duration::from_micros(rng.random_range(0..60_000))).await;
        let purges = (0..2).map(|number| {
            let (door, token, file) = (arena.doors[number].clone(), owner.token.clone(), file.clone());
            async move { door.purge(&token, &[file]).await }
        });
        tally.take(&volley(purges.collect()).await, &["ok"]);
        let seen = arena.doors[0].file(&owner.token, &file).await;
        tally.expect(seen.is_ok() && seen.payload.is_null(), || format!("a purged upload is back: {seen:?}"));
    }
    Ok(())
}

/// An old version that comes back, against a purge and against itself.
async fn versions(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let file = arena.doors[0].upload(&owner.token, "versions", content(rng), None).await.text("/file/id");
    let replaced = arena.doors[1].replace(&owner.token, &file, 1, content(rng), None).await;
    tally.take(&[replaced], &["ok"]);
    let old = arena.doors[0].versions(&owner.token, &file).await.text("/versions/nodes/1/id");
    let requests = (0..5).map(|number| {
        let (door, token) = (arena.doors[number % 2].clone(), owner.token.clone());
        let (file, old) = (file.clone(), old.clone());
        let pause = Duration::from_micros(rng.random_range(0..30_000));
        async move {
            sleep(pause).await;
            if number < 3 { door.restore_version(&token, &old, 2).await } else { door.purge(&token, &[file]).await }
        }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers[..3], &["ok", "NOT_FOUND", "STALE_REVISION"]);
    tally.take(&answers[3..], &["ok"]);
    tally.expect(count(&answers[..3], "ok") <= 1, || format!("one revision was restored twice: {answers:?}"));
    for table in ["file", "file_version", "rendition"] {
        let column = if table == "file" { "id" } else { "file_id" };
        let rows = arena.number(&format!("SELECT COUNT(*) FROM {table} WHERE {column} = {}", arena.key(&file))).await?;
        tally.expect(rows == 0, || format!("{rows} rows of a purged file are in {table}"));
    }
    Ok(())
}

/// What became of a completed upload.
async fn ended(arena: &Arena, owner: &Person, upload: &str) -> String {
    let began = Instant::now();
    loop {
        let state = arena.doors[1].upload_session(&owner.token, upload).await.text("/state");
        if state != "VERIFYING" || began.elapsed() > PATIENCE {
            return state;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// With a counter that stands still: whether the race shows what it should.
pub async fn planted(arena: &Arena, admin: &Person, rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let (fault, mend): (&[&str], &[&str]) = match *KIND {
        Kind::Postgres => (
            &[
                "CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.files := OLD.files; NEW.bytes := OLD.bytes; RETURN NEW; END'",
                "CREATE TRIGGER stand BEFORE UPDATE ON usage FOR EACH ROW EXECUTE FUNCTION stand()",
            ],
            &["DROP TRIGGER stand ON usage"],
        ),
        Kind::MariaDb => (
            &[
                "CREATE TRIGGER stand BEFORE UPDATE ON `usage` FOR EACH ROW SET NEW.files = OLD.files, NEW.bytes = OLD.bytes",
            ],
            &["DROP TRIGGER stand"],
        ),
        Kind::Sqlite => (
            &["CREATE TRIGGER stand AFTER UPDATE ON usage WHEN NEW.files <> OLD.files OR NEW.bytes <> OLD.bytes \
               BEGIN UPDATE usage SET files = OLD.files, bytes = OLD.bytes WHERE user_id = NEW.user_id; END"],
            &["DROP TRIGGER stand"],
        ),
    };
    let owner = arena.person("planted").await?;
    for sql in fault {
        arena.run(sql).await?;
    }
    let mut tally = Tally::default();
    last_room(arena, admin, &owner, rng, &mut tally).await?;
    for sql in mend {
        arena.run(sql).await?;
    }
    Ok(tally.violations.into_iter().find(|violation| violation.contains("took the last room")))
}
