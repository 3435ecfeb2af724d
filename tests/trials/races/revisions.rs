//! Many changes of one file that all saw the same revision.

use rand::{RngExt, rngs::StdRng};

use super::{
    arena::Arena,
    content,
    door::{Person, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

const CHANGES: usize = 16;

pub async fn round(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let uploaded = arena.doors[0].upload(&owner.token, "revisions", content(rng), None).await;
    let id = uploaded.text("/file/id");
    let mut versions = 1;
    for revision in 1..=3 {
        let mut requests = Vec::new();
        for number in 0..CHANGES {
            let (door, token, id) = (arena.doors[number % 2].clone(), owner.token.clone(), id.clone());
            let bytes = (revision > 1 && rng.random_bool(0.4)).then(|| content(rng));
            requests.push(async move {
                match bytes {
                    Some(bytes) => door.replace(&token, &id, revision, bytes, None).await,
                    None => door.edit(&token, &id, revision, &format!("edit {revision} {number}")).await,
                }
            });
        }
        let answers = volley(requests).await;
        tally.take(&answers, &["ok", "STALE_REVISION"]);
        tally.expect(count(&answers, "ok") == 1, || format!("{} changes of one revision", count(&answers, "ok")));
        let seen = arena.doors[1].file(&owner.token, &id).await;
        tally.expect(seen.number("/revision") == revision + 1, || format!("after {revision} comes {}", seen.payload));
        for answer in &answers {
            let same = ["/file/revision", "/file/name", "/file/sha256"];
            let told = same.iter().all(|field| answer.payload.pointer(field) == seen.payload.pointer(&field[5..]));
            tally.expect(told, || {
                let (told, now) = (answer.number("/file/revision"), seen.number("/revision"));
                format!(
                    "{} tells of revision {told}, {:?}, not of {now}, {:?}",
                    answer.kind,
                    answer.text("/file/name"),
                    seen.text("/name")
                )
            });
        }
        let winner = answers.iter().find(|answer| answer.is_ok());
        let sha256 = uploaded.text("/file/sha256");
        versions += i64::from(winner.is_some_and(|answer| answer.text("/file/sha256") != sha256));
    }
    // A replacement shows in the content's hash, once; what follows an edit keeps it.
    let rows = arena.number(&format!("SELECT COUNT(*) FROM file_version WHERE file_id = {}", arena.key(&id))).await?;
    tally.expect(rows <= versions, || format!("{rows} versions, at most {versions} replacements"));
    Ok(())
}
