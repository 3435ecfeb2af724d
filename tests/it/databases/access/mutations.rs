//! The table of mutations: each with valid input, on one's own things and on another's, in every state of them.

use std::collections::{BTreeMap, BTreeSet};

use entity::user::{Role, Status};
use serde_json::{Value, json};
use snaphaven::id::NodeKind;
use uuid::Uuid;

use super::{
    Findings,
    client::{Answer, Client},
    outcome::{self, Outcome, difference},
    stage::{Account, Asking, Caller, HELLO, Owners, Stage, string},
    walk::Walk,
};
use crate::{
    databases::files::direct,
    images::fixtures::Picture,
    support::{PASSWORD, TestServer},
};

/// What a mutation is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Nothing that there is: the input gets a new name instead.
    Nothing,
    /// Somebody else's user name.
    Account,
    File,
    Trashed,
    /// By an admin.
    Removed,
    Purged,
    ShareLink,
    RevokedShareLink,
    /// What a share link is written as.
    SharedUrl,
    /// Under a legal hold.
    Held,
    /// A file with a content that no other has.
    Text,
    /// The hold.
    LegalHold,
    /// A blocked content.
    Blocked,
    /// Somebody else's, of a file.
    Report,
    Session,
    ApiToken,
    /// An API token's key in the id of a session, and the other way round.
    ApiTokenAsSession,
    SessionAsApiToken,
    /// A direct upload that waits for its parts.
    Upload,
    /// One whose parts are there.
    Arrived,
    Aborted,
    Completed,
    /// A file, a blank, and an upload whose parts are there.
    FileAndUpload,
    OldVersion,
    CurrentVersion,
    User,
    /// Who has a file with a description, a tag and metadata.
    Owning,
    /// Somebody else.
    Stranger,
    /// Somebody else, whom an admin has suspended.
    Suspended,
    /// In the dead letter.
    Job,
    /// One that is done.
    DoneJob,
    FailedAlert,
    /// An open finding of the watchdog.
    Finding,
    /// A friendship that somebody asks for.
    Request,
    /// One that they ask somebody else for.
    Asked,
    /// A friend.
    Friend,
    /// A picture, a blank, and a friend.
    PictureAndFriend,
    /// A direct upload that is to be a snap, a blank, and a friend.
    SnapUploadAndFriend,
    /// Sent to a friend.
    Snap,
    /// Received, and not opened.
    Received,
    Opened,
    /// Seen once.
    Replayable,
}

pub struct Mutation {
    pub name: &'static str,
    /// What it is aimed at.
    pub case: &'static str,
    target: Target,
    /// Aimed at the caller's own, not at the owner's.
    own: bool,
    /// All of the input, for the id of the target.
    input: fn(&str) -> Value,
    pub outcomes: [Outcome; 6],
}

use Outcome::{Forbidden as Forb, Missing as Miss, Seen, Unauthenticated as Anon, UserError as Code};

//                                  anonymous owner token other operator admin
const ANYBODY: [Outcome; 6] = [Seen, Seen, Seen, Seen, Seen, Seen];
const ACCOUNTS: [Outcome; 6] = [Anon, Seen, Seen, Seen, Seen, Seen];
const SESSIONS: [Outcome; 6] = [Anon, Seen, Code("SESSION_REQUIRED"), Seen, Seen, Seen];
const OWNER: [Outcome; 6] = [Anon, Seen, Seen, Miss, Miss, Miss];
const OWNER_AND_ADMIN: [Outcome; 6] = [Anon, Seen, Seen, Miss, Miss, Seen];
const NOBODY: [Outcome; 6] = [Anon, Miss, Miss, Miss, Miss, Miss];
const NOT_NOW: [Outcome; 6] = [Anon, Code("WRONG_STATE"), Code("WRONG_STATE"), Miss, Miss, Miss];
const STALE: [Outcome; 6] = [Anon, Code("STALE_REVISION"), Code("STALE_REVISION"), Miss, Miss, Miss];
const ADMINS: [Outcome; 6] = [Anon, Forb, Forb, Forb, Forb, Seen];
const NO_REASON: [Outcome; 6] = [Anon, Forb, Forb, Forb, Forb, Code("INVALID_REASON")];
const ADMIN: [Outcome; 6] = [Anon, Code("WRONG_STATE"), Code("WRONG_STATE"), Miss, Miss, Seen];

const fn at(
    name: &'static str,
    case: &'static str,
    target: Target,
    input: fn(&str) -> Value,
    outcomes: [Outcome; 6],
) -> Mutation {
    Mutation { name, case, target, own: false, input, outcomes }
}

