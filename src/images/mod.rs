//! Pictures: what the bytes are, decoding within limits, renditions, placeholders.
//!
//! Everything here is pure computation over a file on disk. [`Images`] is the door: it bounds how many pictures
//! are decoded at once, for how long and with how much memory together, and turns a codec's panic into an error.

mod bitmap;
mod color;
mod copies;
mod encode;
mod fingerprint;
mod formats;
pub mod generate;
mod orientation;
mod probe;
mod render;
mod scenes;
mod sniff;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use entity::rendition::Size;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::{
    copies::{Copy, CopyKind},
    fingerprint::Fingerprint,
    formats::Format,
    probe::Probe,
    render::{Rendered, Still},
    scenes::scene_jpeg,
    sniff::{SNIFF_LEN, is_raster, raster_types, sniff},
};
use self::{
    formats::Header,
    render::{Needed, Picture},
};
use crate::config;

/// More frames than this are no picture but a film; only the first is ever decoded.
const MAX_FRAMES: u32 = 10_000;

/// Why a picture has no dimensions or no renditions. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("this file is not a picture")]
    NotAnImage,
    #[error("pictures of this kind are not supported ({0})")]
    Unsupported(String),
    #[error("the picture is too large: {actual} {what}, at most {limit} are allowed")]
    TooLarge { what: &'static str, actual: u64, limit: u64 },
    #[error("the picture is damaged ({0})")]
    Damaged(String),
    #[error("reading the picture took too long")]
    TimedOut,
    /// The only one that says nothing about the picture: trying again may help.
    #[error("the picture could not be read or written: {0}")]
    Io(#[from] io::Error),
}

/// What one decode may take.
#[derive(Clone, Debug)]
pub struct Limits {
    pub max_pixels: u64,
    /// Pixels along the longer side.
    pub max_side: u32,
    pub max_frames: u32,
    /// Bytes of all decodes together: their files, the decoders' buffers and the decoded pictures. A picture that needs
    /// more is refused; one that only does not fit beside the others waits.
    pub max_memory: u64,
    pub timeout: Duration,
    /// Decodes at the same time.
    pub concurrency: usize,
}

impl From<&config::Images> for Limits {
    fn from(config: &config::Images) -> Self {
        Self {
            max_pixels: config.max_pixels,
            max_side: config.max_side,
            max_frames: MAX_FRAMES,
            max_memory: config.max_memory.as_u64(),
            timeout: config.timeout,
            concurrency: config.concurrency,
        }
    }
}

/// The limits of one decode that has begun.
struct Budget {
    limits: Limits,
    deadline: Instant,
}

impl Budget {
    fn start(limits: Limits) -> Self {
        Self { deadline: Instant::now() + limits.timeout, limits }
    }

    /// # Errors
    /// `TooLarge` where a side, the pixels or the frames exceed the limits; `Damaged` where there are no pixels.
    fn dimensions(&self, width: u32, height: u32, frames: u32) -> Result<(), ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Damaged("it has no pixels".into()));
        }
        let limits = &self.limits;
        within("pixels on one side", width.max(height).into(), limits.max_side.into())?;
        within("pixels", u64::from(width) * u64::from(height), limits.max_pixels)?;
        within("frames", frames.into(), limits.max_frames.into())
    }

    /// # Errors
    /// `TimedOut` past the deadline.
    fn time(&self) -> Result<(), ImageError> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(ImageError::TimedOut) }
    }
}

fn within(what: &'static str, actual: u64, limit: u64) -> Result<(), ImageError> {
    if actual <= limit { Ok(()) } else { Err(ImageError::TooLarge { what, actual, limit }) }
}

/// The door to decoding; clones share it.
#[derive(Clone, Debug)]
pub struct Images {
    limits: Limits,
    gate: Arc<Semaphore>,
    /// KiB of `Limits::max_memory`.
    memory: Arc<Semaphore>,
}

/// The right to decode, given back when dropped.
struct Place {
    _gate: OwnedSemaphorePermit,
    memory: Option<OwnedSemaphorePermit>,
}

