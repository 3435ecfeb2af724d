//! A server with people on it, the things they own, and everyone who may come to ask for them.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use entity::{
    Timestamp, account_closure, action, alert, alert_storm, audit_checkpoint, audit_entry, audit_seal, block,
    block_list, blocked_content, bulk_item, event, event_counter, file, file_label, file_term, file_version,
    friendship, idempotency, job, lease, legal_hold, object, object_copy, rendition, replica_finding, replica_range,
    replica_run, replica_watch, report, session, share_download, share_link, site_role, snap, snap_recipient, throttle,
    upload, usage, user, user_term, write_intent,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, ExprTrait as _, IntoActiveModel as _, QueryFilter, sea_query::Expr,
};
use serde_json::{Value, json};
use snaphaven::{
    audit,
    id::NodeKind,
    viewer::{Identity, Viewer},
};
use uuid::Uuid;

use super::{
    client::{Client, Credentials},
    outcome::Outcome,
    schema::Schema,
};
use crate::{
    databases::files::direct,
    images::fixtures::Picture,
    servers::{KIND, Kind},
    support::{PASSWORD, TestServer},
};

/// The kind of jobs that nobody runs.
const DEAD: &str = "stage.dead";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Anonymous,
    /// With a session.
    Owner,
    /// The owner, with an API token.
    Token,
    Other,
    /// A friend of the owner's.
    Friend,
    /// Who has asked the owner, and was not answered.
    Pending,
    /// Whom the owner has blocked.
    Blocked,
    Operator,
    Admin,
    /// An admin no more, with the session of that time.
    Demoted,
    SuspendedSession,
    SuspendedCookie,
    SuspendedToken,
    SuspendedAdmin,
    ExpiredSession,
    RevokedSession,
    RevokedCookie,
    RevokedToken,
}

impl Caller {
    pub const ALL: [Self; 18] = [
        Self::Anonymous,
        Self::Owner,
        Self::Token,
        Self::Other,
        Self::Friend,
        Self::Pending,
        Self::Blocked,
        Self::Operator,
        Self::Admin,
        Self::Demoted,
        Self::SuspendedSession,
        Self::SuspendedCookie,
        Self::SuspendedToken,
        Self::SuspendedAdmin,
        Self::ExpiredSession,
        Self::RevokedSession,
        Self::RevokedCookie,
        Self::RevokedToken,
    ];

    /// What a row of a table says of this caller.
    pub fn expected(self, outcomes: &[Outcome; 6]) -> Outcome {
        self.column().map_or(Outcome::Unauthenticated, |column| outcomes[column])
    }

    pub fn is_gone(self) -> bool {
        self != Self::Anonymous && self.column().is_none_or(|column| column == 0)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Owner => "owner",
            Self::Token => "owner's API token",
            Self::Other => "other user",
            Self::Friend => "friend",
            Self::Pending => "pending friend",
            Self::Blocked => "blocked user",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Demoted => "former admin",
            Self::SuspendedSession => "suspended",
            Self::SuspendedCookie => "suspended, by cookie",
            Self::SuspendedToken => "suspended, by API token",
            Self::SuspendedAdmin => "suspended admin",
            Self::ExpiredSession => "expired session",
            Self::RevokedSession => "revoked session",
            Self::RevokedCookie => "revoked session, by cookie",
            Self::RevokedToken => "revoked API token",
        }
    }

    /// The column of the tables that says what this caller gets. `None`: nothing whatever, being refused at the door.
    pub fn column(self) -> Option<usize> {
        match self {
            // A browser cannot drop a dead cookie by itself, so it is as good as none.
            Self::Anonymous | Self::SuspendedCookie | Self::RevokedCookie => Some(0),
            Self::Owner => Some(1),
            Self::Token => Some(2),
            // Who has something with the owner gets of every operation what any other user gets.
            Self::Other | Self::Demoted | Self::Friend | Self::Pending | Self::Blocked => Some(3),
            Self::Operator => Some(4),
            Self::Admin => Some(5),
            Self::SuspendedSession
            | Self::SuspendedToken
            | Self::SuspendedAdmin
            | Self::ExpiredSession
            | Self::RevokedSession
            | Self::RevokedToken => None,
        }
    }
}

