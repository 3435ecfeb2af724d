//! A removal by filter against whatever else is done to its files: each file of the frozen set is done or skipped, each act is
//! written down once, and each order raises one alert.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use tokio::time::sleep;

use super::{
    arena::{Arena, seen},
    content,
    door::{Answer, Person, volley},
    tally::Tally,
};
use crate::common::Failure;

const FILES: usize = 24;
const LATE: usize = 3;
const TOO_LATE: [&str; 3] = ["ok", "NOT_FOUND", "WRONG_STATE"];

/// `people`: somebody, and two admins.
pub async fn round(arena: &Arena, people: &[Person; 3], rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let owner = arena.person("bulk").await?;
    let whose = arena.doors[0].user_id(&owner.token).await;
    let mut ids = Vec::new();
    for number in 0..FILES {
        ids.push(arena.doors[number % 2].upload(&owner.token, "bulk", content(rng), None).await.text("/file/id"));
    }
    let before = counts(arena).await?;
    // The same order at both doors is one; another admin's is another, or comes when the files are others.
    let orders = (0..2).map(|number| {
        let (door, token, whose) = (arena.doors[number].clone(), people[1].token.clone(), whose.clone());
        async move { door.remove_matching(&token, &whose, FILES, Some(&whose)).await }
    });
    let first = volley(orders.collect()).await;
    tally.take(&first, &["ok"]);
    let told: Vec<String> = first.iter().map(|answer| answer.text("/action/id")).collect();
    tally.expect(told[0] == told[1], || format!("one order made two actions: {told:?}"));

    let pause = |rng: &mut StdRng| Duration::from_micros(rng.random_range(0..60_000));
    let acts = (0..4).flat_map(|act| (0..FILES / 6).map(move |number| (act, number))).map(|(act, number)| {
        let (door, admin, owner) =
            (arena.doors[(act + number) % 2].clone(), people[2].token.clone(), owner.token.clone());
        let (pause, bytes, whose) = (pause(rng), content(rng), whose.clone());
        let some: Vec<String> = ids.iter().skip(act + 4 * number).take(2).cloned().collect();
        async move {
            sleep(pause).await;
            match act {
                0 if number < LATE => door.upload(&owner, "late", bytes, None).await,
                0 => door.remove_matching(&admin, &whose, FILES, None).await,
                1 => door.restore(&admin, &some).await,
                2 => door.trash(&owner, &some).await,
                _ => door.purge(&owner, &some).await,
            }
        }
    });
    let answers = volley(acts.collect()).await;
    let (others, second): (Vec<_>, Vec<_>) = answers.into_iter().enumerate().partition(|(number, _)| *number != LATE);
    let plain = |answers: Vec<(usize, Answer)>| answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>();
    let (others, second) = (plain(others), plain(second));
    tally.take(&others, &TOO_LATE);
    tally.take(&second, &["ok", "COUNT_CHANGED"]);

    let actions: Vec<String> =
        second.iter().filter(|answer| answer.is_ok()).map(|answer| answer.text("/action/id")).collect();
    let refused = actions.is_empty();
    let mut removed = 0;
    let ordered = actions.len() as i64 + 1;
    for id in actions.into_iter().chain([told[0].clone()]) {
        let ended = ended(arena, &people[1], &id).await?;
        let [total, done, skipped] = ["/total", "/done", "/skipped"].map(|at| ended.number(at));
        tally.expect(ended.text("/state") == "COMPLETED", || format!("an action ended otherwise: {ended:?}"));
        tally.expect(total == done + skipped, || format!("{done} done and {skipped} skipped of {total}"));
        tally.expect(ended.number("/alert/count") == done, || format!("{done} done, and told otherwise: {ended:?}"));
        removed += done;
    }
    let after = counts(arena).await?;
    let [alerts, entries, items] = [0, 1, 2].map(|at| after[at] - before[at]);
    tally.expect(alerts == ordered, || format!("{alerts} alerts of {ordered} orders"));
    tally.expect(entries == removed, || format!("{entries} entries in the audit log of {removed} removals"));
    tally.expect(items == 0, || format!("{items} files are still on a list"));
    if refused {
        for answer in others.iter().take(LATE) {
            let state = arena.doors[0].file(&owner.token, &answer.text("/file/id")).await.text("/state");
            tally.expect(state == "ACTIVE", || format!("a file that came later is {state}"));
        }
    } else {
        tally.note("second orders that were taken", 1);
    }
    Ok(())
}

/// Alerts of removals, entries of them, and files that wait for theirs.
async fn counts(arena: &Arena) -> Result<[i64; 3], Failure> {
    Ok([
        arena.number("SELECT COUNT(*) FROM alert WHERE kind = 'FILES_REMOVED'").await?,
        arena.number("SELECT COUNT(*) FROM audit_entry WHERE action = 'file.removed'").await?,
        arena.number("SELECT COUNT(*) FROM bulk_item").await?,
    ])
}

async fn ended(arena: &Arena, admin: &Person, id: &str) -> Result<Answer, Failure> {
    let ended = seen(async || {
        let action = arena.doors[0].action(&admin.token, id).await;
        Ok((action.is_ok() && action.text("/state") != "RUNNING").then_some(action))
    });
    Ok(ended.await?.ok_or_else(|| format!("{id} does not end"))?)
}
