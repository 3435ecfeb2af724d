//! Idempotency keys: a repeat of a mutation is answered with its first result.

use entity::{
    Timestamp,
    idempotency::{ActiveModel, Entity},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};
use serde::Serialize;
use uuid::Uuid;

use super::Tx;

/// A client's key for one mutation, and what the mutation was asked to do.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    user_id: Uuid,
    key: String,
    operation: &'static str,
    input_hash: Vec<u8>,
}

/// What is known of a key.
#[derive(Debug)]
pub enum Recalled {
    /// Never seen.
    New,
    /// The first result, as it was [`IdempotencyKey::remember`]ed.
    Repeat(serde_json::Value),
    /// The same key came with another input or mutation.
    Mismatch,
}

impl IdempotencyKey {
    /// `input`: everything that makes the request what it is.
    #[must_use]
    pub fn new(user_id: Uuid, key: &str, operation: &'static str, input: &impl Serialize) -> Self {
        let hash = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        // Hashed, because a client's key may be long and databases compare text differently.
        let key = hex::encode(hash(key.as_bytes()));
        let input_hash = hash(&serde_json::to_vec(input).unwrap_or_default()).as_ref().to_vec();
        Self { user_id, key, operation, input_hash }
    }

    pub async fn recall(&self, connection: &impl ConnectionTrait) -> Result<Recalled, DbErr> {
        let row = Entity::find_by_id((self.user_id, self.key.clone())).one(connection).await?;
        Ok(match row {
            None => Recalled::New,
            Some(row) if row.operation == self.operation && row.input_hash == self.input_hash => {
                Recalled::Repeat(row.result)
            }
            Some(_) => Recalled::Mismatch,
        })
    }

    /// Keeps the result in the mutation's transaction. Of two that race, the second fails on the unique key.
    pub async fn remember(&self, tx: &Tx, result: serde_json::Value, now: Timestamp) -> Result<(), DbErr> {
        let row = ActiveModel {
            user_id: Set(self.user_id),
            key: Set(self.key.clone()),
            operation: Set(self.operation.to_owned()),
            input_hash: Set(self.input_hash.clone()),
            result: Set(result),
            created_at: Set(now),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        Ok(())
    }
}
