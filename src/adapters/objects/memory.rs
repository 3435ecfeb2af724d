//! The object store in memory, for tests.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{Body, Listed, Object, ObjectMeta, ObjectStore, Presence, PutObject, StoreError, Stored};

#[derive(Debug)]
pub struct MemoryStore {
    name: String,
    objects: Mutex<BTreeMap<String, (Bytes, PutObject)>>,
}

impl MemoryStore {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), objects: Mutex::default() }
    }
    fn meta(p: &PutObject) -> ObjectMeta {
        ObjectMeta {
            bytes: p.bytes,
            etag: hex::encode(p.sha256),
            version_id: None,
            content_type: Some(p.content_type.clone()),
            sha256: Some(p.sha256),
        }
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn bucket(&self) -> &str {
        &self.name
    }
    fn region(&self) -> &str {
        "memory"
    }
    async fn put(&self, put: PutObject, _: Duration) -> Result<Stored, StoreError> {
        let bytes = match &put.body {
            Body::Memory(b) => b.clone(),
            Body::File(p) => tokio::fs::read(p).await.unwrap().into(),
        };
        let etag = hex::encode(put.sha256);
        self.objects.lock().unwrap().insert(put.key.clone(), (bytes, put));
        Ok(Stored { etag, version_id: None })
    }
    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        let o = self.objects.lock().unwrap();
        Ok(o.get(key).map(|(b, p)| {
            let b = match &range {
                Some(r) => b.slice(*r.start() as usize..(*r.end() as usize + 1).min(b.len())),
                None => b.clone(),
            };
            Object { meta: Self::meta(p), range, body: stream::iter([Ok(b)]).boxed() }
        }))
    }
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Ok(self.objects.lock().unwrap().get(key).map(|(_, p)| Self::meta(p)))
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }
    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        Ok(if self.objects.lock().unwrap().contains_key(key) {
            Presence::Present { versions: 1, markers: 0, uploads: 0 }
        } else {
            Presence::Gone
        })
    }
    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: u16) -> Result<Vec<Listed>, StoreError> {
        Ok(self
            .objects
            .lock()
            .unwrap()
            .iter()
            .filter(|(k, _)| k.starts_with(prefix) && start_after.is_none_or(|a| k.as_str() > a))
            .take(limit.into())
            .map(|(k, (b, p))| Listed { key: k.clone(), bytes: b.len() as u64, etag: hex::encode(p.sha256) })
            .collect())
    }
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
