//! Under load, over two processes, with clients that come and go: nothing missed, nothing twice, in order.

use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};

use super::{append, cursor, seq};
use crate::support::{Heard, PATIENCE, Person, TestServer};

const LIVE: &str = "subscription ($after: String) { eventReceived(after: $after) { cursor } }";
const WRITERS: usize = 20;
const OF_EACH: usize = 25;
const READERS: u64 = 4;

/// What is wrong with what a client saw, of so many events.
fn flaws(seen: &[i64], events: i64) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut next = 1;
    for &seq in seen {
        match seq {
            seq if seq == next => next += 1,
            seq if seq > next => {
                flaws.push(format!("{next} to {} missed", seq - 1));
                next = seq + 1;
            }
            seq => flaws.push(format!("{seq} twice or late")),
        }
    }
    if next <= events {
        flaws.push(format!("{next} to {events} missed at the end"));
    }
    flaws
}

/// Reads until it has seen so many, over one WebSocket after the other, of one process or the other.
async fn read(person: Person, urls: [String; 2], events: usize, seed: u64, resumes: bool) -> Vec<i64> {
    let (mut random, start) = (SmallRng::seed_from_u64(seed), Instant::now());
    let mut seen: Vec<i64> = Vec::new();
    while seen.last().is_none_or(|last| usize::try_from(*last).unwrap() < events) {
        assert!(start.elapsed() < PATIENCE, "seen in time only {}", seen.len());
        let mut socket = person.at(&urls[random.random_range(0..2)]).socket().await;
        let after = if resumes { seen.last().copied().unwrap_or(0) } else { 0 };
        socket.subscribe("a", LIVE, json!({ "after": cursor(after) })).await;
        for _ in 0..random.random_range(1..60) {
            match socket.hear().await {
                Heard::Message(message) if message["type"] == "next" => {
                    seen.push(seq(&message["payload"]["data"]["eventReceived"]["cursor"]));
                }
                other => panic!("{other:?}"),
            }
            if seen.last().is_some_and(|last| usize::try_from(*last).unwrap() == events) {
                break;
            }
        }
        if random.random() {
            socket.say(json!({ "type": "complete", "id": "a" })).await;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_reconnect_under_load_miss_nothing_and_see_nothing_twice() {
    let server = TestServer::with(|config| config.live.max_sockets = 200).await;
    let ada = server.person("ada").await;
    let other = server.another().await;
    let events = WRITERS * OF_EACH;
    let urls = [server.url.clone(), other.url.clone()];
    let readers: Vec<_> =
        (0..READERS).map(|seed| tokio::spawn(read(ada.clone(), urls.clone(), events, seed, true))).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let (app, ada) = ([&server.app, &other.app][n % 2].clone(), ada.clone());
            tokio::spawn(async move { append(&app, &ada, OF_EACH).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        assert_eq!(flaws(&reader.await.unwrap(), i64::try_from(events).unwrap()), [""; 0]);
    }
    // The control: a client that forgets where it was sees things twice, and the judge says so.
    let mut caught = false;
    for seed in 0..10 {
        let urls = [server.url.clone(), other.url.clone()];
        caught |= !flaws(&read(ada.clone(), urls, 40, seed, false).await, 40).is_empty();
    }
    assert!(caught);
    other.finish().await;
    server.finish().await;
}

#[test]
fn the_judge_sees_what_was_missed_repeated_or_out_of_order() {
    assert_eq!(flaws(&[1, 2, 3], 3), [""; 0]);
    for wrong in [&[1, 3][..], &[1, 2], &[], &[1, 1, 2, 3], &[2, 1, 3], &[1, 2, 2, 3], &[1, 3, 2]] {
        assert!(!flaws(wrong, 3).is_empty(), "{wrong:?}");
    }
}

#[tokio::test]
async fn events_that_came_while_nobody_listened_are_told_at_the_return() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    append(&server.app, &ada, 250).await;
    let mut socket = ada.socket().await;
    socket.subscribe("a", LIVE, json!({ "after": cursor(0) })).await;
    let mut seen = Vec::new();
    for _ in 0..250 {
        seen.push(seq(&socket.next("a").await["data"]["eventReceived"]["cursor"]));
    }
    assert_eq!(flaws(&seen, 250), [""; 0]);
    socket.subscribe("b", "{ __typename }", Value::Null).await;
    socket.next("b").await;
    server.finish().await;
}
