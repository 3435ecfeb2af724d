//! Colour profiles and codings that no encoder at hand writes.

use super::fixtures::{Picture, png_chunk};

/// An ICC profile of a printer (ICC.1:2001-04, section 6.5.6) on whose paper every ink but none prints this colour
/// (L* 0–100, a* and b* −128–127).
pub fn printer(lightness: u8, a: i8, b: i8) -> Vec<u8> {
    let lab = |l: u8, a: i8, b: i8| {
        [(u16::from(l) * 255 / 100) as u8, (i16::from(a) + 128) as u8, (i16::from(b) + 128) as u8]
    };
    let ramp: Vec<u8> = (0..=255).collect();
    let mut table = b"mft1\0\0\0\0".to_vec();
    // Four inks in, three values out, two grid points.
    table.extend([4, 3, 2, 0]);
    for index in 0..9 {
        table.extend(if index % 4 == 0 { [0, 1, 0, 0] } else { [0; 4] });
    }
    table.extend(ramp.repeat(4));
    table.extend(lab(100, 0, 0));
    table.extend(lab(lightness, a, b).repeat(15));
    table.extend(ramp.repeat(3));
    let size = 128 + 4 + 12 + table.len() as u32;
    let mut profile = size.to_be_bytes().to_vec();
    profile.extend([0; 4]);
    profile.extend([2, 0x10, 0, 0]);
    profile.extend(b"prtrCMYKLab ");
    profile.extend([0; 12]);
    profile.extend(b"acsp");
    profile.resize(68, 0);
    // D50.
    for value in [0xf6d6_u32, 0x1_0000, 0xd32d] {
        profile.extend(value.to_be_bytes());
    }
    profile.resize(128, 0);
    profile.extend(1_u32.to_be_bytes());
    profile.extend(b"A2B0");
    profile.extend(144_u32.to_be_bytes());
    profile.extend((table.len() as u32).to_be_bytes());
    profile.extend(table);
    profile
}

/// An interlaced PNG (PNG, section 8.1), RGBA, without compression.
pub fn interlaced(picture: &Picture) -> Vec<u8> {
    let mut rows = Vec::new();
    for (x, y, dx, dy) in
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    {
        for y in (y..picture.height).step_by(dy) {
            if x < picture.width {
                rows.push(0);
                (x..picture.width).step_by(dx).for_each(|x| rows.extend(picture.at(x, y)));
            }
        }
    }
    super::bombs::png_of(picture.width, picture.height, true, &[(*b"IDAT", &stored(&rows))])
}

/// A zlib stream of stored blocks (RFC 1951, section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = bytes.chunks(0xffff);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        stream.push((number == last).into());
        let length = block.len() as u16;
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// An animated PNG of two frames (PNG, section 4.9).
pub fn animated_png(first: &Picture, second: &Picture) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, first.width, first.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&first.rgba).unwrap();
    writer.write_image_data(&second.rgba).unwrap();
    writer.finish().unwrap();
    file
}

/// What a telephone writes: place, maker's notes, and a thumbnail of the whole scene.
pub fn telltale_exif() -> Vec<u8> {
    let thumbnail = Picture::quarters(32, 24).jpeg();
    let note = b"SECRETNOTE: serial 12345";
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut entry = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        entry.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
        entry
    };
    // Directories at fixed places: 0 at 8, GPS at 64, EXIF at 128, 1 (the thumbnail's) at 192; data from 256.
    let mut exif = b"II*\0\x08\0\0\0".to_vec();
    let directory = |exif: &mut Vec<u8>, at: usize, entries: &[Vec<u8>], next: u32| {
        exif.resize(at, 0);
        exif.extend((entries.len() as u16).to_le_bytes());
        entries.iter().for_each(|entry| exif.extend(entry));
        exif.extend(next.to_le_bytes());
    };
    directory(&mut exif, 8, &[entry(0x0112, 3, 1, 1), entry(0x8769, 4, 1, 128), entry(0x8825, 4, 1, 64)], 192);
    directory(&mut exif, 64, &[entry(1, 2, 2, u32::from(b'N')), entry(2, 5, 3, 256)], 0);
    directory(&mut exif, 128, &[entry(0x927c, 7, note.len() as u32, 280)], 0);
    directory(&mut exif, 192, &[entry(0x0201, 4, 1, 320), entry(0x0202, 4, 1, thumbnail.len() as u32)], 0);
    exif.resize(256, 0);
    [52_u32, 1, 31, 1, 12, 1].iter().for_each(|value| exif.extend(value.to_le_bytes()));
    exif.extend(note);
    exif.resize(320, 0);
    exif.extend(thumbnail);
    exif
}

/// With one more chunk right behind IHDR.
pub fn with_first_chunk(png: &[u8], name: [u8; 4], body: &[u8]) -> Vec<u8> {
    [&png[..33], &png_chunk(name, body), &png[33..]].concat()
}
