//! Processes that start at once on a database without a table and a data folder without a key.

use std::time::Instant;

use super::{arena::Arena, content, tally::Tally};
use crate::{
    common::{Failure, process::Process},
    servers::{KIND, Kind, TestDatabase},
};
use rand::rngs::StdRng;

pub async fn round(arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let database = TestDatabase::empty().await;
    let folder = tempfile::tempdir()?;
    // One process serves an SQLite file.
    let size = if *KIND == Kind::Sqlite { 1 } else { 2 + usize::from(tally.rounds.is_multiple_of(2)) };
    let began = Instant::now();
    let starting = (0..size).map(|number| arena.launch_on(folder.path(), &database.url, number));
    let mut running: Vec<(Process, super::door::Door)> = Vec::new();
    for started in futures::future::join_all(starting).await {
        match started {
            Ok(started) => running.push(started),
            Err(error) => tally.expect(false, || format!("one of {size} did not start: {error}")),
        }
    }
    tally.note("processes started", running.len());
    tally.note("ms until all were up", usize::try_from(began.elapsed().as_millis()).unwrap_or(0));
    let [(_, first), .., (_, last)] = running.as_slice() else {
        tally.expect(running.len() == size, || "nobody started".to_owned());
        return Ok(());
    };
    // They serve one database, and know each other's signatures.
    let person = first.person("starter").await?;
    let seen = last.viewer(&person.token).await.text("/username");
    tally.expect(seen == person.name, || format!("{} is seen as {seen:?}", person.name));
    let uploaded = last.upload(&person.token, "starts", content(rng), None).await;
    let got = first.download(&uploaded.text("/file/downloadUrl/url")).await?.0;
    tally.expect(got == 200, || format!("a URL signed by another is answered {got}"));
    tally.take(&[uploaded], &["ok"]);
    Ok(())
}
