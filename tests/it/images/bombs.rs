//! Small files that want much: memory, time, or both.

use super::fixtures::*;

/// Zeros as a zlib stream (RFC 1950, 1951): `length` of them in a 150th of that.
pub fn zlib_zeros(length: usize) -> Vec<u8> {
    // One block of fixed codes; a match of 258 bytes at distance 1 has the code of symbol 285 and of distance 0.
    const MATCH: (u16, u32) = (0b00000_11000101, 13);
    let (mut stream, mut pending, mut bits) = (vec![0x78, 0x01], 0_u64, 0);
    let mut put = |code: u16, length: u32| {
        // Huffman codes go in from their highest bit.
        let reversed = u64::from(code.reverse_bits() >> (16 - length));
        pending |= reversed << bits;
        bits += length;
        while bits >= 8 {
            stream.push(pending as u8);
            (pending, bits) = (pending >> 8, bits - 8);
        }
    };
    put(0b110, 3);
    // A literal zero, then copies of it; what does not fill a match is literal.
    put(0b0011_0000, 8);
    let rest = length - 1;
    for _ in 0..rest / 258 {
        put(0b1100_0101, 8);
        put(MATCH.0 >> 8, MATCH.1 - 8);
    }
    for _ in 0..rest % 258 {
        put(0b0011_0000, 8);
    }
    put(0, 7);
    put(0, 7);
    // Adler-32 of zeros: a stays 1, b counts them.
    let sum = (length as u64 % 65_521) as u32;
    stream.extend((sum << 16 | 1).to_be_bytes());
    stream
}

/// A PNG of 8 bits a sample, RGBA, from these chunks between IHDR and IEND.
pub fn png_of(width: u32, height: u32, interlaced: bool, chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 6, 0, 0, interlaced.into()]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(png_chunk(*b"IHDR", &header));
    chunks.iter().for_each(|(name, body)| file.extend(png_chunk(*name, body)));
    file.extend(png_chunk(*b"IEND", &[]));
    file
}

/// The bytes of an RGBA PNG before compression: a filter byte before each row.
fn raw(width: usize, height: usize) -> usize {
    height * (1 + 4 * width)
}

/// Of an interlaced one: seven passes (PNG, section 8.1).
fn raw_interlaced(width: usize, height: usize) -> usize {
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        .iter()
        .map(|(x, y, dx, dy)| raw((width - x).div_ceil(*dx), (height - y).div_ceil(*dy)))
        .sum()
}

/// A JPEG whose frame header claims other sides than its scans hold.
pub fn jpeg_claiming(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg.to_vec();
    let frame = [b"\xff\xc0", b"\xff\xc2"].iter().find_map(|mark| memchr::memmem::find(&file, *mark)).unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

pub fn progressive(picture: &Picture) -> Vec<u8> {
    compress(&picture.rgb(), picture.width, turbojpeg::PixelFormat::RGB, |compressor| {
        compressor.set_progressive(true)?;
        compressor.set_subsamp(turbojpeg::Subsamp::None)
    })
}

/// The scan that refines the luminance, again and again.
pub fn with_scans(progressive: &[u8], times: usize) -> Vec<u8> {
    let last = memchr::memmem::rfind(progressive, b"\xff\xda").unwrap();
    let end = progressive.len() - 2;
    [&progressive[..end], &progressive[last..end].repeat(times), &progressive[end..]].concat()
}

/// An animation that shows one frame `times` times.
pub fn film_webp(width: u32, height: u32, times: usize) -> Vec<u8> {
    let image = Picture::quarters(16, 16).webp(true);
    let (name, body) = webp_image(&image);
    let mut frame = vec![0; 6];
    frame.extend([15, 0, 0, 15, 0, 0, 10, 0, 0, 0]);
    let single = webp_of(&[(name, body)]);
    frame.extend(&single[12..]);
    let canvas = vp8x(0x02, width, height);
    let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"VP8X", &canvas), (b"ANIM", &[0; 6])];
    chunks.extend(std::iter::repeat_n((b"ANMF", frame.as_slice()), times));
    webp_of(&chunks)
}

