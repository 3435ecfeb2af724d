//! Snaps that are opened, ended, sent and expire while something else happens to them, at both processes.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use snaphaven::images::generate;
use tokio::time::sleep;

use super::{
    arena::Arena,
    door::{Person, volley},
    tally::{Tally, count},
};
use crate::{
    common::Failure,
    servers::{KIND, Kind},
};

/// Who open one snap at once.
const OPENERS: usize = 200;
/// Requests of each other kind in one race.
const RACERS: usize = 6;
/// How long a snap waits that expires.
const SHORT: Duration = Duration::from_secs(1);

/// A picture, small: what is raced for is not how fast pictures are made.
static PICTURE: LazyLock<Bytes> =
    LazyLock::new(|| generate::photo_jpeg(1, 64, 48, 2_000).map(Bytes::from).unwrap_or_default());

/// Somebody, and the id by which others name them.
pub struct Friend {
    pub person: Person,
    pub id: String,
}

impl Friend {
    pub async fn new(arena: &Arena) -> Result<Self, Failure> {
        let person = arena.person("snap").await?;
        let id = arena.doors[0].user_id(&person.token).await;
        Ok(Self { person, id })
    }

    /// A friend of this person's.
    pub async fn of(arena: &Arena, other: &Self, tally: &mut Tally) -> Result<Self, Failure> {
        let new = Self::new(arena).await?;
        let asked = arena.doors[0].to_user(&new.person.token, "requestFriendship", &other.id).await;
        let id = asked.text("/friendship/id");
        let accepted = arena.doors[1].to_friendship(&other.person.token, "acceptFriendship", &id).await;
        tally.take(&[asked, accepted], &["ok"]);
        Ok(new)
    }
}

pub async fn round(arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let sender = Friend::new(arena).await?;
    let one = Friend::of(arena, &sender, tally).await?;
    let two = Friend::of(arena, &sender, tally).await?;
    opened(arena, &sender, &one, tally).await?;
    ended(arena, &sender, [&one, &two], tally).await?;
    expired(arena, &sender, &one, rng, tally).await?;
    unfriended(arena, &sender, &two, rng, tally).await
}

pub async fn send(arena: &Arena, from: &Friend, to: &[&Friend], seconds: Option<u32>, tally: &mut Tally) -> String {
    let to: Vec<&str> = to.iter().map(|friend| friend.id.as_str()).collect();
    let sent = arena.doors[0].send_snap(&from.person.token, &to, PICTURE.clone(), seconds).await;
    let id = sent.text("/snap/id");
    tally.take(&[sent], &["ok"]);
    id
}

