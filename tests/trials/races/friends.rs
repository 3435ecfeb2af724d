//! Two people who ask each other, and who answer, take back and block at the same moment, at both processes.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use tokio::time::sleep;

use super::{
    arena::Arena,
    door::{Answer, Person, volley},
    tally::{Tally, count},
};
use crate::{
    common::Failure,
    servers::{KIND, Kind},
};

/// Requests of each kind in one race.
const RACERS: usize = 6;

/// Somebody, and the id by which others name them.
struct Friend {
    person: Person,
    id: String,
}

impl Friend {
    async fn new(arena: &Arena) -> Result<Self, Failure> {
        let person = arena.person("friend").await?;
        let id = arena.doors[0].user_id(&person.token).await;
        Ok(Self { person, id })
    }
}

pub async fn round(arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let (one, two) = (Friend::new(arena).await?, Friend::new(arena).await?);
    crossing(arena, &one, &two, tally).await?;
    let answer = arena.doors[0].to_user(&two.person.token, "removeFriend", &one.id).await;
    tally.take(&[answer], &["ok"]);
    answered(arena, &one, &two, rng, tally).await?;
    blocked(arena, &Friend::new(arena).await?, &two, rng, tally).await
}

/// Both ask, many times: they are friends, by one request and one acceptance.
async fn crossing(arena: &Arena, one: &Friend, two: &Friend, tally: &mut Tally) -> Result<(), Failure> {
    let requests = (0..2 * RACERS).map(|number| {
        let door = arena.doors[number % 2].clone();
        let (from, to) = if number / 2 % 2 == 0 { (one, two) } else { (two, one) };
        let (token, user) = (from.person.token.clone(), to.id.clone());
        async move { door.to_user(&token, "requestFriendship", &user).await }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok"]);
    let seen = both_see(arena, one, two, tally).await?;
    tally.expect(seen == "ACCEPTED", || format!("crossing requests made {seen:?}"));
    for friend in [one, two] {
        let kind = "kind = 'friendship.changed'";
        let sql = format!("SELECT COUNT(*) FROM event WHERE {kind} AND recipient = {}", arena.key(&friend.id));
        let told = arena.number(&sql).await?;
        tally.expect(told == 2, || format!("{told} events tell of one request and one acceptance"));
    }
    Ok(())
}

/// A request is accepted and taken back: one of it takes place.
async fn answered(
    arena: &Arena,
    one: &Friend,
    two: &Friend,
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let answers = race(arena, one, two, &["acceptFriendship", "cancelFriendship"], rng, tally).await;
    let [accepted, cancelled] = [&answers[..RACERS], &answers[RACERS..]].map(|answers| count(answers, "ok"));
    tally.take(&answers, &["ok", "WRONG_STATE"]);
    tally.expect((accepted > 0) != (cancelled > 0), || {
        format!("one request was accepted {accepted} times and cancelled {cancelled} times")
    });
    let seen = both_see(arena, one, two, tally).await?;
    let expected = if accepted > 0 { "ACCEPTED" } else { "" };
    tally.expect(seen == expected, || format!("both see {seen:?}, not {expected:?}"));
    Ok(())
}

/// A request is accepted, taken back, and whoever asked is blocked: the block wins.
async fn blocked(
    arena: &Arena,
    one: &Friend,
    two: &Friend,
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let acts = ["acceptFriendship", "cancelFriendship", "blockUser"];
    let answers = race(arena, one, two, &acts, rng, tally).await;
    // After the block there is nothing to accept.
    tally.take(&answers[..2 * RACERS], &["ok", "WRONG_STATE", "NOT_FOUND"]);
    tally.take(&answers[2 * RACERS..], &["ok"]);
    let [asker, blocker] = [(one, two), (two, one)]
        .map(|(person, other)| async { arena.doors[1].between(&person.person.token, &other.id).await });
    let (asker, blocker) = (asker.await.text("/friendship/state"), blocker.await.text("/friendship/state"));
    tally.expect(blocker.is_empty(), || format!("who blocks sees {blocker}"));
    let accepted = count(&answers[..RACERS], "ok") > 0;
    let cancelled = count(&answers[RACERS..2 * RACERS], "ok") > 0;
    tally.expect(!(accepted && cancelled), || "a request was accepted and cancelled".to_owned());
    // To the asker a request that was neither waits for ever.
    let expected = if accepted || cancelled { "" } else { "PENDING" };
    tally.expect(asker == expected, || format!("the blocked see {asker:?}, not {expected:?}"));
    one_row(arena, one, two, tally).await?;
    let unblocked = arena.doors[0].to_user(&two.person.token, "unblockUser", &one.id).await;
    let asked = arena.doors[1].to_user(&one.person.token, "requestFriendship", &two.id).await;
    tally.take(&[unblocked, asked], &["ok"]);
    let seen = both_see(arena, one, two, tally).await?;
    tally.expect(seen == "PENDING", || format!("asked after the block both see {seen:?}"));
    Ok(())
}

/// `one` has asked `two`; then all of this at once, each a few times.
async fn race(
    arena: &Arena,
    one: &Friend,
    two: &Friend,
    acts: &[&'static str],
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Vec<Answer> {
    let asked = arena.doors[0].to_user(&one.person.token, "requestFriendship", &two.id).await;
    let id = asked.text("/friendship/id");
    tally.take(&[asked], &["ok"]);
    let requests = acts.iter().flat_map(|act| (0..RACERS).map(move |number| (*act, number))).map(|(act, number)| {
        let door = arena.doors[number % 2].clone();
        let by = if act == "cancelFriendship" { one } else { two };
        let (token, user, id) = (by.person.token.clone(), one.id.clone(), id.clone());
        let pause = Duration::from_micros(rng.random_range(0..10_000));
        async move {
            sleep(pause).await;
            if act == "blockUser" {
                door.to_user(&token, act, &user).await
            } else {
                door.to_friendship(&token, act, &id).await
            }
        }
    });
    volley(requests.collect()).await
}

/// The state in which both see the pair, each at another process; empty where there is nothing.
async fn both_see(arena: &Arena, one: &Friend, two: &Friend, tally: &mut Tally) -> Result<String, Failure> {
    let by_one = arena.doors[0].between(&one.person.token, &two.id).await.text("/friendship/state");
    let by_two = arena.doors[1].between(&two.person.token, &one.id).await.text("/friendship/state");
    tally.expect(by_one == by_two, || format!("one sees {by_one:?}, the other {by_two:?}"));
    one_row(arena, one, two, tally).await?;
    Ok(by_one)
}

async fn one_row(arena: &Arena, one: &Friend, two: &Friend, tally: &mut Tally) -> Result<(), Failure> {
    let (one, two) = (arena.key(&one.id), arena.key(&two.id));
    let sql = format!(
        "SELECT COUNT(*) FROM friendship WHERE low_id = {one} AND high_id = {two} OR low_id = {two} AND high_id = {one}"
    );
    let rows = arena.number(&sql).await?;
    tally.expect(rows == 1, || format!("a pair has {rows} rows"));
    Ok(())
}

/// Where a request cannot be taken back: whether the race shows what it should.
pub async fn planted(arena: &Arena, rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let (fault, mend): (&[&str], &str) = match *KIND {
        Kind::Postgres => (
            &[
                "CREATE FUNCTION persist() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.state := OLD.state; RETURN NEW; END'",
                "CREATE TRIGGER persist BEFORE UPDATE ON friendship FOR EACH ROW WHEN (NEW.state = 'CANCELLED') \
                 EXECUTE FUNCTION persist()",
            ],
            "DROP TRIGGER persist ON friendship",
        ),
        Kind::MariaDb => (
            &["CREATE TRIGGER persist BEFORE UPDATE ON friendship FOR EACH ROW \
               SET NEW.state = IF(NEW.state = 'CANCELLED', OLD.state, NEW.state)"],
            "DROP TRIGGER persist",
        ),
        Kind::Sqlite => (
            &["CREATE TRIGGER persist AFTER UPDATE ON friendship WHEN NEW.state = 'CANCELLED' \
               BEGIN UPDATE friendship SET state = OLD.state WHERE id = NEW.id; END"],
            "DROP TRIGGER persist",
        ),
    };
    for sql in fault {
        arena.run(sql).await?;
    }
    let mut tally = Tally::default();
    // Where an acceptance comes first, nothing is there to be taken back.
    for _ in 0..10 {
        answered(arena, &Friend::new(arena).await?, &Friend::new(arena).await?, rng, &mut tally).await?;
    }
    arena.run(mend).await?;
    Ok(tally.violations.into_iter().find(|violation| violation.contains("was accepted")))
}