/// A person with an account.
#[derive(Clone)]
pub struct Account {
    pub id: String,
    pub key: Uuid,
    pub name: String,
    pub token: String,
    pub client: Client,
}

/// Somebody who asks: a client, and the account behind it where the server knows one.
pub struct Asking {
    pub caller: Caller,
    /// Whose things they look for.
    pub owner: Uuid,
    pub client: Client,
    pub me: Option<Account>,
}

/// Whose each thing is, by its global id: of nobody what is the server's own, of both what is between two people.
pub type Owners = HashMap<String, Vec<Uuid>>;

/// Whether it is this person's.
pub fn is_of(owners: &Owners, id: &str, person: Option<Uuid>) -> bool {
    person.is_some_and(|person| owners.get(id).is_some_and(|owners| owners.contains(&person)))
}

/// SHA-256 of `hello`.
pub const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// What [`Stage::audited`] has people do.
pub const DID: &str = "user.did";

pub struct Stage {
    pub server: TestServer,
    pub schema: Schema,
    /// Nobody's.
    pub client: Client,
    count: AtomicUsize,
}

impl Stage {
    pub async fn new(server: TestServer) -> Self {
        let client = Client::new(&server.url);
        Self { schema: Schema::of(&client).await, server, client, count: AtomicUsize::new(0) }
    }

