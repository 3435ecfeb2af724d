//! One mutation, sent again and again with its idempotency key: it takes place once, and all are told so.

use std::collections::BTreeSet;

use rand::rngs::StdRng;

use super::{
    arena::Arena,
    content,
    door::{Person, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

const REPEATS: usize = 12;

pub async fn round(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let name = arena.fresh("repeated");
    let (bytes, other) = (content(rng), content(rng));
    let requests = (0..REPEATS).map(|number| {
        let (door, token, name) = (arena.doors[number % 2].clone(), owner.token.clone(), name.clone());
        // In every third round two different requests carry the key.
        let bytes = if tally.rounds.is_multiple_of(3) && number % 4 == 3 { other.clone() } else { bytes.clone() };
        async move { door.upload(&token, &name, bytes, Some(&name)).await }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, if tally.rounds.is_multiple_of(3) { &["ok", "IDEMPOTENCY_KEY_REUSED"] } else { &["ok"] });
    let ids: BTreeSet<String> =
        answers.iter().filter(|answer| answer.is_ok()).map(|answer| answer.text("/file/id")).collect();
    tally.expect(ids.len() == 1, || format!("one key made {} files", ids.len()));
    let rows = arena.number(&format!("SELECT COUNT(*) FROM file WHERE name = '{name}'")).await?;
    tally.expect(rows == 1, || format!("one key left {rows} files in the table"));

    let Some(id) = ids.first() else { return Ok(()) };
    let key = format!("{name} replaced");
    let bytes = content(rng);
    let requests = (0..REPEATS).map(|number| {
        let (door, token, id, key) = (arena.doors[number % 2].clone(), owner.token.clone(), id.clone(), key.clone());
        let bytes = bytes.clone();
        async move { door.replace(&token, &id, 1, bytes, Some(&key)).await }
    });
    let answers = volley(requests.collect()).await;
    tally.take(&answers, &["ok"]);
    let twos = answers.iter().filter(|answer| answer.number("/file/revision") == 2).count();
    let told = count(&answers, "ok");
    tally.expect(twos == REPEATS && told == REPEATS, || {
        format!("{told} of {REPEATS} succeed, {twos} tell of revision 2")
    });
    let versions =
        arena.number(&format!("SELECT COUNT(*) FROM file_version WHERE file_id = {}", arena.key(id))).await?;
    tally.expect(versions == 2, || format!("one key made {versions} versions"));
    let late = arena.doors[1].replace(&owner.token, id, 1, bytes, Some(&key)).await;
    tally.expect(late.number("/file/revision") == 2, || format!("a late repeat is told {late:?}"));
    let answer = arena.doors[0].purge(&owner.token, std::slice::from_ref(id)).await;
    tally.take(&[answer], &["ok"]);
    Ok(())
}

/// Without the key's uniqueness: whether the race shows what it should.
pub async fn planted(arena: &Arena, owner: &Person, rng: &mut StdRng) -> Result<Option<String>, Failure> {
    arena.without_primary_key("idempotency").await?;
    let mut tally = Tally::default();
    for _ in 0..5 {
        tally.rounds += 1;
        round(arena, owner, rng, &mut tally).await?;
        if let Some(violation) = tally.violations.iter().find(|violation| violation.contains("one key made")) {
            return Ok(Some(violation.clone()));
        }
    }
    Ok(None)
}
