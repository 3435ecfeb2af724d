//! Idempotency keys: a repeat of a mutation is answered with its first result.

use entity::{
    Timestamp,
    idempotency::{ActiveModel, Column, Entity},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
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

/// Why a key is of no use for a request.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    #[error("the key came with another input or mutation")]
    Reused,
    #[error(transparent)]
    Database(#[from] DbErr),
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

    /// What the first request made; `None` without a key, or with one never seen.
    pub async fn recall(key: Option<&Self>, connection: &impl ConnectionTrait) -> Result<Option<Uuid>, RecallError> {
        let Some(key) = key else { return Ok(None) };
        let found = Entity::find_by_id((key.user_id, key.key.clone())).one(connection).await?;
        let Some(row) = found else { return Ok(None) };
        if row.operation != key.operation || row.input_hash != key.input_hash {
            return Err(RecallError::Reused);
        }
        let id = serde_json::from_value(row.result).map_err(|error| DbErr::Json(error.to_string()))?;
        Ok(Some(id))
    }

    /// Keeps the id of what was made, in the mutation's transaction. Of two that race, the second fails on the unique key.
    pub async fn remember(&self, tx: &Tx, made: Uuid, now: Timestamp) -> Result<(), DbErr> {
        let row = ActiveModel {
            user_id: Set(self.user_id),
            key: Set(self.key.clone()),
            operation: Set(self.operation.to_owned()),
            input_hash: Set(self.input_hash.clone()),
            result: Set(made.to_string().into()),
            created_at: Set(now),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        Ok(())
    }
}

/// Forgets a person's keys.
pub async fn forget(tx: &Tx, user_id: Uuid) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(tx).await?;
    Ok(())
}
