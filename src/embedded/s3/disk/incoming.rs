//! Bodies on their way in: to a temporary file in blocks of half a MiB, hashed on the way, with bounded memory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use s3s::{S3Error, S3Result, dto::StreamingBlob, s3_error};
use tokio::{task::spawn_blocking, time::timeout};
use uuid::Uuid;

use super::{
    super::{
        bad_request,
        checksum::{Algorithm, Digests, Hashers},
    },
    Disk, Outgoing, io_error,
};

const BLOCK: usize = 512 << 10;
/// A client that sends nothing for this long has gone.
const SILENCE: Duration = Duration::from_secs(60);
/// The largest body of one PUT or one part (S3 user guide, "Multipart upload limits").
pub(in super::super) const MAX_BODY: u64 = 5 << 30;

/// A file in the temporary folder, removed on drop unless it got a place.
#[derive(Debug)]
pub(super) struct TempFile {
    pub file: File,
    path: Option<PathBuf>,
}

impl TempFile {
    pub fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { file, path: Some(path) })
    }

    /// Moves the file to its place, over whatever is there.
    pub fn persist(mut self, to: &Path) -> io::Result<()> {
        if let Some(path) = self.path.as_deref() {
            fs::rename(path, to)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "a temporary file stays until the next start");
        }
    }
}

struct Sink {
    temp: TempFile,
    hashers: Hashers,
}

impl Sink {
    fn take(mut self, blocks: &[Bytes]) -> io::Result<Self> {
        for block in blocks {
            self.hashers.update(block);
            self.temp.file.write_all(block)?;
        }
        Ok(self)
    }
}

/// A body that has come in whole.
pub(in super::super) struct Received {
    pub(super) temp: TempFile,
    pub bytes: u64,
    pub digests: Digests,
}

impl Disk {
    /// Takes a body in and computes these digests over it.
    pub async fn receive(
        self: &Arc<Self>,
        body: Option<StreamingBlob>,
        hashers: Hashers,
        length: Option<u64>,
    ) -> S3Result<Received> {
        if length.is_some_and(|length| length > MAX_BODY) {
            return Err(s3_error!(EntityTooLarge, "one request takes at most 5 GiB"));
        }
        let mut body = body;
        let mut bytes = 0_u64;
        let mut blocks = Vec::new();
        let mut waiting = 0;
        let temporary = self.temporary();
        let mut sink = spawn_blocking(move || Ok(Sink { temp: TempFile::create(&temporary)?, hashers }));
        while let Some(stream) = body.as_mut() {
            let chunk = timeout(SILENCE, stream.next())
                .await
                .map_err(|_| s3_error!(RequestTimeout, "no data came for {} seconds", SILENCE.as_secs()))?;
            let Some(chunk) = chunk else { break };
            let chunk = chunk.map_err(|error| broken_body(error.as_ref()))?;
            bytes += chunk.len() as u64;
            if bytes > length.unwrap_or(MAX_BODY) {
                return Err(s3_error!(InvalidRequest, "the body is longer than announced"));
            }
            waiting += chunk.len();
            blocks.push(chunk);
            if waiting >= BLOCK {
                let ready: Sink = finished(sink).await?;
                let full = std::mem::take(&mut blocks);
                sink = spawn_blocking(move || ready.take(&full));
                waiting = 0;
            }
        }
        if length.is_some_and(|length| length != bytes) {
            return Err(s3_error!(
                IncompleteBody,
                "{bytes} bytes came of the announced {}",
                length.unwrap_or_default()
            ));
        }
        let ready = finished(sink).await?;
        let ready = finished(spawn_blocking(move || ready.take(&blocks))).await?;
        Ok(Received { temp: ready.temp, bytes, digests: ready.hashers.finish() })
    }
}

impl Disk {
    pub(super) fn take_in(&self, bytes: &[u8], algorithms: &[Algorithm]) -> io::Result<Received> {
        let sink = Sink { temp: TempFile::create(&self.temporary())?, hashers: Hashers::new(algorithms) };
        let sink = sink.take(&[Bytes::copy_from_slice(bytes)])?;
        Ok(Received { temp: sink.temp, bytes: bytes.len() as u64, digests: sink.hashers.finish() })
    }

    /// Takes in bytes of another object. Blocking.
    pub fn absorb(&self, mut outgoing: Outgoing, algorithms: &[Algorithm]) -> S3Result<Received> {
        let temp = TempFile::create(&self.temporary()).map_err(io_error)?;
        let mut sink = Sink { temp, hashers: Hashers::new(algorithms) };
        let mut bytes = 0;
        while !outgoing.is_done() {
            let block = outgoing.next_block().map_err(io_error)?;
            bytes += block.len() as u64;
            sink = sink.take(&[block]).map_err(io_error)?;
        }
        Ok(Received { temp: sink.temp, bytes, digests: sink.hashers.finish() })
    }
}

/// The result of work on the blocking pool.
pub(super) async fn finished<T>(task: tokio::task::JoinHandle<io::Result<T>>) -> S3Result<T> {
    task.await.map_err(S3Error::internal_error)?.map_err(io_error)
}

/// Which S3 error a failed request body is. The layers below give texts, not types.
fn broken_body(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        bad_request("XAmzContentSHA256Mismatch", "the body does not match x-amz-content-sha256")
    } else if text.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "a chunk of the body is signed wrongly")
    } else {
        s3_error!(IncompleteBody, "the body broke off: {text}")
    }
}
