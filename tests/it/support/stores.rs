//! Buckets for tests that need none: every call fails.

use std::{ops::RangeInclusive, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use snaphaven::adapters::objects::{
    CopyObject, Listed, NewPart, Object, ObjectMeta, ObjectStore, Part, Presence, PutObject, SignedPart, StoreError,
    StoreErrorKind, Stored,
};

#[derive(Debug)]
pub struct NoStore;

fn away(operation: &'static str, key: &str) -> StoreError {
    StoreError {
        kind: StoreErrorKind::Unavailable,
        operation,
        bucket: "none".to_owned(),
        key: key.to_owned(),
        message: "this test has no bucket".to_owned(),
    }
}

#[async_trait]
impl ObjectStore for NoStore {
    fn bucket(&self) -> &str {
        "none"
    }

    fn region(&self) -> &str {
        "nowhere"
    }

    async fn put(&self, put: PutObject, _timeout: Duration) -> Result<Stored, StoreError> {
        Err(away("put", &put.key))
    }

    async fn get(&self, key: &str, _range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        Err(away("get", key))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Err(away("head", key))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Err(away("delete", key))
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        Err(away("look", key))
    }

    async fn list(&self, prefix: &str, _after: Option<&str>, _limit: u16) -> Result<Vec<Listed>, StoreError> {
        Err(away("list", prefix))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Err(away("check", ""))
    }

    async fn create_upload(&self, key: &str, _: Option<&str>) -> Result<String, StoreError> {
        Err(away("create_upload", key))
    }

    async fn put_part(&self, key: &str, _: &str, _: &NewPart, _: Bytes, _: Duration) -> Result<Part, StoreError> {
        Err(away("put_part", key))
    }

    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError> {
        Err(away("abort_uploads", key))
    }

    async fn sign_part(&self, key: &str, _: &str, _: &NewPart, _: Duration) -> Result<SignedPart, StoreError> {
        Err(away("sign_part", key))
    }

    async fn parts(&self, key: &str, _: &str, _: u32, _: u16) -> Result<Option<Vec<Part>>, StoreError> {
        Err(away("parts", key))
    }

    async fn complete_upload(&self, key: &str, _: &str, _: &[Part]) -> Result<Option<Stored>, StoreError> {
        Err(away("complete_upload", key))
    }

    async fn copy(&self, copy: CopyObject, _: Duration) -> Result<Stored, StoreError> {
        Err(away("copy", &copy.to))
    }
}
