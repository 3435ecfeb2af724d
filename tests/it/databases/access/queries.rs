//! The table of queries: every root field with every argument of it, and every type behind `node(id)`.

use std::collections::{BTreeMap, BTreeSet};

use entity::user::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Findings,
    client::Answer,
    outcome::{self, Outcome, page_ids},
    schema::{PAGING, Schema},
    stage::{Account, Asking, Caller, Owners, Stage, is_of, string},
    subscriptions,
    walk::Walk,
};
use crate::{
    images::fixtures::Picture,
    servers::{KIND, Kind},
    support::{PASSWORD, TestServer},
};

pub struct Query {
    /// A root field, and the argument that is given.
    pub key: &'static str,
    /// What is asked for.
    pub case: &'static str,
    /// The arguments; `$` stands for the id of `target`.
    arguments: &'static str,
    /// One of the owner's things.
    target: Option<&'static str>,
    pub outcomes: [Outcome; 6],
}

/// More than there is of anything here.
const WHOLE: usize = 1000;

use Outcome::{Everyones as All, Forbidden as Forb, Missing as Miss, Null, Own, Seen, Unauthenticated as Anon};

const fn query(key: &'static str, arguments: &'static str, outcomes: [Outcome; 6]) -> Query {
    Query { key, case: "", arguments, target: None, outcomes }
}

const fn of(target: &'static str, query: Query) -> Query {
    Query { target: Some(target), ..query }
}

