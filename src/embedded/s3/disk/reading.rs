//! Bodies on their way out, in blocks of 256 KiB: at once while the kernel has them in memory; from the first that it has not, each
//! is read by another thread while the last is sent.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use s3s::{S3Result, s3_error};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    super::checksum::{Algorithm, Checksum, Hashers},
    Content, Disk, Record, TempFolder, io_error, record,
    segments::{Folder, segment_name},
};

const BLOCK: u64 = 256 << 10;
/// Objects up to this size are copied, larger ones linked.
const COPY_LIMIT: u64 = 256 << 10;
/// An object can be replaced between the reading of its record and the opening of its segments.
const ATTEMPTS: usize = 5;

/// A piece of the body: a file and what to read of it.
struct Piece {
    segment: usize,
    from: u64,
    bytes: u64,
}

enum Source {
    Object(File),
    Folder(Arc<Folder>),
}

/// The rest of a body.
pub(in super::super) struct Outgoing {
    source: Source,
    pieces: VecDeque<Piece>,
    open: Option<File>,
}

impl Disk {
    fn open_source(&self, key: &str) -> S3Result<Option<(Record, Source)>> {
        let place = self.place(key);
        for _ in 0..ATTEMPTS {
            let mut file = match File::open(place.object()) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(io_error(error)),
            };
            let record: Record = record::read(&mut file).map_err(io_error)?;
            if record.segments.is_empty() {
                return Ok(Some((record, Source::Object(file))));
            }
            if let Some(folder) = self.folders.open(record.generation, place.segments(record.generation)) {
                return Ok(Some((record, Source::Folder(folder))));
            }
        }
        Err(s3_error!(SlowDown, "the object is being replaced all the time"))
    }

    /// Opens an object for reading; `choose` sees its record and says which bytes. Blocking.
    pub fn read(
        &self,
        key: &str,
        choose: impl FnOnce(&Record) -> S3Result<Range<u64>>,
    ) -> S3Result<Option<(Record, Outgoing)>> {
        let Some((record, source)) = self.open_source(key)? else { return Ok(None) };
        let pieces = pieces(&record, choose(&record)?);
        Ok(Some((record, Outgoing { source, pieces, open: None })))
    }

    /// Links the bytes of an object that passes `check` into a new folder, or `None` where it is small enough to be
    /// copied. Returns the lengths of the links with it. Blocking.
    pub fn link(
        &self,
        key: &str,
        temporary: &Disk,
        check: impl FnOnce(&Record) -> S3Result<()>,
    ) -> S3Result<Option<(Record, Option<Linked>)>> {
        let place = self.place(key);
        let _guard = self.lock(&place);
        let Some((record, source)) = self.open_source(key)? else { return Ok(None) };
        check(&record)?;
        if record.bytes <= COPY_LIMIT {
            return Ok(Some((record, None)));
        }
        let mut folder = TempFolder::create(&temporary.temporary()).map_err(io_error)?;
        let lengths = match source {
            Source::Object(_) => {
                folder.add(&place.object()).map_err(io_error)?;
                vec![record.bytes]
            }
            Source::Folder(from) => {
                from.with_path(|path| {
                    (0..record.segments.len()).try_for_each(|number| folder.add(&path.join(segment_name(number))))
                })
                .map_err(io_error)?;
                record.segments.clone()
            }
        };
        Ok(Some((record, Some(Linked { folder, lengths }))))
    }
}

/// Links to the bytes of an object.
pub(in super::super) struct Linked {
    folder: TempFolder,
    lengths: Vec<u64>,
}

impl Linked {
    /// Reads and hashes the bytes. Blocking.
    pub fn digest(&self, algorithm: Algorithm) -> S3Result<Checksum> {
        let mut hashers = Hashers::without_md5(&[algorithm]);
        let mut block = vec![0; 1 << 20];
        for (number, &length) in self.lengths.iter().enumerate() {
            let file = File::open(self.folder.path().join(segment_name(number))).map_err(io_error)?;
            let mut left = file.take(length);
            while left.limit() > 0 {
                match left.read(&mut block).map_err(io_error)? {
                    0 => return Err(io_error(shortened())),
                    read => hashers.update(&block[..read]),
                }
            }
        }
        hashers.finish().checksum(algorithm)
    }

    /// What to commit, and the lengths of its segments.
    pub fn into_content(self) -> (Content, Vec<u64>) {
        (Content::Linked(self.folder), self.lengths)
    }
}

fn shortened() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a stored file is shorter than its record says")
}

