//! Bytes coming in: spooled, measured, hashed, and told apart.

use std::io::{Read, Seek, Write};

use aws_lc_rs::digest::{Context, SHA256};
use entity::{file_version, rendition};
use tempfile::TempPath;
use uuid::Uuid;

use super::FilesError;
use crate::{
    adapters::objects::{Body, Sha256},
    app::App,
    error::Fault,
    images,
    ledger::NewObject,
    spool::Spool,
};

/// A file as a client sent it. Its name is only shown; its announced type counts for nothing.
#[derive(Debug)]
pub struct Content {
    pub name: String,
    pub file: std::fs::File,
}

/// A content at rest in a temporary file, with everything that its bytes tell.
#[derive(Debug)]
pub(super) struct Received {
    path: TempPath,
    pub bytes: u64,
    pub sha256: Sha256,
    pub content_type: &'static str,
    picture: Option<images::Probe>,
}

/// The sizes made of every picture.
pub(super) const SIZES: [rendition::Size; 3] =
    [rendition::Size::Square150, rendition::Size::Fit320, rendition::Size::Fit1280];

/// As much of a file as its type is told from.
const HEAD: usize = 8 * 1024;

impl Received {
    /// Takes in the whole content, at most `uploads.max_size` of it.
    pub(super) async fn spool(app: &App, content: Content) -> Result<Self, FilesError> {
        let limit = app.config.uploads.max_size.as_u64();
        let mut spool = app.spool().and_then(Spool::file).map_err(FilesError::Unreadable)?;
        let name = content.name.clone();
        let work = move || {
            let (bytes, sha256, head) = copy_and_hash(content.file, spool.as_file_mut(), limit)?;
            Ok::<_, FilesError>((spool.into_temp_path(), bytes, sha256, images::sniff(&head, &name)))
        };
        let (path, bytes, sha256, content_type) =
            tokio::task::spawn_blocking(work).await.map_err(Fault::internal)??;
        let picture = if images::is_raster(content_type) {
            // A picture that cannot be read is still a file; its renditions will say why.
            app.images.probe(path.to_path_buf()).await.ok()
        } else {
            None
        };
        Ok(Self { path, bytes, sha256, content_type, picture })
    }

    pub(super) fn body(&self) -> Body {
        Body::File(self.path.to_path_buf())
    }

    pub(super) fn object(&self, owner: Uuid, file: Uuid) -> NewObject {
        NewObject {
            kind: entity::object::Kind::Original,
            bytes: self.bytes,
            sha256: self.sha256,
            content_type: self.content_type.to_owned(),
            user_id: Some(owner),
            file_id: Some(file),
        }
    }

    pub(super) fn version(&self, file: Uuid, object: Uuid, number: i32, now: entity::Timestamp) -> file_version::Model {
        let side = |pixels: u32| i32::try_from(pixels).ok();
        file_version::Model {
            id: Uuid::now_v7(),
            file_id: file,
            number,
            object_id: object,
            content_type: self.content_type.to_owned(),
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            sha256: self.sha256.to_vec(),
            width: self.picture.as_ref().and_then(|picture| side(picture.width)),
            height: self.picture.as_ref().and_then(|picture| side(picture.height)),
            thumbhash: self.picture.as_ref().and_then(|picture| picture.thumbhash.clone()),
            created_at: now,
        }
    }

    /// The renditions to be made: all of a picture, none of anything else.
    pub(super) fn sizes(&self) -> &'static [rendition::Size] {
        if images::is_raster(self.content_type) { &SIZES } else { &[] }
    }
}

fn copy_and_hash(
    mut from: std::fs::File,
    to: &mut std::fs::File,
    limit: u64,
) -> Result<(u64, Sha256, Vec<u8>), FilesError> {
    let io = FilesError::Unreadable;
    from.rewind().map_err(io)?;
    let mut hash = Context::new(&SHA256);
    let mut head = Vec::new();
    let mut total = 0u64;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer).map_err(io)?;
        if read == 0 {
            break;
        }
        let chunk = &buffer[..read];
        total += read as u64;
        if total > limit {
            return Err(FilesError::TooLarge { limit });
        }
        hash.update(chunk);
        head.extend_from_slice(&chunk[..read.min(HEAD - head.len().min(HEAD))]);
        to.write_all(chunk).map_err(io)?;
    }
    to.flush().map_err(io)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok((total, sha256, head))
}
