//! The audit log verifies, in the database and in both buckets.

use std::path::Path;

use entity::{audit_checkpoint, audit_entry, audit_seal};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use snaphaven::{
    app::Stores,
    config::{Config, DEFAULTS},
    error::Fault,
    notary,
};

/// What verifying finds. The key is the one in the data folder.
pub async fn wrong(connection: &impl ConnectionTrait, stores: &Stores, data_dir: &Path) -> Result<Vec<String>, Fault> {
    let mut config: Config = toml::from_str(DEFAULTS).map_err(Fault::internal)?;
    config.data_dir = data_dir.to_owned();
    let keys = notary::known_keys(&config, &[] as &[&Path]).map_err(Fault::internal)?;
    Ok(notary::verify(connection, Some(stores), &keys).await?.findings)
}

/// How many entries are still to be sealed or signed.
pub async fn under_way(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let unsealed = audit_entry::Column::Sealed.eq(false);
    let unsealed = audit_entry::Entity::find().filter(unsealed).count(connection).await?;
    let seal = audit_seal::Entity::find().order_by_desc(audit_seal::Column::Seq).one(connection).await?;
    let signed = audit_checkpoint::Entity::find().order_by_desc(audit_checkpoint::Column::Seq).one(connection).await?;
    let unsigned = seal.map_or(0, |seal| seal.seq) - signed.map_or(0, |signed| signed.seq);
    Ok(unsealed + u64::try_from(unsigned).unwrap_or(1))
}
