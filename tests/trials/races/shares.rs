//! The last download of a share link, wanted by many at both processes: one gets it, and whole.

use rand::rngs::StdRng;
use serde_json::json;

use super::{
    arena::Arena,
    content,
    door::{Person, volley},
    tally::{Tally, count},
};
use crate::{
    common::Failure,
    servers::{KIND, Kind},
};

const RACERS: usize = 50;

pub async fn round(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let bytes = content(rng);
    let uploaded = arena.doors[0].upload(&owner.token, "shared", bytes.clone(), None).await;
    let file = uploaded.text("/file/id");
    for strict in [false, true] {
        let made = arena.doors[1].share(&owner.token, &file, strict).await;
        let (link, url) = (made.text("/shareLink/id"), made.text("/url"));
        tally.take(&[made], &["ok"]);
        let requests = (0..RACERS).map(|number| {
            let (door, url) = (arena.doors[number % 2].clone(), url.clone());
            async move { door.follow(&url).await }
        });
        let answers = volley(requests.collect()).await;
        tally.take(&answers, &["ok", "http 404 NOT_FOUND"]);
        let won = count(&answers, "ok");
        tally.expect(won == 1, || format!("strict: {strict}: {won} had the last download"));
        let sizes: Vec<_> = answers.iter().filter(|answer| answer.is_ok()).map(|answer| &answer.payload).collect();
        let whole = !strict || sizes.iter().all(|size| **size == json!(bytes.len()));
        tally.expect(whole, || format!("{sizes:?} of {} bytes came", bytes.len()));
        let sql = format!("SELECT CAST(downloads AS {}) FROM share_link WHERE id = {}", integer(), arena.key(&link));
        let counted = arena.number(&sql).await?;
        tally.expect(counted == 1, || format!("strict: {strict}: {counted} downloads are counted"));
    }
    let answer = arena.doors[0].purge(&owner.token, &[file]).await;
    tally.take(&[answer], &["ok"]);
    let left = arena.number("SELECT COUNT(*) FROM share_link").await?;
    tally.expect(left == 0, || format!("a purge leaves {left} links"));
    Ok(())
}

/// The 64-bit integer of a CAST.
fn integer() -> &'static str {
    match *KIND {
        Kind::MariaDb => "SIGNED",
        Kind::Postgres | Kind::Sqlite => "BIGINT",
    }
}

/// With a count that is lost: whether the race shows what it should.
pub async fn planted(arena: &Arena, owner: &Person, rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let faults: &[&str] = match *KIND {
        Kind::Postgres => &[
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.downloads := OLD.downloads; RETURN NEW; END'",
            "CREATE TRIGGER forget BEFORE UPDATE ON share_link FOR EACH ROW EXECUTE FUNCTION forget()",
        ],
        Kind::MariaDb => {
            &["CREATE TRIGGER forget BEFORE UPDATE ON share_link FOR EACH ROW SET NEW.downloads = OLD.downloads"]
        }
        Kind::Sqlite => &["CREATE TRIGGER forget AFTER UPDATE ON share_link WHEN NEW.downloads <> OLD.downloads \
             BEGIN UPDATE share_link SET downloads = OLD.downloads WHERE id = NEW.id; END"],
    };
    for fault in faults {
        arena.run(fault).await?;
    }
    let mut tally = Tally::default();
    round(arena, owner, rng, &mut tally).await?;
    Ok(tally.violations.into_iter().find(|violation| violation.contains("had the last download")))
}
