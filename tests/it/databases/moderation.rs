//! What admins do to people and their files: suspension, roles, removal; in the audit log, and told of by alerts.

use entity::audit_entry;
use futures::future::join_all;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use snaphaven::id::{GlobalId, NodeKind};
use uuid::Uuid;

use crate::support::{PASSWORD, Person, TestServer};

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

async fn suspend(admin: &Person, person: &Person, reason: &str) -> Value {
    let want = "user { id status suspension { reason suspendedAt } } alert { kind message }";
    try_to(admin, "suspendUser", want, json!({ "id": person.id, "reason": reason })).await
}

async fn set_role(admin: &Person, person: &Person, role: &str) -> Value {
    let want = "user { id role } alert { kind message }";
    try_to(admin, "setUserRole", want, json!({ "id": person.id, "role": role })).await
}

/// The payload with its user errors, where there are any.
async fn try_to(person: &Person, name: &str, want: &str, input: Value) -> Value {
    let input_type = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!(
        "mutation ($input: {input_type}!) {{ {name}(input: $input) {{ {want} userErrors {{ code field }} }} }}"
    );
    person.query(&query, json!({ "input": input })).await[name].clone()
}

async fn log_in(server: &TestServer, login: &str) -> Value {
    let input = json!({ "login": login, "password": PASSWORD });
    try_to(&server.stranger(), "logIn", "user { id } token", input).await
}

/// What the audit log has of these, oldest first: the act, and why.
async fn acts(server: &TestServer, subject: Uuid) -> Vec<(String, Value)> {
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::SubjectId.eq(subject));
    let entries = entries.order_by_asc(audit_entry::Column::CreatedAt).all(server.app.db.read()).await.unwrap();
    let of = |entry: audit_entry::Model| {
        let canonical: Value = serde_json::from_slice(&entry.canonical).unwrap();
        (entry.action, canonical["details"].clone())
    };
    entries.into_iter().map(of).collect()
}

