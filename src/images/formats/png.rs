//! PNG (W3C PNG, third edition): every colour type and depth, as eight bits a sample; of an APNG the default image.

use png::{ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::{Budget, Decoded, Header, ImageError, Timed, damaged};
use crate::images::{
    bitmap::{Bitmap, Channels, area},
    color::Profile,
    orientation::Orientation,
    render::Needed,
};

/// For text chunks, the profile and one row; a profile that unpacks to more is a bomb.
const SIDE_MEMORY: usize = 8 << 20;

/// How many rows each strip of a large picture leaves.
const STRIP_ROWS: u32 = 16;

/// gAMA of an sRGB picture, and how far another may be off and still mean that.
const SRGB_GAMMA: f32 = 1.0 / 2.2;
const GAMMA_TOLERANCE: f32 = 0.05;

/// How the rows are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// After palettes, keys and depths are expanded.
    channels: Channels,
    interlaced: bool,
}

impl Coding {
    /// By how much the rows are made smaller while they are read; an interlaced picture is read whole.
    fn reduction(self, header: &Header, needed: Needed) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no larger than a side")]
        let factor = needed.reduction(header.width, header.height) as u32;
        if self.interlaced { 1 } else { factor }
    }

    /// The output, a strip of rows, and what the reader takes for the profile and two rows.
    pub fn memory(self, header: &Header, needed: Needed) -> u64 {
        let factor = self.reduction(header, needed);
        let strip = if factor == 1 { 0 } else { area(header.width, factor * STRIP_ROWS) };
        let output = area(header.width.div_ceil(factor), header.height.div_ceil(factor) + 1);
        ((output + strip) * self.channels.count() + 2 * 8 * header.width as usize + SIDE_MEMORY) as u64
    }
}

pub(super) fn inspect(data: &[u8], budget: &Budget) -> Result<Header, ImageError> {
    let mut decoder = decoder(data, budget);
    let info = decoder.read_header_info().map_err(refuse)?;
    budget.dimensions(info.width, info.height, 1)?;
    let reader = decoder.read_info().map_err(refuse)?;
    let info = reader.info();
    let frames = info.animation_control.map_or(1, |animation| animation.num_frames);
    budget.dimensions(info.width, info.height, frames)?;
    Ok(Header {
        width: info.width,
        height: info.height,
        orientation: chunk(data, *b"eXIf").map_or_else(Orientation::default, Orientation::from_exif),
        profile: profile(info),
        has_alpha: info.trns.is_some() || matches!(info.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba),
        animated: frames > 1,
        coding: super::Coding::Png(Coding { channels: channels(&reader)?, interlaced: info.interlaced }),
    })
}

fn channels(reader: &Reader<Timed<'_>>) -> Result<Channels, ImageError> {
    match reader.output_color_type().0 {
        ColorType::Grayscale => Ok(Channels::Gray),
        ColorType::GrayscaleAlpha => Ok(Channels::GrayAlpha),
        ColorType::Rgb => Ok(Channels::Rgb),
        ColorType::Rgba => Ok(Channels::Rgba),
        ColorType::Indexed => Err(damaged("its palette could not be expanded")),
    }
}

pub(super) fn decode(
    data: &[u8],
    header: &Header,
    coding: &Coding,
    needed: Needed,
    budget: &Budget,
) -> Result<Decoded, ImageError> {
    let mut reader = decoder(data, budget).read_info().map_err(refuse)?;
    let (width, height, channels) = (header.width, header.height, coding.channels);
    let factor = coding.reduction(header, needed);
    if factor == 1 {
        let mut bitmap = Bitmap::new(width, height, channels);
        reader.next_frame(&mut bitmap.pixels).map_err(refuse)?;
        return Decoded::new(bitmap);
    }
    let strip = Bitmap::new(width, height.min(factor * STRIP_ROWS), channels);
    reduced(&mut reader, strip, height, factor)
}

/// Reads the picture strip by strip, each made smaller while it is in the cache, so that it is never whole in memory.
fn reduced(reader: &mut Reader<Timed<'_>>, mut strip: Bitmap, height: u32, factor: u32) -> Result<Decoded, ImageError> {
    let line = strip.width as usize * strip.channels.count();
    let width = strip.width.div_ceil(factor);
    // Each strip but the last gives STRIP_ROWS rows.
    let pixels = Vec::with_capacity(area(width, height.div_ceil(factor)) * strip.channels.count());
    let mut small = Bitmap { pixels, width, height: 0, channels: strip.channels };
    let mut opaque = true;
    let mut left = height;
    while left > 0 {
        strip.height = strip.height.min(left);
        strip.pixels.truncate(strip.height as usize * line);
        for row in strip.pixels.chunks_exact_mut(line) {
            reader.read_row(row).map_err(refuse)?.ok_or_else(|| damaged("rows are missing"))?;
        }
        left -= strip.height;
        if !strip.is_opaque() {
            opaque = false;
            strip.premultiply()?;
        }
        let rows = strip.averaged(width, strip.height.div_ceil(factor))?;
        small.pixels.extend_from_slice(&rows.pixels);
        small.height += rows.height;
    }
    Ok(Decoded { bitmap: small, opaque })
}

fn decoder<'a>(data: &'a [u8], budget: &'a Budget) -> Decoder<Timed<'a>> {
    let mut decoder = Decoder::new_with_limits(Timed::new(data, budget), Limits { bytes: SIDE_MEMORY });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder
}

/// By the precedence of section 4.3: iCCP, sRGB, gAMA.
fn profile(info: &png::Info<'_>) -> Profile {
    if let Some(icc) = &info.icc_profile {
        return Profile::Icc(icc.to_vec());
    }
    let declared = info.gama_chunk.filter(|_| info.srgb.is_none()).map(png::ScaledFloat::into_value);
    match declared {
        // Outside these the chunk is nonsense.
        Some(gamma) if (0.1..=10.0).contains(&gamma) && (gamma - SRGB_GAMMA).abs() > GAMMA_TOLERANCE => {
            Profile::Gamma(gamma)
        }
        _ => Profile::Srgb,
    }
}

/// The first chunk of this type, wherever it stands: eXIf may follow the pixels.
fn chunk(data: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = data.get(8..)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let body = rest.get(8..)?;
        if rest.get(4..8)? == wanted {
            return body.get(..length);
        }
        rest = body.get(length.checked_add(4)?..)?;
    }
}

fn refuse(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::TimedOut => ImageError::TimedOut,
        error => damaged(error),
    }
}
