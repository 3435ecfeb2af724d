//! Ways to an object beside its id: lists of ids, idempotency keys, signed URLs, log-in, the services behind commands.

use std::time::Duration;

use entity::{
    Timestamp,
    user::{self, Role},
};
use serde_json::{Value, json};
use snaphaven::{
    accounts::{self, AccountsError, NewAccount},
    error::Fault,
    viewer::{Denied, Identity, Viewer},
};
use uuid::Uuid;

use super::{
    client::Answer,
    outcome::difference,
    stage::{Account, Caller, Stage, string},
};
use crate::support::{PASSWORD, TestServer};

async fn upload(person: &Account, name: &str, key: Option<&str>) -> String {
    let input = json!({ "file": null, "name": name, "idempotencyKey": key });
    let payload = person.client.done("uploadFile", "file { id }", input, Some(name.as_bytes().to_vec())).await;
    string(&payload["file"]["id"])
}

async fn url(person: &Account, file: &str) -> String {
    let query = format!("{{ node(id: \"{file}\") {{ ... on File {{ downloadUrl(expiresIn: 600) {{ url }} }} }} }}");
    string(&person.client.query(&query, &Value::Null).await.body["data"]["node"]["downloadUrl"]["url"])
}

async fn get(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The stage's database is as it was.
async fn unchanged(stage: &Stage, before: &[String], what: &str) {
    let changes = difference(before, &stage.rows().await);
    assert!(changes.is_empty(), "{what}: {changes}");
}

#[tokio::test]
async fn anothers_id_among_ones_own_is_a_missing_one_and_stops_the_whole() {
    let stage = Stage::new(TestServer::idle(|_| {}).await).await;
    let (ada, bob) = (stage.account(Role::User).await, stage.account(Role::User).await);
    let (hers, his) = (upload(&ada, "hers", None).await, upload(&bob, "his", None).await);
    let missing = format!("file_{}", Uuid::now_v7().simple());
    for name in ["trashFiles", "restoreFiles", "purgeFiles"] {
        for at_first in [true, false] {
            let ids = |other: &str| json!({ "ids": if at_first { [other, &his] } else { [&his, other] } });
            let rows = stage.rows().await;
            let send =
                async |id| bob.client.mutate(name, "{ userErrors { code field message } }", &ids(id), None).await;
            let (answer, twin): (Answer, Answer) = (send(&hers).await, send(&missing).await);
            assert_eq!(answer.body["data"][name]["userErrors"][0]["code"], "NOT_FOUND", "{name}: {answer:?}");
            assert_eq!(answer.about(&hers), twin.about(&missing));
            unchanged(&stage, &rows, name).await;
        }
    }
    stage.server.work().await;
    stage.server.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_recalls_nothing_of_another_persons() {
    let stage = Stage::new(TestServer::start().await).await;
    let (ada, bob) = (stage.account(Role::User).await, stage.account(Role::User).await);
    let hers = upload(&ada, "same", Some("key")).await;
    assert_eq!(upload(&ada, "same", Some("key")).await, hers);
    assert_ne!(upload(&bob, "same", Some("key")).await, hers);
    let input = json!({ "id": hers, "revision": 1, "file": null, "idempotencyKey": "replaced" });
    let replace = async |person: &Account| {
        let selection = "{ file { id } userErrors { code } }";
        let answer = person.client.mutate("replaceFileContent", selection, &input, Some(b"new".to_vec())).await;
        answer.body["data"]["replaceFileContent"].clone()
    };
    assert_eq!(replace(&ada).await["file"]["id"], json!(hers));
    assert_eq!(replace(&ada).await["file"]["id"], json!(hers), "a repeat");
    assert_eq!(replace(&bob).await, json!({ "file": null, "userErrors": [{ "code": "NOT_FOUND" }] }));
    stage.server.finish().await;
}

#[tokio::test]
async fn a_signed_url_opens_one_object_until_it_expires_or_the_file_is_purged() {
    let stage = Stage::new(TestServer::start().await).await;
    let (ada, bob) = (stage.account(Role::User).await, stage.account(Role::User).await);
    let (hers, his) = (upload(&ada, "hers", None).await, upload(&bob, "his", None).await);
    stage.server.quiet().await;
    let (to_hers, to_his) = (url(&ada, &hers).await, url(&bob, &his).await);
    assert_eq!(get(&to_hers).await, (200, "hers".to_owned()));
    let (his_place, _) = to_his.split_once('?').unwrap();
    let (her_place, her_signature) = to_hers.split_once('?').unwrap();
    assert_eq!(get(her_place).await.0, 403, "without a signature");
    assert_eq!(get(&format!("{his_place}?{her_signature}")).await.0, 403, "with another object's signature");

    ada.client.done("purgeFiles", "purgedIds", json!({ "ids": [hers] }), None).await;
    stage.server.quiet().await;
    let gone = get(&to_hers).await;
    let never = to_hers.replace(her_place.rsplit('/').next().unwrap(), &Uuid::now_v7().simple().to_string());
    assert_eq!((gone.0, get(&never).await.0), (404, 403), "purged; and never signed");
    assert!(!gone.1.contains("hers"));

    assert_eq!(get(&to_his).await, (200, "his".to_owned()));
    stage.server.advance(Duration::from_secs(24 * 3600));
    assert_eq!(get(&to_his).await.0, 403, "expired");
    stage.server.finish().await;
}

#[tokio::test]
async fn the_suspended_cannot_come_back_in_and_only_who_knows_the_password_learns_why() {
    let stage = Stage::new(TestServer::idle(|_| {}).await).await;
    let ada = stage.account(Role::User).await;
    let suspended = stage.asking(Caller::SuspendedToken, &ada).await;
    let log_in = async |login: &str, password: &str| {
        let input = json!({ "login": login, "password": password });
        let selection = "{ user { id } token userErrors { code field message retryAfter } }";
        stage.client.mutate("logIn", selection, &input, None).await
    };
    let rows = stage.rows().await;
    for login in [ada.name.clone(), format!("{}@example.org", ada.name)] {
        let payload = log_in(&login, PASSWORD).await.body["data"]["logIn"].clone();
        assert_eq!(payload["userErrors"][0]["code"], "ACCOUNT_SUSPENDED");
        assert_eq!((&payload["user"], &payload["token"]), (&Value::Null, &Value::Null));
    }
    unchanged(&stage, &rows, "a refused log-in").await;
    let unknown = stage.unique("nowhere");
    let (wrong, never) = (log_in(&ada.name, "not the password").await, log_in(&unknown, "not the password").await);
    assert_eq!(wrong.about(&ada.name), never.about(&unknown));
    assert_eq!(suspended.client.query("{ viewer { id } }", &Value::Null).await.status, 401);
    stage.server.work().await;
    stage.server.finish().await;
}

#[tokio::test]
async fn what_a_file_says_the_viewer_can_do_is_what_the_mutations_let_them() {
    let stage = Stage::new(TestServer::idle(|_| {}).await).await;
    let [ada, root, root_too] =
        [stage.account(Role::User).await, stage.account(Role::Admin).await, stage.account(Role::Admin).await];
    for trashed_by in [None, Some(&ada), Some(&root_too)] {
        for viewer in [&ada, &root] {
            for (permission, name) in [
                ("edit", "editFile"),
                ("replaceContent", "replaceFileContent"),
                ("trash", "trashFiles"),
                ("restore", "restoreFiles"),
                ("purge", "purgeFiles"),
                ("share", "createShareLink"),
            ] {
                let file = upload(&ada, permission, None).await;
                if let Some(person) = trashed_by {
                    person.client.done("trashFiles", "files { id }", json!({ "ids": [file] }), None).await;
                }
                let query = format!(
                    "{{ node(id: \"{file}\") {{ ... on File {{ state revision viewerCan {{ can: {permission} }} }} }} }}"
                );
                let seen = viewer.client.query(&query, &Value::Null).await.body["data"]["node"].clone();
                let rows = stage.rows().await;
                let revision = &seen["revision"];
                let (input, bytes) = match name {
                    "editFile" => (json!({ "id": file, "revision": revision, "name": "new" }), None),
                    "replaceFileContent" => {
                        (json!({ "id": file, "revision": revision, "file": null }), Some(b"new".to_vec()))
                    }
                    "createShareLink" => (json!({ "fileId": file }), None),
                    _ => (json!({ "ids": [file] }), None),
                };
                let answer = viewer.client.mutate(name, "{ userErrors { code } }", &input, bytes).await;
                assert!(answer.error().is_none(), "{answer:?}");
                let did = stage.rows().await != rows;
                assert_eq!(
                    seen["viewerCan"]["can"],
                    json!(did),
                    "{permission} of a file {}: {answer:?}",
                    seen["state"]
                );
            }
        }
    }
    stage.server.work().await;
    stage.server.finish().await;
}

#[tokio::test]
async fn what_commands_do_to_accounts_no_person_can() {
    let server = TestServer::start().await;
    let viewer = |role| Viewer::User(Identity::new(user::Model { role, ..someone() }, Uuid::now_v7()));
    let account = NewAccount {
        username: "root".to_owned(),
        email: "root@example.org".to_owned(),
        first_name: "Root".to_owned(),
        last_name: String::new(),
        password: PASSWORD.to_owned().into(),
    };
    for (viewer, denied) in [
        (Viewer::Anonymous, Denied::Unauthenticated),
        (viewer(Role::User), Denied::Forbidden),
        (viewer(Role::Operator), Denied::Forbidden),
        (viewer(Role::Admin), Denied::Forbidden),
    ] {
        let made = accounts::create_admin(&server.app, &viewer, &account).await.map(|_| ());
        let reset = accounts::reset_password(&server.app, &viewer, "root", &account.password).await.map(|_| ());
        for outcome in [made, reset] {
            let refused = matches!(&outcome, Err(AccountsError::Fault(Fault::Denied(why))) if *why == denied);
            assert!(refused, "{viewer:?}: {outcome:?}");
        }
        assert_eq!(accounts::has_admin(&server.app, &viewer).await.is_ok(), viewer.is_admin());
    }
    assert!(!accounts::has_admin(&server.app, &Viewer::System("test")).await.unwrap());
    server.finish().await;
}

fn someone() -> user::Model {
    let (text, now) = (String::new, Timestamp(0));
    user::Model {
        id: Uuid::now_v7(),
        username: text(),
        username_key: text(),
        email: text(),
        email_key: text(),
        first_name: text(),
        last_name: text(),
        about: text(),
        password_hash: text(),
        role: Role::User,
        status: user::Status::Active,
        created_at: now,
        updated_at: now,
        shows_last_seen: false,
        last_seen_at: None,
        suspended_at: None,
        suspension_reason: None,
    }
}
