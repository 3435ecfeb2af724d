//! Requests that were under way when the account was closed: whatever they came to, nothing of it is left.

use aws_lc_rs::digest::{SHA256, digest};
use entity::object::{Kind, State};
use futures::future::join_all;
use sea_orm::DbErr;
use serde_json::json;
use snaphaven::{
    adapters::objects::Body,
    error::Fault,
    ledger::{self, NewObject, Written},
    viewer::Denied,
};
use uuid::Uuid;

use super::{assert_gone, close, closure, key};
use crate::support::{Person, TestServer, code};

async fn write(server: &TestServer, person: &Person) -> Result<Written, Fault> {
    let new = NewObject {
        kind: Kind::Original,
        bytes: 4,
        sha256: digest(&SHA256, b"late").as_ref().try_into().unwrap(),
        content_type: "text/plain".to_owned(),
        user_id: Some(key(person)),
        file_id: Some(Uuid::now_v7()),
    };
    ledger::write(&server.app, new, Body::Memory("late".into())).await
}

#[tokio::test]
async fn bytes_on_their_way_are_erased_and_later_ones_are_not_taken_in() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let written = write(&server, &ada).await.unwrap();
    let receipt = close(&ada).await;
    let refused = write(&server, &ada).await;
    assert!(matches!(refused, Err(Fault::Denied(Denied::Unauthenticated))), "{refused:?}");
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt).await;
    let refused = write(&server, &ada).await;
    assert!(matches!(refused, Err(Fault::Denied(Denied::Unauthenticated))), "{refused:?}");

    // The request comes to its end only now.
    let app = &server.app;
    let live = app.transaction::<_, DbErr, _, _>(async |tx| ledger::make_live(app, &tx, &written).await).await.unwrap();
    assert!(!live);
    server.settle().await;
    assert!(server.objects().await.iter().all(|object| object.state == State::Erased));
    assert_eq!(closure(&server, &receipt).await["objects"], 1);
    server.assert_buckets_empty().await;
    server.finish().await;
}

/// At two processes at once: uploads of both kinds, contents, links, tokens and log-ins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_races_with_the_end_of_an_account_leaves_nothing() {
    let server = TestServer::start().await;
    let other = server.another().await;
    for round in 0..3 {
        let name = format!("ada{round}");
        let ada = server.person(&name).await;
        let file = ada.upload("a.txt", *b"text").await;
        let busy = async |number: usize, person: Person| {
            loop {
                let (_, answer) = match number % 4 {
                    0 => person.send_file("uploadFile", "file { id }", json!({}), ("b.txt", b"more".to_vec())).await,
                    1 => {
                        let query =
                            "mutation { createUpload(input: { name: \"d\", size: 5 }) { userErrors { code } } }";
                        (0, person.send(query, json!({})).await)
                    }
                    2 => {
                        let query =
                            "mutation ($id: ID!) { createShareLink(input: { fileId: $id }) { userErrors { code } } }";
                        (0, person.send(query, json!({ "id": file["id"] })).await)
                    }
                    _ => {
                        let query = "mutation { createApiToken(input: { name: \"t\" }) { userErrors { code } } }";
                        (0, person.send(query, json!({})).await)
                    }
                };
                if answer.get("errors").is_some() && code(&answer) == "UNAUTHENTICATED" {
                    return;
                }
            }
        };
        let closing = async {
            while server.objects().await.iter().filter(|object| object.user_id == Some(key(&ada))).count() < 4 {}
            close(&ada).await
        };
        let work = join_all((0..8).map(|n| busy(n, if n < 4 { ada.clone() } else { ada.at(&other.url) })));
        let (receipt, _) = tokio::join!(closing, work);
        server.settle().await;
        assert_gone(&server, &ada, &name, &receipt).await;
        server.assert_buckets_empty().await;
    }
    other.finish().await;
    server.finish().await;
}
