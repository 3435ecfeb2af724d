//! How a picture looks, whatever it is encoded as and however large: to find a picture again that was blocked.
//!
//! Two conditions, which copies meet and others rarely do. The pattern is the usual perceptual hash: the coarsest waves (DCT) of
//! the brightness, a bit each, compared by how many differ. Smooth pictures have few such waves, and alike, so that the colours
//! are compared too. A copy that lost a part of its edge has moved waves: therefore whoever looks for copies compares with
//! crops of the picture as well, [`Fingerprint::with_crops`]. `snaphaven block-list measure` says how well that works.

use image_hasher::{HashAlg, Hasher, HasherConfig};

use super::{
    ImageError,
    bitmap::{Bitmap, Channels, Crop},
};

/// Waves across and down; the hash is made from twice as many pixels.
const WAVES: u32 = 16;
const PATTERN: usize = (WAVES * WAVES / 8) as usize;
/// Colours across and down.
const GRID: u32 = 8;
const COLORS: usize = (GRID * GRID * 3) as usize;
/// Bits that differ at the most; unrelated photographs differ in 50 to 100.
const PATTERN_APART: u32 = 31;
/// Root mean square of what the colours differ by at the most, of 255.
const COLORS_APART: u32 = 8;
/// A picture whose brightness varies less than this around its mean (root mean square, of 255) has no pattern.
const PLAIN: f64 = 1.0;
/// What a crop takes away of the width or height.
const EDGE: f64 = 0.05;

/// What stays of a picture in every copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pattern: [u8; PATTERN],
    colors: [u8; COLORS],
}

impl Fingerprint {
    /// Bytes of [`Self::to_bytes`].
    pub const LEN: usize = PATTERN + COLORS;
    /// Pixels of the longer side that it is best made from.
    pub(super) const SIDE: u32 = 128;
    /// The same of the shorter side.
    pub(super) const SHORTER: u32 = 2 * WAVES;
    /// Pixels of the longer side that crops are made from, so that they are cut as exactly as a copy may be.
    pub(super) const SIDE_OF_CROPS: u32 = 512;

    /// Of a picture as it is shown. `None`: it is all but one colour.
    pub(super) fn of(shown: &Bitmap) -> Result<Option<Self>, ImageError> {
        Self::of_part(&hasher(), &flat(shown), None)
    }

    /// Of the whole picture, then of its crops: copies that lost a twentieth of their area, wherever, resemble one of these.
    pub(super) fn with_crops(shown: &Bitmap) -> Result<Vec<Self>, ImageError> {
        let (hasher, flat) = (hasher(), flat(shown));
        // Cut at two adjacent sides, or at all four, each side loses less.
        let both = 1.0 - (1.0 - EDGE).sqrt();
        let sides = [
            [0.0; 4],
            [EDGE, 0.0, 0.0, 0.0],
            [0.0, EDGE, 0.0, 0.0],
            [0.0, 0.0, EDGE, 0.0],
            [0.0, 0.0, 0.0, EDGE],
            [both, both, 0.0, 0.0],
            [0.0, both, both, 0.0],
            [0.0, 0.0, both, both],
            [both, 0.0, 0.0, both],
            [both / 2.0; 4],
            [EDGE / 2.0, 0.0, EDGE / 2.0, 0.0],
            [0.0, EDGE / 2.0, 0.0, EDGE / 2.0],
        ];
        let mut made = Vec::with_capacity(sides.len());
        for [left, top, right, bottom] in sides {
            let (width, height) = (f64::from(flat.width), f64::from(flat.height));
            let part = Crop {
                left: left * width,
                top: top * height,
                width: (1.0 - left - right) * width,
                height: (1.0 - top - bottom) * height,
            };
            made.extend(Self::of_part(&hasher, &flat, Some(part))?);
        }
        Ok(made)
    }

    fn of_part(hasher: &Hasher<[u8; PATTERN]>, flat: &Bitmap, part: Option<Crop>) -> Result<Option<Self>, ImageError> {
        let side = 2 * WAVES;
        let small = flat.resized(side, side, part)?;
        let brightness: Vec<u8> = small.pixels.as_chunks().0.iter().map(brightness).collect();
        if is_plain(&brightness) {
            return Ok(None);
        }
        let gray = image::GrayImage::from_raw(side, side, brightness);
        let gray = gray.ok_or_else(|| ImageError::Damaged("it lost pixels".into()))?;
        let hash = hasher.hash_image(&gray);
        let pattern =
            hash.as_bytes().try_into().map_err(|_| ImageError::Damaged("its hash is of another size".into()))?;
        let colors = small.averaged(GRID, GRID)?.pixels;
        let colors = colors.try_into().map_err(|_| ImageError::Damaged("it lost colours".into()))?;
        Ok(Some(Self { pattern, colors }))
    }

    /// Whether one is a copy of the other, as far as can be told.
    #[must_use]
    pub fn resembles(&self, other: &Self) -> bool {
        let pattern: u32 = self.pattern.iter().zip(other.pattern).map(|(a, b)| (a ^ b).count_ones()).sum();
        let apart = |(a, b): (&u8, u8)| u32::from(a.abs_diff(b)).pow(2);
        pattern <= PATTERN_APART
            && self.colors.iter().zip(other.colors).map(apart).sum::<u32>() <= COLORS_APART.pow(2) * COLORS as u32
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.pattern[..], &self.colors].concat()
    }

    /// Of [`Self::LEN`] bytes; `None`: of another number.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (pattern, colors) = bytes.split_at_checked(PATTERN)?;
        Some(Self { pattern: pattern.try_into().ok()?, colors: colors.try_into().ok()? })
    }
}

fn hasher() -> Hasher<[u8; PATTERN]> {
    HasherConfig::with_bytes_type().hash_size(WAVES, WAVES).hash_alg(HashAlg::Mean).preproc_dct().to_hasher()
}

/// RGB, in front of white where something shines through.
fn flat(shown: &Bitmap) -> Bitmap {
    let mut flat = Bitmap::new(shown.width, shown.height, Channels::Rgb);
    if shown.channels == Channels::Rgba {
        let over_white = |color: u8, alpha: u8| {
            let (color, alpha) = (u16::from(color), u16::from(alpha));
            u8::try_from((color * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        for (pixel, [r, g, b, a]) in flat.pixels.as_chunks_mut().0.iter_mut().zip(shown.pixels.as_chunks().0) {
            *pixel = [over_white(*r, *a), over_white(*g, *a), over_white(*b, *a)];
        }
    } else {
        flat.pixels.copy_from_slice(&shown.pixels);
    }
    flat
}

/// As television weighs colours (ITU-R BT.601).
fn brightness([r, g, b]: &[u8; 3]) -> u8 {
    let sum = 299 * u32::from(*r) + 587 * u32::from(*g) + 114 * u32::from(*b);
    u8::try_from((sum + 500) / 1000).unwrap_or(u8::MAX)
}

fn is_plain(brightness: &[u8]) -> bool {
    let count = brightness.len() as f64;
    let mean = brightness.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let variance = brightness.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
    variance < PLAIN * PLAIN
}
