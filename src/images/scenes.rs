//! Landscapes and patterns made from a seed, to look at: skies, hills, gradients, noise. The same picture every time.

use super::{
    ImageError,
    bitmap::{Bitmap, Channels},
    encode,
    generate::SplitMix,
};

const QUALITY: i32 = 88;

/// Red, green and blue, 0 to 1.
type Color = [f32; 3];

/// The colours of a time of day: the sky from the zenith to the horizon, and the nearest hill.
const HOURS: [[Color; 3]; 6] = [
    [[0.09, 0.12, 0.30], [0.98, 0.62, 0.42], [0.10, 0.09, 0.15]],
    [[0.20, 0.42, 0.75], [0.86, 0.92, 0.96], [0.12, 0.25, 0.16]],
    [[0.24, 0.52, 0.86], [0.95, 0.90, 0.78], [0.26, 0.24, 0.12]],
    [[0.33, 0.18, 0.36], [0.99, 0.72, 0.35], [0.18, 0.08, 0.12]],
    [[0.03, 0.05, 0.12], [0.20, 0.30, 0.44], [0.02, 0.04, 0.07]],
    [[0.55, 0.62, 0.70], [0.88, 0.90, 0.92], [0.22, 0.28, 0.30]],
];

/// A JPEG of a scene that the seed decides on: of four seeds in a row two are hills, one a sky, one a pattern.
///
/// # Errors
/// `Io` where the encoder fails, as it does for sides of 0 or beyond 65,500.
pub fn scene_jpeg(seed: u64, width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut noise = SplitMix(seed);
    let mut bitmap = Bitmap::new(width, height, Channels::Rgb);
    let hour = HOURS[noise.below(HOURS.len())];
    let hills = match seed % 4 {
        0 | 1 => 3 + noise.below(3),
        2 => 0,
        _ => {
            pattern(&mut bitmap, &mut noise, hour);
            return encode::jpeg(&bitmap, QUALITY);
        }
    };
    landscape(&mut bitmap, &mut noise, hour, hills);
    encode::jpeg(&bitmap, QUALITY)
}

/// Between 0 and 1.
fn unit(noise: &mut SplitMix) -> f32 {
    f32::from(noise.byte()) / 255.0
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

/// One ridge of hills: waves of halving height.
struct Ridge {
    base: f32,
    waves: [(f32, f32, f32); 4],
    color: Color,
}

impl Ridge {
    /// Its height above the lower edge at a place across, both as shares.
    fn height(&self, across: f32) -> f32 {
        let waves = self.waves.iter().map(|(height, length, phase)| height * (across * length + phase).sin());
        self.base + waves.sum::<f32>()
    }
}

fn landscape(bitmap: &mut Bitmap, noise: &mut SplitMix, [zenith, horizon, near]: [Color; 3], hills: usize) {
    let (width, height) = (bitmap.width as f32, bitmap.height as f32);
    let (sun_x, sun_y, sun_size) = (unit(noise), 0.25 + 0.35 * unit(noise), 0.03 + 0.05 * unit(noise));
    let clouds: [f32; 4] = std::array::from_fn(|_| unit(noise) * 6.0);
    let ridges: Vec<Ridge> = (0..hills)
        .map(|number| {
            let nearness = (number + 1) as f32 / hills as f32;
            let waves = std::array::from_fn(|octave| {
                let fine = 2.0_f32.powi(octave as i32);
                (0.07 / fine, (2.0 + 3.0 * unit(noise)) * fine, 6.3 * unit(noise))
            });
            Ridge { base: 0.58 - 0.45 * nearness, waves, color: mix(horizon, near, 0.25 + 0.75 * nearness) }
        })
        .collect();
    let row = bitmap.width as usize * 3;
    for (y, pixels) in bitmap.pixels.chunks_exact_mut(row.max(1)).enumerate() {
        let down = y as f32 / height;
        for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let across = x as f32 / width;
            let far = ((across - sun_x) * width / height).hypot(down - sun_y);
            let glow = (1.0 - far / 0.5).max(0.0).powi(3) * 0.5 + if far < sun_size { 0.5 } else { 0.0 };
            let cloud = (across * 7.0 + clouds[0]).sin() * (down * 23.0 + clouds[1] + across * clouds[2]).sin();
            let sky = mix(mix(zenith, horizon, down * 1.5), [1.0; 3], (cloud - 0.35).max(0.0) * 0.3);
            let ridge = ridges.iter().rev().find(|ridge| 1.0 - down < ridge.height(across));
            let color = ridge.map_or_else(|| mix(sky, [1.0, 0.96, 0.86], glow), |ridge| ridge.color);
            paint(pixel, color, noise, 0.02);
        }
    }
}

/// A gradient at an angle, under little grain or under much.
fn pattern(bitmap: &mut Bitmap, noise: &mut SplitMix, [from, through, to]: [Color; 3]) {
    let (width, height) = (bitmap.width as f32, bitmap.height as f32);
    let (sin, cos) = (unit(noise) * 6.3).sin_cos();
    let grain = if noise.below(3) == 0 { 0.6 } else { 0.03 };
    let row = bitmap.width as usize * 3;
    for (y, pixels) in bitmap.pixels.chunks_exact_mut(row.max(1)).enumerate() {
        for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let along = ((x as f32 / width - 0.5) * cos + (y as f32 / height - 0.5) * sin) / 1.4 + 0.5;
            let color = if along < 0.5 { mix(from, through, along * 2.0) } else { mix(through, to, along * 2.0 - 1.0) };
            paint(pixel, color, noise, grain);
        }
    }
}

fn paint(pixel: &mut [u8], color: Color, noise: &mut SplitMix, grain: f32) {
    let speck = (unit(noise) - 0.5) * grain;
    for (byte, channel) in pixel.iter_mut().zip(color) {
        *byte = ((channel + speck) * 255.0).round() as u8;
    }
}
