//! The audit log: sealed, signed, checked; and every way to tamper with it is found out and named.

use std::{collections::BTreeSet, path::Path};

use entity::{audit_checkpoint, audit_entry, audit_seal, object};
use sea_orm::{ActiveModelTrait as _, EntityTrait, IntoActiveModel as _, QueryOrder as _};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{Body, Condition, ObjectStore as _, PutObject, sha256},
    app::App,
    audit::{self, chain::Head},
    id::NodeKind,
    notary::{self, PublicKey, Report, Span},
    viewer::Viewer,
};
use uuid::Uuid;

use super::snaps::{key, open, send, with_friends};
use crate::support::{Person, TestServer, code, until};

/// Writes so many entries, each in a transaction of its own.
async fn record(app: &App, count: usize) {
    for number in 0..count {
        let (subject, viewer) = (Uuid::now_v7(), Viewer::System("test"));
        let now = app.db.now(app.db.read()).await.unwrap();
        let details = json!({ "number": number });
        app.transaction(async |tx| audit::record(&tx, &viewer, "file.tried", subject, details.clone(), now).await)
            .await
            .unwrap();
    }
}

/// A server with so many entries, which its first scheduled run has sealed: from here on nothing is by itself.
async fn sealed(count: usize) -> TestServer {
    let server = TestServer::idle(|_| {}).await;
    record(&server.app, count).await;
    server.work().await;
    until("they are sealed", async || Books::read(&server).await.seals.len() == count).await;
    server
}

async fn seal(server: &TestServer) {
    server.schedule("audit.seal").await;
    server.quiet().await;
}

/// Seals, signs, and waits until the checkpoint is at both sites.
async fn sign(server: &TestServer) {
    seal(server).await;
    server.schedule("notary.sign").await;
    server.quiet().await;
}

fn keys(server: &TestServer) -> Vec<PublicKey> {
    notary::known_keys(&server.app.config, &[] as &[&Path]).unwrap()
}

async fn verify(server: &TestServer) -> Report {
    notary::verify(server.app.db.read(), Some(&server.app.stores), &keys(server)).await.unwrap()
}

/// The one finding.
async fn finding(server: &TestServer) -> String {
    let report = verify(server).await;
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    report.findings[0].clone()
}

async fn assert_verifies(server: &TestServer) -> Report {
    let report = verify(server).await;
    assert_eq!(report.findings, [""; 0]);
    report
}

/// The three tables, to be put back.
struct Books {
    entries: Vec<audit_entry::Model>,
    seals: Vec<audit_seal::Model>,
    checkpoints: Vec<audit_checkpoint::Model>,
}

impl Books {
    async fn read(server: &TestServer) -> Self {
        let db = server.app.db.read();
        Self {
            entries: audit_entry::Entity::find().order_by_asc(audit_entry::Column::Id).all(db).await.unwrap(),
            seals: audit_seal::Entity::find().order_by_asc(audit_seal::Column::Seq).all(db).await.unwrap(),
            checkpoints: audit_checkpoint::Entity::find().all(db).await.unwrap(),
        }
    }

    /// Makes these the rows.
    async fn write(&self, server: &TestServer) {
        let db = server.app.db.read();
        macro_rules! replace {
            ($table:ident, $rows:expr) => {
                $table::Entity::delete_many().exec(db).await.unwrap();
                let rows = $rows.iter().map(|row| row.clone().into_active_model().reset_all());
                if !$rows.is_empty() {
                    $table::Entity::insert_many(rows).exec_without_returning(db).await.unwrap();
                }
            };
        }
        replace!(audit_entry, self.entries);
        replace!(audit_seal, self.seals);
        replace!(audit_checkpoint, self.checkpoints);
    }

    /// The entry of this number.
    fn entry(&mut self, seq: usize) -> &mut audit_entry::Model {
        let id = self.seals[seq - 1].entry_id;
        self.entries.iter_mut().find(|entry| entry.id == id).unwrap()
    }

    /// Says something else, in the columns and in the bytes.
    fn alter(&mut self, seq: usize) {
        let entry = self.entry(seq);
        let text = String::from_utf8(entry.canonical.clone()).unwrap().replace("file.tried", "file.faked");
        (entry.action, entry.canonical) = ("file.faked".to_owned(), text.into_bytes());
    }

    fn remove_entry(&mut self, seq: usize) {
        let id = self.seals[seq - 1].entry_id;
        self.entries.retain(|entry| entry.id != id);
    }

    /// Gives every seal the number and the hash that fit what is there now.
    fn seal_anew(&mut self) {
        let mut head = Head::default();
        for seal in &mut self.seals {
            let entry = self.entries.iter().find(|entry| entry.id == seal.entry_id).unwrap();
            head = head.followed_by(&entry.canonical);
            (seal.seq, seal.hash) = (head.seq, head.hash.to_vec());
        }
    }
}

