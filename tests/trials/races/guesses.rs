//! Many guesses of one password at once: the limit is counted over both processes, and nobody else waits.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::StdRng};

use super::{
    arena::Arena,
    door::{PASSWORD, Person, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

const GUESSES: usize = 200;
const LIMIT: usize = 10;
/// How soon others are answered meanwhile.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn round(arena: &Arena, other: &Person, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    let person = arena.person("guessed").await?;
    // In every fourth round the right password is among the guesses: it may come before the limit or after it.
    let right = (tally.rounds.is_multiple_of(4)).then(|| rng.random_range(0..GUESSES));
    let logins = [person.name.clone(), person.name.to_uppercase()];
    let guesses = (0..GUESSES).map(|number| {
        let (door, login) = (arena.doors[number % 2].clone(), logins[number / 2 % 2].clone());
        let password = if right == Some(number) { PASSWORD } else { "not the password" };
        async move { door.log_in(&login, password).await }
    });
    let guesses = tokio::spawn(volley(guesses.collect()));
    let mut looks = Vec::new();
    while !guesses.is_finished() || looks.is_empty() {
        let began = Instant::now();
        for door in &arena.doors {
            looks.push(door.files(&other.token).await);
        }
        tally.expect(began.elapsed() < PROMPT * 2, || format!("two looks took {:?}", began.elapsed()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tally.take(&looks, &["ok"]);
    let slow = looks.iter().map(|look| look.time).max().unwrap_or_default();
    tally.expect(slow < PROMPT, || format!("another's query took {slow:?}"));
    let answers = guesses.await?;
    tally.take(&answers, &["BAD_CREDENTIALS", "TOO_MANY_ATTEMPTS", "ok"]);
    let (checked, entered) = (count(&answers, "BAD_CREDENTIALS"), count(&answers, "ok"));
    match right {
        None => {
            tally.expect(checked == LIMIT && entered == 0, || format!("{checked} guesses checked, {entered} let in"));
        }
        Some(number) => {
            // Being let in forgets the failures before it.
            let limit = LIMIT * (1 + entered);
            tally.expect(checked >= LIMIT.min(limit) && checked < limit + usize::from(entered == 0), || {
                format!("{checked} guesses checked around {entered} right ones")
            });
            tally.expect(answers[number].is_ok() || answers[number].is("TOO_MANY_ATTEMPTS"), || {
                format!("the right password was answered {}", answers[number].kind)
            });
        }
    }
    // The limit holds for the right password at both doors, until the window is over.
    for door in &arena.doors {
        let refused = door.log_in(&person.name, PASSWORD).await;
        tally.take(&[refused], &["TOO_MANY_ATTEMPTS"]);
        let let_in = door.log_in(&other.name, PASSWORD).await;
        tally.take(&[let_in], &["ok"]);
    }
    let hour: i64 = 3_600_000_000;
    arena.run(&format!("UPDATE throttle SET window_start = window_start - {hour}")).await?;
    let later = arena.doors[1].log_in(&person.name, PASSWORD).await;
    tally.take(&[later], &["ok"]);
    Ok(())
}

/// Right log-ins, many at once, beside somebody who only looks.
pub async fn crowd(arena: &Arena, other: &Person, tally: &mut Tally) -> Result<(), Failure> {
    let log_ins = (0..GUESSES).map(|number| {
        let (door, name) = (arena.doors[number % 2].clone(), other.name.clone());
        async move { door.log_in(&name, PASSWORD).await }
    });
    let log_ins = tokio::spawn(volley(log_ins.collect()));
    while !log_ins.is_finished() {
        for door in &arena.doors {
            let look = door.files(&other.token).await;
            tally.expect(look.time < PROMPT, || format!("a query beside {GUESSES} log-ins took {:?}", look.time));
            tally.take(&[look], &["ok"]);
        }
    }
    tally.take(&log_ins.await?, &["ok"]);
    Ok(())
}