/// On one's own, which every account may have.
const fn own(name: &'static str, target: Target, input: fn(&str) -> Value) -> Mutation {
    Mutation { name, case: "one's own", target, own: true, input, outcomes: ACCOUNTS }
}

fn id(id: &str) -> Value {
    json!({ "id": id })
}

fn ids(id: &str) -> Value {
    json!({ "ids": [id] })
}

fn edit(id: &str) -> Value {
    json!({
        "id": id, "revision": 1, "name": "new", "description": "new", "tags": ["new"], "metadata": { "new": true },
    })
}

fn replacement(id: &str) -> Value {
    json!({ "id": id, "revision": 1, "file": null, "idempotencyKey": format!("replaces {id}") })
}

fn share(id: &str) -> Value {
    json!({
        "fileId": id, "expiresIn": 60, "maxDownloads": 1, "strict": true, "idempotencyKey": format!("shares {id}"),
    })
}

fn with<const N: usize>(mut input: Value, changes: [(&str, Value); N]) -> Value {
    for (name, value) in changes {
        input[name] = value;
    }
    input
}

#[rustfmt::skip]
pub const ACCOUNT_MUTATIONS: &[Mutation] = &[
    at("signUp", "", Target::Nothing, |name| json!({
        "username": name, "email": format!("{name}@example.net"), "firstName": "New", "lastName": "Comer",
        "password": PASSWORD, "session": "TOKEN",
    }), ANYBODY),
    at("logIn", "somebody's password", Target::Account,
        |name| json!({ "login": name, "password": PASSWORD, "session": "TOKEN" }), ANYBODY),
    at("logOut", "", Target::Nothing, |_| Value::Null, SESSIONS),
    at("changePassword", "", Target::Nothing, |name| json!({
        "currentPassword": PASSWORD, "newPassword": format!("{name} jumps 7 times"), "revokeApiTokens": true,
    }), ACCOUNTS),
    at("updateProfile", "", Target::Nothing, |name| json!({
        "email": format!("{name}@example.com"), "firstName": "An", "lastName": "Other", "about": name,
        "showsLastSeen": true,
    }), ACCOUNTS),
    at("createApiToken", "", Target::Nothing, |name| json!({ "name": name, "expiresIn": 60 }), SESSIONS),
    at("revokeApiToken", "the owner's", Target::ApiToken, id, OWNER),
    own("revokeApiToken", Target::ApiToken, id),
    at("revokeApiToken", "a session", Target::SessionAsApiToken, id, NOBODY),
    at("revokeSession", "the owner's", Target::Session, id, OWNER),
    own("revokeSession", Target::Session, id),
    at("revokeSession", "an API token", Target::ApiTokenAsSession, id, NOBODY),
];

fn user(id: &str) -> Value {
    json!({ "userId": id })
}

/// What nobody does with themselves.
const OTHERS: [Outcome; 6] = [Anon, Code("ONESELF"), Code("ONESELF"), Seen, Seen, Seen];

#[rustfmt::skip]
pub const FRIEND_MUTATIONS: &[Mutation] = &[
    at("requestFriendship", "of the owner", Target::User, user, OTHERS),
    at("requestFriendship", "of somebody", Target::Stranger, user, ACCOUNTS),
    at("acceptFriendship", "asked of the owner", Target::Request, id, OWNER),
    Mutation { case: "asked of oneself", ..own("acceptFriendship", Target::Request, id) },
    at("acceptFriendship", "that the owner asks for", Target::Asked, id, NOT_NOW),
    at("declineFriendship", "asked of the owner", Target::Request, id, OWNER),
    Mutation { case: "asked of oneself", ..own("declineFriendship", Target::Request, id) },
    at("declineFriendship", "that the owner asks for", Target::Asked, id, NOT_NOW),
    at("cancelFriendship", "that the owner asks for", Target::Asked, id, OWNER),
    Mutation { case: "that one asks for", ..own("cancelFriendship", Target::Asked, id) },
    at("cancelFriendship", "asked of the owner", Target::Request, id, NOT_NOW),
    at("removeFriend", "the owner", Target::User, user, OTHERS),
    at("removeFriend", "somebody", Target::Stranger, user, ACCOUNTS),
    at("blockUser", "the owner", Target::User, user, OTHERS),
    at("blockUser", "somebody", Target::Stranger, user, ACCOUNTS),
    at("unblockUser", "the owner", Target::User, user, OTHERS),
    at("unblockUser", "somebody", Target::Stranger, user, ACCOUNTS),
    at("suspendUser", "", Target::Stranger, |id| json!({ "id": id, "reason": "new" }), ADMINS),
    at("reinstateUser", "", Target::Suspended, id, ADMINS),
    at("retryJob", "", Target::Job, id, ADMINS),
    at("retryJob", "done", Target::DoneJob, id, [Anon, Forb, Forb, Forb, Forb, Miss]),
    at("retryAlert", "", Target::FailedAlert, id, ADMINS),
    at("verifyReplicas", "", Target::Nothing, |_| json!({ "mode": "SWEEP", "trustListings": true }), ADMINS),
    at("startReplicaDrill", "", Target::Nothing, |_| json!({ "sample": 1 }), ADMINS),
    at("repairFindings", "", Target::Finding, |id| json!({
        "ids": [id], "kinds": ["MISSING_IN_REPLICA"], "dryRun": false, "expectedCount": 1, "beyondLimit": true,
        "idempotencyKey": id,
    }), ADMINS),
    at("repairFindings", "another count", Target::Finding, |id| json!({ "ids": [id], "dryRun": false, "expectedCount": 7 }),
        [Anon, Forb, Forb, Forb, Forb, Code("COUNT_CHANGED")]),
    at("repairFindings", "dry run", Target::Finding, |id| json!({ "ids": [id], "dryRun": true }),
        [Anon, Forb, Forb, Forb, Seen, Seen]),
    at("setUserRole", "", Target::Stranger, |id| json!({ "id": id, "role": "ADMIN" }), ADMINS),
];

