//! Checkpoints: what is signed, the object that holds it, and the job that signs.

use async_trait::async_trait;
use entity::{
    Timestamp,
    audit_checkpoint::{Column, Entity, Model},
    object::Kind,
};
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryOrder};
use serde::{Deserialize, Serialize};

use super::{
    key::{self, PublicKey, SigningKey},
    walk::{self, Flaw},
};
use crate::{
    adapters::objects::{Body, Sha256, sha256},
    app::App,
    audit::chain::{self, Head},
    db::is_unique_violation,
    error::Fault,
    jobs::{Job, JobError},
    ledger::{self, NewObject},
};

/// What is signed: at this time the chain had `seq` seals, and the last one's hash was this. Its JSON is canonical: these
/// names in this order, without spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    /// In hex.
    hash: String,
    /// The id of the public key.
    pub key: String,
    pub seq: i64,
    /// UTC microseconds.
    pub signed_at: i64,
}

impl Statement {
    fn new(head: &Head, key: &PublicKey, now: Timestamp) -> Self {
        Self { hash: hex::encode(head.hash), key: key.id(), seq: head.seq, signed_at: now.0 }
    }

    pub fn hash(&self) -> Option<Sha256> {
        hex::decode(&self.hash).ok()?.try_into().ok()
    }
}

/// The bytes of a checkpoint's object: the signed line, and the signature in hex on a line of its own.
pub(super) fn document(statement: &[u8], signature: &[u8]) -> Vec<u8> {
    [statement, b"\n", hex::encode(signature).as_bytes(), b"\n"].concat()
}

/// What a document says, where one of the keys signed it; or what is wrong with it.
pub(super) fn read(document: &[u8], keys: &[PublicKey]) -> Result<Statement, String> {
    let mut lines = document.split(|byte| *byte == b'\n');
    let (Some(line), Some(signature)) = (lines.next(), lines.next()) else {
        return Err("is no checkpoint".to_owned());
    };
    let statement: Statement = serde_json::from_slice(line).map_err(|_| "is no checkpoint".to_owned())?;
    let key = keys.iter().find(|key| key.id() == statement.key);
    let key = key.ok_or_else(|| format!("is signed by the key {}, which is not known here", statement.key))?;
    let signature = hex::decode(signature).unwrap_or_default();
    if key.verifies(line, &signature) { Ok(statement) } else { Err("has a signature that does not fit".to_owned()) }
}

/// The checkpoint that covers most.
pub(super) async fn newest(connection: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find().order_by_desc(Column::Seq).one(connection).await
}

/// Signs how far the chain goes, where it goes further than at the last checkpoint, and writes that to both buckets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sign {}

#[async_trait]
impl Job for Sign {
    const KIND: &'static str = "notary.sign";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let last = newest(app.db.read()).await?;
        let start = match &last {
            Some(last) => Head {
                seq: last.seq,
                hash: last.hash.as_slice().try_into().map_err(|_| unfit(&"the last checkpoint has no SHA-256"))?,
            },
            None => Head::default(),
        };
        // Only what follows from what was signed before is signed: who rewrites the log gets no signature for it.
        let head = follow(app, start).await?;
        if head == start {
            return Ok(());
        }
        let config = app.config.clone();
        let key = tokio::task::spawn_blocking(move || key::load_or_create(&config)).await;
        let key = key.map_err(Fault::internal)?.map_err(Fault::internal)?;
        write(app, &head, &key).await?;
        tracing::info!(seq = head.seq, key = key.public.id(), "audit log signed");
        Ok(())
    }
}

fn unfit(reason: &dyn std::fmt::Display) -> JobError {
    JobError::Fail(format!("the audit log is not signed: {reason}; see `snaphaven audit verify`"))
}

/// The end of the chain that follows from `start`.
async fn follow(app: &App, start: Head) -> Result<Head, JobError> {
    let last = chain::find(app.db.read(), start.seq).await?;
    if last != Some(start) {
        return Err(unfit(&format!("seal {} is not the one that was signed before", start.seq)));
    }
    let (head, flaw): (Head, Option<Flaw>) = walk::walk(app.db.read(), start, |_| {}).await?;
    match flaw {
        Some(flaw) => Err(unfit(&flaw)),
        None => Ok(head),
    }
}

/// As every object: in the ledger first, then at the primary, then live with its row; a job brings it to the other site.
async fn write(app: &App, head: &Head, key: &SigningKey) -> Result<(), Fault> {
    let now = app.db.now(app.db.read()).await?;
    let statement = serde_json::to_vec(&Statement::new(head, &key.public, now)).map_err(Fault::internal)?;
    let signature = key.sign(&statement);
    let document = document(&statement, &signature);
    let new = NewObject {
        kind: Kind::Checkpoint,
        bytes: document.len() as u64,
        sha256: sha256(&document),
        content_type: "text/plain".to_owned(),
        user_id: None,
        file_id: None,
    };
    let written = ledger::write(app, new, Body::Memory(document.into())).await?;
    let row = Model {
        seq: head.seq,
        object_id: written.object.id,
        hash: head.hash.to_vec(),
        key_id: key.public.id(),
        signed_at: now,
        statement,
        signature,
    };
    let outcome = app
        .transaction::<_, Fault, _, _>(async |tx| {
            Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(&tx).await?;
            if ledger::make_live(app, &tx, &written).await? {
                Ok(())
            } else {
                Err(Fault::Busy("the primary changed while a checkpoint was written".to_owned()))
            }
        })
        .await;
    if outcome.is_err() {
        ledger::give_up(app, &written).await;
    }
    match outcome {
        // Another process has signed as much.
        Err(Fault::Database(error)) if is_unique_violation(&error) => Ok(()),
        outcome => outcome,
    }
}
