//! Proofs: what the ledger, both buckets and the audit log say of a file, a person or a snap, in one signed document that anybody
//! can check without this server.
//!
//! A document is JSON: in its first line the key and the signature, in its last a brace, and between them, line by line, exactly
//! what was signed.

pub mod graphql;

use std::{fmt::Write as _, str::FromStr};

use entity::{
    Timestamp, audit_checkpoint, object,
    object::State,
    object_copy::{self, Site},
};
use futures::{StreamExt as _, stream};
use sea_orm::{ActiveEnum as _, ConnectionTrait, EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    adapters::objects::Presence,
    app::App,
    audit::{self, chain},
    error::Fault,
    id::{GlobalId, NodeKind},
    ledger::{self, Equality},
    notary, snaps,
    viewer::Viewer,
};

/// Of what a proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    File(Uuid),
    Person(Uuid),
    Snap(Uuid),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not the id of a file, a user or a snap, such as file_0192…");
        let id: GlobalId = text.parse().map_err(|_| wrong())?;
        match id.kind {
            NodeKind::File => Ok(Self::File(id.key)),
            NodeKind::User => Ok(Self::Person(id.key)),
            NodeKind::Snap => Ok(Self::Snap(id.key)),
            _ => Err(wrong()),
        }
    }
}

impl Subject {
    fn key(self) -> Uuid {
        let (Self::File(key) | Self::Person(key) | Self::Snap(key)) = self;
        key
    }

    fn id(self) -> String {
        let kind = match self {
            Self::File(_) => NodeKind::File,
            Self::Person(_) => NodeKind::User,
            Self::Snap(_) => NodeKind::Snap,
        };
        kind.id(self.key()).to_string()
    }
}

/// A signed document, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub document: String,
    pub verdict: Verdict,
}

/// How many objects are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// At both sites, as the ledger says.
    pub kept: usize,
    /// At no site, as the ledger says.
    pub gone: usize,
    /// On their way to a site, or being erased.
    pub under_way: usize,
    /// Something else than the ledger says, or a site could not be asked.
    pub wanting: usize,
}

/// Objects that are looked at, at once.
const AT_ONCE: usize = 4;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("It has {objects} objects, and a receipt here has at most {most}: `snaphaven prove` makes it.")]
    TooMany { objects: usize, most: usize },
    #[error(transparent)]
    Fault(#[from] Fault),
}

crate::module_error!(ProofError);

