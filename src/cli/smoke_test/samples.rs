//! What the smoke test uploads: made on the spot from a seed, or given.

use std::path::Path;

use bytes::Bytes;
use bytesize::ByteSize;

use crate::{
    cli::{Failure, client::Attachment},
    images::generate,
};

/// Between the 6 and 9 MiB of a camera's 12-megapixel JPEG.
const PHOTO_BYTES: usize = 7 * 1024 * 1024 + 512 * 1024;
const PHOTO_SIDES: (u32, u32) = (4000, 3000);

/// A file to upload, and what to expect of it.
#[derive(Clone, Debug)]
pub struct Sample {
    pub file: Attachment,
    /// Made here as a sound picture: its renditions must become READY.
    pub is_picture: bool,
}

/// A photo, a PNG with transparency and an awkward name, and a document. A server that takes less than a camera's
/// photo gets a stronger compressed one.
pub async fn make(seed: u64, upload_size: usize) -> Result<Vec<Sample>, Failure> {
    generated(move || {
        let (width, height) = PHOTO_SIDES;
        let photo = generate::photo_jpeg(seed, width, height, PHOTO_BYTES.min(upload_size / 4 * 3))?;
        let png = generate::rgba_png(seed, 800, 600)?;
        let sample = |name: &str, bytes: Vec<u8>, is_picture| Sample {
            file: Attachment { name: name.to_owned(), bytes: bytes.into() },
            is_picture,
        };
        Ok(vec![
            sample("holiday.jpg", photo, true),
            sample("Möwe am Strand.png", png, true),
            sample("report.pdf", generate::pdf(seed), false),
        ])
    })
    .await
}

/// Another photo, to replace the first one's content.
pub async fn make_replacement(seed: u64) -> Result<Attachment, Failure> {
    generated(move || {
        let bytes = generate::photo_jpeg(seed, 1600, 1200, 512 * 1024)?;
        Ok(Attachment { name: "holiday-2.jpg".to_owned(), bytes: bytes.into() })
    })
    .await
}

async fn generated<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::images::ImageError> + Send + 'static,
) -> Result<T, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::fault(format!("cannot make a picture: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// The file after `--file`.
pub async fn read(path: &Path, upload_size: usize) -> Result<Sample, Failure> {
    let wrong = |text: String| Failure::usage(text, "choose another --file");
    let shown = path.display();
    let name = path.file_name().ok_or_else(|| wrong(format!("{shown} is not a file")))?;
    let unreadable = |error| wrong(format!("cannot read {shown}: {error}"));
    let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if length > upload_size as u64 {
        let (length, most) = (ByteSize(length), ByteSize(upload_size as u64));
        return Err(wrong(format!("{shown} has {length}, and this server takes uploads of up to {most}")));
    }
    let bytes = Bytes::from(tokio::fs::read(path).await.map_err(unreadable)?);
    Ok(Sample { file: Attachment { name: name.to_string_lossy().into_owned(), bytes }, is_picture: false })
}
