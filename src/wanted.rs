//! Wanted: contents that are looked for, by their bytes and by how they look, in memory.

use std::collections::HashMap;

use uuid::Uuid;

use crate::images::Fingerprint;

/// What a content is known by.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// SHA-256.
    pub sha256: &'a [u8],
    /// Of a picture.
    pub fingerprint: Option<&'a Fingerprint>,
}

/// The list, as it was at a version.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub version: i64,
    by_bytes: HashMap<Vec<u8>, Uuid>,
    pictures: HashMap<Uuid, Vec<Fingerprint>>,
}

impl Wanted {
    /// From now on this content is looked for, and a picture that resembles any of these.
    pub fn insert(&mut self, id: Uuid, sha256: Vec<u8>, fingerprints: Vec<Fingerprint>) {
        self.by_bytes.insert(sha256, id);
        if !fingerprints.is_empty() {
            self.pictures.insert(id, fingerprints);
        }
    }

    pub fn remove(&mut self, id: Uuid) {
        self.by_bytes.retain(|_, known| *known != id);
        self.pictures.remove(&id);
    }

    /// Which of them this is: by its bytes, or else by the first picture that it resembles.
    #[must_use]
    pub fn find(&self, marks: Marks<'_>) -> Option<Uuid> {
        let by_looks = || {
            let seen = marks.fingerprint?;
            let resembled = |(_, known): &(&Uuid, &Vec<Fingerprint>)| known.iter().any(|known| known.resembles(seen));
            self.pictures.iter().find(resembled).map(|(id, _)| *id)
        };
        self.by_bytes.get(marks.sha256).copied().or_else(by_looks)
    }
}
