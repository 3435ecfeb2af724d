//! The four raster formats: what their headers declare, and their first frame as a bitmap.

mod gif;
mod jpeg;
mod png;
mod webp;

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::{
    Budget, ImageError,
    bitmap::{Bitmap, area},
    color::Profile,
    orientation::Orientation,
    render::Needed,
};

/// What is decoded here, shown inline and given renditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Gif, Self::Webp];

    /// By the signature alone.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }

    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

/// What a file declares, read without decoding a pixel.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// As stored, before the orientation is applied.
    pub width: u32,
    pub height: u32,
    pub orientation: Orientation,
    pub profile: Profile,
    /// Pixels may be transparent.
    pub has_alpha: bool,
    pub animated: bool,
    coding: Coding,
}

/// What only the format's own decoder wants to know.
#[derive(Clone, Copy, Debug)]
enum Coding {
    Jpeg(jpeg::Coding),
    Png(png::Coding),
    Gif,
    Webp(webp::Coding),
}

impl Header {
    pub fn format(&self) -> Format {
        match self.coding {
            Coding::Jpeg(_) => Format::Jpeg,
            Coding::Png(_) => Format::Png,
            Coding::Gif => Format::Gif,
            Coding::Webp(_) => Format::Webp,
        }
    }

    /// Bytes that the decoder and its output take at the most, beside the file.
    pub fn memory(&self, needed: Needed) -> u64 {
        let bytes = match &self.coding {
            Coding::Jpeg(coding) => coding.memory(needed),
            Coding::Png(coding) => coding.memory(self, needed),
            // The decoder composes the frame in a buffer of its own, at most as large as the screen.
            Coding::Gif => 2 * 4 * area(self.width, self.height) as u64,
            Coding::Webp(coding) => coding.memory(self, needed),
        };
        bytes + WORKING_MEMORY
    }
}

/// For what every decode takes beside: tables, the renditions and their encoders.
const WORKING_MEMORY: u64 = 8 << 20;

/// # Errors
/// `TooLarge` for what exceeds the limits, `Damaged` for a header that cannot be read.
pub(super) fn inspect(data: &[u8], budget: &Budget) -> Result<Header, ImageError> {
    match Format::of(data).ok_or(ImageError::NotAnImage)? {
        Format::Jpeg => jpeg::inspect(data, budget),
        Format::Png => png::inspect(data, budget),
        Format::Gif => gif::inspect(data, budget),
        Format::Webp => webp::inspect(data, budget),
    }
}

/// A first frame as stored, alpha premultiplied.
pub(super) struct Decoded {
    pub bitmap: Bitmap,
    /// Every pixel covers what is behind it, whether or not there is an alpha channel.
    pub opaque: bool,
}

impl Decoded {
    fn new(mut bitmap: Bitmap) -> Result<Self, ImageError> {
        let opaque = bitmap.is_opaque();
        if !opaque {
            bitmap.premultiply()?;
        }
        Ok(Self { bitmap, opaque })
    }
}

/// The first frame, complete, possibly scaled down as far as `needed` allows.
pub(super) fn decode(data: &[u8], header: &Header, needed: Needed, budget: &Budget) -> Result<Decoded, ImageError> {
    match &header.coding {
        Coding::Jpeg(coding) => jpeg::decode(data, coding, needed).and_then(Decoded::new),
        Coding::Png(coding) => png::decode(data, header, coding, needed, budget),
        Coding::Gif => gif::decode(data, header, budget).and_then(Decoded::new),
        Coding::Webp(_) => webp::decode(data, header, needed).and_then(Decoded::new),
    }
}

fn damaged(error: impl std::fmt::Display) -> ImageError {
    ImageError::Damaged(error.to_string())
}

/// How much of a file a decoder gets before the deadline is looked at again.
const STRIDE: usize = 16 * 1024;

/// A file in memory that stops giving bytes at the deadline, which ends the decoder that reads it.
struct Timed<'a> {
    data: io::Cursor<&'a [u8]>,
    budget: &'a Budget,
}

impl<'a> Timed<'a> {
    fn new(data: &'a [u8], budget: &'a Budget) -> Self {
        Self { data: io::Cursor::new(data), budget }
    }
}

impl BufRead for Timed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.budget.time().map_err(|error| io::Error::new(io::ErrorKind::TimedOut, error))?;
        let rest = self.data.fill_buf()?;
        Ok(rest.get(..STRIDE).unwrap_or(rest))
    }

    fn consume(&mut self, amount: usize) {
        self.data.consume(amount);
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(target.len());
        target[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Seek for Timed<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.data.seek(to)
    }
}
