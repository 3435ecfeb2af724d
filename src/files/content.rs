//! Bytes coming in: spooled and told apart.

use std::io::{ErrorKind, Read as _, Seek as _};

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

/// A file as a client sent it, measured and hashed on its way in. Its name is only shown; its announced type counts for
/// nothing.
#[derive(Debug)]
pub struct Content {
    pub name: String,
    pub file: std::fs::File,
    pub bytes: u64,
    pub sha256: Sha256,
}

/// What the bytes of a content tell.
#[derive(Debug)]
pub(super) struct Facts {
    pub bytes: u64,
    pub sha256: Sha256,
    pub content_type: &'static str,
    pub picture: Option<images::Probe>,
}

/// A content at rest in a temporary file.
#[derive(Debug)]
pub(super) struct Received {
    path: TempPath,
    pub facts: Facts,
}

/// The sizes made of every picture.
const SIZES: [rendition::Size; 3] = [rendition::Size::Square150, rendition::Size::Fit320, rendition::Size::Fit1280];

/// Takes in the whole content, at most `uploads.max_size` of it, and tells its type.
pub async fn spool(app: &App, content: Content) -> Result<(TempPath, &'static str), FilesError> {
    let limit = app.config.uploads.max_size.as_u64();
    let Content { name, file, bytes, .. } = content;
    if bytes > limit {
        return Err(FilesError::TooLarge { limit });
    }
    let mut spool = app.spool().and_then(Spool::file).map_err(unreadable)?;
    let work = move || {
        let head = copy(file, spool.as_file_mut(), bytes)?;
        Ok::<_, std::io::Error>((spool.into_temp_path(), images::sniff(&head, &name)))
    };
    let copied = tokio::task::spawn_blocking(work).await.map_err(Fault::internal)?;
    copied.map_err(unreadable)
}

impl Received {
    /// A content at rest, and what its picture tells.
    pub(super) async fn spool(app: &App, content: Content) -> Result<Self, FilesError> {
        let (bytes, sha256) = (content.bytes, content.sha256);
        let (path, content_type) = spool(app, content).await?;
        let picture = if images::is_raster(content_type) {
            // A picture that cannot be read is still a file; its renditions will say why.
            app.images.probe(path.to_path_buf()).await.ok()
        } else {
            None
        };
        Ok(Self { path, facts: Facts { bytes, sha256, content_type, picture } })
    }

    pub(super) fn body(&self) -> Body {
        Body::File(self.path.to_path_buf())
    }

    pub(super) fn object(&self, owner: Uuid, file: Uuid) -> NewObject {
        NewObject {
            kind: entity::object::Kind::Original,
            bytes: self.facts.bytes,
            sha256: self.facts.sha256,
            content_type: self.facts.content_type.to_owned(),
            user_id: Some(owner),
            file_id: Some(file),
        }
    }
}

impl Facts {
    /// The row of this content as version `id` of its file, the first unless somebody says otherwise.
    pub(super) fn version(&self, file: Uuid, id: Uuid, object: Uuid, now: entity::Timestamp) -> file_version::Model {
        let side = |pixels: u32| i32::try_from(pixels).ok();
        file_version::Model {
            id,
            file_id: file,
            number: 1,
            object_id: object,
            content_type: self.content_type.to_owned(),
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            sha256: self.sha256.to_vec(),
            width: self.picture.as_ref().and_then(|picture| side(picture.width)),
            height: self.picture.as_ref().and_then(|picture| side(picture.height)),
            thumbhash: self.picture.as_ref().and_then(|picture| picture.thumbhash.clone()),
            fingerprint: self.picture.as_ref().and_then(|picture| Some(picture.fingerprint.as_ref()?.to_bytes())),
            created_at: now,
            restored_from: None,
            superseded_at: None,
        }
    }
}

/// The renditions to be made of a content: all of a picture, none of anything else.
pub(super) fn sizes(content_type: &str) -> &'static [rendition::Size] {
    if images::is_raster(content_type) { &SIZES } else { &[] }
}

/// A full disk is the server's trouble, and passes; anything else may be the upload's own.
pub(super) fn unreadable(error: std::io::Error) -> FilesError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::Busy(format!("no room for uploads: {error}")).into()
        }
        _ => FilesError::Unreadable(error),
    }
}

/// Gives the content a name on disk, which decoders and the object store's retries need, and returns its head.
fn copy(mut from: std::fs::File, to: &mut std::fs::File, bytes: u64) -> std::io::Result<Vec<u8>> {
    from.rewind()?;
    let mut head = Vec::with_capacity(images::SNIFF_LEN);
    from.by_ref().take(images::SNIFF_LEN as u64).read_to_end(&mut head)?;
    from.rewind()?;
    if std::io::copy(&mut from, to)? != bytes {
        return Err(std::io::Error::other("the spooled upload is not whole"));
    }
    Ok(head)
}