#[rustfmt::skip]
pub const FILE_MUTATIONS: &[Mutation] = &[
    at("uploadFile", "", Target::Nothing, |name| json!({
        "file": null, "name": name, "description": "new", "tags": ["new"], "metadata": { "new": true },
        "idempotencyKey": name,
    }), ACCOUNTS),
    at("editFile", "the owner's", Target::File, edit, OWNER),
    own("editFile", Target::File, edit),
    at("editFile", "of another revision", Target::File, |id| with(edit(id), [("revision", json!(7))]), STALE),
    at("editFile", "in the trash", Target::Trashed, |id| with(edit(id), [("revision", json!(2))]), NOT_NOW),
    at("replaceFileContent", "the owner's", Target::File, replacement, OWNER),
    own("replaceFileContent", Target::File, replacement),
    at("replaceFileContent", "of another revision", Target::File,
        |id| with(replacement(id), [("revision", json!(7))]), STALE),
    at("replaceFileContent", "removed by an admin", Target::Removed,
        |id| with(replacement(id), [("revision", json!(2))]), NOT_NOW),
    at("trashFiles", "the owner's", Target::File, ids, OWNER_AND_ADMIN),
    own("trashFiles", Target::File, ids),
    at("trashFiles", "in the trash", Target::Trashed, ids, OWNER_AND_ADMIN),
    at("restoreFiles", "the owner's", Target::Trashed, ids, OWNER_AND_ADMIN),
    own("restoreFiles", Target::Trashed, ids),
    at("restoreFiles", "removed by an admin", Target::Removed, ids, ADMIN),
    at("purgeFiles", "the owner's", Target::File, ids, OWNER_AND_ADMIN),
    own("purgeFiles", Target::File, ids),
    at("purgeFiles", "in the trash", Target::Trashed, ids, OWNER_AND_ADMIN),
    at("purgeFiles", "removed by an admin", Target::Removed, ids, OWNER_AND_ADMIN),
    at("purgeFiles", "purged before", Target::Purged, ids, OWNER_AND_ADMIN),
    at("purgeFiles", "under a legal hold", Target::Held, ids, OWNER_AND_ADMIN),
    at("placeLegalHold", "", Target::File,
        |id| json!({ "fileId": id, "reason": "new", "idempotencyKey": format!("holds {id}") }), ADMINS),
    at("releaseLegalHold", "", Target::LegalHold, id, ADMINS),
];

/// Of what is one's own, one says nothing.
const OTHERS_FILE: [Outcome; 6] = [Anon, Code("YOUR_OWN"), Code("YOUR_OWN"), Miss, Miss, Seen];
const OTHERS_LINK: [Outcome; 6] = [Anon, Code("YOUR_OWN"), Code("YOUR_OWN"), Seen, Seen, Seen];

