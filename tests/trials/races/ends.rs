//! Sessions and downloads that end at one process, and are used at the other.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::{
    arena::Arena,
    content,
    door::{PASSWORD, Person, volley},
    tally::Tally,
};
use crate::common::Failure;

const NEW_PASSWORD: &str = "a hen jumps 9 times";
const REFUSED: &str = "http 401 UNAUTHENTICATED";
/// How long an edge may serve an object that another process purged, and what a busy machine adds.
const EDGE: Duration = Duration::from_millis(5_500);

pub async fn round(arena: &Arena, tally: &mut Tally) -> Result<(), Failure> {
    let [here, there] = [&arena.doors[0], &arena.doors[1]];
    let person = arena.person("ending").await?;

    let session = there.log_in(&person.name, PASSWORD).await.text("/token");
    let out = here.log_out(&session).await;
    tally.take(&[out], &["ok"]);
    tally.take(&[there.viewer(&session).await], &[REFUSED]);

    // A change of password against log-ins with the old one, and tokens made meanwhile: what was got by it ends with it.
    let mut requests: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = Vec::new();
    let (door, token) = (here.clone(), person.token.clone());
    requests.push(Box::pin(async move { door.change_password(&token, PASSWORD, NEW_PASSWORD).await }));
    let other = here.log_in(&person.name, PASSWORD).await.text("/token");
    for number in 0..6 {
        let (door, name, other) = (arena.doors[number % 2].clone(), person.name.clone(), other.clone());
        if number < 4 {
            requests.push(Box::pin(async move { door.log_in(&name, PASSWORD).await }));
        } else {
            requests.push(Box::pin(async move { door.api_token(&other).await }));
        }
    }
    let answers = volley(requests).await;
    tally.take(&answers[..1], &["ok"]);
    tally.take(&answers[1..5], &["ok", "BAD_CREDENTIALS"]);
    tally.take(&answers[5..], &["ok", REFUSED, "error UNAUTHENTICATED"]);
    for token in answers[1..].iter().map(|answer| answer.text("/token")).chain([other]) {
        if !token.is_empty() {
            tally.take(&[there.viewer(&token).await], &[REFUSED]);
        }
    }
    tally.take(&[there.viewer(&person.token).await], &["ok"]);
    tally.take(&[there.log_in(&person.name, PASSWORD).await], &["BAD_CREDENTIALS"]);
    tally.take(&[there.log_in(&person.name, NEW_PASSWORD).await], &["ok"]);

    let user = if arena.is_mysql() { "`user`" } else { "\"user\"" };
    arena.run(&format!("UPDATE {user} SET status = 'SUSPENDED' WHERE username = '{}'", person.name)).await?;
    for door in &arena.doors {
        tally.take(&[door.viewer(&person.token).await], &[REFUSED]);
        tally.take(&[door.log_in(&person.name, NEW_PASSWORD).await], &["ACCOUNT_SUSPENDED"]);
    }
    Ok(())
}

/// A purge at one process, against downloads at the edges of both, which keep small objects in memory.
pub async fn edge(arena: &Arena, owner: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let bytes = content(rng);
    let uploaded = arena.doors[0].upload(&owner.token, "ending", bytes.clone(), None).await;
    let (id, url) = (uploaded.text("/file/id"), uploaded.text("/file/downloadUrl/url"));
    for door in &arena.doors {
        let got = door.download(&url).await?;
        tally.expect(got == (200, bytes.len()), || format!("a download gave {got:?}"));
    }
    let purged = arena.doors[0].purge(&owner.token, &[id]).await;
    let began = Instant::now();
    tally.take(&[purged], &["ok"]);
    for door in [&arena.doors[1], &arena.doors[0]] {
        loop {
            let (status, length) = door.download(&url).await?;
            let time = began.elapsed();
            if status != 200 {
                tally.expect(matches!(status, 403 | 404 | 410), || format!("a purged download is answered {status}"));
                break;
            }
            tally.expect(length == bytes.len(), || format!("a download gave {length} bytes of {}", bytes.len()));
            tally.expect(time < EDGE, || format!("a purged file is served after {time:?}"));
            if time > EDGE * 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    tally.note(
        "ms of serving what the other process had purged",
        usize::try_from(began.elapsed().as_millis()).unwrap_or(0),
    );
    Ok(())
}
