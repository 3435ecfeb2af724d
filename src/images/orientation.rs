//! The EXIF orientation (CIPA DC-008, tag 0x0112): found among the metadata, applied to pixels.

use super::bitmap::Bitmap;

const TAG: u16 = 0x0112;

/// How the stored picture is turned to be shown: 1 to 8, as in the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Default for Orientation {
    fn default() -> Self {
        Self(1)
    }
}

impl Orientation {
    /// The orientation in an EXIF block, with or without its "Exif\0\0" prefix. Anything odd is upright.
    pub fn from_exif(exif: &[u8]) -> Self {
        first_directory_tag(exif).filter(|value| (1..=8).contains(value)).map_or_else(Self::default, Self)
    }

    /// Width and height as shown.
    pub fn shown(self, width: u32, height: u32) -> (u32, u32) {
        if self.0 >= 5 { (height, width) } else { (width, height) }
    }

    /// The bitmap as it is to be shown.
    pub fn apply(self, stored: Bitmap) -> Bitmap {
        if self.0 == 1 {
            return stored;
        }
        let (width, height) = self.shown(stored.width, stored.height);
        let (right, bottom) = (stored.width - 1, stored.height - 1);
        let step = stored.channels.count();
        let mut pixels = Vec::with_capacity(stored.pixels.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = match self.0 {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    _ => (right - y, x),
                };
                let at = (from_y as usize * stored.width as usize + from_x as usize) * step;
                pixels.extend_from_slice(&stored.pixels[at..at + step]);
            }
        }
        Bitmap { pixels, width, height, channels: stored.channels }
    }
}

/// Reads the tag from the first image file directory (TIFF 6.0, section 2); it is a SHORT.
fn first_directory_tag(exif: &[u8]) -> Option<u8> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big_endian = match tiff.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) })
    };
    let offset = tiff.get(4..)?.first_chunk()?;
    let directory =
        usize::try_from(if big_endian { u32::from_be_bytes(*offset) } else { u32::from_le_bytes(*offset) }).ok()?;
    (0..usize::from(short(directory)?))
        .map_while(|index| directory.checked_add(2 + 12 * index))
        .find(|entry| short(*entry) == Some(TAG))
        .and_then(|entry| short(entry + 8))
        .and_then(|value| u8::try_from(value).ok())
}
