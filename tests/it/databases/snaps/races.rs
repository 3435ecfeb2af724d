//! Many at once, at two processes: one opens, one is the last.

use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use super::{audited, close, codes, open, rows, see, send, try_open, with_friends};
use crate::support::{Person, TestServer};

const RACERS: usize = 40;

/// How many of all who open a snap at once, half of them at each process, succeed; and the entries about it.
async fn openers(server: &TestServer, ada: &Person, ben: &Person) -> (usize, usize) {
    let other = server.another().await;
    let snap = send(ada, &[ben], json!({})).await;
    let people = [ben.clone(), ben.at(&other.url)];
    let race = (0..RACERS).map(|number| try_open(&people[number % 2], &snap, None));
    let payloads: Vec<Value> = join_all(race).await;
    let opened = payloads.iter().filter(|payload| payload["view"].is_object()).count();
    let refused = payloads.iter().filter(|payload| codes(payload) == ["ALREADY_OPENED"]).count();
    assert_eq!(opened + refused, RACERS);
    (opened, audited(server, &snap).await.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_who_open_at_once_one_does() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    for _ in 0..3 {
        assert_eq!(openers(&server, &ada, &ben).await, (1, 1));
    }
    server.finish().await;
}

/// The control: where the database loses that it was opened, the race shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_lost_shows_in_the_race() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let connection = server.app.db.read();
    let faults: &[&str] = match connection.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.state := OLD.state; NEW.view_ends_at := NULL; RETURN NEW; END'",
            "CREATE TRIGGER forget BEFORE UPDATE ON snap_recipient FOR EACH ROW EXECUTE FUNCTION forget()",
        ],
        DbBackend::MySql => &["CREATE TRIGGER forget BEFORE UPDATE ON snap_recipient FOR EACH ROW \
             SET NEW.state = OLD.state, NEW.view_ends_at = NULL"],
        _ => &["CREATE TRIGGER forget AFTER UPDATE ON snap_recipient WHEN NEW.state <> OLD.state \
             BEGIN UPDATE snap_recipient SET state = OLD.state, view_ends_at = NULL WHERE id = NEW.id; END"],
    };
    for fault in faults {
        connection.execute_unprepared(fault).await.unwrap();
    }
    let (opened, audited) = openers(&server, &ada, &ben).await;
    assert_eq!((opened, audited), (RACERS, RACERS), "planted and not caught");
    server.abandon();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_last_two_one_ends_it() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let other = server.another().await;
    let there = cleo.at(&other.url);
    for _ in 0..10 {
        let snap = send(&ada, &[&ben, &cleo], json!({})).await;
        see(&ben, &open(&ben, &snap).await).await;
        see(&cleo, &open(&cleo, &snap).await).await;
        let ends = tokio::join!(close(&ben, &snap), close(&there, &snap));
        assert_eq!((codes(&ends.0), codes(&ends.1)), (vec![], vec![]));
        let (row, object) = rows(&server, &snap).await;
        assert_eq!((row.remaining, row.gone_at.is_some()), (0, true));
        assert!(object.requested_at.is_some());
    }
    other.finish().await;
    server.finish().await;
}
