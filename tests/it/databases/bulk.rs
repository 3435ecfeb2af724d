//! Removal of all files that match a filter: the set that is frozen, its progress, what ends it, and what is told of it.

use std::collections::BTreeSet;

use entity::{action, alert, audit_entry, bulk_item, file, object, usage, user};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::{Value, json};
use snaphaven::{clock::Clock, config::Config, db::Db, id::NodeKind};

use super::crowd;
use crate::{
    common::process::Launcher,
    servers::TestDatabase,
    support::{PASSWORD, Person, TestServer, until},
};

const FILES: u64 = 2_000;
/// What one transaction removes, as `src/files/bulk/jobs.rs` has it.
const BATCH: u64 = 50;

const ACTION: &str = "id kind state total done skipped reason error createdAt finishedAt actor { username } \
     alert { id kind count message details }";

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

/// Makes this person's one file so many.
async fn multiply(db: &impl ConnectionTrait, files: u64) {
    crowd::multiply(db, files).await;
    let count = i64::try_from(files).unwrap();
    usage::Entity::update_many().col_expr(usage::Column::Files, Expr::value(count)).exec(db).await.unwrap();
}

/// Ada, who has so many files.
async fn crowded(server: &TestServer, files: u64) -> Person {
    let ada = server.person("ada").await;
    ada.upload("a.txt", *b"a").await;
    multiply(server.app.db.read().pool(), files).await;
    ada
}

/// The payload of an order to remove what matches.
async fn order(admin: &Person, filter: Value, expected: i64, more: Value) -> Value {
    let mut input = json!({ "matching": { "filter": filter, "expectedCount": expected }, "reason": "Spam" });
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    admin
        .mutate("removeFiles", &format!("files {{ id }} alert {{ id }} matchingCount action {{ {ACTION} }}"), input)
        .await
}

/// The action of an order that was taken.
async fn ordered(admin: &Person, filter: Value, expected: i64) -> Value {
    let payload = order(admin, filter, expected, json!({})).await;
    assert_eq!(codes(&payload), [""; 0], "{payload}");
    payload["action"].clone()
}

async fn look(admin: &Person, action: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on BulkAction {{ {ACTION} }} }} }}");
    admin.query(&query, json!({ "id": action["id"] })).await["node"].clone()
}