    /// A name that nobody has.
    pub fn unique(&self, what: &str) -> String {
        format!("{what}{:04}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn account(&self, role: user::Role) -> Account {
        let name = self.unique("someone");
        let input = json!({
            "username": name, "email": format!("{name}@example.org"), "firstName": "Some", "lastName": "One",
            "password": PASSWORD,
        });
        let payload = self.client.done("signUp", "user { id } token", input, None).await;
        let (id, token) = (string(&payload["user"]["id"]), string(&payload["token"]));
        let key = NodeKind::User.parse(&id).unwrap();
        let client = self.client.with(Credentials::Bearer(token.clone()));
        let account = Account { id, key, name, token, client };
        if role != user::Role::User {
            self.set(&account, user::Column::Role, role).await;
        }
        account
    }

    /// What no mutation does yet: a role, a suspension.
    async fn set(&self, account: &Account, column: user::Column, value: impl Into<sea_orm::Value>) {
        let value: sea_orm::Value = value.into();
        let update = user::Entity::update_many().col_expr(column, Expr::value(value));
        let outcome = update.filter(user::Column::Id.eq(account.key)).exec(self.server.app.db.read()).await.unwrap();
        assert_eq!(outcome.rows_affected, 1);
    }

    async fn suspend(&self, account: &Account) {
        self.set(account, user::Column::Status, user::Status::Suspended).await;
    }

    /// Another log-in: its token and its id.
    pub async fn log_in(&self, account: &Account) -> (String, String) {
        let input = json!({ "login": account.name, "password": PASSWORD });
        let token = string(&self.client.done("logIn", "token", input, None).await["token"]);
        let client = self.client.with(Credentials::Bearer(token.clone()));
        let answer = client.query("{ viewer { sessions { nodes { id current } } } }", &json!({})).await;
        let sessions = answer.body["data"]["viewer"]["sessions"]["nodes"].as_array().unwrap().clone();
        let current = sessions.iter().find(|session| session["current"] == true).unwrap();
        (token, string(&current["id"]))
    }

    /// An API token and its id.
    pub async fn api_token(&self, account: &Account) -> (String, String) {
        let input = json!({ "name": "a program", "expiresIn": 3600 });
        let payload = account.client.done("createApiToken", "token apiToken { id }", input, None).await;
        (string(&payload["token"]), string(&payload["apiToken"]["id"]))
    }

    /// A direct upload of one part, which has arrived or not.
    pub async fn direct_upload(&self, account: &Account, arrived: bool) -> String {
        self.direct_upload_of(account, "FILE", b"hello", arrived).await
    }

    /// The same of these bytes, for this purpose.
    pub async fn direct_upload_of(&self, account: &Account, purpose: &str, bytes: &[u8], arrived: bool) -> String {
        let input = json!({ "name": "direct.txt", "size": bytes.len(), "purpose": purpose });
        let payload = account.client.done("createUpload", "uploadSession { id }", input, None).await;
        let id = string(&payload["uploadSession"]["id"]);
        if arrived {
            let input = json!({ "id": id, "parts": [{ "number": 1, "sha256": direct::sha256(bytes) }] });
            let signed = account.client.done("signUploadParts", "parts { url }", input, None).await;
            assert!(self.server.first.send(&string(&signed["parts"][0]["url"]), bytes.to_vec()));
        }
        id
    }

    /// The ids of a file's versions, newest first.
    pub async fn versions(&self, account: &Account, file: &str) -> Vec<String> {
        let query = format!("{{ node(id: \"{file}\") {{ ... on File {{ versions {{ nodes {{ id }} }} }} }} }}");
        let answer = account.client.query(&query, &Value::Null).await;
        let nodes = answer.body["data"]["node"]["versions"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| string(&node["id"])).collect()
    }

    /// A caller who looks for what is `owner`'s. Where the caller's days are over, the owner's may be too.
    pub async fn asking(&self, caller: Caller, owner: &Account) -> Asking {
        let with = |credentials| self.client.with(credentials);
        let (client, me) = match caller {
            Caller::Anonymous => (self.client.clone(), None),
            Caller::Owner => (owner.client.clone(), Some(owner.clone())),
            Caller::Token => (with(Credentials::Bearer(self.api_token(owner).await.0)), Some(owner.clone())),
            Caller::Other
            | Caller::Friend
            | Caller::Pending
            | Caller::Blocked
            | Caller::Operator
            | Caller::Admin
            | Caller::Demoted
            | Caller::SuspendedAdmin => {
                let account = self.account(role(caller)).await;
                (account.client.clone(), Some(account))
            }
            Caller::SuspendedSession => (owner.client.clone(), None),
            Caller::SuspendedCookie => (with(Credentials::Cookie(owner.token.clone())), None),
            Caller::SuspendedToken | Caller::RevokedToken => {
                let (token, id) = self.api_token(owner).await;
                let client = with(Credentials::Bearer(token));
                lives(&client).await;
                if caller == Caller::RevokedToken {
                    owner.client.done("revokeApiToken", "apiTokenId", json!({ "id": id }), None).await;
                }
                (client, None)
            }
            Caller::ExpiredSession | Caller::RevokedSession | Caller::RevokedCookie => {
                let (token, id) = self.log_in(owner).await;
                let cookie = caller == Caller::RevokedCookie;
                let client = with(if cookie { Credentials::Cookie(token) } else { Credentials::Bearer(token) });
                lives(&client).await;
                if caller == Caller::ExpiredSession {
                    self.expire(&id).await;
                } else {
                    owner.client.done("revokeSession", "sessionId", json!({ "id": id }), None).await;
                }
                (client, None)
            }
        };
        match caller {
            Caller::SuspendedSession | Caller::SuspendedCookie | Caller::SuspendedToken => {
                lives(&client).await;
                self.suspend(owner).await;
            }
            Caller::SuspendedAdmin => {
                lives(&client).await;
                self.suspend(me.as_ref().unwrap()).await;
                return Asking { caller, owner: owner.key, client, me: None };
            }
            Caller::Demoted => self.set(me.as_ref().unwrap(), user::Column::Role, user::Role::User).await,
            _ => {}
        }
        if let (Some(me), Caller::Friend | Caller::Pending | Caller::Blocked) = (&me, caller) {
            self.acquaint(caller, me, owner).await;
        }
        Asking { caller, owner: owner.key, client, me }
    }

    /// A request of `me` to `owner`, and what the owner makes of it.
    async fn acquaint(&self, caller: Caller, me: &Account, owner: &Account) {
        if caller == Caller::Blocked {
            owner.client.done("blockUser", "user { id }", json!({ "userId": me.id }), None).await;
        }
        let id = self.request(me, owner).await;
        if caller == Caller::Friend {
            owner.client.done("acceptFriendship", "friendship { id }", json!({ "id": id }), None).await;
        }
    }

    /// A friend of this person's.
    pub async fn friend_of(&self, person: &Account) -> Account {
        let friend = self.account(user::Role::User).await;
        let id = self.request(&friend, person).await;
        person.client.done("acceptFriendship", "friendship { id }", json!({ "id": id }), None).await;
        friend
    }

    /// The id of a snap that may be replayed.
    pub async fn snap(&self, from: &Account, to: &Account) -> String {
        let input = json!({
            "file": null, "recipientIds": [to.id], "caption": "said of it", "viewSeconds": 5, "allowReplay": true,
        });
        let picture = Picture::quarters(40, 30).png();
        string(&from.client.done("sendSnap", "snap { id }", input, Some(picture)).await["snap"]["id"])
    }

    /// Opens a received snap.
    pub async fn open_snap(&self, person: &Account, snap: &str) {
        person.client.done("openSnap", "view { url }", json!({ "id": snap }), None).await;
    }

    /// Ends the view of a received snap.
    pub async fn close_snap(&self, person: &Account, snap: &str) {
        person.client.done("closeSnap", "snap { id }", json!({ "id": snap }), None).await;
    }

    /// The id of a request.
    pub async fn request(&self, from: &Account, to: &Account) -> String {
        let made = from.client.done("requestFriendship", "friendship { id }", json!({ "userId": to.id }), None).await;
        string(&made["friendship"]["id"])
    }

    /// The id of an entry of the audit log: this person did something to themselves.
    pub async fn audited(&self, person: &Account) -> String {
        let app = &self.server.app;
        let account = user::Entity::find_by_id(person.key).one(app.db.read()).await.unwrap().unwrap();
        let viewer = Viewer::User(Identity::new(account, Uuid::nil()));
        let now = app.now();
        let record = app.transaction(async |tx| audit::record(&tx, &viewer, DID, person.key, json!({}), now).await);
        record.await.unwrap();
        let by_person = audit_entry::Column::ActorId.eq(person.key).and(audit_entry::Column::Action.eq(DID));
        let entry = audit_entry::Entity::find().filter(by_person).one(app.db.read()).await.unwrap().unwrap();
        NodeKind::AuditEntry.id(entry.id).to_string()
    }

    async fn expire(&self, session: &str) {
        let update = session::Entity::update_many()
            .col_expr(session::Column::ExpiresAt, Expr::value(Timestamp(self.server.app.now().0 - 1)))
            .filter(session::Column::Id.eq(NodeKind::Session.parse(session).unwrap()));
        assert_eq!(update.exec(self.server.app.db.read()).await.unwrap().rows_affected, 1);
    }

    /// Whose each thing is, by its global id. `None`: the server's own.
    pub async fn owners(&self) -> Owners {
        let db = self.server.app.db.read();
        let mut owners: HashMap<String, Option<Uuid>> = HashMap::new();
        for row in user::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::User.id(row.id).to_string(), Some(row.id));
        }
        for row in session::Entity::find().all(db).await.unwrap() {
            for kind in [NodeKind::Session, NodeKind::ApiToken] {
                owners.insert(kind.id(row.id).to_string(), Some(row.user_id));
            }
        }
        for row in file::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::File.id(row.id).to_string(), Some(row.owner_id));
        }
        for row in file_version::Entity::find().all(db).await.unwrap() {
            let of_file = owners[&NodeKind::File.id(row.file_id).to_string()];
            owners.insert(NodeKind::FileVersion.id(row.id).to_string(), of_file);
        }
        for row in share_link::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::ShareLink.id(row.id).to_string(), Some(row.owner_id));
        }
        for row in object::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::Erasure.id(row.id).to_string(), row.user_id);
        }
        for row in upload::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::UploadSession.id(row.id).to_string(), Some(row.owner_id));
        }
        for row in alert::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::Alert.id(row.id).to_string(), row.actor_id);
        }
        for row in action::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::BulkAction.id(row.id).to_string(), Some(row.actor_id));
        }
        for row in job::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::Job.id(row.id).to_string(), None);
        }
        for row in audit_entry::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::AuditEntry.id(row.id).to_string(), row.actor_id);
        }
        for row in legal_hold::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::LegalHold.id(row.id).to_string(), None);
        }
        for row in blocked_content::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::BlockedContent.id(row.id).to_string(), None);
        }
        for row in replica_run::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::ReplicaRun.id(row.id).to_string(), row.requested_by);
        }
        for row in replica_finding::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::ReplicaFinding.id(row.id).to_string(), None);
        }
        for row in report::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::Report.id(row.id).to_string(), row.reporter_id);
        }
        let pairs = friendship::Entity::find().all(db).await.unwrap().into_iter();
        let pairs = pairs.map(|row| (NodeKind::Friendship.id(row.id).to_string(), vec![row.low_id, row.high_id]));
        let mut owners: Owners =
            owners.into_iter().map(|(id, owner)| (id, owner.into_iter().collect())).chain(pairs).collect();
        for row in snap::Entity::find().all(db).await.unwrap() {
            owners.insert(NodeKind::Snap.id(row.id).to_string(), vec![row.sender_id]);
        }
        for row in snap_recipient::Entity::find().all(db).await.unwrap() {
            owners.get_mut(&NodeKind::Snap.id(row.snap_id).to_string()).unwrap().push(row.recipient_id);
        }
        owners
    }

    /// The id of a legal hold on a file.
    pub async fn hold(&self, admin: &Account, file: &str) -> String {
        let input = json!({ "fileId": file, "reason": "old" });
        string(&admin.client.done("placeLegalHold", "legalHold { id }", input, None).await["legalHold"]["id"])
    }

    /// The id of a blocked content.
    pub async fn blocked(&self, admin: &Account, sha256: &str) -> String {
        let input = json!({ "sha256": sha256, "reason": "old" });
        string(&admin.client.done("blockContent", "blockedContent { id }", input, None).await["blockedContent"]["id"])
    }

    /// A link to a person's file.
    pub async fn share_url(&self, person: &Account, file: &str) -> String {
        let input = json!({ "fileId": file });
        string(&person.client.done("createShareLink", "url", input, None).await["url"])
    }

    /// The id of a report of a person's file, which somebody was given a link to.
    pub async fn report(&self, by: &Account, owner: &Account, file: &str) -> String {
        let input =
            json!({ "shareUrl": self.share_url(owner, file).await, "category": "SPAM", "comment": "said of it" });
        string(&by.client.done("reportFile", "report { id }", input, None).await["report"]["id"])
    }

    /// A job in the dead letter.
    pub async fn dead_job(&self) -> String {
        let (db, now) = (self.server.app.db.read(), self.server.app.now());
        let row = job::Model {
            id: Uuid::now_v7(),
            kind: DEAD.to_owned(),
            lane: job::Lane::Prompt,
            payload: "{}".to_owned(),
            state: job::State::Dead,
            run_at: now,
            attempts: 25,
            max_attempts: 25,
            lease_token: None,
            lease_until: None,
            last_error: Some("the site is away".to_owned()),
            unique_key: None,
            created_at: now,
            finished_at: Some(now),
        };
        job::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(db).await.unwrap();
        NodeKind::Job.id(row.id).to_string()
    }

    /// A run of the watchdog that somebody ordered, and that could not read everything.
    pub async fn run(&self) -> String {
        let (db, now) = (self.server.app.db.read(), self.server.app.now());
        let row = replica_run::Model {
            id: Uuid::now_v7(),
            mode: replica_run::Mode::Scrub,
            state: replica_run::State::Inconclusive,
            epoch: 1,
            requested_by: Some(self.account(user::Role::Admin).await.key),
            trusting: false,
            budget: None,
            total: 1,
            done: 1,
            counters: json!({ "drill": snaphaven::replication::DrillFigures::default() }).to_string(),
            error: Some("the site is away".to_owned()),
            created_at: now,
            updated_at: now,
            finished_at: Some(now),
        };
        replica_run::Entity::insert(row.clone().into_active_model().reset_all())
            .exec_without_returning(db)
            .await
            .unwrap();
        NodeKind::ReplicaRun.id(row.id).to_string()
    }

    /// A finding of the watchdog.
    pub async fn finding(&self, open: bool) -> String {
        let (db, now) = (self.server.app.db.read(), self.server.app.now());
        let id = Uuid::now_v7();
        let row = replica_finding::Model {
            id,
            kind: replica_finding::Kind::MissingInReplica,
            state: if open { replica_finding::State::Open } else { replica_finding::State::Resolved },
            key: format!("original/00/{id}"),
            open_key: open.then(|| id.as_bytes().to_vec()),
            object_id: None,
            bytes: 7,
            detail: "nothing at the replica".to_owned(),
            first_seen_at: now,
            last_seen_at: now,
            sightings: 1,
            run_id: id,
            repair_id: None,
            attempts: 1,
            last_error: Some("the site is away".to_owned()),
            resolved_at: (!open).then_some(now),
            outcome: (!open).then_some(replica_finding::Outcome::Repaired),
        };
        replica_finding::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(db).await.unwrap();
        NodeKind::ReplicaFinding.id(id).to_string()
    }

    /// Those jobs, before the server ends, which wants none to have failed.
    pub async fn forget_dead_jobs(&self) {
        let dead = job::Entity::delete_many().filter(job::Column::Kind.eq(DEAD));
        dead.exec(self.server.app.db.read()).await.unwrap();
    }

    /// An alert that could not be delivered.
    pub async fn failed_alert(&self, of: &Account) -> String {
        let file = of.client.done("uploadFile", "file { id }", json!({ "file": null }), Some(HELLO.into())).await;
        let trashed = of.client.done("trashFiles", "alert { id }", json!({ "ids": [file["file"]["id"]] }), None).await;
        let id = string(&trashed["alert"]["id"]);
        let failed = alert::Entity::update_many().col_expr(alert::Column::State, Expr::value(alert::State::Failed));
        let failed = failed.filter(alert::Column::Id.eq(NodeKind::Alert.parse(&id).unwrap()));
        failed.exec(self.server.app.db.read()).await.unwrap();
        id
    }

    /// Every row of every table, as text.
    pub async fn rows(&self) -> Vec<String> {
        let db = self.server.app.db.read();
        let mut rows = Vec::new();
        macro_rules! read {
            ($($table:ident)*) => {
                $(for row in $table::Entity::find().all(db).await.unwrap() {
                    rows.push(format!("{}: {row:?}", stringify!($table)));
                })*
                // A new table is to be compared too.
                let all = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/entity/src/lib.rs"));
                assert_eq!(all.matches("pub mod ").count(), [$(stringify!($table)),*].len());
            };
        }
        read!(account_closure action alert alert_storm audit_checkpoint audit_entry audit_seal block block_list blocked_content bulk_item event event_counter file file_label file_term file_version friendship idempotency job lease legal_hold object object_copy rendition replica_finding replica_range replica_run replica_watch report session
            share_download share_link site_role snap snap_recipient throttle upload usage user user_term write_intent);
        rows.sort();
        rows
    }

    /// Those whose days are over. They had accounts of their own.
    pub async fn gone(&self) -> Vec<Asking> {
        let mut gone = Vec::new();
        // Before any operation one query tells that they are. It is the same for all, so that two stand for them where a
        // database takes longer than SQLite.
        let all = *KIND == Kind::Sqlite;
        let stands_for_all = |caller| [Caller::SuspendedAdmin, Caller::ExpiredSession].contains(&caller);
        for caller in Caller::ALL.into_iter().filter(|caller| caller.is_gone() && (all || stands_for_all(*caller))) {
            gone.push(self.asking(caller, &self.account(user::Role::User).await).await);
        }
        gone
    }

    /// Everyone's role and status.
    pub async fn standings(&self) -> HashMap<Uuid, (user::Role, user::Status)> {
        let users = user::Entity::find().all(self.server.app.db.read()).await.unwrap();
        users.into_iter().map(|row| (row.id, (row.role, row.status))).collect()
    }
}

fn role(caller: Caller) -> user::Role {
    match caller {
        Caller::Operator => user::Role::Operator,
        Caller::Admin | Caller::Demoted | Caller::SuspendedAdmin => user::Role::Admin,
        _ => user::Role::User,
    }
}

/// These credentials were good before they were not.
async fn lives(client: &Client) {
    let answer = client.query("{ viewer { id } }", &json!({})).await;
    assert!(answer.body["data"]["viewer"]["id"].is_string(), "{answer:?}");
}

pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
