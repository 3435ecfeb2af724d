//! The objects that the trial watches over: at both sites, and in the ledger as proven.

use std::{path::Path, time::Duration};

use entity::{
    object::{self, Kind},
    object_copy::{self, Site},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sea_orm::{ActiveModelTrait as _, DatabaseConnection, EntityTrait as _, IntoActiveModel as _};
use snaphaven::{
    adapters::objects::{keys::ObjectKey, s3::S3Store},
    clock::Clock,
    embedded::s3::{Credentials, Durability, EmbeddedS3, EmbeddedS3Options},
};

use crate::common::{Failure, plant::put, process::BUCKETS, rows};

/// An object, and the ETags of its two copies.
pub(super) type Laid = (ObjectKey, [String; 2]);

/// Objects at both sites, before they are served. Nothing is synced to the disk.
pub(super) async fn lay_out(folder: &Path, objects: usize) -> Result<Vec<Laid>, Failure> {
    let data_dir = folder.join("s3");
    let credentials = Credentials::load_or_create(&data_dir.join("keys").join("s3-credentials.env"))?;
    let (id, secret) = (credentials.access_key_id.clone(), credentials.secret_access_key.clone());
    let s3 = EmbeddedS3::open(EmbeddedS3Options {
        dir: data_dir.join("s3"),
        buckets: BUCKETS.map(|(name, region)| (name.to_owned(), region.to_owned())).to_vec(),
        credentials,
        cors_origins: Vec::new(),
        durability: Durability::Relaxed,
        clock: Clock::system(),
    })?;
    let stores = BUCKETS.map(|(name, region)| S3Store::in_process(s3.service(), name, region, &id, &secret));
    let lay = async |_| {
        let key = ObjectKey::new(Kind::Original);
        let text = key.to_string();
        let first = put(&stores[0], &text, text.clone().into_bytes()).await?;
        let second = put(&stores[1], &text, text.clone().into_bytes()).await?;
        Ok::<_, Failure>((key, [first, second]))
    };
    stream::iter(0..objects).map(lay).buffer_unordered(16).try_collect().await
}

/// Enters them into the ledger, live and proven.
pub(super) async fn enter(database: &DatabaseConnection, laid: Vec<Laid>) -> Result<(), Failure> {
    let at = Clock::system().now().minus(Duration::from_secs(3600));
    for some in laid.chunks(500) {
        let objects = some.iter().map(|(key, _)| rows::live(*key, key.to_string().as_bytes(), at));
        let objects = objects.map(|row| row.into_active_model().reset_all());
        object::Entity::insert_many(objects).exec_without_returning(database).await?;
        let copies = some.iter().flat_map(|(key, etags)| {
            let of = |(site, etag): (Site, &String)| rows::proven(key.id, site, etag.clone(), at);
            Site::ALL.into_iter().zip(etags).map(of).map(|row| row.into_active_model().reset_all())
        });
        object_copy::Entity::insert_many(copies).exec_without_returning(database).await?;
    }
    Ok(())
}
