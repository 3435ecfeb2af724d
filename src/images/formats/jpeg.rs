//! JPEG (ITU-T T.81): baseline, progressive and lossless, gray, colour and ink, decoded at 1/8 to full scale.

use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};

use super::{Budget, Format, Header, ImageError, damaged};
use crate::images::{
    bitmap::{Bitmap, Channels},
    color::Profile,
    orientation::Orientation,
    render::Needed,
};

/// Scans cost time whatever their size (libjpeg-turbo: "Two Issues with the JPEG Standard"); encoders write about ten.
const MAX_SCANS: u32 = 100;

/// What the library warns of though the pixels are whole: padding some cameras write, and odd but clear headers.
const HARMLESS: [&str; 3] =
    ["extraneous bytes before marker", "Invalid SOS parameters", "Unknown Adobe color transform"];

/// The markers up to the end of the image.
#[derive(Debug, Default)]
struct Markers<'a> {
    frame: Option<Frame>,
    exif: Option<&'a [u8]>,
    /// Parts of the profile, by their sequence number.
    icc: Vec<(u8, &'a [u8])>,
    adobe: bool,
    scans: u32,
    /// A scan holds fewer components than the frame, so that coefficients are kept until all are there.
    partial_scans: bool,
    complete: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    marker: u8,
    precision: u8,
    width: u16,
    height: u16,
    components: u8,
}

impl Frame {
    fn is_progressive(self) -> bool {
        matches!(self.marker, 0xc2 | 0xca)
    }

    fn is_lossless(self) -> bool {
        self.marker == 0xc3
    }
}

pub(super) fn inspect(data: &[u8], budget: &Budget) -> Result<Header, ImageError> {
    let markers = Markers::read(data);
    let frame = markers.frame.ok_or_else(|| damaged("it has no frame header"))?;
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    budget.dimensions(width, height, 1)?;
    Ok(Header {
        format: Format::Jpeg,
        width,
        height,
        orientation: markers.exif.map_or_else(Orientation::default, Orientation::from_exif),
        profile: markers.profile(),
        has_alpha: false,
        animated: false,
    })
}

pub(super) fn decode(data: &[u8], needed: Needed, budget: &Budget) -> Result<Bitmap, ImageError> {
    let markers = Markers::read(data);
    let frame = markers.frame.ok_or_else(|| damaged("it has no frame header"))?;
    if frame.precision != 8 {
        return Err(ImageError::Unsupported(format!("JPEG of {} bits a sample", frame.precision)));
    }
    if !markers.complete {
        return Err(damaged("its end is missing"));
    }
    super::super::within("scans", markers.scans.into(), MAX_SCANS.into())?;
    let (format, channels) = match frame.components {
        1 => (PixelFormat::GRAY, Channels::Gray),
        3 => (PixelFormat::RGB, Channels::Rgb),
        4 => (PixelFormat::CMYK, Channels::Cmyk),
        count => return Err(ImageError::Unsupported(format!("JPEG of {count} components"))),
    };
    let scale = if frame.is_lossless() { ScalingFactor::ONE } else { scale(frame, needed) };
    let (width, height) = (scale.scale(frame.width.into()), scale.scale(frame.height.into()));
    let coefficients = if frame.is_progressive() || markers.partial_scans {
        // Two bytes for each sample; subsampling, which would save some, is not counted on.
        2 * u64::from(frame.components)
            * u64::from(frame.width.next_multiple_of(16))
            * u64::from(frame.height.next_multiple_of(16))
    } else {
        0
    };
    budget.memory(data.len() as u64 + coefficients + (width * height * channels.count()) as u64)?;

    let mut pixels = vec![0; width * height * channels.count()];
    let image =
        turbojpeg::Image { pixels: pixels.as_mut_slice(), width, pitch: width * channels.count(), height, format };
    let decompress = || {
        let mut decompressor = Decompressor::new()?;
        decompressor.set_scaling_factor(scale)?;
        decompressor.decompress(data, image)
    };
    match decompress() {
        Err(turbojpeg::Error::TurboJpegError(message)) if HARMLESS.iter().any(|known| message.contains(known)) => {}
        result => result.map_err(damaged)?,
    }
    if channels == Channels::Cmyk && markers.adobe {
        // Adobe stores the paper that is left, not the ink.
        pixels.iter_mut().for_each(|sample| *sample = u8::MAX - *sample);
    }
    let side = |length: usize| u32::try_from(length).map_err(damaged);
    Ok(Bitmap { pixels, width: side(width)?, height: side(height)?, channels })
}

/// Of the scales the library has fast code for, the smallest that is enough.
fn scale(frame: Frame, needed: Needed) -> ScalingFactor {
    let enough = |scale: &ScalingFactor| {
        let side = |length: u16| u32::try_from(scale.scale(length.into())).unwrap_or(u32::MAX);
        needed.is_met(side(frame.width), side(frame.height))
    };
    [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF]
        .into_iter()
        .find(enough)
        .unwrap_or(ScalingFactor::ONE)
}

impl<'a> Markers<'a> {
    fn read(data: &'a [u8]) -> Self {
        let mut markers = Self::default();
        // Running out of bytes leaves `complete` unset, which is all there is to say about it.
        let _ = markers.walk(data);
        markers
    }

    fn walk(&mut self, data: &'a [u8]) -> Option<()> {
        let mut at = 2;
        loop {
            at += memchr::memchr(0xff, data.get(at..)?)?;
            let marker = *data.get(at + 1)?;
            at += 1;
            match marker {
                // Stuffing, fill bytes, restarts: the next marker is further on.
                0x00 | 0x01 | 0xd0..=0xd8 => at += 1,
                0xff => {}
                0xd9 => {
                    self.complete = self.scans > 0;
                    return Some(());
                }
                _ => {
                    let length = usize::from(u16::from_be_bytes(*data.get(at + 1..)?.first_chunk()?));
                    let body = data.get(at + 3..at + 1 + length.max(2))?;
                    self.segment(marker, body)?;
                    at += 1 + length.max(2);
                }
            }
        }
    }

    fn segment(&mut self, marker: u8, body: &'a [u8]) -> Option<()> {
        match marker {
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [precision, h1, h0, w1, w0, components] = *body.first_chunk()?;
                let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                // The first counts; the library refuses a second.
                self.frame.get_or_insert(Frame { marker, precision, width, height, components });
            }
            0xda => {
                self.scans += 1;
                self.partial_scans |=
                    self.frame.is_some_and(|frame| body.first().is_some_and(|n| *n < frame.components));
            }
            0xe1 if body.starts_with(b"Exif\0\0") => self.exif = self.exif.or(Some(body)),
            0xe2 => {
                if let Some([number, _count, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    self.icc.push((*number, part));
                }
            }
            0xee => self.adobe |= body.starts_with(b"Adobe"),
            _ => {}
        }
        Some(())
    }

    fn profile(&self) -> Profile {
        if self.icc.is_empty() {
            return Profile::Srgb;
        }
        let mut parts = self.icc.clone();
        parts.sort_by_key(|(number, _)| *number);
        Profile::Icc(parts.into_iter().flat_map(|(_, part)| part).copied().collect())
    }
}
