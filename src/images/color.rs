//! From the picture's colour space to sRGB, so that renditions need no profile.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, ToneReprCurve, Transform8BitExecutor, TransformOptions};

use super::bitmap::{Bitmap, Channels, area};

/// What a file says about its colours.
#[derive(Clone, Debug, Default)]
pub(super) enum Profile {
    #[default]
    Srgb,
    /// An ICC profile, not yet checked.
    Icc(Vec<u8>),
    /// Samples are light to this power (PNG's gAMA: about 1/2.2 for screens, 1 for linear light).
    Gamma(f32),
}

/// Converts bitmaps of one picture; built once, since tables are made for it.
pub(super) struct Converter {
    transform: Option<(Arc<Transform8BitExecutor>, Channels)>,
}

impl Converter {
    /// A profile that is broken or of another colour space is ignored, as browsers do.
    pub fn new(channels: Channels, profile: &Profile) -> Self {
        Self { transform: transform(channels, profile) }
    }

    /// The bitmap as RGB or RGBA in sRGB; alpha must not be premultiplied.
    pub fn convert(&self, bitmap: Bitmap) -> Bitmap {
        if let Some((transform, channels)) = &self.transform {
            let mut target = Bitmap::new(bitmap.width, bitmap.height, *channels);
            if transform.transform(&bitmap.pixels, &mut target.pixels).is_ok() {
                return target;
            }
        }
        plain(bitmap)
    }
}

fn transform(channels: Channels, profile: &Profile) -> Option<(Arc<Transform8BitExecutor>, Channels)> {
    let gray = matches!(channels, Channels::Gray | Channels::GrayAlpha);
    let source = match profile {
        Profile::Srgb => return None,
        Profile::Icc(bytes) => ColorProfile::new_from_slice(bytes).ok()?,
        Profile::Gamma(gamma) if gray => ColorProfile::new_gray_with_gamma(1.0 / gamma),
        Profile::Gamma(gamma) => {
            let curve = Some(ToneReprCurve::Parametric(vec![1.0 / gamma]));
            let mut source = ColorProfile::new_srgb();
            (source.red_trc, source.green_trc, source.blue_trc) = (curve.clone(), curve.clone(), curve);
            // The code points would name sRGB's own curve.
            source.cicp = None;
            source
        }
    };
    let (space, from, to, target) = match channels {
        Channels::Gray => (DataColorSpace::Gray, Layout::Gray, Layout::Rgb, Channels::Rgb),
        Channels::GrayAlpha => (DataColorSpace::Gray, Layout::GrayAlpha, Layout::Rgba, Channels::Rgba),
        Channels::Rgb => (DataColorSpace::Rgb, Layout::Rgb, Layout::Rgb, Channels::Rgb),
        Channels::Rgba => (DataColorSpace::Rgb, Layout::Rgba, Layout::Rgba, Channels::Rgba),
        // The library takes CMYK in a four-channel layout.
        Channels::Cmyk => (DataColorSpace::Cmyk, Layout::Rgba, Layout::Rgb, Channels::Rgb),
    };
    if source.color_space != space {
        return None;
    }
    let options = TransformOptions::default();
    let transform = source.create_transform_8bit(from, &ColorProfile::new_srgb(), to, options).ok()?;
    Some((transform, target))
}

/// Without a profile: RGB and gray are taken for sRGB, ink is subtracted from white paper.
fn plain(bitmap: Bitmap) -> Bitmap {
    let channels = if bitmap.channels.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    if bitmap.channels == channels {
        return bitmap;
    }
    let mut pixels = Vec::with_capacity(area(bitmap.width, bitmap.height) * channels.count());
    match bitmap.channels {
        Channels::Gray => bitmap.pixels.iter().for_each(|gray| pixels.extend([*gray; 3])),
        Channels::Cmyk => bitmap.pixels.as_chunks().0.iter().for_each(|[c, m, y, k]| {
            pixels.extend([*c, *m, *y].map(|ink| through(ink, *k)));
        }),
        _ => bitmap.pixels.as_chunks().0.iter().for_each(|[gray, alpha]| pixels.extend([*gray, *gray, *gray, *alpha])),
    }
    Bitmap { pixels, width: bitmap.width, height: bitmap.height, channels }
}

/// Light left by one ink and black.
fn through(ink: u8, black: u8) -> u8 {
    let light = u16::from(u8::MAX - ink) * u16::from(u8::MAX - black);
    u8::try_from((light + 127) / 255).unwrap_or(u8::MAX)
}