#[tokio::test]
async fn entries_are_sealed_signed_and_verified() {
    let server = TestServer::idle(|_| {}).await;
    record(&server.app, 3).await;
    let report = assert_verifies(&server).await;
    assert_eq!((report.head, report.unsealed, report.signed), (Head::default(), 3, None));
    assert!(report.unsealed_since.is_some());
    server.work().await;
    until("they are sealed", async || verify(&server).await.head.seq == 3).await;
    let report = assert_verifies(&server).await;
    assert_eq!((report.head.seq, report.unsealed, report.unsealed_since), (3, 0, None));
    sign(&server).await;
    record(&server.app, 2).await;
    let report = assert_verifies(&server).await;
    assert_eq!((report.head.seq, report.unsealed, report.signed.unwrap().0), (3, 2, 3));
    assert_eq!((report.checkpoints, report.copies, report.awaited), (1, Some([1, 1]), 0));
    // Nothing new, nothing signed.
    sign(&server).await;
    sign(&server).await;
    let report = assert_verifies(&server).await;
    assert_eq!((report.head.seq, report.checkpoints, report.copies), (5, 2, Some([2, 2])));
    let keys: BTreeSet<String> = server.keys(&server.first).await;
    assert!(keys.len() == 2 && keys.iter().all(|key| key.starts_with("checkpoint/")), "{keys:?}");
    assert_eq!(keys, server.keys(&server.second).await);
    server.finish().await;
}

