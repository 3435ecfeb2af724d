//! Many at once: no link gives more downloads than it allows.

use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use super::{browser, given_back, share, used};
use crate::support::{Person, TestServer};

const RACERS: usize = 50;

/// How many of fifty, half of them at each of two processes, got the whole file or the way to it. Who is told that others
/// are at it comes again.
async fn winners(urls: [&str; 2]) -> usize {
    let browser = browser();
    let race = async |number: usize| {
        loop {
            let response = browser.get(urls[number % 2]).send().await.unwrap();
            match response.status().as_u16() {
                302 => return true,
                200 => return response.text().await.is_ok_and(|text| text == "text"),
                404 => return false,
                status => assert_eq!(status, 409),
            }
        }
    };
    futures::future::join_all((0..RACERS).map(race)).await.into_iter().filter(|won| *won).count()
}

/// A race for a link that allows so many: how many won, and what the link says afterwards.
async fn race(server: &TestServer, ada: &Person, file: &Value, strict: bool, most: usize) -> (usize, (String, u64)) {
    let other = server.another().await;
    let (link, url) = share(ada, file, json!({ "strict": strict, "maxDownloads": most })).await;
    let won = winners([&url, &url.replace(&server.url, &other.url)]).await;
    given_back(server).await;
    other.finish().await;
    (won, used(ada, &link).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_want_the_last_download_one_gets_it() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    for strict in [false, true] {
        for most in [1, 7] {
            let outcome = race(&server, &ada, &file, strict, most).await;
            assert_eq!(outcome, (most, ("EXHAUSTED".to_owned(), most as u64)), "strict: {strict}");
        }
    }
    server.finish().await;
}

/// The control: where the database loses the count, the race shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_is_lost_shows_in_the_race() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    let connection = server.app.db.read();
    let faults: &[&str] = match connection.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.downloads := OLD.downloads; RETURN NEW; END'",
            "CREATE TRIGGER forget BEFORE UPDATE ON share_link FOR EACH ROW EXECUTE FUNCTION forget()",
        ],
        DbBackend::MySql => {
            &["CREATE TRIGGER forget BEFORE UPDATE ON share_link FOR EACH ROW SET NEW.downloads = OLD.downloads"]
        }
        _ => &["CREATE TRIGGER forget AFTER UPDATE ON share_link WHEN NEW.downloads <> OLD.downloads \
             BEGIN UPDATE share_link SET downloads = OLD.downloads WHERE id = NEW.id; END"],
    };
    for fault in faults {
        connection.execute_unprepared(fault).await.unwrap();
    }
    for strict in [false, true] {
        let (won, _) = race(&server, &ada, &file, strict, 1).await;
        assert_eq!(won, RACERS, "strict: {strict}: planted and not caught");
    }
    server.finish().await;
}