#[rustfmt::skip]
pub const REPORT_MUTATIONS: &[Mutation] = &[
    at("reportFile", "by its id", Target::File,
        |id| json!({ "fileId": id, "category": "SPAM", "comment": "new" }), OTHERS_FILE),
    at("reportFile", "by a share link", Target::SharedUrl,
        |url| json!({ "shareUrl": url, "category": "SPAM", "comment": "new" }), OTHERS_LINK),
    at("reportSnap", "that the owner received", Target::Opened, complaint, OWNER),
    Mutation { case: "that one received", ..own("reportSnap", Target::Opened, complaint) },
    at("reportSnap", "not opened", Target::Received, complaint, UNOPENED),
    at("reportSnap", "that the owner sent", Target::Snap, complaint, NOBODY),
    at("blockContent", "of a file", Target::Text, |id| json!({ "fileId": id, "reason": "new" }), ADMINS),
    at("blockContent", "by its hash", Target::Nothing, |name| json!({ "sha256": direct::sha256(name.as_bytes()), "reason": "new" }), ADMINS),
    at("blockContent", "without a reason", Target::Text, |id| json!({ "fileId": id, "reason": " " }), NO_REASON),
    at("unblockContent", "", Target::Blocked, id, ADMINS),
    at("resolveReport", "", Target::Report,
        |id| json!({ "id": id, "decision": "REMOVE", "reason": "new" }), ADMINS),
];

fn complaint(id: &str) -> Value {
    json!({ "id": id, "category": "HARASSMENT", "comment": "new" })
}

fn part(id: &str) -> Value {
    json!({ "id": id, "parts": [{ "number": 1, "sha256": HELLO }] })
}

const CLOSED: [Outcome; 6] = NOT_NOW;
const LACKING: [Outcome; 6] = [Anon, Code("PARTS_MISSING"), Code("PARTS_MISSING"), Miss, Miss, Miss];

#[rustfmt::skip]
pub const UPLOAD_MUTATIONS: &[Mutation] = &[
    at("createUpload", "", Target::Nothing, |name| json!({
        "name": name, "size": 5, "sha256": HELLO, "contentType": "text/plain", "purpose": "FILE", "description": "new",
        "tags": ["new"], "metadata": { "new": true }, "idempotencyKey": name,
    }), ACCOUNTS),
    at("signUploadParts", "the owner's", Target::Upload, part, OWNER),
    own("signUploadParts", Target::Upload, part),
    at("signUploadParts", "aborted", Target::Aborted, part, CLOSED),
    at("completeUpload", "the owner's", Target::Arrived, id, OWNER),
    own("completeUpload", Target::Arrived, id),
    at("completeUpload", "without its parts", Target::Upload, id, LACKING),
    at("completeUpload", "completed before", Target::Completed, id, OWNER),
    at("completeUpload", "aborted", Target::Aborted, id, CLOSED),
    at("abortUpload", "the owner's", Target::Arrived, id, OWNER),
    own("abortUpload", Target::Upload, id),
    at("abortUpload", "completed before", Target::Completed, id, CLOSED),
];

fn uploaded(ids: &str) -> Value {
    let (file, upload) = ids.split_once(' ').unwrap_or((ids, ids));
    json!({ "id": file, "revision": 1, "uploadId": upload })
}

fn version(id: &str) -> Value {
    json!({ "id": id, "revision": 2, "idempotencyKey": format!("restores {id}") })
}

fn old(id: &str) -> Value {
    json!({ "id": id, "idempotencyKey": format!("deletes {id}") })
}

/// All that [`Target::Owning`] says of the file.
fn matching(owner: &str) -> Value {
    let filter = json!({
        "ownerId": owner, "state": "ACTIVE", "search": "mine said", "tags": ["a tag"],
        "metadata": [{ "key": "some", "value": "data" }], "contentType": "text/*", "sizeFrom": 1, "sizeTo": 1_000,
        "createdAfter": "2000-01-01T00:00:00Z", "createdBefore": "2100-01-01T00:00:00Z",
        "updatedAfter": "2000-01-01T00:00:00Z", "updatedBefore": "2100-01-01T00:00:00Z",
    });
    json!({
        "matching": { "filter": filter, "expectedCount": 1 }, "reason": "new",
        "idempotencyKey": format!("removes of {owner}"),
    })
}

