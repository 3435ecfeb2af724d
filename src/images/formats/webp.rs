//! WebP (RFC 9649): lossy and lossless stills, and the first frame of an animation.

use webpx::{AnimationDecoder, ColorMode, DecoderConfig, Limits};

use super::{Budget, Header, ImageError, damaged};
use crate::images::{
    bitmap::{Bitmap, Channels, area},
    color::Profile,
    orientation::Orientation,
    render::Needed,
};

/// How the pixels are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// The lossless decoder holds the whole picture; the lossy one a few rows.
    lossless: bool,
}

impl Coding {
    /// The decoder's buffers and the output.
    pub fn memory(self, header: &Header, needed: Needed) -> u64 {
        let pixels = area(header.width, header.height) as u64;
        if header.animated {
            // Two canvases and our copy of one, beside the decoder's copy of the file.
            return 3 * 4 * pixels;
        }
        let (width, height) = scaled(header, needed);
        let output = 4 * area(width, height) as u64;
        // Alpha is a lossless picture of its own beside a plane of its values.
        let alpha = if header.has_alpha { pixels } else { 0 };
        let whole = if self.lossless || header.has_alpha { 4 * pixels } else { 0 };
        // Per column: rows of the loop filter and the scaler, and what is known of each macroblock.
        output + alpha + whole + 256 * u64::from(header.width)
    }
}

pub(super) fn inspect(data: &[u8], budget: &Budget) -> Result<Header, ImageError> {
    let info = webpx::ImageInfo::from_webp(data).map_err(damaged)?;
    budget.dimensions(info.width, info.height, 1)?;
    let mut profile = Profile::Srgb;
    let mut orientation = Orientation::default();
    let mut frames = 0;
    let mut lossless = false;
    for (name, body) in chunks(data) {
        match &name {
            b"ICCP" => profile = Profile::Icc(body.to_vec()),
            b"EXIF" => orientation = Orientation::from_exif(body),
            b"ANMF" => frames += 1,
            b"VP8L" => lossless = true,
            _ => {}
        }
    }
    budget.dimensions(info.width, info.height, frames)?;
    Ok(Header {
        width: info.width,
        height: info.height,
        orientation,
        profile,
        has_alpha: info.has_alpha,
        animated: info.has_animation,
        coding: super::Coding::Webp(Coding { lossless }),
    })
}

pub(super) fn decode(data: &[u8], header: &Header, needed: Needed) -> Result<Bitmap, ImageError> {
    if header.animated {
        return first_frame(data, header);
    }
    let (width, height) = scaled(header, needed);
    let mut config = DecoderConfig::new().limits(Limits::none());
    if (width, height) != (header.width, header.height) {
        config = config.scale(width, height);
    }
    let decoder = webpx::Decoder::new(data).map_err(damaged)?.config(config);
    let ((pixels, width, height), channels) = if header.has_alpha {
        (decoder.decode_rgba_raw().map_err(damaged)?, Channels::Rgba)
    } else {
        (decoder.decode_rgb_raw().map_err(damaged)?, Channels::Rgb)
    };
    Ok(Bitmap { pixels, width, height, channels })
}

/// The library's scaling mixes colour in from transparent pixels, so pictures with alpha are decoded in full.
fn scaled(header: &Header, needed: Needed) -> (u32, u32) {
    let reduction = if header.has_alpha { 1.0 } else { needed.reduction(header.width, header.height) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no larger than the side it divides")]
    let side = |length: u32| ((f64::from(length) / reduction).round() as u32).max(1);
    (side(header.width), side(header.height))
}

fn first_frame(data: &[u8], header: &Header) -> Result<Bitmap, ImageError> {
    let mut decoder =
        AnimationDecoder::with_options_limits(data, ColorMode::Rgba, false, &Limits::none()).map_err(damaged)?;
    let frame = decoder.next_frame().map_err(damaged)?.ok_or_else(|| damaged("it has no frame"))?;
    if (frame.width, frame.height) != (header.width, header.height) {
        return Err(damaged("its first frame does not fill it"));
    }
    Ok(Bitmap { pixels: frame.data, width: frame.width, height: frame.height, channels: Channels::Rgba })
}

/// The chunks of the RIFF container up to the first that is cut off.
fn chunks(data: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = data.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let name = *rest.first_chunk()?;
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk()?) as usize;
        let body = rest.get(8..)?.get(..length)?;
        // Bodies are padded to an even length.
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
        Some((name, body))
    })
}
