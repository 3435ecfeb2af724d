//! Many more requests than connections: all are answered, and nothing waits for a connection while it holds one.

use std::{pin::Pin, time::Duration};

use rand::{RngExt, rngs::StdRng};

use super::{
    arena::Arena,
    content,
    door::{Answer, Door, PASSWORD, Person, volley},
    tally::Tally,
};
use crate::common::{Failure, process::Process};

const REQUESTS: usize = 200;
const BOUND: Duration = Duration::from_secs(20);
const PROMPT: Duration = Duration::from_secs(2);

/// Two processes of four connections each.
pub struct Crowd {
    _processes: Vec<Process>,
    doors: Vec<Door>,
    owner: Person,
}

impl Crowd {
    pub async fn gather(arena: &Arena) -> Result<Option<Self>, Failure> {
        let (mut processes, mut doors) = (Vec::new(), Vec::new());
        if arena.size() == 1 {
            doors.clone_from(&arena.doors);
        } else {
            for number in 0..2 {
                let (process, door) = arena.launch(number, &[("database.max_connections", "4")]).await?;
                processes.push(process);
                doors.push(door);
            }
        }
        let owner = arena.person("crowd").await?;
        Ok(Some(Self { _processes: processes, doors, owner }))
    }

    pub async fn round(&self, arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
        let owner = &self.owner;
        let mut files = Vec::new();
        for _ in 0..4 {
            files.push(self.doors[0].upload(&owner.token, "crowd", content(rng), None).await.text("/file/id"));
        }
        let mut requests: Vec<Pin<Box<dyn Future<Output = Answer> + Send>>> = Vec::new();
        for number in 0..REQUESTS {
            let (door, owner, id) = (self.doors[number % 2].clone(), owner.clone(), files[number / 2 % 4].clone());
            let (bytes, name) = (content(rng), arena.fresh("crowd"));
            let kind = rng.random_range(0..10);
            requests.push(Box::pin(async move {
                let (token, ids) = (&owner.token, std::slice::from_ref(&id));
                match kind {
                    0 => door.sign_up(&name, &format!("{name}@example.org")).await,
                    1 => door.log_in(&owner.name, PASSWORD).await,
                    2 => door.edit(token, &id, 1, &name).await,
                    3 => door.trash(token, ids).await,
                    4 => door.restore(token, ids).await,
                    5 => door.replace(token, &id, 1, bytes, None).await,
                    6 => door.api_token(token).await,
                    7 | 8 => door.upload(token, &name, bytes, Some(&name)).await,
                    _ => door.files(token).await,
                }
            }));
        }
        let answers = volley(requests).await;
        // Shed load is told as such, never as a fault of the server.
        tally.take(&answers, &["ok", "STALE_REVISION", "WRONG_STATE", "error UNAVAILABLE", "http 503 UNAVAILABLE"]);
        let longest = answers.iter().map(|answer| answer.time).max().unwrap_or_default();
        tally.expect(longest < BOUND, || format!("an answer took {longest:?}"));
        for door in &self.doors {
            let look = door.files(&owner.token).await;
            tally.expect(look.time < PROMPT, || format!("afterwards a query took {:?}", look.time));
            tally.take(&[look], &["ok"]);
        }
        let made: Vec<String> = self.doors[0].files(&owner.token).await.payload["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|file| file["id"].as_str().map(str::to_owned))
            .collect();
        if !made.is_empty() {
            let purged = self.doors[1].purge(&owner.token, &made).await;
            tally.take(&[purged], &["ok"]);
        }
        Ok(())
    }
}
