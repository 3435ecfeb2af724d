//! JPEG (ITU-T T.81): baseline, progressive and lossless, gray, colour and ink, decoded at 1/8 to full scale.

mod averages;
mod bits;

use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};

use super::{Budget, Header, ImageError, damaged};
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

/// What the decoder wants to know before it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    frame: Frame,
    adobe: bool,
    scans: u32,
    partial_scans: bool,
    complete: bool,
    /// Of the file.
    bytes: u64,
}

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
    /// Samples of all components in the least unit, and the unit's sides in pixels (section A.2).
    unit_samples: u32,
    unit_width: u32,
    unit_height: u32,
}

impl Coding {
    fn scale(&self, needed: Needed) -> ScalingFactor {
        if self.frame.is_lossless() { ScalingFactor::ONE } else { scale(self.frame, needed) }
    }

    /// The output, some rows of each component, and all coefficients where they are kept until the last scan.
    pub fn memory(&self, needed: Needed) -> u64 {
        let (frame, scale) = (self.frame, self.scale(needed));
        let output = scale.scale(frame.width.into()) * scale.scale(frame.height.into()) * usize::from(frame.components);
        let rows = 64 * u64::from(frame.width) * u64::from(frame.components);
        let kept = if frame.is_progressive() || self.partial_scans { frame.coefficients() } else { 0 };
        // Without details the file is smaller.
        let averages = if scale == ScalingFactor::ONE_EIGHTH { self.bytes } else { 0 };
        output as u64 + rows + kept + averages
    }
}

impl Frame {
    /// From a frame header's body (section B.2.2).
    fn read(marker: u8, body: &[u8]) -> Option<Self> {
        let ([precision, h1, h0, w1, w0, components], specifications) = body.split_first_chunk()?;
        let factors = specifications.as_chunks::<3>().0.iter().take(usize::from(*components));
        // 1 to 4 in a sound file; whatever stands there counts for at least one.
        let factors: Vec<_> =
            factors.map(|[_, hv, _]| (u32::from(hv >> 4).max(1), u32::from(hv & 15).max(1))).collect();
        let greatest = |side: fn(&(u32, u32)) -> u32| 8 * factors.iter().map(side).max().unwrap_or(1);
        Some(Self {
            marker,
            precision: *precision,
            width: u16::from_be_bytes([*w1, *w0]),
            height: u16::from_be_bytes([*h1, *h0]),
            components: *components,
            unit_samples: 64 * factors.iter().map(|(across, down)| across * down).sum::<u32>(),
            unit_width: greatest(|factors| factors.0),
            unit_height: greatest(|factors| factors.1),
        })
    }

    /// Two bytes for each sample, of whole units.
    fn coefficients(self) -> u64 {
        let units = u64::from(u32::from(self.width).div_ceil(self.unit_width))
            * u64::from(u32::from(self.height).div_ceil(self.unit_height));
        2 * units * u64::from(self.unit_samples)
    }

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
    let Markers { adobe, scans, partial_scans, complete, .. } = markers;
    let coding = Coding { frame, adobe, scans, partial_scans, complete, bytes: data.len() as u64 };
    Ok(Header {
        width,
        height,
        orientation: markers.exif.map_or_else(Orientation::default, Orientation::from_exif),
        profile: markers.profile(),
        has_alpha: false,
        animated: false,
        coding: super::Coding::Jpeg(coding),
    })
}

pub(super) fn decode(data: &[u8], coding: &Coding, needed: Needed) -> Result<Bitmap, ImageError> {
    let frame = coding.frame;
    if frame.precision != 8 {
        return Err(ImageError::Unsupported(format!("JPEG of {} bits a sample", frame.precision)));
    }
    if !coding.complete {
        return Err(damaged("its end is missing"));
    }
    super::super::within("scans", coding.scans.into(), MAX_SCANS.into())?;
    let (format, channels) = match frame.components {
        1 => (PixelFormat::GRAY, Channels::Gray),
        3 => (PixelFormat::RGB, Channels::Rgb),
        4 => (PixelFormat::CMYK, Channels::Cmyk),
        count => return Err(ImageError::Unsupported(format!("JPEG of {count} components"))),
    };
    let scale = coding.scale(needed);
    let (width, height) = (scale.scale(frame.width.into()), scale.scale(frame.height.into()));
    let averages = if scale == ScalingFactor::ONE_EIGHTH { averages::only(data) } else { None };
    let data = averages.as_deref().unwrap_or(data);
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
    if channels == Channels::Cmyk && coding.adobe {
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
                // The first counts; the library refuses a second.
                self.frame.get_or_insert(Frame::read(marker, body)?);
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
