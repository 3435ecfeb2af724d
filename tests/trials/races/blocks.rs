//! A content is blocked while many upload it: whatever became visible did so before it was blocked, and nothing does afterwards.

use std::time::Duration;

use entity::{blocked_content, file};
use rand::{RngExt, rngs::StdRng};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use snaphaven::id::NodeKind;
use tokio::time::sleep;

use super::{
    arena::Arena,
    content,
    door::{Person, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

const UPLOADS: usize = 30;

/// `people`: who uploads, and an admin.
pub async fn round(arena: &Arena, people: &[Person; 3], rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let bytes = content(rng);
    let first = arena.doors[0].upload(&people[0].token, "blocks", bytes.clone(), None).await;
    let requests = (0..UPLOADS).map(|number| {
        let (door, owner, admin) = (arena.doors[number % 2].clone(), people[0].token.clone(), people[1].token.clone());
        let (bytes, sha256) = (bytes.clone(), first.text("/file/sha256"));
        let blocks = number == UPLOADS / 2;
        let pause = Duration::from_micros(rng.random_range(0..if blocks { 20_000 } else { 60_000 }));
        async move {
            sleep(pause).await;
            if blocks {
                let input = json!({ "sha256": sha256, "reason": "a race" });
                return door.act(&admin, "blockContent", "blockedContent { id sha256 }", input).await;
            }
            door.upload(&owner, "blocks", bytes, None).await
        }
    });
    let mut answers = volley(requests.collect()).await;
    let entry = answers.swap_remove(UPLOADS / 2);
    tally.take(std::slice::from_ref(&entry), &["ok"]);
    tally.take(&answers, &["ok", "CONTENT_BLOCKED"]);
    tally.note("uploads beside the block", count(&answers, "ok"));
    for door in &arena.doors {
        let late = door.upload(&people[0].token, "blocks", bytes.clone(), None).await;
        tally.take(&[late], &["CONTENT_BLOCKED"]);
    }
    let beyond = beyond(arena, &entry.text("/blockedContent/id")).await?;
    tally.expect(beyond == 0, || format!("{beyond} files became visible after their content was blocked"));
    Ok(())
}

/// Files with a blocked content that are there since a time after it was blocked. The clocks here are one machine's.
async fn beyond(arena: &Arena, entry: &str) -> Result<usize, Failure> {
    let id = NodeKind::BlockedContent.parse(entry).ok_or("nothing was blocked")?;
    let entry = blocked_content::Entity::find_by_id(id).one(&arena.tables).await?.ok_or("no such entry")?;
    let files = file::Entity::find().filter(file::Column::Sha256.eq(entry.sha256)).all(&arena.tables).await?;
    let since = |file: &&file::Model| file.created_at > entry.blocked_at;
    Ok(files.iter().filter(since).count())
}

/// A list that changes unnoticed, its version standing still: what the race says of it.
pub async fn planted(arena: &Arena, people: &[Person; 3], rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let bytes = content(rng);
    let first = arena.doors[0].upload(&people[0].token, "blocks", bytes.clone(), None).await;
    let input = json!({ "sha256": first.text("/file/sha256"), "reason": "a fault" });
    let entry = arena.doors[1].act(&people[1].token, "blockContent", "blockedContent { id }", input).await;
    arena.run("UPDATE block_list SET version = version - 1").await?;
    arena.doors[0].upload(&people[0].token, "blocks", bytes, None).await;
    arena.run("UPDATE block_list SET version = version + 1").await?;
    let beyond = beyond(arena, &entry.text("/blockedContent/id")).await?;
    Ok((beyond > 0).then(|| format!("{beyond} file after its content was blocked")))
}
