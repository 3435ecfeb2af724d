//! The ledger as the edge asks it: what may be served.

use async_trait::async_trait;
use entity::object::Kind;

use crate::{
    app::App,
    embedded::edge::{Catalog, CatalogEntry, CatalogError},
};

/// Live originals and renditions; everything else is not there. Snaps have a door of their own.
pub struct LedgerCatalog(pub App);

#[async_trait]
impl Catalog for LedgerCatalog {
    async fn find(&self, key: &str) -> Result<Option<CatalogEntry>, CatalogError> {
        let object = super::find_live(&self.0, key).await.map_err(|error| CatalogError(error.into()))?;
        let object = object.filter(|object| matches!(object.kind, Kind::Original | Kind::Rendition));
        Ok(object.and_then(|object| {
            Some(CatalogEntry {
                bytes: u64::try_from(object.bytes).ok()?,
                sha256: object.sha256.try_into().ok()?,
                content_type: object.content_type,
                cacheable: true,
            })
        }))
    }
}