/// Looks at every object of the subject at both sites, now, and signs what is there. With `reading`, the bytes of what is kept are
/// read and hashed; else what the stores tell of them stands there. `None`: there never was such a subject. Admins.
///
/// # Errors
/// More than `most` objects. A site that does not answer is no error: it stands in the document.
pub async fn prove(
    app: &App,
    viewer: &Viewer,
    subject: Subject,
    reading: bool,
    most: usize,
) -> Result<Option<Proof>, ProofError> {
    viewer.admin()?;
    let key = notary::signing_key(&app.config).map_err(Fault::internal)?;
    let connection = app.db.read();
    let objects = match subject {
        Subject::File(file) => ledger::of_file(connection, file).await?,
        Subject::Person(user) => ledger::of_user(connection, user).await?,
        Subject::Snap(snap) => match snaps::picture_of(connection, snap).await? {
            Some(object) => ledger::find(connection, object).await?.into_iter().collect(),
            None => Vec::new(),
        },
    };
    let entries = audit::of_subject(connection, subject.key()).await?;
    if objects.is_empty() && entries.is_empty() {
        return Ok(None);
    }
    if objects.len() > most {
        return Err(ProofError::TooMany { objects: objects.len(), most });
    }
    let roles = ledger::roles(connection).await?;
    let sites = Site::ALL.map(|site| {
        let store = app.stores.at(site);
        let role = if site == roles.primary { "PRIMARY" } else { "REPLICA" };
        json!({ "site": site.as_str(), "bucket": store.bucket(), "region": store.region(), "role": role })
    });
    let mut verdict = Verdict::default();
    let mut lines = Vec::new();
    let mut told =
        stream::iter(objects).map(|object| async move { look(app, object, reading).await }).buffered(AT_ONCE);
    while let Some(told) = told.next().await {
        let (line, seen) = told?;
        match seen {
            Seen::Kept => verdict.kept += 1,
            Seen::Gone => verdict.gone += 1,
            Seen::UnderWay => verdict.under_way += 1,
            Seen::Wanting => verdict.wanting += 1,
        }
        lines.push(line.to_string());
    }
    drop(told);
    let sealed = seals(connection, &entries).await?;
    let checkpoint =
        audit_checkpoint::Entity::find().order_by_desc(audit_checkpoint::Column::Seq).one(connection).await?;
    let checkpoint = checkpoint.map_or(
        Value::Null,
        |row| json!({ "statement": String::from_utf8_lossy(&row.statement), "signature": hex::encode(&row.signature) }),
    );
    let head = json!({
        "version": 1, "subject": subject.id(), "made_at": time(app.db.now(connection).await?), "key": key.public.id(),
        "server": env!("CARGO_PKG_VERSION"), "epoch": roles.epoch, "sites": sites, "bytes_read": reading,
        "objects_kept": verdict.kept, "objects_gone": verdict.gone, "objects_under_way": verdict.under_way,
        "objects_wanting": verdict.wanting, "newest_checkpoint": checkpoint,
    });
    let statement = format!(
        "{{\"about\":{head},\n\"objects\":[\n{}\n],\n\"audit\":[\n{}\n]}}",
        lines.join(",\n"),
        sealed.join(",\n")
    );
    let signature = hex::encode(key.sign(statement.as_bytes()));
    let mut document = String::with_capacity(statement.len() + 512);
    let public = json!(key.public.pem());
    let _ =
        write!(document, "{{\"public_key\":{public},\"signature\":\"{signature}\",\"statement\":\n{statement}\n}}\n");
    Ok(Some(Proof { document, verdict }))
}

fn time(time: Timestamp) -> String {
    time.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[derive(Clone, Copy)]
enum Seen {
    Kept,
    Gone,
    UnderWay,
    Wanting,
}

/// The ledger's word on an object, and each site's.
async fn look(app: &App, object: object::Model, reading: bool) -> Result<(Value, Seen), Fault> {
    let copies = ledger::copies(app.db.read(), &[object.id]).await?;
    let [first, second] = Site::ALL.map(|site| {
        let proven = copies.iter().find(|copy| copy.site == site && copy.state == object_copy::State::Verified);
        at(app, &object, site, proven.and_then(|copy| copy.etag.as_deref()), reading)
    });
    let found: [(Value, There); 2] = tokio::try_join!(first, second)?.into();
    // Whatever changed while the sites were asked is told as it is now.
    let object = ledger::find(app.db.read(), object.id).await?.unwrap_or(object);
    let there = [found[0].1, found[1].1];
    let awaited = copies.iter().any(|copy| copy.state == object_copy::State::Awaiting);
    let seen = match object.state {
        State::Live if there == [There::Same; 2] => Seen::Kept,
        State::Live if awaited && there.contains(&There::Same) && there.contains(&There::Nothing) => Seen::UnderWay,
        State::Erased if there == [There::Nothing; 2] => Seen::Gone,
        State::Pending | State::Deleting => Seen::UnderWay,
        State::Live | State::Erased => Seen::Wanting,
    };
    let copies: Vec<Value> = Site::ALL
        .into_iter()
        .zip(found)
        .map(|(site, (now, _))| {
            let copy = copies.iter().find(|copy| copy.site == site);
            json!({
                "site": site.as_str(), "now": now,
                "ledger": copy.map(|copy| json!({
                    "state": copy.state.to_value(), "etag": copy.etag, "version_id": copy.version_id,
                    "proof": copy.proof.map(|proof| proof.to_value()), "verified_at": copy.verified_at.map(time),
                    "arrived_at": copy.arrived_at.map(time), "gone_at": copy.gone_at.map(time),
                })),
            })
        })
        .collect();
    let line = json!({
        "key": object.key, "kind": object.kind.to_value(), "state": object.state.to_value(), "bytes": object.bytes,
        "sha256": hex::encode(&object.sha256), "content_type": object.content_type,
        "file": object.file_id.map(|file| NodeKind::File.id(file).to_string()),
        "owner": object.user_id.map(|user| NodeKind::User.id(user).to_string()),
        "created_at": time(object.created_at), "live_at": object.live_at.map(time),
        "erasure_requested_at": object.requested_at.map(time),
        "erasure_requested_by": object.requested_by.map(|user| NodeKind::User.id(user).to_string()),
        "erasure_reason": object.reason.map(|reason| reason.to_value()), "erased_at": object.erased_at.map(time),
        "copies": copies,
    });
    Ok((line, seen))
}

/// What is under the key at a site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Same,
    Other,
    Unknown,
}

