//! Deletion against whatever else can be done to a file: deleted stays deleted.

use std::{io::Cursor, time::Duration};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use tokio::time::sleep;

use super::{
    arena::Arena,
    content,
    door::{Answer, Person, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

/// What may be said to who comes too late.
const TOO_LATE: [&str; 4] = ["ok", "NOT_FOUND", "WRONG_STATE", "STALE_REVISION"];

#[derive(Clone, Copy)]
enum Act {
    Purge,
    Trash,
    Restore,
    Edit,
    Replace,
}

pub async fn round(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    use Act::{Edit, Purge, Replace, Restore, Trash};
    for acts in
        [&[Purge, Replace, Purge, Replace, Edit][..], &[Purge, Restore, Restore, Trash], &[Trash, Edit, Replace]]
    {
        contest(arena, owner, acts, rng, tally).await?;
    }
    rendered(arena, owner, rng, tally).await
}

async fn contest(
    arena: &Arena,
    owner: &Person,
    acts: &[Act],
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let trashed = acts.iter().any(|act| matches!(act, Act::Restore));
    let purged = acts.iter().any(|act| matches!(act, Act::Purge));
    let uploaded = arena.doors[0].upload(&owner.token, "deletions", content(rng), None).await;
    let id = uploaded.text("/file/id");
    if trashed {
        let answer = arena.doors[1].trash(&owner.token, std::slice::from_ref(&id)).await;
        tally.take(&[answer], &["ok"]);
    }
    let requests = acts.iter().enumerate().map(|(number, act)| {
        let (act, door, token, id) = (*act, arena.doors[number % 2].clone(), owner.token.clone(), id.clone());
        let (pause, bytes) = (Duration::from_micros(rng.random_range(0..30_000)), content(rng));
        async move {
            sleep(pause).await;
            let ids = std::slice::from_ref(&id);
            match act {
                Act::Purge => door.purge(&token, ids).await,
                Act::Trash => door.trash(&token, ids).await,
                Act::Restore => door.restore(&token, ids).await,
                Act::Edit => door.edit(&token, &id, 1, "edited").await,
                Act::Replace => door.replace(&token, &id, 1, bytes, None).await,
            }
        }
    });
    let answers = volley(requests.collect()).await;
    for (act, answer) in acts.iter().zip(&answers) {
        let allowed = if matches!(act, Act::Purge | Act::Trash) && !(purged && matches!(act, Act::Trash)) {
            &TOO_LATE[..1]
        } else {
            &TOO_LATE
        };
        tally.take(std::slice::from_ref(answer), allowed);
    }
    if purged {
        gone(arena, owner, &id, tally).await?;
        // One purge, one alert: the others found nothing more to do.
        let of_purge =
            |(act, answer): &(&Act, &Answer)| matches!(act, Act::Purge) && answer.payload["alert"].is_object();
        let alerts = acts.iter().zip(&answers).filter(of_purge).count();
        tally.expect(alerts == 1, || format!("{alerts} purges raised an alert"));
    } else {
        let state = arena.doors[1].file(&owner.token, &id).await.text("/state");
        tally.expect(state == "TRASHED", || format!("a trashed file is {state}"));
        let answer = arena.doors[0].purge(&owner.token, std::slice::from_ref(&id)).await;
        tally.take(&[answer], &["ok"]);
    }
    Ok(())
}

/// A picture that is purged while its renditions are made.
async fn rendered(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let uploaded = arena.doors[0].upload(&owner.token, "picture.png", picture(rng)?, None).await;
    let id = uploaded.text("/file/id");
    sleep(Duration::from_millis(rng.random_range(0..250))).await;
    let purges = (0..2).map(|number| {
        let (door, token, id) = (arena.doors[number].clone(), owner.token.clone(), id.clone());
        async move { door.purge(&token, &[id]).await }
    });
    let answers = volley(purges.collect()).await;
    tally.take(&answers, &["ok"]);
    tally.expect(count(&answers, "ok") == 2, || "a purge of a picture was refused".to_owned());
    gone(arena, owner, &id, tally).await
}

/// Neither door nor table knows the file.
async fn gone(arena: &Arena, owner: &Person, id: &str, tally: &mut Tally) -> Result<(), Failure> {
    for door in &arena.doors {
        let seen = door.file(&owner.token, id).await;
        tally.expect(seen.is_ok() && seen.payload.is_null(), || format!("a purged file is back: {seen:?}"));
    }
    for table in ["file", "file_version", "rendition"] {
        let column = if table == "file" { "id" } else { "file_id" };
        let rows = arena.number(&format!("SELECT COUNT(*) FROM {table} WHERE {column} = {}", arena.key(id))).await?;
        tally.expect(rows == 0, || format!("{rows} rows of a purged file are in {table}"));
    }
    Ok(())
}

fn picture(rng: &mut StdRng) -> Result<Bytes, Failure> {
    let (red, blue) = (rng.random::<u8>(), rng.random::<u8>());
    let pixel = |x: u32, y: u32| image::Rgb([red, u8::try_from((x + y) % 256).unwrap_or(0), blue]);
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_fn(400, 300, pixel).write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner().into())
}
