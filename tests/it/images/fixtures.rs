//! Pictures made for the tests, by encoders that are not those under test where there are two.

use snaphaven::images::{ImageError, Images, Limits};
use std::{io::Write, path::PathBuf, time::Duration};

/// A picture in memory: RGBA, rows from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

pub const RED: [u8; 4] = [220, 30, 30, 255];
pub const GREEN: [u8; 4] = [30, 200, 30, 255];
pub const BLUE: [u8; 4] = [30, 30, 220, 255];
pub const WHITE: [u8; 4] = [240, 240, 240, 255];

impl Picture {
    pub fn from_fn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Self {
        let rgba = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
        Self { width, height, rgba }
    }

    /// Red, green, blue and white quarters: no turn or flip leaves it as it is.
    pub fn quarters(width: u32, height: u32) -> Self {
        Self::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    }

    pub fn plain(width: u32, height: u32, color: [u8; 4]) -> Self {
        Self::from_fn(width, height, |_, _| color)
    }

    pub fn at(&self, x: u32, y: u32) -> [u8; 4] {
        let at = ((y * self.width + x) * 4) as usize;
        self.rgba[at..at + 4].try_into().unwrap()
    }

    /// The middle of each quarter, clockwise from the upper left.
    pub fn quarter_colors(&self) -> [[u8; 4]; 4] {
        let (left, right) = (self.width / 4, self.width * 3 / 4);
        let (top, bottom) = (self.height / 4, self.height * 3 / 4);
        [self.at(left, top), self.at(right, top), self.at(right, bottom), self.at(left, bottom)]
    }

    /// Weighed by alpha: what lies under full transparency may be anything.
    pub fn visible(&self) -> Vec<u8> {
        let weigh = |sample: u8, alpha: u8| (u16::from(sample) * u16::from(alpha) / 255) as u8;
        self.rgba.chunks(4).flat_map(|pixel| [0, 1, 2].map(|at| weigh(pixel[at], pixel[3]))).collect()
    }

    pub fn rgb(&self) -> Vec<u8> {
        self.rgba.chunks(4).flat_map(|pixel| pixel[..3].to_vec()).collect()
    }

    pub fn jpeg(&self) -> Vec<u8> {
        compress(&self.rgb(), self.width, turbojpeg::PixelFormat::RGB, |_| Ok(()))
    }

    pub fn png(&self) -> Vec<u8> {
        png(self.width, self.height, png::ColorType::Rgba, png::BitDepth::Eight, &self.rgba, |_| {})
    }

    pub fn webp(&self, lossless: bool) -> Vec<u8> {
        webpx::Encoder::new_rgba(&self.rgba, self.width, self.height)
            .lossless(lossless)
            .quality(90.0)
            .encode(webpx::Unstoppable)
            .unwrap()
    }

    pub fn gif(&self) -> Vec<u8> {
        gif(self.width, self.height, &[(0, 0, self)])
    }
}

pub fn compress(
    pixels: &[u8],
    width: u32,
    format: turbojpeg::PixelFormat,
    set: impl FnOnce(&mut turbojpeg::Compressor) -> turbojpeg::Result<()>,
) -> Vec<u8> {
    let (width, pitch) = (width as usize, width as usize * format.size());
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_quality(95).unwrap();
    set(&mut compressor).unwrap();
    compressor.compress_to_vec(turbojpeg::Image { pixels, width, pitch, height: pixels.len() / pitch, format }).unwrap()
}