/// Of all who open it at once one does, and one entry tells of it.
async fn opened(arena: &Arena, from: &Friend, to: &Friend, tally: &mut Tally) -> Result<(), Failure> {
    let snap = send(arena, from, &[to], None, tally).await;
    let requests = (0..OPENERS).map(|number| {
        let (door, token, snap) = (arena.doors[number % 2].clone(), to.person.token.clone(), snap.clone());
        async move { door.to_snap(&token, "openSnap", &snap).await }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok", "ALREADY_OPENED"]);
    let won = count(&answers, "ok");
    tally.expect(won == 1, || format!("{won} opened one snap"));
    let entries =
        arena.number(&format!("SELECT COUNT(*) FROM audit_entry WHERE subject_id = {}", arena.key(&snap))).await?;
    tally.expect(entries == 1, || format!("{entries} entries tell of one opening"));
    Ok(())
}

/// The last two are done at the same moment: the snap is gone, once.
async fn ended(arena: &Arena, from: &Friend, to: [&Friend; 2], tally: &mut Tally) -> Result<(), Failure> {
    let snap = send(arena, from, &to, None, tally).await;
    for friend in to {
        tally.take(&[arena.doors[0].to_snap(&friend.person.token, "openSnap", &snap).await], &["ok"]);
    }
    let requests = (0..2 * RACERS).map(|number| {
        let door = arena.doors[number / 2 % 2].clone();
        let (token, snap) = (to[number % 2].person.token.clone(), snap.clone());
        async move { door.to_snap(&token, "closeSnap", &snap).await }
    });
    tally.take(&volley(requests.collect()).await, &["ok"]);
    let key = arena.key(&snap);
    let gone = format!("SELECT COUNT(*) FROM snap WHERE id = {key} AND remaining = 0 AND gone_at IS NOT NULL");
    let gone = arena.number(&gone).await?;
    tally.expect(gone == 1, || "the last two are done, and the snap is not gone".to_owned());
    let doomed = format!(
        "SELECT COUNT(*) FROM object JOIN snap ON snap.object_id = object.id \
         WHERE snap.id = {key} AND object.reason = 'SNAP_ENDED'"
    );
    let doomed = arena.number(&doomed).await?;
    tally.expect(doomed == 1, || "the last two are done, and the picture is not doomed".to_owned());
    Ok(())
}

/// It is opened, or it expires.
async fn expired(
    arena: &Arena,
    from: &Friend,
    to: &Friend,
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let snap = send(arena, from, &[to], Some(1), tally).await;
    // Around the moment; and the answer to the sending took its time.
    sleep(SHORT - Duration::from_millis(rng.random_range(5..60))).await;
    let requests = (0..4 * RACERS).map(|number| {
        let (door, token, snap) = (arena.doors[number % 2].clone(), to.person.token.clone(), snap.clone());
        let pause = Duration::from_micros(rng.random_range(0..60_000));
        async move {
            sleep(pause).await;
            door.to_snap(&token, "openSnap", &snap).await
        }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok", "ALREADY_OPENED", "EXPIRED"]);
    let won = count(&answers, "ok");
    let late = count(&answers, "EXPIRED");
    tally.expect(won <= 1 && (won == 0 || late == 0), || format!("{won} opened a snap that {late} found expired"));
    let key = arena.key(&snap);
    let wrong = format!(
        "SELECT COUNT(*) FROM snap_recipient JOIN snap ON snap.id = snap_id \
         WHERE snap.id = {key} AND opened_at >= snap.expires_at"
    );
    let wrong = arena.number(&wrong).await?;
    tally.expect(wrong == 0, || "a snap was opened after it expired".to_owned());
    Ok(())
}

/// Snaps are sent while the friendship ends: those that went out did so before.
async fn unfriended(
    arena: &Arena,
    from: &Friend,
    to: &Friend,
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut requests: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = Vec::new();
    for number in 0..RACERS {
        let (door, token, friend) = (arena.doors[number % 2].clone(), from.person.token.clone(), to.id.clone());
        requests.push(Box::pin(async move { door.send_snap(&token, &[&friend], PICTURE.clone(), None).await }));
    }
    let (door, token, user) = (arena.doors[1].clone(), to.person.token.clone(), from.id.clone());
    let pause = Duration::from_micros(rng.random_range(0..60_000));
    requests.push(Box::pin(async move {
        sleep(pause).await;
        door.to_user(&token, "removeFriend", &user).await
    }));
    let answers = volley(requests).await;
    let (sent, removed) = answers.split_at(RACERS);
    tally.take(sent, &["ok", "NOT_A_FRIEND"]);
    tally.take(removed, &["ok"]);
    let (sender, friend) = (arena.key(&from.id), arena.key(&to.id));
    let mine = format!("FROM snap_recipient WHERE sender_id = {sender} AND recipient_id = {friend}");
    let late = format!(
        "SELECT COUNT(*) {mine} AND created_at > (SELECT changed_at FROM friendship WHERE low_id IN ({sender}, {friend}) \
         AND high_id IN ({sender}, {friend}))"
    );
    let late = arena.number(&late).await?;
    tally.expect(late == 0, || format!("{late} snaps were sent to somebody who was no friend any more"));
    // The one of the race before went to both.
    let rows = arena.number(&format!("SELECT COUNT(*) {mine}")).await?;
    let won = i64::try_from(count(sent, "ok")).unwrap_or(0) + 1;
    tally.expect(rows == won, || format!("{won} snaps were sent, and {rows} are there"));
    Ok(())
}

/// Where it is forgotten that a snap was opened: whether the race shows what it should.
pub async fn planted(arena: &Arena) -> Result<Option<String>, Failure> {
    let (fault, mend): (&[&str], &str) = match *KIND {
        Kind::Postgres => (
            &[
                "CREATE FUNCTION unopen() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.state := OLD.state; NEW.view_ends_at := NULL; RETURN NEW; END'",
                "CREATE TRIGGER unopen BEFORE UPDATE ON snap_recipient FOR EACH ROW EXECUTE FUNCTION unopen()",
            ],
            "DROP TRIGGER unopen ON snap_recipient",
        ),
        Kind::MariaDb => (
            &["CREATE TRIGGER unopen BEFORE UPDATE ON snap_recipient FOR EACH ROW \
               SET NEW.state = OLD.state, NEW.view_ends_at = NULL"],
            "DROP TRIGGER unopen",
        ),
        Kind::Sqlite => (
            &["CREATE TRIGGER unopen AFTER UPDATE ON snap_recipient WHEN NEW.state <> OLD.state \
               BEGIN UPDATE snap_recipient SET state = OLD.state, view_ends_at = NULL WHERE id = NEW.id; END"],
            "DROP TRIGGER unopen",
        ),
    };
    for sql in fault {
        arena.run(sql).await?;
    }
    let mut tally = Tally::default();
    let sender = Friend::new(arena).await?;
    let friend = Friend::of(arena, &sender, &mut tally).await?;
    opened(arena, &sender, &friend, &mut tally).await?;
    arena.run(mend).await?;
    Ok(tally.violations.into_iter().find(|violation| violation.contains("opened one snap")))
}