/// `known`: the ETag under which this copy was proven.
async fn at(
    app: &App,
    object: &object::Model,
    site: Site,
    known: Option<&str>,
    reading: bool,
) -> Result<(Value, There), Fault> {
    let store = app.stores.at(site);
    let outcome = async {
        match store.look(&object.key).await? {
            Presence::Gone => Ok((json!({ "versions": 0, "markers": 0, "uploads": 0 }), There::Nothing)),
            Presence::Present { versions, markers, uploads } => {
                let mut told = json!({ "versions": versions, "markers": markers, "uploads": uploads });
                let mut there = There::Other;
                if reading && let Some((sha256, meta)) = ledger::hash_at(app, &object.key, site).await? {
                    told["sha256"] = json!(hex::encode(sha256));
                    told["etag"] = json!(meta.etag);
                    if sha256.as_slice() == object.sha256 {
                        there = There::Same;
                    }
                } else if !reading && let Some(meta) = store.head(&object.key).await? {
                    told["etag"] = json!(meta.etag);
                    told["bytes"] = json!(meta.bytes);
                    told["stores_sha256"] = json!(meta.sha256.map(hex::encode));
                    there = match ledger::compare(object, known, &meta) {
                        Equality::Equal(proof) => {
                            told["proof"] = json!(proof.to_value());
                            There::Same
                        }
                        Equality::Differs => There::Other,
                        // Something is there; what it is only reading would tell.
                        Equality::Unknown => There::Unknown,
                    };
                }
                Ok((told, there))
            }
        }
    };
    let (mut told, there) = match outcome.await {
        Ok(told) => told,
        Err(Fault::Store(error)) => (json!({ "error": error.kind.to_string() }), There::Unknown),
        Err(fault) => return Err(fault),
    };
    told["looked_at"] = json!(time(app.db.now(app.db.read()).await?));
    Ok((told, there))
}

/// One line for each entry: where it is sealed, with the hash before it, so that its own can be worked out again.
async fn seals(connection: &impl ConnectionTrait, entries: &[audit::Entry]) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::with_capacity(entries.len());
    for entry in entries {
        let canonical = String::from_utf8_lossy(&entry.row.canonical);
        lines.push(match &entry.seal {
            Some(seal) => {
                let before = chain::find(connection, seal.seq - 1).await?;
                let previous = before.map(|head| hex::encode(head.hash)).unwrap_or_default();
                let (seq, hash) = (seal.seq, hex::encode(&seal.hash));
                format!("{{\"seq\":{seq},\"previous\":\"{previous}\",\"hash\":\"{hash}\",\"entry\":{canonical}}}")
            }
            None => format!("{{\"seq\":null,\"entry\":{canonical}}}"),
        });
    }
    Ok(lines)
}
