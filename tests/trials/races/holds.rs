//! Holds against every way of deleting: a hold that was placed keeps its file or its picture, one that came too late is
//! refused, and what was asked for meanwhile is done after the last release.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use super::{
    arena::{Arena, seen},
    content,
    door::{Answer, Person, volley},
    snaps::{Friend, send},
    tally::{Tally, count},
};
use crate::common::Failure;

#[derive(Clone, Copy, PartialEq)]
enum Act {
    Hold,
    Purge,
    Trash,
    Remove,
    Release(usize),
}

/// `people`: the owner, and two admins.
pub async fn round(arena: &Arena, people: &[Person; 3], rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let uploaded = arena.doors[0].upload(&people[0].token, "holds", content(rng), None).await;
    let file = uploaded.text("/file/id");
    let acts = [Act::Hold, Act::Purge, Act::Trash, Act::Hold, Act::Purge, Act::Remove];
    let answers = at_once(arena, people, &file, &acts, &[], rng).await;
    tally.take(&answers, &["ok", "NOT_FOUND", "DELETED"]);
    let holds: Vec<String> =
        of(&acts, &answers, |act| act == Act::Hold).map(|hold| hold.text("/legalHold/id")).collect();
    let holds: Vec<String> = holds.into_iter().filter(|id| !id.is_empty()).collect();
    let purged = of(&acts, &answers, |act| act == Act::Purge).filter(|answer| purged(answer)).count();
    tally.expect((holds.len() == 2) == (purged == 0), || format!("{} holds beside {purged} purges", holds.len()));
    tally.note("held", holds.len() / 2);
    if holds.is_empty() {
        return evidence(arena, rng, tally).await;
    }
    let live = contents(arena, &file, "LIVE").await?;
    tally.expect(live == 1, || format!("{live} contents of a held file are live"));

    // Of a purge beside the last release either one does it.
    let acts = [Act::Release(0), Act::Purge, Act::Release(1), Act::Purge];
    let answers = at_once(arena, people, &file, &acts, &holds, rng).await;
    tally.take(&answers, &["ok", "NOT_FOUND"]);
    let gone = seen(async || Ok((contents(arena, &file, "LIVE").await? == 0).then_some(()))).await?;
    tally.expect(gone.is_some(), || format!("{file} was to be purged after its last hold, and is there"));
    evidence(arena, rng, tally).await
}

/// Each act by whoever may, at the processes by turns.
async fn at_once(
    arena: &Arena,
    people: &[Person; 3],
    file: &str,
    acts: &[Act],
    holds: &[String],
    rng: &mut StdRng,
) -> Vec<Answer> {
    let requests = acts.iter().enumerate().map(|(number, act)| {
        let (door, owner) = (arena.doors[number % 2].clone(), people[0].token.clone());
        let (admin, file, act) = (people[1 + number % 2].token.clone(), file.to_owned(), *act);
        let hold = if let Act::Release(number) = act { holds[number].clone() } else { String::new() };
        let pause = Duration::from_micros(rng.random_range(0..20_000));
        async move {
            sleep(pause).await;
            match act {
                Act::Hold => {
                    let input = json!({ "fileId": file, "reason": "a race" });
                    door.act(&admin, "placeLegalHold", "legalHold { id }", input).await
                }
                Act::Release(_) => {
                    door.act(&admin, "releaseLegalHold", "legalHold { id }", json!({ "id": hold })).await
                }
                Act::Remove => {
                    let input = json!({ "ids": [file], "reason": "a race" });
                    door.act(&admin, "removeFiles", "files { id }", input).await
                }
                Act::Purge => door.act(&owner, "purgeFiles", "purgedIds held { id }", json!({ "ids": [file] })).await,
                Act::Trash => door.trash(&owner, &[file]).await,
            }
        }
    });
    volley(requests.collect()).await
}

fn of<'a>(
    acts: &'a [Act],
    answers: &'a [Answer],
    wanted: impl Fn(Act) -> bool + 'a,
) -> impl Iterator<Item = &'a Answer> {
    acts.iter().zip(answers).filter(move |(act, _)| wanted(**act)).map(|(_, answer)| answer)
}

fn purged(answer: &Answer) -> bool {
    answer.payload["purgedIds"].as_array().is_some_and(|ids| !ids.is_empty())
}

async fn contents(arena: &Arena, file: &str, state: &str) -> Result<i64, Failure> {
    let key = arena.key(file);
    let contents =
        format!("SELECT COUNT(*) FROM object WHERE file_id = {key} AND kind = 'original' AND state = '{state}'");
    arena.number(&contents).await
}

/// A snap is reported while its only recipient ends it: its picture is held, or it is doomed.
async fn evidence(arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let sender = Friend::new(arena).await?;
    let recipient = Friend::of(arena, &sender, tally).await?;
    let snap = send(arena, &sender, &[&recipient], None, tally).await;
    tally.take(&[arena.doors[0].to_snap(&recipient.person.token, "openSnap", &snap).await], &["ok"]);
    let requests = (0..4).map(|number| {
        let (door, token, snap) = (arena.doors[number / 2].clone(), recipient.person.token.clone(), snap.clone());
        let pause = Duration::from_micros(rng.random_range(0..10_000));
        async move {
            sleep(pause).await;
            if number % 2 == 0 {
                return door.to_snap(&token, "closeSnap", &snap).await;
            }
            let input = json!({ "id": snap, "category": "OTHER" });
            door.act(&token, "reportSnap", "report { id }", input).await
        }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok"]);
    let reports = count(&answers, "ok") - 2;
    let key = arena.key(&snap);
    let of_snap = |what: &str| {
        format!(
            "SELECT COUNT(*) FROM report JOIN object ON object.id = report.object_id WHERE subject_id = {key} AND {what}"
        )
    };
    let (made, held, gone) = (
        arena.number(&of_snap("1 = 1")).await?,
        arena.number(&of_snap("evidence = 'HELD' AND object.holds = 1 AND object.state = 'LIVE'")).await?,
        arena.number(&of_snap("evidence = 'GONE' AND object.holds = 0 AND object.state <> 'LIVE'")).await?,
    );
    tally.expect(made == 1 && held + gone == 1, || {
        format!("{reports} said so, {made} reports: {held} held, {gone} gone")
    });
    tally.note("held as evidence", usize::try_from(held).unwrap_or_default());
    Ok(())
}

/// A file that forgets that it is held: what the race says of it.
pub async fn planted(arena: &Arena, people: &[Person; 3], rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let uploaded = arena.doors[0].upload(&people[0].token, "holds", content(rng), None).await;
    let file = uploaded.text("/file/id");
    let input = json!({ "fileId": file, "reason": "a fault" });
    let placed = arena.doors[0].act(&people[1].token, "placeLegalHold", "legalHold { id }", input).await;
    let key = arena.key(&file);
    arena.run(&format!("UPDATE file SET holds = 0 WHERE id = {key}")).await?;
    arena.run(&format!("UPDATE object SET holds = 0 WHERE file_id = {key}")).await?;
    let answer = arena.doors[1].purge(&people[0].token, std::slice::from_ref(&file)).await;
    // It stands no more for what comes after.
    arena.run(&format!("DELETE FROM legal_hold WHERE file_id = {key}")).await?;
    Ok((placed.is_ok() && purged(&answer)).then(|| format!("a purge beside a hold: {:?}", answer.payload["purgedIds"])))
}