#[rustfmt::skip]
pub const VERSION_MUTATIONS: &[Mutation] = &[
    at("replaceFileContent", "by the owner's upload", Target::FileAndUpload, uploaded, OWNER),
    Mutation { case: "by one's own upload", ..own("replaceFileContent", Target::FileAndUpload, uploaded) },
    at("restoreFileVersion", "the owner's", Target::OldVersion, version, OWNER),
    own("restoreFileVersion", Target::OldVersion, version),
    at("restoreFileVersion", "of another revision", Target::OldVersion,
        |id| with(version(id), [("revision", json!(7))]), STALE),
    at("restoreFileVersion", "the current one", Target::CurrentVersion, version, NOT_NOW),
    at("deleteFileVersion", "the owner's", Target::OldVersion, old, OWNER),
    own("deleteFileVersion", Target::OldVersion, old),
    at("deleteFileVersion", "the current one", Target::CurrentVersion, old, NOT_NOW),
    at("setQuota", "", Target::User, |id| json!({ "userId": id, "maxFiles": 7, "maxBytes": 7_000 }),
        ADMINS),
    at("removeFiles", "", Target::File, |id| json!({ "ids": [id], "reason": "new" }), ADMINS),
    at("removeFiles", "trashed", Target::Trashed, |id| json!({ "ids": [id], "reason": "new" }), ADMINS),
    at("removeFiles", "by a filter, of the owner", Target::Owning, matching, ADMINS),
    at("removeFiles", "by a filter, of everyone", Target::Owning, |_| json!({
        "matching": { "filter": { "everyone": true }, "expectedCount": 10_000 }, "reason": "new",
    }), [Anon, Forb, Forb, Forb, Forb, Code("COUNT_CHANGED")]),
];

#[rustfmt::skip]
pub const SHARE_MUTATIONS: &[Mutation] = &[
    at("createShareLink", "of the owner's file", Target::File, share, OWNER),
    Mutation { case: "of one's own file", ..own("createShareLink", Target::File, share) },
    at("createShareLink", "of a file in the trash", Target::Trashed, share, NOT_NOW),
    at("createShareLink", "of a purged file", Target::Purged, share, NOBODY),
    at("revokeShareLink", "of the owner's file", Target::ShareLink, id, OWNER_AND_ADMIN),
    Mutation { case: "of one's own file", ..own("revokeShareLink", Target::ShareLink, id) },
    at("revokeShareLink", "revoked before", Target::RevokedShareLink, id, OWNER_AND_ADMIN),
];

#[rustfmt::skip]
pub const EVENT_MUTATIONS: &[Mutation] = &[
    // The beginning of everybody's log.
    at("markEventsRead", "", Target::Nothing, |_| json!({ "cursor": "MA" }), ACCOUNTS),
    at("markEventsRead", "up to what never was", Target::Nothing, |name| json!({ "cursor": name }), [
        Anon, Code("INVALID_CURSOR"), Code("INVALID_CURSOR"), Code("INVALID_CURSOR"), Code("INVALID_CURSOR"),
        Code("INVALID_CURSOR"),
    ]),
];

#[rustfmt::skip]
pub const CLOSING_MUTATIONS: &[Mutation] = &[
    at("closeAccount", "", Target::Nothing, |name| json!({
        "currentPassword": PASSWORD, "receipt": format!("shc_{name:x<43}"),
    }), SESSIONS),
];

fn send(to: &str) -> Value {
    json!({
        "file": null, "recipientIds": [to], "caption": "new", "viewSeconds": 5, "expiresIn": 60, "allowReplay": true,
        "idempotencyKey": format!("sends to {to}"),
    })
}

fn send_file(ids: &str) -> Value {
    let (file, to) = ids.split_once(' ').unwrap_or((ids, ids));
    json!({ "fileId": file, "recipientIds": [to] })
}

fn send_upload(ids: &str) -> Value {
    let (upload, to) = ids.split_once(' ').unwrap_or((ids, ids));
    json!({ "uploadId": upload, "recipientIds": [to] })
}

fn view(id: &str) -> Value {
    json!({ "id": id, "idempotencyKey": format!("opens {id}") })
}

const FRIENDS: [Outcome; 6] = [Anon, Seen, Seen, Code("NOT_A_FRIEND"), Code("NOT_A_FRIEND"), Code("NOT_A_FRIEND")];
const UNOPENED: [Outcome; 6] = [Anon, Code("NOT_OPENED"), Code("NOT_OPENED"), Miss, Miss, Miss];

#[rustfmt::skip]
pub const SNAP_MUTATIONS: &[Mutation] = &[
    at("sendSnap", "to the owner's friend", Target::Friend, send, FRIENDS),
    Mutation { case: "to one's own friend", ..own("sendSnap", Target::Friend, send) },
    at("sendSnap", "the owner's file", Target::PictureAndFriend, send_file, FRIENDS),
    at("sendSnap", "the owner's upload", Target::SnapUploadAndFriend, send_upload, FRIENDS),
    at("openSnap", "that the owner received", Target::Received, view, OWNER),
    Mutation { case: "that one received", ..own("openSnap", Target::Received, view) },
    at("openSnap", "that the owner sent", Target::Snap, view, NOBODY),
    at("replaySnap", "that the owner received", Target::Replayable, view, OWNER),
    Mutation { case: "that one received", ..own("replaySnap", Target::Replayable, view) },
    at("replaySnap", "not opened", Target::Received, view, UNOPENED),
    at("closeSnap", "that the owner received", Target::Opened, id, OWNER),
    Mutation { case: "that one received", ..own("closeSnap", Target::Opened, id) },
    at("closeSnap", "not opened", Target::Received, id, UNOPENED),
    at("reportScreenshot", "that the owner received", Target::Opened, id, OWNER),
    Mutation { case: "that one received", ..own("reportScreenshot", Target::Opened, id) },
    at("reportScreenshot", "not opened", Target::Received, id, UNOPENED),
    at("revokeSnap", "that the owner sent", Target::Snap, id, OWNER),
    Mutation { case: "that one sent", ..own("revokeSnap", Target::Snap, id) },
    at("revokeSnap", "that the owner received", Target::Received, id, NOBODY),
];

