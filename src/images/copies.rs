//! Copies of a picture as people make them: encoded again, at another size, or without a twentieth of its area.

use super::{
    Budget, ImageError,
    bitmap::{Bitmap, Crop},
    encode,
    generate::SplitMix,
    render::Picture,
};

/// From what a messenger sends to what a camera writes.
const QUALITIES: [i32; 7] = [40, 50, 60, 70, 80, 90, 95];
/// Of the sides.
const PERCENT: [u32; 8] = [50, 60, 75, 90, 110, 125, 150, 200];
const QUALITY: i32 = 82;
/// What a crop takes away of the area.
const CUT: f64 = 0.05;
/// Crops at a random place, of the same shape and of another.
const RANDOM_CROPS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyKind {
    /// As JPEG, at qualities of 40 to 95.
    Encoded,
    /// To between 50 and 200 % of its sides.
    Resized,
    /// By 5 % of the area: at one side, at two, at all four, or anywhere.
    Cropped,
}

#[derive(Clone, Debug)]
pub struct Copy {
    pub kind: CopyKind,
    /// JPEG.
    pub bytes: Vec<u8>,
}

/// All of them; the seed decides on the random crops.
pub(super) fn make(picture: &Picture, seed: u64, budget: &Budget) -> Result<Vec<Copy>, ImageError> {
    let whole = picture.finish(picture.fit(u32::MAX)?)?;
    let mut copies = Vec::new();
    let mut add = |kind, bitmap: &Bitmap, quality| {
        budget.time()?;
        copies.push(Copy { kind, bytes: encode::jpeg(bitmap, quality)? });
        Ok::<_, ImageError>(())
    };
    for quality in QUALITIES {
        add(CopyKind::Encoded, &whole, quality)?;
    }
    for percent in PERCENT {
        let scaled = |side: u32| (side * percent / 100).max(1);
        add(CopyKind::Resized, &whole.resized(scaled(whole.width), scaled(whole.height), None)?, QUALITY)?;
    }
    for sides in crops(&mut SplitMix(seed)) {
        let (part, width, height) = part(&whole, sides);
        add(CopyKind::Cropped, &whole.resized(width, height, Some(part))?, QUALITY)?;
    }
    Ok(copies)
}

/// What each takes away at the left, the top, the right and the bottom, of the width or height.
fn crops(noise: &mut SplitMix) -> Vec<[f64; 4]> {
    let both = 1.0 - (1.0 - CUT).sqrt();
    let mut crops = vec![
        [CUT, 0.0, 0.0, 0.0],
        [0.0, CUT, 0.0, 0.0],
        [0.0, 0.0, CUT, 0.0],
        [0.0, 0.0, 0.0, CUT],
        [both, both, 0.0, 0.0],
        [0.0, both, both, 0.0],
        [0.0, 0.0, both, both],
        [both, 0.0, 0.0, both],
        [both / 2.0; 4],
    ];
    let mut unit = || f64::from(noise.byte()) / 255.0;
    for random in 0..2 * RANDOM_CROPS {
        let across = if random < RANDOM_CROPS { both } else { CUT * unit() };
        let down = 1.0 - (1.0 - CUT) / (1.0 - across);
        let (left, top) = (unit(), unit());
        crops.push([across * left, down * top, across * (1.0 - left), down * (1.0 - top)]);
    }
    crops
}

/// Whole pixels, as whoever crops cuts them.
fn part(whole: &Bitmap, [left, top, right, bottom]: [f64; 4]) -> (Crop, u32, u32) {
    let cut = |side: u32, before: f64, after: f64| {
        let start = (f64::from(side) * before).round();
        let rest = (f64::from(side) * (1.0 - before - after)).round().max(1.0);
        (start, rest.min(f64::from(side) - start))
    };
    let (left, width) = cut(whole.width, left, right);
    let (top, height) = cut(whole.height, top, bottom);
    (Crop { left, top, width, height }, width as u32, height as u32)
}
