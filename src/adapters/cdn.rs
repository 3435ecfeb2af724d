//! Signed URLs and the purging of caches.