impl Mutation {
    pub fn name(&self) -> String {
        if self.case.is_empty() { self.name.to_owned() } else { format!("{}: {}", self.name, self.case) }
    }

    /// Those leaves of the input that it gives; what is within a list of objects as `list.leaf`.
    pub fn given(&self, leaves: &BTreeSet<String>) -> BTreeSet<String> {
        let mut given = BTreeSet::new();
        let mut below: Vec<(String, Value)> = vec![(String::new(), (self.input)("x"))];
        while let Some((path, value)) = below.pop() {
            let fields = value.get(0).unwrap_or(&value).as_object();
            match fields.filter(|_| !leaves.contains(&path)) {
                Some(fields) => {
                    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                    below.extend(fields.iter().map(|(name, value)| (at(name), value.clone())));
                }
                None if path.is_empty() => {}
                None => _ = given.insert(path),
            }
        }
        given
    }

    async fn send(&self, client: &Client, selection: &str, id: &str) -> Answer {
        let input = (self.input)(id);
        let bytes = input.get("file").map(|_| match self.name {
            "sendSnap" => Picture::quarters(40, 30).png(),
            _ => b"sent".to_vec(),
        });
        client.mutate(self.name, selection, &input, bytes).await
    }
}

/// The names of the table, to be held against the schema's.
pub fn names() -> BTreeSet<String> {
    all().map(|mutation| mutation.name.to_owned()).collect()
}

pub fn all() -> impl Iterator<Item = &'static Mutation> {
    ACCOUNT_MUTATIONS
        .iter()
        .chain(FRIEND_MUTATIONS)
        .chain(FILE_MUTATIONS)
        .chain(UPLOAD_MUTATIONS)
        .chain(VERSION_MUTATIONS)
        .chain(SHARE_MUTATIONS)
        .chain(CLOSING_MUTATIONS)
        .chain(EVENT_MUTATIONS)
        .chain(SNAP_MUTATIONS)
        .chain(REPORT_MUTATIONS)
}

/// Runs these mutations as everybody, each on things made for it alone.
pub async fn run(table: &'static [Mutation]) -> Findings {
    let server = TestServer::idle(|config| {
        // Everything is asked for at once.
        config.graphql.max_depth = 30;
        config.graphql.max_complexity = 100_000_000;
    })
    .await;
    let stage = Stage::new(server).await;
    let admin = stage.account(Role::Admin).await;
    let gone = stage.gone().await;
    let mut findings = Findings::default();
    for mutation in table {
        let run = Run { stage: &stage, admin: &admin, mutation };
        for caller in Caller::ALL.into_iter().filter(|caller| !caller.is_gone()) {
            run.with_fresh_things(caller, &mut findings).await;
        }
        run.for_those_gone(&gone, &mut findings).await;
    }
    stage.forget_dead_jobs().await;
    stage.server.work().await;
    stage.server.finish().await;
    findings
}

/// One row of the table.
struct Run<'a> {
    stage: &'a Stage,
    admin: &'a Account,
    mutation: &'static Mutation,
}

