//! GIF: the first frame on its logical screen.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, MemoryLimit};

use super::{Budget, Format, Header, ImageError, Timed, damaged};
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
        format: Format::Gif,
        width,
        height,
        orientation: Orientation::default(),
        profile: Profile::Srgb,
        has_alpha,
        animated: frames > 1,
    })
}

pub(super) fn decode(data: &[u8], header: &Header, budget: &Budget) -> Result<Bitmap, ImageError> {
    let pixels = |width: u32, height: u32| 4 * area(width, height) as u64;
    let screen = pixels(header.width, header.height);
    let mut decoder = open(data, budget)?;
    let first = decoder.next_frame_info().map_err(refuse)?.ok_or_else(|| damaged("it has no frame"))?;
    let [left, top, width, height] = [first.left, first.top, first.width, first.height].map(u32::from);
    budget.memory(data.len() as u64 + screen + pixels(width, height))?;
    let mut colors = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut colors).map_err(refuse)?;
    let whole = left == 0 && top == 0 && width == header.width && height == header.height;
    if whole {
        return Ok(Bitmap { pixels: colors, width, height, channels: Channels::Rgba });
    }
    let mut canvas = Bitmap::new(header.width, header.height, Channels::Rgba);
    let visible = 4 * header.width.saturating_sub(left).min(width) as usize;
    if visible > 0 {
        let rows = canvas.pixels.chunks_exact_mut(4 * header.width as usize).skip(top as usize);
        for (row, colors) in rows.zip(colors.chunks_exact(4 * width as usize)) {
            let start = 4 * left as usize;
            row[start..start + visible].copy_from_slice(&colors[..visible]);
        }
    }
    Ok(canvas)
}

fn open<'a>(data: &'a [u8], budget: &'a Budget) -> Result<Decoder<Timed<'a>>, ImageError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options
        .set_memory_limit(NonZeroU64::new(budget.limits.max_memory).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    options.read_info(Timed::new(data, budget)).map_err(refuse)
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