pub fn png(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
    set: impl FnOnce(&mut png::Info<'_>),
) -> Vec<u8> {
    let mut info = png::Info::with_size(width, height);
    (info.color_type, info.bit_depth) = (color, depth);
    set(&mut info);
    let mut file = Vec::new();
    let mut writer = png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
    writer.write_image_data(data).unwrap();
    drop(writer);
    file
}

/// Frames at their places on one screen.
pub fn gif(width: u32, height: u32, frames: &[(u16, u16, &Picture)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, side(width), side(height), &[]).unwrap();
    for (left, top, picture) in frames {
        let mut frame =
            gif::Frame::from_rgba_speed(side(picture.width), side(picture.height), &mut picture.rgba.clone(), 30);
        (frame.left, frame.top) = (*left, *top);
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    file
}

pub fn animated_webp(frames: &[&Picture]) -> Vec<u8> {
    let mut encoder = webpx::AnimationEncoder::new(frames[0].width, frames[0].height).unwrap();
    encoder.set_lossless(true);
    for (number, frame) in (0..).zip(frames) {
        encoder.add_frame_rgba(&frame.rgba, number * 100).unwrap();
    }
    encoder.finish(frames.len() as i32 * 100).unwrap()
}

fn side(length: u32) -> u16 {
    length.try_into().unwrap()
}

/// An EXIF block of one directory with the orientation and a maker that must not leak.
pub fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut exif = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    exif.extend(long(8));
    exif.extend(short(2));
    let maker = b"SECRETMAKER\0";
    for (tag, kind, count, value) in [
        (0x010f, 2, maker.len() as u32, long(38)),
        (0x0112, 3, 1, [short(orientation), [0, 0]].concat().try_into().unwrap()),
    ] {
        exif.extend(short(tag));
        exif.extend(short(kind));
        exif.extend(long(count));
        exif.extend(value);
    }
    exif.extend(long(0));
    exif.extend(maker);
    exif
}

/// Puts marker segments right behind the start of a JPEG.
pub fn with_segments(jpeg: &[u8], segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = jpeg[..2].to_vec();
    for (marker, body) in segments {
        file.extend([0xff, *marker]);
        file.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        file.extend(*body);
    }
    file.extend(&jpeg[2..]);
    file
}

/// Puts a chunk before the end of a PNG, behind the pixels.
pub fn with_last_chunk(png: &[u8], name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut file = png[..png.len() - 12].to_vec();
    file.extend(png_chunk(name, body));
    file.extend(&png[png.len() - 12..]);
    file
}

pub fn png_chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(body);
    let crc = chunk[4..].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    chunk.extend((!crc).to_be_bytes());
    chunk
}

/// A PNG that declares these sides and holds a few bytes.
pub fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 6, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(png_chunk(*b"IHDR", &header));
    file.extend(png_chunk(*b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1]));
    file.extend(png_chunk(*b"IEND", &[]));
    file
}

/// A RIFF container of these chunks.
pub fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        body.extend(*data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF".as_slice(), &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat()
}

/// The VP8X chunk of the extended format (RFC 9649, section 2.7).
pub fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |length: u32| (length - 1).to_le_bytes()[..3].to_vec();
    [vec![flags, 0, 0, 0], side(width), side(height)].concat()
}

/// The image data chunk of a simple WebP file.
pub fn webp_image(file: &[u8]) -> (&[u8; 4], &[u8]) {
    let mut rest = &file[12..];
    loop {
        let name: &[u8; 4] = rest[..4].try_into().unwrap();
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        if name.starts_with(b"VP8") && name != b"VP8X" {
            return (name, &rest[8..8 + length]);
        }
        rest = &rest[8 + length.next_multiple_of(2)..];
    }
}

pub fn limits() -> Limits {
    Limits {
        max_pixels: 50_000_000,
        max_side: 30_000,
        max_frames: 100,
        max_memory: 256 << 20,
        timeout: Duration::from_secs(60),
        concurrency: 2,
    }
}

/// A file that lives as long as the test.
pub struct Stored {
    folder: tempfile::TempDir,
}

impl Stored {
    pub fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::File::create(folder.path().join("upload")).unwrap().write_all(bytes).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("upload")
    }
}

pub async fn probe(bytes: &[u8]) -> Result<snaphaven::images::Probe, ImageError> {
    let stored = Stored::new(bytes);
    Images::new(limits()).probe(stored.path()).await
}
