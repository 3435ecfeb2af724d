//! GIF: the first frame on its logical screen.

use gif::{DecodeOptions, DecodingError};
use image::{ImageDecoder as _, ImageError as DecoderError, codecs::gif::GifDecoder};

use super::{Budget, Coding, Header, ImageError, Timed, damaged};
use crate::images::{
    bitmap::{Bitmap, Channels, area},
    color::Profile,
    orientation::Orientation,
};

pub(super) fn inspect(data: &[u8], budget: &Budget) -> Result<Header, ImageError> {
    let mut options = DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(Timed::new(data, budget)).map_err(refuse)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    budget.dimensions(width, height, 1)?;
    let first = decoder.next_frame_info().map_err(refuse)?.ok_or_else(|| damaged("it has no frame"))?;
    budget.dimensions(first.width.into(), first.height.into(), 1)?;
    let has_alpha = first.transparent.is_some() || !covers(first, width, height);
    let mut frames = 1;
    // A file cut off in a later frame still shows its first.
    while frames <= budget.limits.max_frames && matches!(decoder.next_frame_info(), Ok(Some(_))) {
        frames += 1;
    }
    budget.time()?;
    budget.dimensions(width, height, frames)?;
    Ok(Header {
        width,
        height,
        orientation: Orientation::default(),
        profile: Profile::Srgb,
        has_alpha,
        animated: frames > 1,
        coding: Coding::Gif,
    })
}

pub(super) fn decode(data: &[u8], header: &Header, budget: &Budget) -> Result<Bitmap, ImageError> {
    let (width, height) = (header.width, header.height);
    let screen = 4 * area(width, height);
    let decoder = GifDecoder::new(Timed::new(data, budget)).map_err(refuse_image)?;
    let mut pixels = vec![0; screen];
    if decoder.dimensions() != (width, height) || decoder.total_bytes() != screen as u64 {
        return Err(damaged("its size changed while it was read"));
    }
    decoder.read_image(&mut pixels).map_err(refuse_image)?;
    Ok(Bitmap { pixels, width, height, channels: Channels::Rgba })
}

fn covers(frame: &gif::Frame<'_>, width: u32, height: u32) -> bool {
    frame.left == 0 && frame.top == 0 && u32::from(frame.width) >= width && u32::from(frame.height) >= height
}

fn refuse(error: DecodingError) -> ImageError {
    match error {
        DecodingError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => ImageError::TimedOut,
        error => damaged(error),
    }
}

fn refuse_image(error: DecoderError) -> ImageError {
    match error {
        DecoderError::IoError(error) if error.kind() == std::io::ErrorKind::TimedOut => ImageError::TimedOut,
        error => damaged(error),
    }
}