fn pieces(record: &Record, range: Range<u64>) -> VecDeque<Piece> {
    let lengths = if record.segments.is_empty() { std::slice::from_ref(&record.bytes) } else { &record.segments };
    let mut start = 0;
    let mut pieces = VecDeque::new();
    for (segment, &length) in lengths.iter().enumerate() {
        let from = range.start.clamp(start, start + length);
        let to = range.end.clamp(start, start + length);
        if from < to {
            pieces.push_back(Piece { segment, from: from - start, bytes: to - from });
        }
        start += length;
    }
    pieces
}

/// Reads what the kernel has in memory from there on; `None` where it has nothing, or cannot tell.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, block: &mut [u8], from: u64) -> io::Result<Option<usize>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    match preadv2(file, &mut [io::IoSliceMut::new(block)], from, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(Some(read)),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> io::Result<Option<usize>> {
    Ok(None)
}

impl Outgoing {
    /// The file of the next piece, what is left of that, and how much to read of it. `None` at the end.
    fn next_piece(&mut self) -> io::Result<Option<(&File, &mut Piece, usize)>> {
        let Some(piece) = self.pieces.front_mut() else { return Ok(None) };
        let file = match &mut self.open {
            Some(file) => file,
            none => none.insert(match &self.source {
                Source::Object(file) => file.try_clone()?,
                Source::Folder(folder) => folder.open(piece.segment)?,
            }),
        };
        let want = usize::try_from(piece.bytes.min(BLOCK)).map_err(io::Error::other)?;
        Ok(Some((file, piece, want)))
    }

    fn advance(&mut self, bytes: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.from += bytes as u64;
        piece.bytes -= bytes as u64;
        if piece.bytes == 0 {
            self.pieces.pop_front();
            self.open = None;
        }
    }

    /// The next block; empty at the end. Blocking.
    pub fn next_block(&mut self) -> io::Result<Bytes> {
        let Some((mut file, piece, want)) = self.next_piece()? else { return Ok(Bytes::new()) };
        file.seek(SeekFrom::Start(piece.from))?;
        let mut block = Vec::with_capacity(want);
        file.take(want as u64).read_to_end(&mut block)?;
        if block.len() != want {
            return Err(shortened());
        }
        self.advance(want);
        Ok(block.into())
    }

    /// The next block, in `spare` where that is large enough, as far as it can be had without waiting for the disk; empty where it
    /// cannot.
    fn cached_block(&mut self, spare: Option<BytesMut>) -> io::Result<Bytes> {
        let Some((file, piece, want)) = self.next_piece()? else { return Ok(Bytes::new()) };
        let mut block = spare.filter(|spare| spare.len() >= want).unwrap_or_else(|| BytesMut::zeroed(want));
        block.truncate(want);
        match read_cached(file, &mut block, piece.from)? {
            None => Ok(Bytes::new()),
            Some(0) => Err(shortened()),
            Some(read) => {
                block.truncate(read);
                self.advance(read);
                Ok(block.freeze())
            }
        }
    }

    pub fn is_done(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The blocks as a stream.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
        stream::try_unfold(Reading::Cached(self, Bytes::new()), Reading::next)
    }
}

/// Where the next block comes from.
enum Reading {
    /// Out of the kernel's memory; with the last block, to be filled again.
    Cached(Outgoing, Bytes),
    /// From a thread that may wait for the disk. Once it was needed, all that follows is read ahead by it.
    Elsewhere(JoinHandle<(Outgoing, io::Result<Bytes>)>),
    Done,
}

impl Reading {
    fn elsewhere(mut outgoing: Outgoing) -> JoinHandle<(Outgoing, io::Result<Bytes>)> {
        spawn_blocking(move || {
            let block = outgoing.next_block();
            (outgoing, block)
        })
    }

    /// The next block, and where the one after it comes from.
    async fn next(self) -> io::Result<Option<(Bytes, Self)>> {
        let task = match self {
            Self::Cached(outgoing, _) if outgoing.is_done() => return Ok(None),
            Self::Cached(mut outgoing, last) => {
                // Whoever is done with the last block has it filled again.
                let block = outgoing.cached_block(last.try_into_mut().ok())?;
                if !block.is_empty() {
                    return Ok(Some((block.clone(), Self::Cached(outgoing, block))));
                }
                Self::elsewhere(outgoing)
            }
            Self::Elsewhere(task) => task,
            Self::Done => return Ok(None),
        };
        let (outgoing, block) = task.await.map_err(io::Error::other)?;
        let next = if outgoing.is_done() { Self::Done } else { Self::Elsewhere(Self::elsewhere(outgoing)) };
        Ok(Some((block?, next)))
    }
}