#[tokio::test]
async fn whatever_is_done_to_the_rows_is_found_and_named() {
    let server = sealed(5).await;
    sign(&server).await;
    let before = Books::read(&server).await;
    type Tampering = fn(&mut Books);
    let cases: [(&str, Tampering, &str); 8] = [
        ("a word altered", |books| books.alter(3), "seq 3: entry {3} was altered, or"),
        (
            "a column altered",
            |books| books.entry(3).action = "file.faked".to_owned(),
            "seq 3: entry {3} was altered: its columns",
        ),
        ("an entry removed", |books| books.remove_entry(2), "seq 2: entry {2} was removed"),
        (
            "an entry removed with its seal",
            |books| {
                books.remove_entry(2);
                books.seals.remove(1);
            },
            "seq 2: an entry was removed with its seal",
        ),
        (
            "an entry removed, and the rest numbered anew",
            |books| {
                books.remove_entry(2);
                books.seals.remove(1);
                for seal in &mut books.seals[1..] {
                    seal.seq -= 1;
                }
            },
            "seq 2: entry {3} was altered, or the one before it was removed",
        ),
        (
            "two entries swapped",
            |books| {
                let one = books.seals[1].entry_id;
                books.seals[1].entry_id = books.seals[3].entry_id;
                books.seals[3].entry_id = one;
            },
            "seq 2: entry {4} was reordered: entry {2} was sealed here",
        ),
        (
            "the first entry removed with its seal",
            |books| {
                books.remove_entry(1);
                books.seals.remove(0);
            },
            "seq 1: an entry was removed with its seal",
        ),
        (
            "a seal removed at the end",
            |books| drop(books.seals.pop()),
            "entry {5} was sealed, and its seal was removed",
        ),
    ];
    for (what, tamper, expected) in cases {
        let mut books = Books::read(&server).await;
        tamper(&mut books);
        books.write(&server).await;
        let expected = (1..=5).fold(expected.to_owned(), |text, seq| {
            text.replace(&format!("{{{seq}}}"), &before.seals[seq - 1].entry_id.to_string())
        });
        let findings = verify(&server).await.findings;
        assert!(findings.iter().any(|found| found.starts_with(&expected)), "{what}: {findings:#?}, not {expected}");
        before.write(&server).await;
        assert_verifies(&server).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_log_that_was_cut_off_or_rewritten_does_not_fit_what_was_signed() {
    let server = TestServer::start().await;
    record(&server.app, 3).await;
    sign(&server).await;
    record(&server.app, 3).await;
    sign(&server).await;
    let before = Books::read(&server).await;
    let [older, newer] = [&before.checkpoints[0], &before.checkpoints[1]];

    // The last two entries never were.
    let mut books = Books::read(&server).await;
    for seq in [6, 5] {
        books.remove_entry(seq);
        books.seals.pop();
    }
    books.write(&server).await;
    assert_eq!(
        finding(&server).await,
        "seq 5: the log was cut off: the checkpoint of seq 6 covers 6 entries, the log has 4"
    );
    // Nor was what was signed of them; but both buckets have it.
    books.checkpoints.retain(|row| row.seq == older.seq);
    books.write(&server).await;
    let findings = verify(&server).await.findings;
    assert!(findings[0].contains(&newer.object_id.to_string()), "{findings:#?}");
    assert!(findings[0].ends_with("is signed, and the database has no such checkpoint"), "{findings:#?}");
    assert!(findings[2].starts_with("seq 5: the log was cut off: checkpoint/"), "{findings:#?}");
    assert!(
        notary::verify(server.app.db.read(), None, &keys(&server)).await.unwrap().findings.is_empty(),
        "as documented"
    );

    // Another history, sealed all over.
    let mut books = before_again(&server, &before).await;
    books.alter(2);
    books.seal_anew();
    books.write(&server).await;
    assert_eq!(
        verify(&server).await.findings,
        [3, 6].map(|seq| format!("seq {seq}: the log was rewritten: the checkpoint of seq {seq} signs another hash"))
    );
    // It gets no signature of the server's either.
    record(&server.app, 1).await;
    sign(&server).await;
    let dead = server.take_dead().await;
    let why = dead[0].last_error.as_deref().unwrap();
    assert!(dead.len() == 1 && why.contains("is not the one that was signed before"), "{dead:?}");

    // With checkpoints that name the new hashes, their signatures do not fit.
    let mut books = before_again(&server, &before).await;
    books.alter(2);
    books.seal_anew();
    for row in &mut books.checkpoints {
        let hash = &books.seals[usize::try_from(row.seq).unwrap() - 1].hash;
        let statement = String::from_utf8(row.statement.clone()).unwrap();
        row.statement = statement.replace(&hex::encode(&row.hash), &hex::encode(hash)).into_bytes();
        row.hash.clone_from(hash);
    }
    books.write(&server).await;
    let findings = verify(&server).await.findings;
    assert!(
        findings.contains(&"the checkpoint of seq 3 has a signature that does not fit".to_owned()),
        "{findings:#?}"
    );
    // Signed by somebody else, they are not known.
    for row in &mut books.checkpoints {
        let statement = String::from_utf8(row.statement.clone()).unwrap();
        row.statement = statement.replace(&row.key_id, "0123456789abcdef").into_bytes();
    }
    books.write(&server).await;
    let findings = verify(&server).await.findings;
    let unknown = "the checkpoint of seq 6 is signed by the key 0123456789abcdef, which is not known here";
    assert!(findings.contains(&unknown.to_owned()), "{findings:#?}");

    before.write(&server).await;
    assert_verifies(&server).await;
    server.finish().await;
}

async fn before_again(server: &TestServer, before: &Books) -> Books {
    before.write(server).await;
    Books::read(server).await
}

#[tokio::test]
async fn what_the_buckets_hold_is_read_back() {
    let server = TestServer::start().await;
    record(&server.app, 2).await;
    sign(&server).await;
    let object = object::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    assert_eq!((object.kind, object.state), (object::Kind::Checkpoint, object::State::Live));
    server.second.delete(&object.key).await.unwrap();
    assert_eq!(finding(&server).await, format!("{} is missing in bucket second", object.key));
    let put = async |bytes: &[u8]| {
        let (bytes, length) = (bytes.to_vec(), bytes.len() as u64);
        let put = PutObject {
            key: object.key.clone(),
            bytes: length,
            sha256: sha256(&bytes),
            content_type: "text/plain".to_owned(),
            body: Body::Memory(bytes.into()),
            condition: Condition::None,
        };
        server.second.put(put, std::time::Duration::from_secs(5)).await.unwrap();
    };
    put(b"forged").await;
    let found = finding(&server).await;
    assert_eq!(found, format!("{} in bucket second is not what the database has of it", object.key));
    let row = audit_checkpoint::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    put(&[row.statement.as_slice(), b"\n", hex::encode(&row.signature).as_bytes(), b"\n"].concat()).await;
    assert_verifies(&server).await;
    server.finish().await;
}

#[tokio::test]
async fn two_processes_that_write_and_seal_at_once_make_one_chain() {
    let server = TestServer::start().await;
    let other = server.another().await;
    other.work().await;
    let apps = [&server.app, &other.app];
    let sealing = async {
        for _ in 0..10 {
            server.schedule("audit.seal").await;
            other.schedule("audit.seal").await;
            server.schedule("notary.sign").await;
            server.quiet().await;
        }
    };
    let writing = futures::future::join_all(apps.map(|app| record(app, 40)));
    tokio::join!(sealing, writing);
    assert_eq!(verify(&server).await.findings, [""; 0], "while there are entries without a seal, too");
    sign(&server).await;
    let report = assert_verifies(&server).await;
    assert_eq!((report.head.seq, report.unsealed, report.signed.unwrap().0), (80, 0, 80));
    server.finish().await;
}

#[tokio::test]
async fn the_export_has_every_sealed_entry_as_it_was_hashed() {
    let server = sealed(4).await;
    record(&server.app, 1).await;
    let all = notary::export(&server.app.db, &Span::default(), 0).await.unwrap().unwrap();
    let mut head = Head::default();
    for line in all.lines.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap();
        let entry = line.split_once("\"entry\":").unwrap().1.strip_suffix('}').unwrap();
        head = head.followed_by(entry.as_bytes());
        assert_eq!((&parsed["seq"], &parsed["hash"]), (&json!(head.seq), &json!(hex::encode(head.hash))));
        assert_eq!(parsed["entry"]["action"], "file.tried");
    }
    assert_eq!((head.seq, all.after), (4, 4));
    assert!(notary::export(&server.app.db, &Span::default(), 4).await.unwrap().is_none());
    let now = server.app.db.now(server.app.db.read()).await.unwrap();
    let future = Span { since: Some(now.plus(std::time::Duration::from_secs(60))), until: None };
    assert_eq!(notary::export(&server.app.db, &future, 0).await.unwrap().unwrap().lines, "");
    server.finish().await;
}

const LOG: &str = "query ($filter: AuditLogFilter, $first: Int, $after: String) { auditLog(filter: $filter, first: $first, after: $after) { \
     nodes { id at action actor { username } subject { __typename id } subjectId details seq sealedAt } \
     pageInfo { hasNextPage endCursor } } }";

async fn listed(admin: &Person, filter: Value) -> Vec<Value> {
    let page = admin.query(LOG, json!({ "filter": filter })).await["auditLog"].clone();
    page["nodes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn admins_see_who_did_what_newest_first_and_find_it_by_every_side() {
    let server = sealed(1).await;
    let (ada, [bob, cyd]) = with_friends(&server, ["bob", "cyd"]).await;
    let (admin, operator) = (server.admin().await, server.operator().await);
    let snap = send(&ada, &[&bob, &cyd], json!({})).await;
    open(&bob, &snap).await;
    seal(&server).await;
    open(&cyd, &snap).await;

    let all = listed(&admin, json!({ "action": "snap.opened" })).await;
    let who: Vec<_> = all.iter().map(|entry| (&entry["actor"]["username"], &entry["seq"])).collect();
    assert_eq!(who, [(&json!("cyd"), &Value::Null), (&json!("bob"), &json!(2))]);
    let entry = &all[1];
    assert_eq!((&entry["action"], &entry["subjectId"]), (&json!("snap.opened"), &snap["id"]));
    assert!(entry["details"]["view"].is_string() && entry["sealedAt"].is_string(), "{entry}");
    assert_eq!(entry["subject"], Value::Null, "a snap is for those between whom it is");
    let node = "query ($id: ID!) { node(id: $id) { ... on AuditEntry { action } } }";
    let found = admin.query(node, json!({ "id": entry["id"] })).await;
    assert_eq!(found["node"]["action"], "snap.opened");
    assert_eq!(operator.query(node, json!({ "id": entry["id"] })).await["node"], Value::Null);
    assert_eq!(code(&operator.send(LOG, json!({})).await), "FORBIDDEN");

    let count = async |filter: Value| listed(&admin, filter).await.len();
    assert_eq!(listed(&admin, json!({ "actorId": bob.id })).await, std::slice::from_ref(entry));
    assert_eq!(count(json!({ "actorId": ada.id })).await, 0);
    assert_eq!(count(json!({ "subjectId": snap["id"] })).await, 2);
    assert_eq!(count(json!({ "subjectId": snap["id"], "actorId": cyd.id, "action": "snap.opened" })).await, 1);
    assert_eq!(count(json!({ "subjectId": NodeKind::Snap.id(key(&bob)).to_string() })).await, 0);
    assert_eq!(count(json!({ "action": "snap" })).await, 0, "exactly");
    assert_eq!(count(json!({ "from": "2100-01-01T00:00:00Z" })).await, 0);
    assert_eq!(count(json!({ "from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" })).await, 3);
    assert!(count(json!({ "from": all[0]["at"] })).await >= 1);
    for wrong in [json!({ "actorId": snap["id"] }), json!({ "subjectId": "nothing" })] {
        assert_eq!(code(&admin.send(LOG, json!({ "filter": wrong })).await), "BAD_USER_INPUT");
    }
    let first = admin.query(LOG, json!({ "first": 1 })).await["auditLog"].clone();
    assert_eq!((&first["nodes"][0], &first["pageInfo"]["hasNextPage"]), (&all[0], &json!(true)));
    let rest = admin.query(LOG, json!({ "after": first["pageInfo"]["endCursor"] })).await["auditLog"].clone();
    assert_eq!(rest["nodes"][0], *entry);
    let oldest = &rest["nodes"][1];
    assert_eq!(
        (&oldest["action"], &oldest["actor"], &oldest["subject"]),
        (&json!("file.tried"), &Value::Null, &Value::Null)
    );
    server.finish().await;
}
