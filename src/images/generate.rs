//! Pictures and documents made from a seed: real enough to exercise everything, the same bytes every time.

use std::{fmt::Write as _, io};

use image::{
    ExtendedColorType, ImageEncoder as _,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::{
    ImageError,
    bitmap::{Bitmap, Channels},
    encode,
};

/// The side of the square of noise that is laid over a photo, each row at its own offset.
const GRAIN_SIDE: usize = 512;

/// Deterministic noise (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(super) struct SplitMix(pub u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Below `bound`, which is small.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }
}

/// A JPEG of gradients under grain, as near to `target_bytes` as the quality allows (4000 × 3000 reaches 6–9 MiB).
///
/// # Errors
/// `Io` where the encoder fails, as it does for sides of 0 or beyond 65,500.
pub fn photo_jpeg(seed: u64, width: u32, height: u32, target_bytes: usize) -> Result<Vec<u8>, ImageError> {
    // The quality is found on a strip of a sixteenth of the rows.
    let strip_height = (height / 16).clamp(1, height.max(1));
    let strip = photo(seed, width, strip_height);
    let goal = target_bytes as u64 * u64::from(strip_height) / u64::from(height.max(1));
    let (mut low, mut high) = (1, 100);
    while low < high {
        let quality = (low + high) / 2;
        if (encode::jpeg(&strip, quality)?.len() as u64) < goal { low = quality + 1 } else { high = quality }
    }
    encode::jpeg(&photo(seed, width, height), low)
}

fn photo(seed: u64, width: u32, height: u32) -> Bitmap {
    let mut noise = SplitMix(seed);
    let tint = [noise.byte(), noise.byte(), noise.byte()];
    let grain: Vec<u8> = (0..GRAIN_SIDE * GRAIN_SIDE * 3).map(|_| noise.byte() % 48).collect();
    let mut bitmap = Bitmap::new(width, height, Channels::Rgb);
    let stride = width as usize * 3;
    // A gradient across, brightened down the rows; 0–207, so that grain never overflows.
    let across: Vec<u8> = (0..width)
        .flat_map(|x| {
            let ramp = x * 120 / width;
            [ramp, 120 - ramp, (ramp * 2) % 120].map(|value| u8::try_from(value).unwrap_or_default())
        })
        .zip(tint.iter().cycle())
        .map(|(ramp, tint)| ramp + tint / 6)
        .collect();
    for (y, row) in (0_u32..).zip(bitmap.pixels.chunks_exact_mut(stride.max(1))) {
        let down = u8::try_from(y * 45 / height).unwrap_or_default();
        let grain_row = &grain[y as usize % GRAIN_SIDE * GRAIN_SIDE * 3..][..GRAIN_SIDE * 3];
        let offset = noise.below(GRAIN_SIDE);
        for ((pixel, ramp), grain) in row.iter_mut().zip(&across).zip(grain_row.iter().cycle().skip(offset * 3)) {
            *pixel = ramp + down + grain;
        }
    }
    bitmap
}

/// An RGBA PNG: a soft disc of the seed's colours on nothing, with every degree of transparency.
///
/// # Errors
/// `Io` where the encoder fails, as it does for sides of 0.
pub fn rgba_png(seed: u64, width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut noise = SplitMix(seed);
    let [red, green, blue] = [noise.byte(), noise.byte(), noise.byte()];
    let mut bitmap = Bitmap::new(width, height, Channels::Rgba);
    let (across, down) = (u64::from(width.max(1)), u64::from(height.max(1)));
    for (y, row) in (0_u64..).zip(bitmap.pixels.chunks_exact_mut(4 * width.max(1) as usize)) {
        for (x, pixel) in (0_u64..).zip(row.as_chunks_mut().0) {
            // Squared distance from the centre, 0 there and 255 at the edge of the ellipse.
            let far = |at: u64, of: u64| (2 * at).abs_diff(of).pow(2) * 255 / of.pow(2);
            let distance = u8::try_from(far(x, across) + far(y, down)).unwrap_or(u8::MAX);
            *pixel = [red ^ distance, green, blue.wrapping_add(distance / 2), u8::MAX - distance];
        }
    }
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Sub)
        .write_image(&bitmap.pixels, width, height, ExtendedColorType::Rgba8)
        .map_err(io::Error::other)?;
    Ok(file)
}

/// A PDF 1.4 of one page with a line of text (ISO 32000-1, section 7.5).
#[must_use]
pub fn pdf(seed: u64) -> Vec<u8> {
    let text = format!("BT /F1 24 Tf 72 720 Td (Snaphaven test page {seed}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(&objects) {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{:010} 00000 n ", file.len());
        let _ = write!(file, "{number} 0 obj\n{object}\nendobj\n");
    }
    let start = file.len();
    let _ = write!(file, "{table}trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1);
    file.into_bytes()
}
