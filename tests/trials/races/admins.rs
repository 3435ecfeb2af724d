//! The owner and two admins at the same files: one outcome, and one alert of each.

use std::collections::BTreeSet;

use rand::rngs::StdRng;

use super::{
    arena::Arena,
    content,
    door::{Answer, Person, volley},
    tally::Tally,
};
use crate::common::Failure;

const FILES: usize = 3;

/// `people`: the owner, and two admins.
pub async fn round(arena: &Arena, people: &[Person; 3], rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for _ in 0..FILES {
        ids.push(arena.doors[0].upload(&people[0].token, "admins", content(rng), None).await.text("/file/id"));
    }
    let answers = at_once(arena, people, &ids, false).await;
    tally.take(&answers, &["ok"]);
    alerts(arena, &answers, tally).await?;
    for id in &ids {
        let state = arena.doors[1].file(&people[0].token, id).await.text("/state");
        tally.expect(matches!(&*state, "TRASHED" | "REMOVED"), || format!("a trashed file is {state:?}"));
        let told: BTreeSet<&str> = answers
            .iter()
            .flat_map(|answer| answer.payload["files"].as_array().into_iter().flatten())
            .filter(|file| file["id"] == **id)
            .filter_map(|file| file["state"].as_str())
            .collect();
        tally.expect(told == BTreeSet::from([&*state]), || format!("a file that is {state} was told to be {told:?}"));
    }
    let answers = at_once(arena, people, &ids, true).await;
    tally.take(&answers, &["ok"]);
    alerts(arena, &answers, tally).await?;
    let erasures = |answer: &Answer| -> BTreeSet<String> {
        let rows = answer.payload["erasures"].as_array().into_iter().flatten();
        rows.filter_map(|erasure| erasure["id"].as_str().map(str::to_owned)).collect()
    };
    let told: BTreeSet<BTreeSet<String>> = answers.iter().map(erasures).collect();
    let one = told.first().is_some_and(|erasures| erasures.len() == FILES);
    tally.expect(told.len() == 1 && one, || format!("purges were told of different erasures: {told:?}"));
    Ok(())
}

/// Everybody, twice, names the files in another order.
async fn at_once(arena: &Arena, people: &[Person; 3], ids: &[String], purge: bool) -> Vec<Answer> {
    let requests = (0..people.len() * 2).map(|number| {
        let (door, token) = (arena.doors[number % 2].clone(), people[number % 3].token.clone());
        let mut ids = ids.to_vec();
        ids.rotate_left(number % FILES);
        if number % 2 == 1 {
            ids.reverse();
        }
        async move { if purge { door.purge(&token, &ids).await } else { door.trash(&token, &ids).await } }
    });
    volley(requests.collect()).await
}

/// One of the requests did it, and raised the one alert, which counts every file.
async fn alerts(arena: &Arena, answers: &[Answer], tally: &mut Tally) -> Result<(), Failure> {
    let raised: Vec<&Answer> = answers.iter().filter(|answer| answer.payload["alert"].is_object()).collect();
    tally.expect(raised.len() == 1, || format!("{} alerts were raised of one act", raised.len()));
    for answer in raised {
        let count = answer.payload["alert"]["count"].to_string();
        tally.expect(count.trim_matches('"') == FILES.to_string(), || {
            format!("an alert counts {count} of {FILES} files")
        });
        let id = answer.text("/alert/id");
        let rows = arena.number(&format!("SELECT COUNT(*) FROM alert WHERE id = {}", arena.key(&id))).await?;
        tally.expect(rows == 1, || format!("{rows} alerts {id} are in the table"));
    }
    Ok(())
}