/// A GIF of one small frame, many times, on a screen of these sides.
pub fn film_gif(width: u16, height: u16, times: usize) -> Vec<u8> {
    let still = Picture::quarters(8, 8).gif();
    // The frame begins with its graphic control extension, behind the header and the screen descriptor.
    let (head, frame) = (&still[..13], &still[13..still.len() - 1]);
    let mut file = head.to_vec();
    file[6..8].copy_from_slice(&width.to_le_bytes());
    file[8..10].copy_from_slice(&height.to_le_bytes());
    file.extend(frame.repeat(times));
    file.push(0x3b);
    file
}

/// A height of zero, told by a DNL marker behind the first scan (T.81, section B.2.5).
fn jpeg_of_late_height() -> Vec<u8> {
    let mut file = jpeg_claiming(&Picture::quarters(64, 64).jpeg(), 64, 0);
    let end = file.len() - 2;
    file.splice(end..end, *b"\xff\xdc\x00\x04\xff\xff");
    file
}

/// Each with what it wants. None has more than 10 MiB.
pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let small = Picture::quarters(64, 64);
    let (baseline, progressive) = (small.jpeg(), progressive(&small));
    let image = small.webp(true);
    let (vp8l, pixels) = webp_image(&image);
    let pixels_then =
        |name: [u8; 4], body: &[u8]| png_of(16, 16, false, &[(name, body), (*b"IDAT", &zlib_zeros(raw(16, 16)))]);
    let gigabyte = zlib_zeros(1 << 30);
    let mut films = vec![0, 1, 0x86, 0xa0];
    films.extend([0; 4]);
    let restarts = with_segments(&baseline, &[(0xdd, &[0xff, 0xff])]);
    vec![
        ("a PNG that claims 65,535 squared", png_claiming(65_535, 65_535)),
        ("a PNG that claims 2,147,483,647 squared", png_claiming(0x7fff_ffff, 0x7fff_ffff)),
        ("a JPEG that claims 65,500 squared", jpeg_claiming(&baseline, 65_500, 65_500)),
        ("a progressive JPEG that claims 65,535 squared", jpeg_claiming(&progressive, 65_535, 65_535)),
        ("a GIF that claims 65,535 squared", film_gif(65_535, 65_535, 1)),
        ("a WebP that claims 16,384 squared", webp_of(&[(b"VP8X", &vp8x(0, 16_384, 16_384)), (vp8l, pixels)])),
        ("a baseline JPEG that claims 100 MP", jpeg_claiming(&baseline, 10_000, 10_000)),
        ("a progressive JPEG that takes 150 MB", jpeg_claiming(&progressive, 5000, 5000)),
        ("a progressive JPEG of 2,000 scans", with_scans(&progressive, 2000)),
        ("a progressive JPEG of 20 MP and 90 scans", with_scans(&jpeg_claiming(&progressive, 5000, 4000), 80)),
        ("a JPEG with the longest restart interval", restarts),
        ("a JPEG that tells its height at the end", jpeg_of_late_height()),
        ("a PNG of 100 MP", png_of(10_000, 10_000, false, &[(*b"IDAT", &zlib_zeros(raw(10_000, 10_000)))])),
        (
            "an interlaced PNG of 36 MP",
            png_of(6000, 6000, true, &[(*b"IDAT", &zlib_zeros(raw_interlaced(6000, 6000)))]),
        ),
        ("a small PNG of a gigabyte of pixels", png_of(16, 16, false, &[(*b"IDAT", &gigabyte)])),
        ("a profile of a gigabyte", pixels_then(*b"iCCP", &[b"x\0\0".as_slice(), &gigabyte].concat())),
        ("a compressed text of a gigabyte", pixels_then(*b"zTXt", &[b"x\0\0".as_slice(), &gigabyte].concat())),
        ("an international one", pixels_then(*b"iTXt", &[b"x\0\x01\0\0\0".as_slice(), &gigabyte].concat())),
        ("an APNG that claims 100,000 frames", pixels_then(*b"acTL", &films)),
        ("a GIF of 50,000 frames", film_gif(8, 8, 50_000)),
        ("a GIF whose screen takes 150 MB", film_gif(4300, 4300, 2)),
        ("a WebP of 20,000 frames", film_webp(16, 16, 20_000)),
        ("a WebP whose canvas takes 150 MB", film_webp(3500, 3500, 2)),
    ]
}