fn key(id: &Value) -> Uuid {
    id.as_str().unwrap().parse::<GlobalId>().unwrap().key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_ends_every_log_in_until_the_account_is_reinstated() {
    let server = TestServer::start().await;
    let other = server.another().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let made = ada.mutate("createApiToken", "token", json!({ "name": "a program" })).await;
    let program = server.stranger().known_as(&json!({ "token": made["token"], "user": { "id": ada.id } }));
    let mut live = ada.at(&other.url).socket().await;
    live.subscribe("q", "{ viewer { username } }", Value::Null).await;
    live.next("q").await;

    assert_eq!(codes(&suspend(&root, &ada, " \n ").await), ["INVALID_REASON"]);
    let suspended = suspend(&root, &ada, " Spam,\nagain ").await;
    assert_eq!(
        (&suspended["user"]["status"], &suspended["alert"]["kind"]),
        (&json!("SUSPENDED"), &json!("USER_SUSPENDED"))
    );
    assert_eq!(suspended["user"]["suspension"]["reason"], "Spam,\nagain");
    assert_eq!(suspended["alert"]["message"], "ada was suspended by root: Spam,\nagain");
    assert_eq!(live.closed().await.0, 4403, "what is open ends, at every process");
    for person in [&ada, &program] {
        assert_eq!(person.error("{ viewer { id } }", Value::Null).await, "UNAUTHENTICATED");
    }
    assert_eq!(codes(&log_in(&server, "ada").await), ["ACCOUNT_SUSPENDED"]);
    // A repeat changes nothing, and tells nobody.
    let again = suspend(&root, &ada, "another reason").await;
    assert_eq!((&again["alert"], &again["user"]), (&Value::Null, &suspended["user"]));

    let back = try_to(&root, "reinstateUser", "user { status suspension { reason } }", json!({ "id": ada.id })).await;
    assert_eq!(back["user"], json!({ "status": "ACTIVE", "suspension": null }));
    assert_eq!(codes(&log_in(&server, "ada").await), [""; 0]);
    for person in [&ada, &program] {
        assert_eq!(person.error("{ viewer { id } }", Value::Null).await, "UNAUTHENTICATED", "ended stays ended");
    }
    let acts = acts(&server, NodeKind::User.parse(&ada.id).unwrap()).await;
    assert_eq!(
        acts,
        [("user.suspended".to_owned(), json!({ "reason": "Spam,\nagain" })), ("user.reinstated".to_owned(), json!({})),]
    );
    other.finish().await;
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn nobody_moderates_themselves_or_who_is_not_there() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    assert_eq!(codes(&suspend(&root, &root, "why not").await), ["YOURSELF"]);
    assert_eq!(codes(&set_role(&root, &root, "OPERATOR").await), ["LAST_ADMIN"]);
    let nobody = NodeKind::User.id(Uuid::now_v7()).to_string();
    for (name, more) in [
        ("suspendUser", ("reason", json!("x"))),
        ("reinstateUser", ("id", json!(nobody))),
        ("setUserRole", ("role", json!("ADMIN"))),
    ] {
        let mut input = json!({ "id": nobody });
        input[more.0] = more.1;
        assert_eq!(codes(&try_to(&root, name, "user { id }", input).await), ["NOT_FOUND"], "{name}");
    }
    suspend(&root, &ada, "x").await;
    assert_eq!(codes(&set_role(&root, &ada, "ADMIN").await), ["ACCOUNT_NOT_ACTIVE"]);
    let bob = server.person("bob").await;
    bob.mutate("closeAccount", "receipt", json!({ "currentPassword": PASSWORD })).await;
    assert_eq!(codes(&suspend(&root, &bob, "x").await), ["ACCOUNT_CLOSING"]);
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn roles_are_given_by_who_has_logged_in_and_one_admin_stays() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let made = root.mutate("createApiToken", "token", json!({ "name": "a program" })).await;
    let program = server.stranger().known_as(&json!({ "token": made["token"], "user": { "id": root.id } }));
    assert_eq!(codes(&set_role(&program, &ada, "ADMIN").await), ["SESSION_REQUIRED"]);
    let raised = set_role(&root, &ada, "ADMIN").await;
    assert_eq!((&raised["user"]["role"], &raised["alert"]["kind"]), (&json!("ADMIN"), &json!("ADMIN_MADE")));
    assert_eq!(set_role(&root, &ada, "ADMIN").await["alert"], Value::Null, "a repeat changes nothing");
    let entries = acts(&server, NodeKind::User.parse(&ada.id).unwrap()).await;
    assert_eq!(entries, [("user.role_changed".to_owned(), json!({ "from": "USER", "to": "ADMIN" }))]);

    // Each takes the other's role, and then their own: one admin is left, who could not.
    for _ in 0..3 {
        let crossing = [(&root, &ada), (&ada, &root)].map(|(by, of)| async move {
            let body = json!({
                "query": "mutation ($input: SetUserRoleInput!) { setUserRole(input: $input) { userErrors { code } } }",
                "variables": { "input": { "id": of.id, "role": "USER" } },
            });
            by.send(body["query"].as_str().unwrap(), body["variables"].clone()).await
        });
        let answers = join_all(crossing).await;
        let done = |answer: &&Value| answer["data"]["setUserRole"]["userErrors"] == json!([]);
        assert_eq!(answers.iter().filter(done).count(), 1, "{answers:?}");
        let won = if done(&&answers[0]) { [&root, &ada] } else { [&ada, &root] };
        assert_eq!(codes(&set_role(won[0], won[0], "USER").await), ["LAST_ADMIN"]);
        set_role(won[0], won[1], "ADMIN").await;
    }
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn what_an_admin_removes_its_owner_cannot_take_back() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let (shown, trashed) = (ada.upload("a.txt", *b"a").await, ada.upload("b.txt", *b"b").await);
    ada.trash(&[&trashed]).await;
    let ids = json!([shown["id"], trashed["id"]]);
    let want = "files { id state purgeAt removal { reason by { username } } viewerCan { restore remove } } alert { kind count message details }";
    assert_eq!(
        codes(&try_to(&root, "removeFiles", want, json!({ "ids": ids, "reason": "" })).await),
        ["INVALID_REASON"]
    );
    let removed = try_to(&root, "removeFiles", want, json!({ "ids": ids, "reason": "Not hers" })).await;
    for file in removed["files"].as_array().unwrap() {
        assert_eq!(file["state"], "REMOVED");
        assert_eq!(file["removal"], json!({ "reason": "Not hers", "by": { "username": "root" } }));
        assert_eq!(file["viewerCan"], json!({ "restore": true, "remove": false }));
        assert!(file["purgeAt"].is_string());
    }
    let alert = &removed["alert"];
    assert_eq!((&alert["kind"], &alert["count"]), (&json!("FILES_REMOVED"), &json!(2)));
    assert_eq!(alert["message"], "2 files removed by an admin: a.txt, b.txt. Reason: Not hers");
    assert_eq!(alert["details"]["reason"], "Not hers");
    let again = try_to(&root, "removeFiles", want, json!({ "ids": ids, "reason": "Another" })).await;
    assert_eq!((&again["alert"], &again["files"]), (&Value::Null, &removed["files"]));

    // The owner learns why, and not by whom.
    let seen = ada.file(&shown, "state removal { reason by { username } } viewerCan { restore }").await;
    assert_eq!(
        seen,
        json!({
            "state": "REMOVED", "removal": { "reason": "Not hers", "by": null }, "viewerCan": { "restore": false },
        })
    );
    for file in [&shown, &trashed] {
        assert_eq!(
            codes(&try_to(&ada, "restoreFiles", "files { id }", json!({ "ids": [file["id"]] })).await),
            ["WRONG_STATE"]
        );
    }
    let back =
        try_to(&root, "restoreFiles", "files { state removal { reason } }", json!({ "ids": [shown["id"]] })).await;
    assert_eq!(back["files"], json!([{ "state": "ACTIVE", "removal": null }]));
    root.purge(&[&trashed]).await;

    let actions = async |file: &Value| -> Vec<String> {
        acts(&server, key(&file["id"])).await.into_iter().map(|(action, _)| action).collect()
    };
    assert_eq!(actions(&shown).await, ["file.removed", "file.restored"]);
    assert_eq!(actions(&trashed).await, ["file.removed", "file.purged"]);
    assert_eq!(acts(&server, key(&shown["id"])).await[0].1["reason"], "Not hers");
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn what_failed_for_good_is_seen_and_set_going_again() {
    let server = TestServer::start().await;
    let (root, watch, ada) = (server.admin().await, server.operator().await, server.person("ada").await);
    server.sink.refuse_next();
    let file = ada.upload("a.txt", *b"a").await;
    let told = ada.trash(&[&file]).await["alert"]["id"].clone();
    let want = "nodes { id kind state attempts lastError failedAt payload }";
    let failed = async |state: &str| -> Value {
        let query = format!("query ($state: JobState!) {{ jobs(state: $state) {{ {want} }} }}");
        watch.query(&query, json!({ "state": state })).await["jobs"]["nodes"].clone()
    };
    server.quiet().await;
    let job = failed("FAILED").await[0].clone();
    assert_eq!((&job["kind"], &job["state"]), (&json!("alerts.deliver"), &json!("FAILED")));
    assert!(job["lastError"].is_string() && job["failedAt"].is_string(), "{job}");
    let state = async || {
        let query = "query ($id: ID!) { node(id: $id) { ... on Alert { state } } }";
        root.query(query, json!({ "id": told })).await["node"]["state"].clone()
    };
    assert_eq!(state().await, "FAILED");
    assert_eq!(failed("RUNNING").await, json!([]));

    let retried = try_to(&root, "retryAlert", "alert { state }", json!({ "id": told })).await;
    assert_eq!(retried, json!({ "alert": { "state": "PENDING" }, "userErrors": [] }));
    server.quiet().await;
    assert_eq!((state().await, failed("FAILED").await), (json!("DELIVERED"), json!([])));
    assert_eq!(server.sink.delivered().len(), 1);
    let again = try_to(&root, "retryAlert", "alert { state }", json!({ "id": told })).await;
    assert_eq!(again["alert"]["state"], "DELIVERED", "what was delivered is not delivered again");
    assert_eq!(codes(&try_to(&root, "retryJob", "job { id }", json!({ "id": job["id"] })).await), ["NOT_FOUND"]);
    server.settle().await;
    assert_eq!(server.sink.delivered().len(), 1);
    server.finish().await;
}