/// The action once it is no longer at work.
async fn ended(admin: &Person, action: &Value) -> Value {
    until("the action ends", async || look(admin, action).await["state"] != "RUNNING").await;
    look(admin, action).await
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

async fn files_in(db: &impl ConnectionTrait, state: file::State) -> u64 {
    file::Entity::find().filter(file::Column::State.eq(state)).count(db).await.unwrap()
}

/// Alerts that tell of removals.
async fn told(db: &impl ConnectionTrait) -> Vec<alert::Model> {
    let alerts = alert::Entity::find().filter(alert::Column::Kind.eq(alert::Kind::FilesRemoved));
    alerts.order_by_asc(alert::Column::CreatedAt).all(db).await.unwrap()
}

/// Each file that is removed was removed once and written down once; nothing is left on a list; one alert counts them.
async fn assert_each_was_removed_once(db: &impl ConnectionTrait, action: &Value) {
    let removed = file::Entity::find().filter(file::Column::State.eq(file::State::Removed));
    let removed: Vec<(uuid::Uuid, i32)> =
        removed.select_only().columns([file::Column::Id, file::Column::Revision]).into_tuple().all(db).await.unwrap();
    assert_eq!(removed.len() as u64, number(&action["done"]));
    assert!(removed.iter().all(|(_, revision)| *revision == 2), "a file was removed twice");
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::Action.eq("file.removed"));
    let entries: Vec<uuid::Uuid> =
        entries.select_only().column(audit_entry::Column::SubjectId).into_tuple().all(db).await.unwrap();
    assert_eq!(entries.len(), removed.len(), "one entry for each file");
    let subjects: BTreeSet<uuid::Uuid> = entries.into_iter().collect();
    assert_eq!(subjects, removed.into_iter().map(|(id, _)| id).collect());
    assert_eq!(bulk_item::Entity::find().count(db).await.unwrap(), 0);
    let alerts = told(db).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].count, action["done"].as_i64().unwrap());
    assert_eq!(NodeKind::Alert.id(alerts[0].id).to_string(), action["alert"]["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_that_matched_are_removed_and_those_that_come_later_stay() {
    let server = TestServer::idle(|_| {}).await;
    let (root, ada) = (server.admin().await, crowded(&server, FILES).await);
    let everyones = json!({ "everyone": true });
    let list = "query ($filter: FileFilter) { files(filter: $filter) { totalCount totalCountIsExact } \
         limits { filesByFilter } }";
    let seen = root.query(list, json!({ "filter": everyones })).await;
    assert_eq!(seen["files"], json!({ "totalCount": FILES, "totalCountIsExact": true }));
    assert_eq!(seen["limits"]["filesByFilter"], 10_000);

    let key = json!({ "idempotencyKey": "once" });
    let first = order(&root, everyones.clone(), FILES.cast_signed(), key.clone()).await;
    let action = &first["action"];
    assert_eq!((&first["userErrors"], &first["files"], &first["alert"]), (&json!([]), &json!([]), &Value::Null));
    let begun = ["kind", "state", "total", "done", "skipped", "reason", "alert"].map(|name| &action[name]);
    let expected =
        [json!("REMOVE_FILES"), json!("RUNNING"), json!(FILES), json!(0), json!(0), json!("Spam"), json!(null)];
    assert_eq!(begun, expected.each_ref());
    assert_eq!(action["actor"]["username"], "root");
    assert_eq!(order(&root, everyones.clone(), FILES.cast_signed(), key.clone()).await["action"], *action, "a repeat");
    let other = order(&root, json!({ "ownerId": ada.id }), FILES.cast_signed(), key.clone()).await;
    assert_eq!(codes(&other), ["IDEMPOTENCY_KEY_REUSED"]);

    server.work().await;
    let (mut steps, mut late) = (BTreeSet::new(), None);
    loop {
        let now = look(&root, action).await;
        if now["state"] != "RUNNING" {
            break;
        }
        let done = number(&now["done"]);
        assert!(steps.last().is_none_or(|last| *last <= done), "{done} after {steps:?}");
        steps.insert(done);
        if done > 0 && late.is_none() {
            late = Some(ada.upload("late.txt", *b"late").await);
        }
    }
    assert!(steps.len() > 3, "seen of the progress: {steps:?}");
    assert_eq!(ada.file(&late.expect("it was not seen at work"), "state").await["state"], "ACTIVE");
    server.quiet().await;

    let done = look(&root, action).await;
    assert_eq!([&done["state"], &done["done"], &done["skipped"]], [&json!("COMPLETED"), &json!(FILES), &json!(0)]);
    assert!(done["finishedAt"].is_string() && done["error"].is_null());
    let db = server.app.db.read();
    assert_each_was_removed_once(db, &done).await;
    let message = format!("{FILES} of {FILES} files removed by an admin, 0 skipped. Reason: Spam");
    assert_eq!(done["alert"]["message"], message);
    assert_eq!(done["alert"]["details"]["action"], action["id"]);
    assert_eq!(server.sink.delivered().iter().filter(|alert| alert.message == message).count(), 1);
    let removed = "query ($filter: FileFilter) { files(filter: $filter, first: 1) { totalCount \
         nodes { removal { reason by { username } } } } }";
    let removed = root.query(removed, json!({ "filter": { "ownerId": ada.id, "state": "REMOVED" } })).await;
    assert_eq!(
        removed["files"],
        json!({ "totalCount": FILES, "nodes": [{ "removal": { "reason": "Spam", "by": { "username": "root" } } }] })
    );
    let log = "{ auditLog(filter: { action: \"action.ordered\" }) { nodes { actor { username } subjectId details } } }";
    let log = root.query(log, json!({})).await["auditLog"]["nodes"].clone();
    let details = json!({ "kind": "REMOVE_FILES", "files": FILES, "reason": "Spam" });
    assert_eq!(log, json!([{ "actor": { "username": "root" }, "subjectId": action["id"], "details": details }]));
    assert_eq!(order(&root, everyones, FILES.cast_signed(), key).await["action"], done, "a repeat after the end");
    let all = root.query(&format!("{{ bulkActions {{ nodes {{ {ACTION} }} }} }}"), json!({})).await;
    assert_eq!(all["bulkActions"]["nodes"], json!([done]));
    server.finish().await;
}

#[tokio::test]
async fn another_count_than_was_seen_is_refused_and_nothing_is_done() {
    let server = TestServer::idle(|_| {}).await;
    let (root, ada, bob) = (server.admin().await, server.person("ada").await, server.person("bob").await);
    for (person, name) in [(&ada, "spam one"), (&ada, "a spam"), (&bob, "Spam!"), (&bob, "ham")] {
        person.try_upload(name, name, json!({ "tags": ["seen", name] })).await;
    }
    let spam = json!({ "everyone": true, "search": "spam", "tags": ["seen"], "sizeFrom": 1 });
    for (filter, stale, now) in [
        (spam.clone(), 2, 3),
        (spam.clone(), 10_000, 3),
        (json!({ "ownerId": ada.id, "search": "spam" }), 3, 2),
        (json!({ "everyone": true, "tags": ["none of these"] }), 1, 0),
        (json!({ "everyone": true, "sizeFrom": 4, "createdAfter": "2000-01-01T00:00:00Z" }), 1, 3),
        (json!({}), 1, 0),
    ] {
        let refused = order(&root, filter.clone(), stale, json!({ "idempotencyKey": "of no use" })).await;
        assert_eq!((codes(&refused), &refused["matchingCount"]), (vec!["COUNT_CHANGED"], &json!(now)), "{filter}");
        assert_eq!(refused["userErrors"][0]["field"], "expectedCount");
        assert_eq!(refused["action"], Value::Null);
    }
    for (code, expected, more) in [
        ("INVALID_COUNT", 0, json!({})),
        ("INVALID_COUNT", -1, json!({})),
        ("INVALID_COUNT", 10_001, json!({})),
        ("INVALID_REASON", 3, json!({ "reason": " " })),
    ] {
        assert_eq!(codes(&order(&root, spam.clone(), expected, more).await), [code]);
    }
    for state in ["REMOVED", "PROCESSING", "REJECTED"] {
        let filter = json!({ "everyone": true, "state": state });
        assert_eq!(codes(&order(&root, filter, 1, json!({})).await), ["WRONG_STATE"]);
    }
    let query = "mutation ($input: RemoveFilesInput!) { removeFiles(input: $input) { userErrors { code } } }";
    let both = json!({ "ids": [], "matching": { "filter": spam, "expectedCount": 3 }, "reason": "Spam" });
    for input in [both, json!({ "reason": "Spam" })] {
        assert_eq!(root.error(query, json!({ "input": input })).await, "BAD_USER_INPUT");
    }
    let db = server.app.db.read();
    assert_eq!(action::Entity::find().count(db).await.unwrap(), 0);
    assert_eq!(bulk_item::Entity::find().count(db).await.unwrap(), 0);
    assert_eq!(files_in(db, file::State::Active).await, 4);

    // What becomes of files until their turn comes: one is deleted for good, one removed, one is put in the trash, one held.
    let extra = ada.upload("more spam", *b"extra").await;
    let held = ada.upload("spam on hold", *b"held").await;
    let action = ordered(&root, json!({ "everyone": true, "search": "spam" }), 5).await;
    let files =
        root.query("{ files(filter: { everyone: true, search: \"spam\" }) { nodes { id name } } }", json!({})).await;
    let named = |name: &str| {
        let files = files["files"]["nodes"].as_array().unwrap();
        files.iter().find(|file| file["name"] == name).unwrap_or_else(|| panic!("no {name} in {files:?}")).clone()
    };
    ada.purge(&[&named("spam one")]).await;
    root.mutate("removeFiles", "files { id }", json!({ "ids": [extra["id"]], "reason": "By itself" })).await;
    ada.trash(&[&named("a spam")]).await;
    let holds = async |holds: i32| {
        let object = NodeKind::File.parse(held["id"].as_str().unwrap()).unwrap();
        let update = object::Entity::update_many().col_expr(object::Column::Holds, Expr::value(holds));
        update.filter(object::Column::FileId.eq(object)).exec(db).await.unwrap();
    };
    holds(1).await;
    server.work().await;
    let done = ended(&root, &action).await;
    assert_eq!([&done["state"], &done["done"], &done["skipped"]], [&json!("COMPLETED"), &json!(3), &json!(2)]);
    assert_eq!(done["alert"]["message"], "3 of 5 files removed by an admin, 2 skipped. Reason: Spam");
    for file in [&held, &named("a spam"), &named("Spam!")] {
        assert_eq!(
            root.file(file, "state removal { reason }").await,
            json!({ "state": "REMOVED", "removal": { "reason": "Spam" } })
        );
    }
    assert_eq!(root.file(&extra, "removal { reason }").await["removal"]["reason"], "By itself");
    assert_eq!(
        bob.query("{ files { nodes { name } } }", json!({})).await["files"]["nodes"],
        json!([{ "name": "ham" }])
    );
    holds(0).await;
    server.settle().await;
    server.finish().await;
}

/// Another admin.
async fn another_admin(server: &TestServer, root: &Person, name: &str) -> Person {
    let person = server.person(name).await;
    root.mutate("setUserRole", "user { role }", json!({ "id": person.id, "role": "ADMIN" })).await;
    person
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_of_its_admin_stops_it_in_the_middle() {
    let server = TestServer::idle(|_| {}).await;
    let root = server.admin().await;
    let (eve, ada) = (another_admin(&server, &root, "eve").await, crowded(&server, FILES).await);
    let action = ordered(&eve, json!({ "ownerId": ada.id }), FILES.cast_signed()).await;
    server.work().await;
    until("some are removed", async || number(&look(&root, &action).await["done"]) > 0).await;
    root.mutate("suspendUser", "user { id }", json!({ "id": eve.id, "reason": "Ran wild" })).await;
    let stopped = ended(&root, &action).await;
    let done = number(&stopped["done"]);
    assert_eq!((&stopped["state"], &stopped["error"]), (&json!("STOPPED"), &json!("its admin was suspended")));
    assert!(done > 0 && done < FILES && done.is_multiple_of(BATCH), "{stopped}");
    server.quiet().await;
    let db = server.app.db.read();
    assert_each_was_removed_once(db, &stopped).await;
    assert_eq!(files_in(db, file::State::Active).await, FILES - done);
    let message = format!(
        "{done} of {FILES} files removed by an admin, 0 skipped; stopped: its admin was suspended. Reason: Spam"
    );
    assert_eq!(stopped["alert"]["message"], message);
    // Who comes back finds it stopped.
    root.mutate("reinstateUser", "user { id }", json!({ "id": eve.id })).await;
    server.settle().await;
    assert_eq!(look(&root, &action).await, stopped);
    server.finish().await;
}

#[tokio::test]
async fn it_outlives_the_log_in_that_ordered_it_and_not_the_role() {
    let server = TestServer::idle(|_| {}).await;
    let root = server.admin().await;
    let (eve, mallory) = (another_admin(&server, &root, "eve").await, another_admin(&server, &root, "mallory").await);
    let ada = server.person("ada").await;
    let files = [ada.upload("a.txt", *b"a").await, ada.upload("b.txt", *b"b").await, ada.upload("c.txt", *b"c").await];
    let made = eve.mutate("createApiToken", "token apiToken { id }", json!({ "name": "a program" })).await;
    let program = server.stranger().known_as(&json!({ "token": made["token"], "user": { "id": eve.id } }));
    let named = |name: &str| json!({ "everyone": true, "search": name });
    let by_log_in = ordered(&eve, named("a"), 1).await;
    let by_token = ordered(&program, named("b"), 1).await;
    let by_role = ordered(&mallory, named("c"), 1).await;
    eve.mutate("revokeApiToken", "apiTokenId", json!({ "id": made["apiToken"]["id"] })).await;
    eve.query("mutation { logOut { sessionId } }", json!({})).await;
    root.mutate("setUserRole", "user { role }", json!({ "id": mallory.id, "role": "OPERATOR" })).await;
    assert_eq!(look(&mallory, &by_role).await, Value::Null, "actions are for admins");

    server.work().await;
    for (action, file) in [by_log_in, by_token].iter().zip(&files) {
        let done = ended(&root, action).await;
        assert_eq!([&done["state"], &done["done"]], [&json!("COMPLETED"), &json!(1)]);
        assert_eq!(root.file(file, "state").await["state"], "REMOVED");
    }
    let stopped = ended(&root, &by_role).await;
    assert_eq!([&stopped["state"], &stopped["done"], &stopped["skipped"]], [&json!("STOPPED"), &json!(0), &json!(0)]);
    assert_eq!(stopped["error"], "its admin is an admin no more");
    assert_eq!(stopped["alert"]["count"], 0, "it is told all the same");
    assert_eq!(root.file(&files[2], "state").await["state"], "ACTIVE");
    server.settle().await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_cannot_finish_is_given_up_and_told_once() {
    let server = TestServer::idle(|config| config.jobs.backoff_max = std::time::Duration::from_secs(1)).await;
    let (root, ada) = (server.admin().await, crowded(&server, BATCH + 10).await);
    let action = ordered(&root, json!({ "ownerId": ada.id }), BATCH.cast_signed() + 10).await;
    let db = server.app.db.read();
    // A row that no release knows how to read, behind the first batch.
    let last = file::Entity::find().order_by_desc(file::Column::Id).one(db).await.unwrap().unwrap();
    let state = async |state: &str| {
        let update = file::Entity::update_many().col_expr(file::Column::State, Expr::value(state));
        update.filter(file::Column::Id.eq(last.id)).exec(db).await.unwrap();
    };
    state("ODD").await;
    server.work().await;
    server.settle().await;
    let failed = look(&root, &action).await;
    assert_eq!([&failed["state"], &failed["done"], &failed["skipped"]], [&json!("FAILED"), &json!(BATCH), &json!(0)]);
    assert!(failed["error"].is_string());
    let message = "50 of 60 files removed by an admin, 0 skipped; given up, the server could not go on. Reason: Spam";
    assert_eq!(failed["alert"]["message"], message);
    state("ACTIVE").await;
    assert_each_was_removed_once(db, &failed).await;
    // Its end is its end, whoever sets the job going again.
    let dead = server.jobs(entity::job::State::Dead).await;
    assert_eq!((dead.len(), dead[0].kind.as_str()), (1, "files.bulk"));
    let retried = json!({ "id": NodeKind::Job.id(dead[0].id).to_string() });
    root.mutate("retryJob", "job { id }", retried).await;
    server.settle().await;
    assert_eq!(look(&root, &action).await, failed);
    assert_each_was_removed_once(db, &failed).await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::new().await;
    let launcher = Launcher::new(folder.path(), &database.url, Vec::new());
    let start = async || {
        let (process, _) = launcher.start().await.unwrap();
        let url = process.address("app").unwrap();
        (process, url)
    };
    let (mut process, url) = start().await;
    let input = json!({
        "username": "root", "email": "root@example.org", "firstName": "Root", "lastName": "", "password": PASSWORD,
    });
    let stranger = Person::new(&url);
    let payload = stranger.mutate("signUp", "user { id } token", input).await;
    let root = stranger.known_as(&payload);
    root.upload("a.txt", "a file").await;
    let mut settings = toml::from_str::<Config>(snaphaven::config::DEFAULTS).unwrap().database;
    settings.url = database.url.clone().into();
    let db = Db::connect(&settings, &launcher.data_dir(), Clock::system()).await.unwrap();
    let db = db.read();
    user::Entity::update_many().col_expr(user::Column::Role, Expr::value(user::Role::Admin)).exec(db).await.unwrap();
    multiply(db, FILES).await;

    let action = ordered(&root, json!({}), FILES.cast_signed()).await;
    let (mut root, mut before, mut kills) = (root, 0, 0);
    let ended = loop {
        until("it goes on", async || number(&look(&root, &action).await["done"]) > before).await;
        let now = look(&root, &action).await;
        if now["state"] != "RUNNING" {
            break now;
        }
        before = number(&now["done"]);
        if kills < 3 {
            process.kill().await.unwrap();
            kills += 1;
            let (next, url) = start().await;
            (process, root) = (next, root.at(&url));
        }
    };
    assert_eq!(kills, 3, "it was over too soon: {ended}");
    assert_eq!([&ended["state"], &ended["done"], &ended["skipped"]], [&json!("COMPLETED"), &json!(FILES), &json!(0)]);
    assert_each_was_removed_once(db, &ended).await;
    process.kill().await.unwrap();
}