impl Images {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(limits.concurrency.max(1))),
            memory: Arc::new(Semaphore::new(kib(limits.max_memory) as usize)),
            limits,
        }
    }

    /// Dimensions as shown, transparency, and the thumbhash, of a picture on disk.
    ///
    /// Somebody waits for this one: where no place becomes free within the time of a decode, it is `TimedOut`.
    ///
    /// # Errors
    /// `NotAnImage` and `Unsupported` by the first bytes, `TooLarge` before anything is decoded, `Damaged` where
    /// even the header is. Pixels behind a sound header that are damaged or need too much memory only cost the thumbhash.
    pub async fn probe(&self, path: PathBuf) -> Result<Probe, ImageError> {
        let opened = tokio::time::timeout(self.limits.timeout, self.open(path)).await;
        let (place, opened) = opened.unwrap_or(Err(ImageError::TimedOut))?;
        let facts = Probe::of(&opened.header);
        match self.decode(place, opened, probe::NEEDED, probe::look).await {
            Ok(probe::Seen { has_alpha, thumbhash, fingerprint }) => {
                Ok(Probe { has_alpha, thumbhash: Some(thumbhash), fingerprint, ..facts })
            }
            Err(ImageError::Damaged(_) | ImageError::Unsupported(_) | ImageError::TooLarge { .. }) => Ok(facts),
            Err(error) => Err(error),
        }
    }

    /// What copies of the picture are found by: the first of the whole of it, the others of crops. None of a picture that is
    /// all but one colour.
    ///
    /// # Errors
    /// As [`Self::render`]; somebody waits for this one too, see [`Self::probe`].
    pub async fn fingerprints(&self, path: PathBuf) -> Result<Vec<Fingerprint>, ImageError> {
        let opened = tokio::time::timeout(self.limits.timeout, self.open(path)).await;
        let (place, opened) = opened.unwrap_or(Err(ImageError::TimedOut))?;
        let needed = Needed { fit: Fingerprint::SIDE_OF_CROPS, cover: Fingerprint::SHORTER };
        self.decode(place, opened, needed, probe::fingerprints).await
    }

    /// Copies of the picture as people make them; the seed decides on those that are made at random.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub async fn copies(&self, path: PathBuf, seed: u64) -> Result<Vec<Copy>, ImageError> {
        let (place, opened) = self.open(path).await?;
        let needed = Needed { fit: u32::MAX, cover: 0 };
        self.decode(place, opened, needed, move |picture, budget| copies::make(&picture, seed, budget)).await
    }

    /// The renditions asked for, in that order, from one decode.
    ///
    /// # Errors
    /// As [`Self::probe`], and `Damaged` where any of the pixels are missing: no rendition shows half a picture.
    pub async fn render(&self, path: PathBuf, sizes: &[Size]) -> Result<Vec<Rendered>, ImageError> {
        let sizes = sizes.to_vec();
        let (place, opened) = self.open(path).await?;
        let needed = Needed::of(&sizes);
        self.decode(place, opened, needed, move |picture, budget| render::render(picture, &sizes, budget)).await
    }

    /// The picture upright and within `side` × `side`, re-encoded from its pixels alone: what a snap is stored as.
    ///
    /// # Errors
    /// As [`Self::render`]; somebody waits for this one too, see [`Self::probe`].
    pub async fn still(&self, path: PathBuf, side: u32) -> Result<Still, ImageError> {
        let opened = tokio::time::timeout(self.limits.timeout, self.open(path)).await;
        let (place, opened) = opened.unwrap_or(Err(ImageError::TimedOut))?;
        let needed = Needed { fit: side, cover: 0 };
        self.decode(place, opened, needed, move |picture, budget| render::still(&picture, side, budget)).await
    }

    /// Waits for a place, then reads the file and what its header declares.
    async fn open(&self, path: PathBuf) -> Result<(Place, Opened), ImageError> {
        let gate = Arc::clone(&self.gate).acquire_owned().await.map_err(io::Error::other)?;
        self.run(Place { _gate: gate, memory: None }, move |budget| Opened::read(&path, budget)).await
    }

    /// Waits for the memory that the decode will take, then hands the decoded picture to `work`.
    async fn decode<T, F>(&self, mut place: Place, opened: Opened, needed: Needed, work: F) -> Result<T, ImageError>
    where
        T: Send + 'static,
        F: FnOnce(Picture, &Budget) -> Result<T, ImageError> + Send + 'static,
    {
        let bytes = opened.data.len() as u64 + opened.header.memory(needed);
        within("bytes of memory", bytes, self.limits.max_memory)?;
        let memory = Arc::clone(&self.memory).acquire_many_owned(kib(bytes)).await.map_err(io::Error::other)?;
        place.memory = Some(memory);
        let decode = move |budget: &Budget| {
            let Opened { data, header } = opened;
            let picture = Picture::decode(&data, &header, needed, budget)?;
            drop(data);
            work(picture, budget)
        };
        self.run(place, decode).await.map(|(_, result)| result)
    }

    /// Runs `work` on a blocking thread, and gives the place back with its result. The time starts with the work, not
    /// with the wait for a place or for memory.
    ///
    /// The place is held until the thread has ended, even where the caller was already told `TimedOut`, so that the
    /// number of decoders never exceeds the limit. The thread ends soon after: PNG and GIF meet the deadline at
    /// their next read, and one JPEG or WebP decode is bounded by the pixels and scans allowed.
    async fn run<T, F>(&self, place: Place, work: F) -> Result<(Place, T), ImageError>
    where
        T: Send + 'static,
        F: FnOnce(&Budget) -> Result<T, ImageError> + Send + 'static,
    {
        let limits = self.limits.clone();
        let task = tokio::task::spawn_blocking(move || work(&Budget::start(limits)).map(|result| (place, result)));
        match tokio::time::timeout(self.limits.timeout, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) if error.is_panic() => Err(ImageError::Damaged("its decoder gave up".into())),
            Ok(Err(error)) => Err(io::Error::other(error).into()),
            Err(_) => Err(ImageError::TimedOut),
        }
    }
}

/// As many permits as these bytes cost.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// A picture's file, and what its header declares.
struct Opened {
    data: Vec<u8>,
    header: Header,
}

impl Opened {
    fn read(path: &Path, budget: &Budget) -> Result<Self, ImageError> {
        let data = read(path, budget)?;
        let header = formats::inspect(&data, budget)?;
        Ok(Self { data, header })
    }
}

/// The whole file, once its first bytes promise a picture and its size fits the memory limit.
fn read(path: &Path, budget: &Budget) -> Result<Vec<u8>, ImageError> {
    let mut file = std::fs::File::open(path)?;
    let mut data = Vec::new();
    file.by_ref().take(SNIFF_LEN as u64).read_to_end(&mut data)?;
    if Format::of(&data).is_none() {
        return Err(match sniff(&data, "") {
            kind if kind.starts_with("image/") => ImageError::Unsupported(kind.to_owned()),
            _ => ImageError::NotAnImage,
        });
    }
    let length = file.metadata()?.len();
    within("bytes", length, budget.limits.max_memory)?;
    data.reserve_exact(usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(data.len()));
    file.take(budget.limits.max_memory).read_to_end(&mut data)?;
    Ok(data)
}