const fn node(case: &'static str, target: &'static str, outcomes: [Outcome; 6]) -> Query {
    Query { key: "node(id)", case, arguments: r#"id: "$""#, target: Some(target), outcomes }
}

//                                  anonymous owner token other operator admin
const EVERYONE: [Outcome; 6] = [Seen, Seen, Seen, Seen, Seen, Seen];
const ACCOUNTS: [Outcome; 6] = [Anon, Seen, Seen, Seen, Seen, Seen];
const PEOPLE: [Outcome; 6] = [Anon, All, All, All, All, All];
const OWNER_AND_ADMIN: [Outcome; 6] = [Miss, Seen, Seen, Miss, Miss, Seen];
const OWNER_AND_STAFF: [Outcome; 6] = [Miss, Seen, Seen, Miss, Seen, Seen];
const ONES_OWN: [Outcome; 6] = [Anon, Own, Own, Own, Own, Own];
const STAFF: [Outcome; 6] = [Miss, Miss, Miss, Miss, Seen, Seen];
const OWN_OR_STAFF: [Outcome; 6] = [Anon, Own, Own, Own, All, All];
const ADMINS: [Outcome; 6] = [Anon, Forb, Forb, Forb, Forb, All];
const NOBODY: [Outcome; 6] = [Miss, Miss, Miss, Miss, Miss, Miss];

#[rustfmt::skip]
pub const TABLE: &[Query] = &[
    node("User", "user", [Miss, Seen, Seen, Seen, Seen, Seen]),
    node("File", "file", OWNER_AND_ADMIN),
    node("File in the trash", "trashed", OWNER_AND_ADMIN),
    node("File that an admin removed", "removed", OWNER_AND_ADMIN),
    node("FileVersion", "version", OWNER_AND_ADMIN),
    node("ShareLink", "share", OWNER_AND_ADMIN),
    node("ShareLink that was revoked", "revoked", OWNER_AND_ADMIN),
    node("Erasure", "erasure", OWNER_AND_STAFF),
    node("Erasure of an object that lives", "object", NOBODY),
    node("Alert", "alert", OWNER_AND_STAFF),
    node("Job", "job", STAFF),
    node("ReplicaRun", "run", STAFF),
    node("ReplicaFinding", "finding", STAFF),
    node("AuditEntry", "audited", [Miss, Miss, Miss, Miss, Miss, Seen]),
    node("LegalHold", "hold", [Miss, Miss, Miss, Miss, Miss, Seen]),
    node("BlockedContent", "blocked", [Miss, Miss, Miss, Miss, Miss, Seen]),
    node("Report", "report", OWNER_AND_ADMIN),
    node("Report that was decided", "decided", OWNER_AND_ADMIN),
    node("BulkAction", "action", [Miss, Miss, Miss, Miss, Miss, Seen]),
    node("UploadSession", "upload", [Miss, Seen, Seen, Miss, Miss, Miss]),
    node("Friendship", "friendship", [Miss, Seen, Seen, Miss, Miss, Miss]),
    node("Snap", "snap", [Miss, Seen, Seen, Miss, Miss, Miss]),
    node("Snap that was received", "received", [Miss, Seen, Seen, Miss, Miss, Miss]),
    // Lists of one's own: no id of these is an address.
    node("Session", "session", NOBODY),
    node("ApiToken", "token", NOBODY),

    query("limits", "", EVERYONE),
    query("viewer", "", [Null, Seen, Seen, Seen, Seen, Seen]),
    of("username", query("user(username)", r#"username: "$""#, ACCOUNTS)),
    query("users", "", PEOPLE),
    query("users(search)", r#"search: "some", first: 100"#, PEOPLE),

    query("friendships", "", ONES_OWN),
    query("friendships(state)", "state: ACCEPTED", ONES_OWN),
    query("friendships(direction)", "direction: INCOMING", ONES_OWN),
    query("blockedUsers", "", PEOPLE),

    query("files", "", ONES_OWN),
    of("user", query("files(filter.ownerId)", r#"filter: { ownerId: "$" }"#, [Anon, Own, Own, Forb, Forb, All])),
    query("files(filter.everyone)", "filter: { everyone: true }", [Anon, Forb, Forb, Forb, Forb, All]),
    query("files(filter.state)", "filter: { state: TRASHED }", ONES_OWN),
    query("files(filter.search)", r#"filter: { search: "said" }"#, ONES_OWN),
    query("files(filter.tags)", r#"filter: { tags: ["a tag"] }"#, ONES_OWN),
    query("files(filter.metadata.key)", r#"filter: { metadata: [{ key: "some" }] }"#, ONES_OWN),
    query("files(filter.metadata.value)", r#"filter: { metadata: [{ key: "some", value: "data" }] }"#, ONES_OWN),
    query("files(filter.contentType)", r#"filter: { contentType: "image/*" }"#, ONES_OWN),
    query("files(filter.createdAfter)", r#"filter: { createdAfter: "2000-01-01T00:00:00Z" }"#, ONES_OWN),
    query("files(filter.createdBefore)", r#"filter: { createdBefore: "2100-01-01T00:00:00Z" }"#, ONES_OWN),
    query("files(filter.updatedAfter)", r#"filter: { updatedAfter: "2000-01-01T00:00:00Z" }"#, ONES_OWN),
    query("files(filter.updatedBefore)", r#"filter: { updatedBefore: "2100-01-01T00:00:00Z" }"#, ONES_OWN),
    query("files(filter.sizeFrom)", "filter: { sizeFrom: 1 }", ONES_OWN),
    query("files(filter.sizeTo)", "filter: { sizeTo: 1000000 }", ONES_OWN),
    query("files(orderBy.field)", "orderBy: { field: NAME }", ONES_OWN),
    query("files(orderBy.direction)", "orderBy: { direction: ASC }", ONES_OWN),

    // The receipt is all that it takes.
    of("receipt", query("accountClosure(receipt)", r#"receipt: "$""#, EVERYONE)),

    of("upload", query("uploadSession(id)", r#"id: "$""#, [Miss, Seen, Seen, Miss, Miss, Miss])),

    query("uploadSessions", "", ONES_OWN),
    query("uploadSessions(state)", "state: OPEN", ONES_OWN),

    Query { case: "left out", ..query("usage(userId)", "", ACCOUNTS) },
    of("user", query("usage(userId)", r#"userId: "$""#, [Anon, Seen, Seen, Forb, Forb, Seen])),

    query("erasures", "", OWN_OR_STAFF),
    of("purged", query("erasures(filter.fileId)", r#"filter: { fileId: "$" }"#, [Anon, Own, Own, Miss, All, All])),
    query("erasures(filter.erased)", "filter: { erased: true }", OWN_OR_STAFF),

    query("events", "", ONES_OWN),
    Query { case: "left out", ..query("unreadCount(kinds)", "", ACCOUNTS) },
    query("unreadCount(kinds)", "kinds: [SNAP_RECEIVED]", ACCOUNTS),

    query("snaps", "", ONES_OWN),
    query("snaps(folder)", "folder: SENT", ONES_OWN),
    query("snaps(unopenedOnly)", "unopenedOnly: true", ONES_OWN),
    query("unopenedSnaps", "", ACCOUNTS),

    query("alerts", "", [Anon, Forb, Forb, Forb, All, All]),
    query("jobs", "", [Anon, Forb, Forb, Forb, All, All]),
    query("jobs(state)", "state: FAILED", [Anon, Forb, Forb, Forb, All, All]),

    query("replication", "", [Anon, Forb, Forb, Forb, Seen, Seen]),
    of("file", query("fileTimeline(id)", r#"id: "$""#, [Anon, Forb, Forb, Forb, Seen, Seen])),
    of("file", query("receipt(id)", r#"id: "$""#, [Anon, Forb, Forb, Forb, Forb, Seen])),
    query("replicaRuns", "", [Anon, Forb, Forb, Forb, All, All]),
    query("replicaFindings", "", [Anon, Forb, Forb, Forb, All, All]),
    query("replicaFindings(open)", "open: true", [Anon, Forb, Forb, Forb, All, All]),
    query("replicaFindings(kind)", "kind: MISSING_IN_REPLICA", [Anon, Forb, Forb, Forb, All, All]),

    query("legalHolds", "", ADMINS),
    query("legalHolds(active)", "active: false", ADMINS),
    query("blockedContents", "", ADMINS),
    query("blockedContents(active)", "active: false", ADMINS),
    query("reports", "", ADMINS),
    query("reports(state)", "state: RESOLVED", ADMINS),
    query("bulkActions", "", ADMINS),

    query("auditLog", "", ADMINS),
    query("auditLog(filter.action)", r#"filter: { action: "user.did" }"#, ADMINS),
    of("user", query("auditLog(filter.actorId)", r#"filter: { actorId: "$" }"#, ADMINS)),
    of("user", query("auditLog(filter.subjectId)", r#"filter: { subjectId: "$" }"#, ADMINS)),
    query("auditLog(filter.from)", r#"filter: { from: "2000-01-01T00:00:00Z" }"#, ADMINS),
    query("auditLog(filter.to)", r#"filter: { to: "2100-01-01T00:00:00Z" }"#, ADMINS),
];

impl Query {
    fn root(&self) -> &str {
        self.key.split('(').next().unwrap_or_default()
    }

    pub fn name(&self) -> String {
        if self.case.is_empty() { self.key.to_owned() } else { format!("{}: {}", self.key, self.case) }
    }

    fn document(&self, schema: &Schema, id: &str, with_arguments: bool) -> String {
        let (root, kind) = (self.root(), self.kind(schema));
        let everything = schema.everything(&kind, with_arguments);
        let selection = match (root, schema.nodes().contains(&kind)) {
            ("node", true) => format!("{{ __typename id ... on {kind} {everything} }}"),
            ("node", false) => "{ __typename id }".to_owned(),
            _ => everything,
        };
        let arguments = self.arguments.replace('$', id);
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        format!("{{ {root}{arguments}{selection} }}")
    }

    fn kind(&self, schema: &Schema) -> String {
        match self.root() {
            "node" => self.case.split(' ').next().unwrap_or_default().to_owned(),
            root => schema.object("Query").unwrap()[root].kind.clone(),
        }
    }
}

/// The keys of the table, to be held against the schema's.
pub fn keys() -> BTreeSet<String> {
    TABLE.iter().map(|query| query.key.to_owned()).collect()
}

/// The types that are asked for by `node(id)`.
pub fn nodes() -> BTreeSet<String> {
    let nodes = TABLE.iter().filter(|query| query.root() == "node");
    nodes.map(|query| query.case.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// Asks every question as everybody.
pub async fn run() -> Findings {
    let server = TestServer::with(|config| {
        // Everything is asked for at once.
        config.graphql.max_depth = 30;
        config.graphql.max_complexity = 100_000_000;
        // Each list whole, on one page.
        config.graphql.max_page_size = WHOLE;
        // Those without a log-in come from one address.
        config.live.max_sockets = 1000;
    })
    .await;
    // The first alert is the owner's, and fails once.
    server.sink.fail_next(1);
    let stage = Stage::new(server).await;
    let owner = stage.account(Role::User).await;
    let mut targets = furnish(&stage, &owner).await;
    targets.insert("blocked", blocked(&stage, &owner).await);
    // What can be seen of alerts comes with their delivery.
    stage.server.quiet().await;
    owner.client.done("updateProfile", "user { id }", json!({ "showsLastSeen": true }), None).await;
    let mut people = Vec::new();
    for caller in Caller::ALL.into_iter().filter(|caller| !caller.is_gone()) {
        let asking = stage.asking(caller, &owner).await;
        if let Some(me) = asking.me.as_ref().filter(|me| me.key != owner.key) {
            furnish(&stage, me).await;
        }
        people.push(asking);
    }
    people.extend(stage.gone().await);
    stage.server.schedule("audit.seal").await;
    stage.server.settle_for_an_hour().await;
    let owners = stage.owners().await;
    let mut findings = Findings::default();
    for query in TABLE {
        for asking in &people {
            ask(&stage, &owners, query, &targets, asking, &mut findings).await;
        }
    }
    for asking in &people {
        subscriptions::run(&stage, &owners, &targets, asking, &mut findings).await;
        // That a page is cut out of its own list is the same rule on each database, and their pages are tested elsewhere.
        if *KIND == Kind::Sqlite {
            paging(&stage, asking, &people, &mut findings).await;
        }
    }
    stage.forget_dead_jobs().await;
    stage.server.finish().await;
    findings
}

/// An id, or a name, of the same type that never was.
pub fn never(stage: &Stage, id: &str) -> String {
    match id.split_once('_') {
        Some((prefix, _)) => format!("{prefix}_{}", Uuid::now_v7().simple()),
        None => stage.unique("nowhere"),
    }
}

async fn ask(
    stage: &Stage,
    owners: &Owners,
    query: &Query,
    targets: &BTreeMap<&'static str, String>,
    asking: &Asking,
    findings: &mut Findings,
) {
    let (id, missing) = query.target.map_or_else(Default::default, |name| {
        let id = targets[name].clone();
        let missing = never(stage, &id);
        (id, missing)
    });
    let send = async |id: &str, arguments| {
        asking.client.query(&query.document(&stage.schema, id, arguments), &Value::Null).await
    };
    let answer = send(&id, false).await;
    let twin = if id.is_empty() { None } else { Some(send(&missing, false).await) };
    let me = asking.me.as_ref().map(|me| me.key);
    let is_own = |id: &str| is_of(owners, id, me);
    let twin = twin.as_ref().map(|twin: &Answer| (id.as_str(), twin, missing.as_str()));
    let saw = outcome::outcome(&answer, query.root(), is_own, twin);
    findings.expect(&query.name(), asking.caller, &query.outcomes, saw);
    let kind = query.kind(&stage.schema);
    let walk = Walk { schema: &stage.schema, owners, asking, entered: None, operation: query.root() };
    for answer in [answer, send(&id, true).await] {
        findings.shows.answer(&walk, query.root(), &kind, &answer);
    }
}

/// Whatever page is asked for, with whoever's cursor, it shows nothing that the list itself does not.
async fn paging(stage: &Stage, asking: &Asking, people: &[Asking], findings: &mut Findings) {
    let admin = people.iter().find(|asking| asking.caller == Caller::Admin).unwrap();
    for (root, field) in stage.schema.object("Query").unwrap() {
        if !PAGING.iter().all(|name| field.arguments.contains_key(*name)) {
            continue;
        }
        let page = |arguments: &str| {
            format!("{{ {root}({arguments}) {{ nodes {{ id }} pageInfo {{ startCursor endCursor }} }} }}")
        };
        let all = page(&format!("first: {WHOLE}"));
        let whole = asking.client.query(&all, &Value::Null).await;
        let ids = page_ids(&whole, root);
        let answer = admin.client.query(&all, &Value::Null).await;
        let info = &answer.body["data"][root]["pageInfo"];
        let (Some(start), Some(end)) = (info["startCursor"].as_str(), info["endCursor"].as_str()) else {
            panic!("an admin has nothing of {root}: {answer:?}");
        };
        let (after, before) = (format!("after: \"{start}\""), format!("before: \"{end}\""));
        for arguments in ["first: 1", "last: 1", &after, &before] {
            let answer = asking.client.query(&page(arguments), &Value::Null).await;
            let refused = (answer.error(), answer.status) != (whole.error(), whole.status);
            if refused || !page_ids(&answer, root).iter().all(|id| ids.contains(id)) {
                let (role, body) = (asking.caller.name(), &answer.body);
                findings.failures.push(format!("{root}({arguments}) × {role}: not a page of the list ({body})"));
            }
        }
    }
}

/// A blocked picture of somebody's, which they wanted to store again.
async fn blocked(stage: &Stage, person: &Account) -> String {
    let picture = snaphaven::images::scene_jpeg(3, 80, 60).unwrap();
    let upload = json!({ "file": null, "name": "blocked.jpg" });
    let file = person.client.done("uploadFile", "file { id }", upload.clone(), Some(picture.clone())).await;
    let input = json!({ "fileId": file["file"]["id"], "reason": "old" });
    let admin = stage.account(Role::Admin).await;
    let blocked = admin.client.done("blockContent", "blockedContent { id }", input, None).await;
    person.client.mutate("uploadFile", "{ userErrors { code } }", &upload, Some(picture)).await;
    string(&blocked["blockedContent"]["id"])
}

/// Something of everything, and where it can be found.
async fn furnish(stage: &Stage, person: &Account) -> BTreeMap<&'static str, String> {
    let upload = async |name: &str, bytes: Vec<u8>| {
        let input = json!({
            "file": null, "name": name, "description": "said of it", "tags": ["a tag"], "metadata": { "some": "data" },
        });
        string(&person.client.done("uploadFile", "file { id }", input, Some(bytes)).await["file"]["id"])
    };
    let picture = Picture::quarters(40, 30).png();
    let broken = picture[..picture.len() / 2].to_vec();
    let file = upload("picture.png", picture).await;
    upload("broken.png", broken).await;
    let trashed = upload("trashed.txt", b"trashed".to_vec()).await;
    let versioned = upload("versioned.txt", b"first".to_vec()).await;
    let replace = json!({ "id": versioned, "revision": 1, "file": null });
    person.client.done("replaceFileContent", "file { id }", replace, Some(b"second".to_vec())).await;
    let restore = json!({ "id": stage.versions(person, &versioned).await[1], "revision": 2 });
    person.client.done("restoreFileVersion", "file { id }", restore, None).await;
    let purged = upload("purged.txt", b"purged".to_vec()).await;
    let gone =
        person.client.done("purgeFiles", "alert { id } erasures { id }", json!({ "ids": [&purged] }), None).await;
    person.client.done("trashFiles", "files { id }", json!({ "ids": [&trashed] }), None).await;
    let removed = upload("removed.txt", b"removed".to_vec()).await;
    let admin = stage.account(Role::Admin).await;
    admin.client.done("removeFiles", "files { id }", json!({ "ids": [&removed], "reason": "old" }), None).await;
    upload("bulky.txt", b"bulky".to_vec()).await;
    let bulky = json!({ "filter": { "ownerId": person.id, "search": "bulky" }, "expectedCount": 1 });
    let bulky = json!({ "matching": bulky, "reason": "old" });
    let action = admin.client.done("removeFiles", "action { id }", bulky, None).await;
    let share = async || {
        let input = json!({ "fileId": file });
        let made = person.client.done("createShareLink", "shareLink { id } url", input, None).await;
        (string(&made["shareLink"]["id"]), string(&made["url"]))
    };
    let ((share, url), (revoked, _)) = (share().await, share().await);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
    person.client.done("revokeShareLink", "shareLink { id }", json!({ "id": revoked }), None).await;
    let version = stage.versions(person, &file).await.remove(0);
    let closing = stage.account(Role::User).await;
    let closed = closing.client.done("closeAccount", "receipt", json!({ "currentPassword": PASSWORD }), None).await;
    let [friend, asks, blocked] =
        [stage.account(Role::User).await, stage.account(Role::User).await, stage.account(Role::User).await];
    let friendship = stage.request(&friend, person).await;
    person.client.done("acceptFriendship", "friendship { id }", json!({ "id": friendship }), None).await;
    stage.request(&asks, person).await;
    person.client.done("blockUser", "user { id }", json!({ "userId": blocked.id }), None).await;
    // One snap that waits, one that is over, one that was received and opened, and one that waits for this person.
    let snap = stage.snap(person, &friend).await;
    let over = stage.snap(person, &friend).await;
    stage.open_snap(&friend, &over).await;
    stage.close_snap(&friend, &over).await;
    friend.client.done("replaySnap", "view { url }", json!({ "id": over }), None).await;
    friend.client.done("reportScreenshot", "snap { id }", json!({ "id": over }), None).await;
    stage.close_snap(&friend, &over).await;
    let received = stage.snap(&friend, person).await;
    stage.open_snap(person, &received).await;
    stage.snap(&friend, person).await;
    // Reports of the snap, which is held, and of a file, which was decided.
    let complaint = json!({ "id": received, "category": "OTHER", "comment": "said of it" });
    let report = person.client.done("reportSnap", "report { id }", complaint, None).await["report"]["id"].clone();
    let input = json!({ "file": null, "name": "theirs.txt" });
    let theirs = friend.client.done("uploadFile", "file { id }", input, Some(b"theirs".to_vec())).await;
    let decided = stage.report(person, &friend, &string(&theirs["file"]["id"])).await;
    let decision = json!({ "id": decided, "decision": "DISMISS", "reason": "old" });
    admin.client.done("resolveReport", "report { id }", decision, None).await;
    // A file under a hold, and one whose hold has ended.
    let hold = stage.hold(&admin, &upload("held.txt", b"held".to_vec()).await).await;
    let released = stage.hold(&admin, &versioned).await;
    admin.client.done("releaseLegalHold", "legalHold { id }", json!({ "id": released }), None).await;
    // What was blocked.
    let unblocked = stage.blocked(&admin, &"ab".repeat(32)).await;
    admin.client.done("unblockContent", "blockedContent { id }", json!({ "id": unblocked }), None).await;
    // What the watchdog has seen and done.
    admin.client.done("verifyReplicas", "run { id }", json!({}), None).await;
    stage.server.quiet().await;
    stage.finding(true).await;
    let owned = stage.server.objects().await;
    let key = snaphaven::id::NodeKind::File.parse(&file).unwrap();
    let object = owned.iter().find(|object| object.file_id == Some(key)).unwrap();
    BTreeMap::from([
        ("user", person.id.clone()),
        ("username", person.name.clone()),
        ("friendship", friendship),
        ("snap", snap),
        ("received", received),
        ("session", stage.log_in(person).await.1),
        ("token", stage.api_token(person).await.1),
        ("file", file),
        ("trashed", trashed),
        ("removed", removed),
        ("purged", purged),
        ("share", share),
        ("revoked", revoked),
        ("version", version),
        ("erasure", string(&gone["erasures"][0]["id"])),
        ("object", snaphaven::id::NodeKind::Erasure.id(object.id).to_string()),
        ("job", stage.dead_job().await),
        ("alert", string(&gone["alert"]["id"])),
        ("hold", hold),
        ("report", string(&report)),
        ("decided", decided),
        ("run", stage.run().await),
        ("finding", stage.finding(false).await),
        ("audited", stage.audited(person).await),
        ("action", string(&action["action"]["id"])),
        ("upload", stage.direct_upload(person, true).await),
        ("receipt", string(&closed["receipt"])),
    ])
}
