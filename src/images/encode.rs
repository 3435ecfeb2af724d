//! Writes renditions: JPEG for opaque pictures, WebP where alpha must be kept. Neither carries metadata.

use std::io;

use turbojpeg::{Compressor, PixelFormat, Subsamp};

use super::{
    Format, ImageError,
    bitmap::{Bitmap, Channels},
};

/// Both about where further quality stops showing at these sizes.
const JPEG_QUALITY: i32 = 82;
const WEBP_QUALITY: f32 = 80.0;

/// An sRGB bitmap as a file.
pub(super) fn encode(bitmap: &Bitmap) -> Result<(Vec<u8>, Format), ImageError> {
    match bitmap.channels {
        Channels::Rgba => webp(bitmap).map(|bytes| (bytes, Format::Webp)),
        _ => jpeg(bitmap, JPEG_QUALITY).map(|bytes| (bytes, Format::Jpeg)),
    }
}

/// RGB as JPEG with 4:2:0 chroma.
pub(super) fn jpeg(bitmap: &Bitmap, quality: i32) -> Result<Vec<u8>, ImageError> {
    let image = turbojpeg::Image {
        pixels: bitmap.pixels.as_slice(),
        width: bitmap.width as usize,
        pitch: bitmap.width as usize * bitmap.channels.count(),
        height: bitmap.height as usize,
        format: PixelFormat::RGB,
    };
    let compress = || {
        let mut compressor = Compressor::new()?;
        compressor.set_quality(quality)?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        compressor.set_optimize(true)?;
        compressor.compress_to_vec(image)
    };
    compress().map_err(|error: turbojpeg::Error| io::Error::other(error).into())
}

fn webp(bitmap: &Bitmap) -> Result<Vec<u8>, ImageError> {
    webpx::Encoder::new_rgba(&bitmap.pixels, bitmap.width, bitmap.height)
        .quality(WEBP_QUALITY)
        .encode(webpx::Unstoppable)
        .map_err(|error| io::Error::other(error.to_string()).into())
}