impl Run<'_> {
    async fn with_fresh_things(&self, caller: Caller, findings: &mut Findings) {
        let owner = self.stage.account(Role::User).await;
        let asking = self.stage.asking(caller, &owner).await;
        let of = asking.me.as_ref().filter(|_| self.mutation.own).unwrap_or(&owner);
        let id = make(self.stage, self.admin, self.mutation.target, of).await;
        self.run(&asking, &id, &self.stage.rows().await, findings).await;
    }

    /// All at the same thing, since nothing may become of it. What an anonymous caller may do needs a new one each time.
    async fn for_those_gone(&self, gone: &[Asking], findings: &mut Findings) {
        let owner = self.stage.account(Role::User).await;
        let fresh = async || {
            let id = make(self.stage, self.admin, self.mutation.target, &owner).await;
            (id, self.stage.rows().await)
        };
        let (mut id, mut rows) = fresh().await;
        for asking in gone {
            self.run(asking, &id, &rows, findings).await;
            if self.grants(asking) {
                (id, rows) = fresh().await;
            }
        }
    }

    fn grants(&self, asking: &Asking) -> bool {
        asking.caller.expected(&self.mutation.outcomes) == Outcome::Seen
    }

    /// `rows`: the whole database as it is now.
    async fn run(&self, asking: &Asking, id: &str, rows: &[String], findings: &mut Findings) {
        let Self { stage, mutation, .. } = self;
        let kind = &stage.schema.object("Mutation").unwrap()[mutation.name].kind;
        let everything = stage.schema.everything(kind, true);
        let (granted, standings) = (self.grants(asking), stage.standings().await);
        let owners = if granted { stage.owners().await } else { Owners::new() };

        let mut problems = Vec::new();
        let missing = id.split_once('_').map(|(prefix, _)| format!("{prefix}_{}", Uuid::now_v7().simple()));
        let mut twin = None;
        if let Some(missing) = &missing {
            twin = Some(mutation.send(&asking.client, &everything, missing).await);
            if granted {
                problems.extend(changes("an id that never existed changed", rows, &stage.rows().await));
            }
        }
        let answer = mutation.send(&asking.client, &everything, id).await;
        let twin = twin.as_ref().zip(missing.as_ref()).map(|(twin, missing)| (id, twin, missing.as_str()));
        let saw = outcome::outcome(&answer, mutation.name, |_| false, twin);
        if !granted {
            problems.extend(changes("not allowed, but changed", rows, &stage.rows().await));
        }
        for (user, standing) in stage.standings().await {
            let before = standings.get(&user).copied().unwrap_or((Role::User, Status::Active));
            let closed = mutation.name == "closeAccount" && asking.me.as_ref().is_some_and(|me| me.key == user);
            let moderates = matches!(mutation.name, "suspendUser" | "reinstateUser" | "setUserRole");
            let moderated = granted && moderates && NodeKind::User.parse(id) == Some(user);
            if standing != before && !closed && !moderated {
                problems.push(format!("{user} was {before:?} and is {standing:?}"));
            }
        }
        let name = mutation.name();
        let failures = problems.iter().map(|problem| format!("{name} × {}: {problem}", asking.caller.name()));
        findings.failures.extend(failures);
        findings.expect(&name, asking.caller, &mutation.outcomes, saw);
        if answer.body["data"].is_null() {
            return;
        }
        // What a purge deleted has its owner only in what was before.
        let owners = owners.into_iter().chain(stage.owners().await).collect();
        let entered = outcome::entered(&answer, mutation.name)
            .filter(|_| matches!(mutation.name, "signUp" | "logIn"))
            .and_then(|id| NodeKind::User.parse(&id));
        let walk = Walk { schema: &stage.schema, owners: &owners, asking, entered, operation: mutation.name };
        findings.shows.answer(&walk, mutation.name, kind, &answer);
    }
}

fn changes(what: &str, before: &[String], after: &[String]) -> Option<String> {
    (before != after).then(|| format!("{what} {}", difference(before, after)))
}

/// A thing of `owner`'s, by its id.
async fn make(stage: &Stage, admin: &Account, target: Target, owner: &Account) -> String {
    let upload = async || {
        let input = json!({ "file": null, "name": "mine.txt" });
        let payload = owner.client.done("uploadFile", "file { id }", input, Some(b"mine".to_vec())).await;
        string(&payload["file"]["id"])
    };
    let renamed = |id: String, from: NodeKind, to: NodeKind| to.id(from.parse(&id).unwrap()).to_string();
    match target {
        Target::Nothing => stage.unique("new"),
        Target::Account => stage.account(Role::User).await.name,
        Target::File => upload().await,
        Target::Trashed | Target::Removed => {
            let by = if target == Target::Removed { admin } else { owner };
            let id = upload().await;
            by.client.done("trashFiles", "files { id }", ids(&id), None).await;
            id
        }
        Target::Purged => {
            let id = upload().await;
            owner.client.done("purgeFiles", "purgedIds", ids(&id), None).await;
            id
        }
        Target::ShareLink | Target::RevokedShareLink => {
            let input = json!({ "fileId": upload().await });
            let link =
                string(&owner.client.done("createShareLink", "shareLink { id }", input, None).await["shareLink"]["id"]);
            if target == Target::RevokedShareLink {
                owner.client.done("revokeShareLink", "shareLink { id }", id(&link), None).await;
            }
            link
        }
        Target::SharedUrl => stage.share_url(owner, &upload().await).await,
        Target::Held => {
            let id = upload().await;
            stage.hold(admin, &id).await;
            id
        }
        Target::Text => {
            let input = json!({ "file": null, "name": "theirs.txt" });
            let text = stage.unique("text").into_bytes();
            string(&owner.client.done("uploadFile", "file { id }", input, Some(text)).await["file"]["id"])
        }
        Target::LegalHold => stage.hold(admin, &upload().await).await,
        Target::Blocked => stage.blocked(admin, &hex::encode(Uuid::now_v7().as_bytes().repeat(2))).await,
        Target::Report => stage.report(&stage.account(Role::User).await, owner, &upload().await).await,
        Target::Session => stage.log_in(owner).await.1,
        Target::ApiToken => stage.api_token(owner).await.1,
        Target::Upload => stage.direct_upload(owner, false).await,
        Target::Arrived => stage.direct_upload(owner, true).await,
        Target::Aborted | Target::Completed => {
            let ended = if target == Target::Aborted { "abortUpload" } else { "completeUpload" };
            let id = stage.direct_upload(owner, true).await;
            owner.client.done(ended, "uploadSession { id }", self::id(&id), None).await;
            id
        }
        Target::FileAndUpload => format!("{} {}", upload().await, stage.direct_upload(owner, true).await),
        Target::OldVersion | Target::CurrentVersion => {
            let file = upload().await;
            let input = json!({ "id": file, "revision": 1, "file": null });
            owner.client.done("replaceFileContent", "file { id }", input, Some(b"next".to_vec())).await;
            stage.versions(owner, &file).await.remove(usize::from(target == Target::OldVersion))
        }
        Target::User => owner.id.clone(),
        Target::Owning => {
            let input = json!({
                "file": null, "name": "mine.txt", "description": "said of it", "tags": ["a tag"],
                "metadata": { "some": "data" },
            });
            owner.client.done("uploadFile", "file { id }", input, Some(b"mine".to_vec())).await;
            owner.id.clone()
        }
        Target::Stranger => stage.account(Role::User).await.id,
        Target::Job => stage.dead_job().await,
        Target::DoneJob => {
            let job = stage.dead_job().await;
            stage.forget_dead_jobs().await;
            job
        }
        Target::Finding => stage.finding(true).await,
        Target::FailedAlert => stage.failed_alert(owner).await,
        Target::Suspended => {
            let person = stage.account(Role::User).await.id;
            let input = json!({ "id": person, "reason": "old" });
            admin.client.done("suspendUser", "user { id }", input, None).await;
            person
        }
        Target::Request => stage.request(&stage.account(Role::User).await, owner).await,
        Target::Asked => stage.request(owner, &stage.account(Role::User).await).await,
        Target::Friend => stage.friend_of(owner).await.id,
        Target::PictureAndFriend => {
            let input = json!({ "file": null, "name": "mine.png" });
            let picture = Picture::quarters(40, 30).png();
            let payload = owner.client.done("uploadFile", "file { id }", input, Some(picture)).await;
            format!("{} {}", string(&payload["file"]["id"]), stage.friend_of(owner).await.id)
        }
        Target::SnapUploadAndFriend => {
            let picture = Picture::quarters(40, 30).png();
            let upload = stage.direct_upload_of(owner, "SNAP", &picture, true).await;
            format!("{upload} {}", stage.friend_of(owner).await.id)
        }
        Target::Snap => stage.snap(owner, &stage.friend_of(owner).await).await,
        Target::Received | Target::Opened | Target::Replayable => {
            let snap = stage.snap(&stage.friend_of(owner).await, owner).await;
            if target != Target::Received {
                stage.open_snap(owner, &snap).await;
            }
            if target == Target::Replayable {
                stage.close_snap(owner, &snap).await;
            }
            snap
        }
        Target::ApiTokenAsSession => renamed(stage.api_token(owner).await.1, NodeKind::ApiToken, NodeKind::Session),
        Target::SessionAsApiToken => renamed(stage.log_in(owner).await.1, NodeKind::Session, NodeKind::ApiToken),
    }
}

/// The inputs that rows leave out: a new argument needs a value here.
pub fn inputs_left_out(schema: &super::schema::Schema) -> Vec<String> {
    let known = all().filter(|mutation| schema.mutations().contains(mutation.name));
    let mut given: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for mutation in known {
        given.entry(mutation.name).or_default().extend(mutation.given(&schema.input(mutation.name)));
    }
    given
        .into_iter()
        .flat_map(|(name, given)| {
            let lines = outcome::uncovered(&schema.input(name), &given);
            lines.into_iter().map(move |line| format!("{name}(input.{line})"))
        })
        .collect()
}
