//! Pictures: types by bytes, limits before decoding, and what renditions look like.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

pub mod bombs;
pub mod fixtures;
mod looks;
mod memory;
pub mod parts;
pub mod profiles;

use std::time::{Duration, Instant};

use entity::rendition::Size;
use fixtures::*;
use snaphaven::images::{Format, ImageError, Images, Limits, Probe, Rendered, SNIFF_LEN, generate, is_raster, sniff};

const ALL: [Size; 3] = [Size::Square150, Size::Fit320, Size::Fit1280];

async fn render(bytes: &[u8], sizes: &[Size]) -> Result<Vec<Rendered>, ImageError> {
    let stored = Stored::new(bytes);
    Images::new(limits()).render(stored.path(), sizes).await
}

/// The 320-pixel rendition, decoded.
async fn shown(bytes: &[u8]) -> Picture {
    decode(&render(bytes, &[Size::Fit320]).await.unwrap()[0])
}

fn decode(rendered: &Rendered) -> Picture {
    let Rendered { bytes, width, height, content_type, .. } = rendered;
    let picture = decoded(bytes, content_type);
    assert_eq!((picture.width, picture.height), (*width, *height), "the declared size is the real one");
    picture
}

/// A rendition's pixels.
pub fn decoded(bytes: &[u8], content_type: &str) -> Picture {
    match content_type {
        "image/jpeg" => {
            let image = turbojpeg::decompress(bytes, turbojpeg::PixelFormat::RGBA).unwrap();
            Picture { width: image.width as u32, height: image.height as u32, rgba: image.pixels }
        }
        "image/webp" => {
            let (rgba, width, height) = webpx::decode_rgba(bytes).unwrap();
            Picture { width, height, rgba }
        }
        other => panic!("a rendition of {other}"),
    }
}

#[track_caller]
pub fn assert_near(actual: [u8; 4], expected: [u8; 4], tolerance: u8) {
    let near = actual.iter().zip(expected).all(|(actual, expected)| actual.abs_diff(expected) <= tolerance);
    assert!(near, "{actual:?} is not near {expected:?}");
}

#[track_caller]
pub fn assert_quarters(picture: &Picture, tolerance: u8) {
    for (actual, expected) in picture.quarter_colors().into_iter().zip([RED, GREEN, WHITE, BLUE]) {
        assert_near(actual, expected, tolerance);
    }
}

/// `upright` as a camera held at this orientation stores it.
pub fn stored_as(upright: &Picture, orientation: u16) -> Picture {
    let Picture { width: w, height: h, .. } = *upright;
    let (width, height) = if orientation >= 5 { (h, w) } else { (w, h) };
    // The inverse of each transformation: where a stored pixel is shown.
    Picture::from_fn(width, height, |x, y| match orientation {
        1 => upright.at(x, y),
        2 => upright.at(w - 1 - x, y),
        3 => upright.at(w - 1 - x, h - 1 - y),
        4 => upright.at(x, h - 1 - y),
        5 => upright.at(y, x),
        6 => upright.at(w - 1 - y, x),
        7 => upright.at(w - 1 - y, h - 1 - x),
        _ => upright.at(y, h - 1 - x),
    })
}

#[tokio::test]
async fn every_orientation_is_shown_upright() {
    let upright = Picture::quarters(480, 320);
    for orientation in 1..=8 {
        let stored = stored_as(&upright, orientation);
        let block = [b"Exif\0\0".as_slice(), &exif(orientation, orientation % 2 == 0)].concat();
        let jpeg = with_segments(&stored.jpeg(), &[(0xe1, &block)]);
        let png = with_last_chunk(&stored.png(), *b"eXIf", &exif(orientation, true));
        let image = stored.webp(true);
        let (name, body) = webp_image(&image);
        let exif = exif(orientation, false);
        let chunks = [(b"VP8X", vp8x(0x08, stored.width, stored.height)), (name, body.into()), (b"EXIF", exif)];
        let webp = webp_of(&chunks.each_ref().map(|(name, body)| (*name, body.as_slice())));
        for file in [jpeg, png, webp] {
            let probe = probe(&file).await.unwrap();
            assert_eq!((probe.width, probe.height), (480, 320), "{:?}, orientation {orientation}", probe.format);
            for rendered in render(&file, &ALL).await.unwrap() {
                assert_quarters(&decode(&rendered), 12);
            }
        }
    }
}

#[tokio::test]
async fn each_size_has_its_exact_shape() {
    let sides = [
        (1, 1),
        (10, 10),
        (149, 151),
        (150, 150),
        (320, 320),
        (321, 7),
        (1280, 720),
        (1281, 33),
        (1, 5000),
        (5000, 1),
        (1700, 1100),
    ];
    for (width, height) in sides {
        let picture = Picture::quarters(width, height);
        for file in [picture.jpeg(), picture.png(), picture.webp(true), picture.gif()] {
            let all = render(&file, &ALL).await.unwrap();
            assert_eq!(all.iter().map(|rendered| rendered.size).collect::<Vec<_>>(), ALL);
            for (rendered, limit) in all.iter().zip([150, 320, 1280]) {
                decode(rendered);
                let (w, h) = (rendered.width, rendered.height);
                if rendered.size == Size::Square150 {
                    assert_eq!((w, h), (150, 150), "of {width} × {height}");
                    continue;
                }
                assert!(w <= limit && h <= limit && w <= width && h <= height, "{w} × {h} of {width} × {height}");
                if width.max(height) <= limit {
                    assert_eq!((w, h), (width, height), "never enlarged");
                } else {
                    assert_eq!(w.max(h), limit);
                    let exact = f64::from(width.min(height)) * f64::from(limit) / f64::from(width.max(height));
                    assert!((f64::from(w.min(h)) - exact.max(1.0)).abs() <= 0.5, "{w} × {h} of {width} × {height}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_square_shows_the_middle() {
    let picture = Picture::from_fn(900, 300, |x, _| if (300..600).contains(&x) { GREEN } else { RED });
    let square = decode(&render(&picture.jpeg(), &[Size::Square150]).await.unwrap()[0]);
    for (x, y) in [(3, 3), (146, 3), (75, 75), (3, 146), (146, 146)] {
        assert_near(square.at(x, y), GREEN, 12);
    }
}

#[tokio::test]
async fn alpha_is_kept_and_opaque_pictures_become_jpeg() {
    // Hidden under full transparency lies a colour that must not bleed into the visible half.
    let half = Picture::from_fn(800, 400, |x, _| if x < 400 { RED } else { [0, 255, 0, 0] });
    let soft = Picture::plain(400, 400, [30, 30, 220, 128]);
    for file in [half.png(), half.webp(true), half.gif(), half.webp(false)] {
        let facts = probe(&file).await.unwrap();
        assert!(facts.has_alpha && facts.thumbhash.is_some());
        for rendered in render(&file, &ALL).await.unwrap() {
            assert_eq!(rendered.content_type, "image/webp");
            let picture = decode(&rendered);
            assert_near(picture.at(picture.width / 4, picture.height / 2), RED, 14);
            assert_eq!(picture.at(picture.width * 3 / 4, picture.height / 2)[3], 0);
            let edge = picture.at(picture.width / 2 - 1, picture.height / 2);
            assert!(edge[3] < 40 || edge[1] < 80, "green bled into {edge:?}");
        }
    }
    for file in [soft.png(), soft.webp(true)] {
        assert_near(shown(&file).await.at(160, 160), [30, 30, 220, 128], 8);
    }
    let opaque = Picture::quarters(400, 400);
    for file in [opaque.png(), opaque.webp(false), opaque.gif()] {
        assert!(!probe(&file).await.unwrap().has_alpha, "an alpha channel alone is no transparency");
        let rendered = render(&file, &ALL).await.unwrap();
        assert!(rendered.iter().all(|rendered| rendered.content_type == "image/jpeg"));
        assert_quarters(&decode(&rendered[1]), 14);
    }
}

#[tokio::test]
async fn every_kind_of_png_is_read() {
    use png::{BitDepth, ColorType};
    let palette = [RED, GREEN, BLUE, WHITE].iter().flat_map(|color| color[..3].to_vec()).collect::<Vec<_>>();
    let indexed: Vec<u8> = (0..64)
        .flat_map(|y| {
            (0..16).map(move |x| {
                if (x < 8) == (y < 32) {
                    if y < 32 { 0b0000_0000 } else { 0xff }
                } else if y < 32 {
                    0b0101_0101
                } else {
                    0b1010_1010
                }
            })
        })
        .collect();
    let two_bit =
        png(64, 64, ColorType::Indexed, BitDepth::Two, &indexed, |info| info.palette = Some(palette.clone().into()));
    let colors = shown(&two_bit).await.quarter_colors();
    assert_near(colors[0], RED, 12);
    assert_near(colors[1], GREEN, 12);

    let trns = png(64, 64, ColorType::Indexed, BitDepth::Eight, &[1; 64 * 64], |info| {
        info.palette = Some(palette.into());
        info.trns = Some(vec![255, 100].into());
    });
    assert_near(shown(&trns).await.at(32, 32), [30, 200, 30, 100], 8);

    let deep: Vec<u8> = Picture::quarters(64, 64).rgba.iter().flat_map(|sample| [*sample, 0x55]).collect();
    let sixteen = png(64, 64, ColorType::Rgba, BitDepth::Sixteen, &deep, |_| {});
    assert_eq!(shown(&sixteen).await.at(10, 10)[3], 255);
    assert_near(shown(&sixteen).await.at(10, 10), RED, 12);

    let gray = png(64, 64, ColorType::Grayscale, BitDepth::One, &[0xf0; 8 * 64], |_| {});
    assert_near(shown(&gray).await.at(1, 1), [255; 4], 30);
    let gray_alpha = png(64, 64, ColorType::GrayscaleAlpha, BitDepth::Eight, &[90, 60].repeat(64 * 64), |_| {});
    assert_near(shown(&gray_alpha).await.at(32, 32), [90, 90, 90, 60], 8);
    let keyed = png(64, 64, ColorType::Rgb, BitDepth::Eight, &[9, 8, 7].repeat(64 * 64), |info| {
        info.trns = Some(vec![0, 9, 0, 8, 0, 7].into());
    });
    assert_eq!(shown(&keyed).await.at(32, 32)[3], 0);
}

/// For the small sizes alone a large PNG is shrunk strip by strip; it must look as if it had been decoded whole.
#[tokio::test]
async fn a_large_png_shrunk_while_it_is_read_is_whole() {
    let opaque = Picture::quarters(1703, 1109);
    let clear = Picture::from_fn(1703, 1109, |x, y| if y < 1000 { opaque.at(x, y) } else { [0, 255, 0, 0] });
    for picture in [opaque, clear] {
        let file = picture.png();
        let together = render(&file, &ALL).await.unwrap();
        for expected in &together[..2] {
            let alone = &render(&file, &[expected.size]).await.unwrap()[0];
            assert_eq!(alone.content_type, expected.content_type);
            let (alone, expected) = (decode(alone), decode(expected));
            assert_eq!((alone.width, alone.height), (expected.width, expected.height));
            let differs = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 24;
            let differing = alone.visible().iter().zip(expected.visible()).filter(|(a, b)| differs((*a, b))).count();
            assert!(differing * 50 < alone.rgba.len(), "{differing} of {} samples differ", alone.rgba.len());
        }
        for percent in [30, 60, 90] {
            let cut = render(&file[..file.len() * percent / 100], &[Size::Fit320]).await;
            assert!(matches!(cut, Err(ImageError::Damaged(_))), "cut at {percent} %");
        }
    }
}

#[tokio::test]
async fn gamma_and_profiles_are_converted_to_srgb() {
    use png::{BitDepth, ColorType};
    // Light of 0.2140 is 128 in sRGB; in a linear file it is stored as 55.
    let linear = |color, pixel: &[u8]| {
        png(64, 64, color, BitDepth::Eight, &pixel.repeat(64 * 64), |info| {
            info.source_gamma = Some(png::ScaledFloat::new(1.0));
        })
    };
    assert_near(shown(&linear(ColorType::Rgb, &[55; 3])).await.at(32, 32), [128, 128, 128, 255], 4);
    assert_near(shown(&linear(ColorType::Grayscale, &[55])).await.at(32, 32), [128, 128, 128, 255], 4);
    let usual = png(64, 64, ColorType::Rgb, BitDepth::Eight, &[100; 3].repeat(64 * 64), |info| {
        info.source_gamma = Some(png::ScaledFloat::new(1.0 / 2.2));
    });
    assert_near(shown(&usual).await.at(32, 32), [100, 100, 100, 255], 2);

    // Display P3 (200, 60, 60) is sRGB (217, 42, 52), by the matrices of CSS Color 4.
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let picture = Picture::plain(64, 64, [200, 60, 60, 255]);
    let segment = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile].concat();
    let jpeg = with_segments(&picture.jpeg(), &[(0xe2, &segment)]);
    let half = profile.len() / 2;
    let second = [b"ICC_PROFILE\0\x02\x02".as_slice(), &profile[half..]].concat();
    let first = [b"ICC_PROFILE\0\x01\x02".as_slice(), &profile[..half]].concat();
    let in_parts = with_segments(&picture.jpeg(), &[(0xe2, &second), (0xe2, &first)]);
    let png = png(64, 64, ColorType::Rgba, BitDepth::Eight, &picture.rgba, |info| {
        info.icc_profile = Some(profile.clone().into());
    });
    let image = picture.webp(true);
    let (name, body) = webp_image(&image);
    let webp = webp_of(&[(b"VP8X", &vp8x(0x20, 64, 64)), (b"ICCP", &profile), (name, body)]);
    for (name, file) in [("jpeg", jpeg), ("in parts", in_parts), ("png", png), ("webp", webp)] {
        let actual = shown(&file).await.at(32, 32);
        assert!(
            actual[0].abs_diff(217) <= 4 && actual[1].abs_diff(42) <= 4 && actual[2].abs_diff(52) <= 4,
            "{name}: {actual:?}"
        );
    }
    let broken = with_segments(&picture.jpeg(), &[(0xe2, b"ICC_PROFILE\0\x01\x01nonsense")]);
    assert_near(shown(&broken).await.at(32, 32), [200, 60, 60, 255], 4);
}

#[tokio::test]
async fn ink_and_gray_jpegs_get_their_colors() {
    // Paper left of red ink: no cyan, full magenta and yellow.
    let ink = |colorspace, [c, m, y, k]: [u8; 4], adobe| {
        let jpeg = compress(&[c, m, y, k].repeat(64 * 64), 64, turbojpeg::PixelFormat::CMYK, |compressor| {
            compressor.set_colorspace(colorspace)
        });
        // The encoder marks ink as Adobe's; without the mark the samples are ink, with it what is left of the paper.
        let mark = memchr::memmem::find(&jpeg, b"Adobe").unwrap() - 4;
        if adobe { jpeg } else { [&jpeg[..mark], &jpeg[mark + 16..]].concat() }
    };
    for colorspace in [turbojpeg::Colorspace::CMYK, turbojpeg::Colorspace::YCCK] {
        let file = ink(colorspace, [255, 0, 0, 255], true);
        assert_near(shown(&file).await.at(32, 32), [255, 0, 0, 255], 8);
        assert!(probe(&file).await.unwrap().thumbhash.is_some());
    }
    let file = ink(turbojpeg::Colorspace::CMYK, [0, 255, 0, 127], false);
    assert_near(shown(&file).await.at(32, 32), [128, 0, 128, 255], 8);

    let gray = compress(&[77; 64 * 64], 64, turbojpeg::PixelFormat::GRAY, |compressor| {
        compressor.set_colorspace(turbojpeg::Colorspace::Gray)
    });
    assert_near(shown(&gray).await.at(32, 32), [77, 77, 77, 255], 4);
}

/// A picture with so much detail that its averages alone are decoded where those are enough.
fn busy(width: u32, height: u32) -> Picture {
    let quarters = Picture::quarters(width, height);
    Picture::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519)).wrapping_mul(3_266_489_917) >> 27;
        quarters.at(x, y).map(|sample| sample.saturating_add(noise as u8).saturating_sub(16).max(1))
    })
}

#[tokio::test]
async fn a_busy_jpeg_made_small_by_its_averages_looks_the_same() {
    use turbojpeg::{PixelFormat, Subsamp};
    let picture = busy(2607, 1711);
    let pixels = picture.rgb();
    let jpeg = |subsamp, progressive| {
        compress(&pixels, 2607, PixelFormat::RGB, |compressor| {
            compressor.set_quality(97)?;
            compressor.set_subsamp(subsamp)?;
            compressor.set_progressive(progressive)
        })
    };
    let whole = jpeg(Subsamp::Sub2x2, false);
    for subsamp in [Subsamp::Sub2x2, Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2] {
        let file = jpeg(subsamp, false);
        for rendered in render(&file, &[Size::Square150, Size::Fit320]).await.unwrap() {
            assert_quarters(&decode(&rendered), 16);
        }
        // The same coefficients in another order, decoded in full.
        let expected = decode(&render(&jpeg(subsamp, true), &[Size::Fit320]).await.unwrap()[0]);
        let shown = decode(&render(&file, &[Size::Fit320]).await.unwrap()[0]);
        assert_eq!((shown.width, shown.height), (expected.width, expected.height));
        let difference: u64 = shown.rgba.iter().zip(&expected.rgba).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(difference < shown.rgba.len() as u64, "{subsamp:?}: {difference} over {}", shown.rgba.len());
    }
    for percent in [1, 20, 50, 80, 99] {
        let cut = &whole[..whole.len() * percent / 100];
        let closed = [cut, b"\xff\xd9"].concat();
        for file in [cut, &closed] {
            let cut = render(file, &[Size::Fit320]).await;
            assert!(matches!(cut, Err(ImageError::Damaged(_))), "cut at {percent} %: {cut:?}");
        }
    }
    let mut state = 7_u64;
    for _ in 0..40 {
        let mut altered = whole.clone();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = 600 + (state >> 33) as usize % (altered.len() - 600);
        altered[at] ^= 1 << (state >> 29 & 7);
        match render(&altered, &[Size::Fit320]).await {
            Ok(rendered) => assert_eq!(rendered.len(), 1),
            Err(ImageError::Damaged(reason)) => assert_ne!(reason, "its decoder gave up"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn progressive_arithmetic_and_lossless_jpegs_are_read() {
    let picture = Picture::quarters(600, 400);
    let rgb = turbojpeg::PixelFormat::RGB;
    for file in [
        compress(&picture.rgb(), 600, rgb, |compressor| compressor.set_progressive(true)),
        compress(&picture.rgb(), 600, rgb, |compressor| compressor.set_arithmetic(true)),
        compress(&picture.rgb(), 600, rgb, |compressor| compressor.set_lossless(true)),
        compress(&picture.rgb(), 600, rgb, |compressor| compressor.set_subsamp(turbojpeg::Subsamp::Sub1x2)),
    ] {
        for rendered in render(&file, &ALL).await.unwrap() {
            assert_quarters(&decode(&rendered), 14);
        }
    }
}

#[tokio::test]
async fn an_animation_shows_its_first_frame() {
    let (first, second) = (Picture::quarters(200, 100), Picture::plain(200, 100, BLUE));
    for file in [gif(200, 100, &[(0, 0, &first), (0, 0, &second)]), animated_webp(&[&first, &second])] {
        let facts = probe(&file).await.unwrap();
        assert!(facts.animated, "{:?}", facts.format);
        assert_quarters(&shown(&file).await, 14);
    }
    assert!(!probe(&first.gif()).await.unwrap().animated);

    let patch = gif(200, 100, &[(150, 50, &Picture::plain(100, 20, GREEN)), (0, 0, &second)]);
    let shown = shown(&patch).await;
    assert_eq!(shown.at(20, 20)[3], 0, "the screen around a small first frame is empty");
    assert_near(shown.at(175, 60), GREEN, 14);
}

#[tokio::test]
async fn renditions_carry_no_metadata() {
    let picture = Picture::quarters(400, 300);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRETPLACE</x:xmpmeta>";
    let icc = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile].concat();
    let block = [b"Exif\0\0".as_slice(), &exif(1, true)].concat();
    let jpeg = with_segments(
        &picture.jpeg(),
        &[(0xe1, &block), (0xe1, xmp), (0xe2, &icc), (0xed, b"SECRETCAPTION"), (0xfe, b"SECRETCOMMENT")],
    );
    let clear = Picture::plain(300, 300, [1, 2, 3, 100]).png();
    let png = with_last_chunk(&clear, *b"eXIf", &exif(1, true));
    let png = with_last_chunk(&png, *b"tEXt", b"Comment\0SECRETTEXT");
    for file in [jpeg, png] {
        for rendered in render(&file, &ALL).await.unwrap() {
            let holds = |needle: &[u8]| memchr::memmem::find(&rendered.bytes, needle).is_some();
            assert!(!holds(b"SECRET"));
            for needle in
                [b"Exif".as_slice(), b"EXIF", b"ICC_PROFILE", b"ICCP", b"XMP ", b"xmpmeta", b"\xff\xe1", b"\xff\xe2"]
            {
                let name = String::from_utf8_lossy(needle);
                // Two bytes may occur by chance in WebP data; in JPEG data they cannot.
                assert!(rendered.content_type == "image/webp" && needle.len() == 2 || !holds(needle), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn bombs_are_refused_before_decoding() {
    let jpeg_claiming = |side: u16| {
        let mut file = Picture::quarters(64, 64).jpeg();
        let frame = memchr::memmem::find(&file, b"\xff\xc0").unwrap();
        file[frame + 5..frame + 7].copy_from_slice(&side.to_be_bytes());
        file[frame + 7..frame + 9].copy_from_slice(&side.to_be_bytes());
        file
    };
    let mut screen = Picture::quarters(8, 8).gif();
    screen[6..10].fill(0xff);
    let image = Picture::quarters(64, 64).webp(true);
    let (name, body) = webp_image(&image);
    let canvas = webp_of(&[(b"VP8X", &vp8x(0x02, 1 << 24, 1 << 24)), (b"ANIM", &[0; 6]), (name, body)]);
    let mut lossless = image.clone();
    let bits = lossless.len() - body.len() + 1;
    // Fourteen bits for each side, one for alpha, three for the version (RFC 9649, section 3.4).
    lossless[bits..bits + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x1f]);
    // Really 8000 × 8000, which packs to a few kilobytes.
    let packed = png(8000, 8000, png::ColorType::Grayscale, png::BitDepth::One, &vec![0; 1000 * 8000], |_| {});
    assert!(packed.len() < 40_000);
    let films = vec![Picture::plain(2, 2, RED); 101];
    let film = gif(2, 2, &films.iter().map(|frame| (0, 0, frame)).collect::<Vec<_>>());
    for (what, file) in [
        ("a PNG of 60,000 squared", png_claiming(60_000, 60_000)),
        ("a PNG of one row", png_claiming(1_000_000, 1)),
        ("a PNG of one column", png_claiming(1, 1_000_000)),
        ("a PNG that packs well", packed),
        ("a JPEG of 65,500 squared", jpeg_claiming(65_500)),
        ("a GIF of 65,535 squared", screen),
        ("a WebP of 16,777,216 squared", canvas),
        ("a lossless WebP of 16,384 squared", lossless),
        ("a GIF of 101 frames", film),
    ] {
        let started = Instant::now();
        let (probed, rendered) = (probe(&file).await, render(&file, &ALL).await);
        // A canvas beyond 2³² pixels is no valid WebP at all.
        let refused = |error: Option<ImageError>| match error {
            Some(ImageError::TooLarge { actual, limit, .. }) => actual > limit,
            Some(ImageError::Damaged(_)) => what.contains("16,777,216"),
            _ => false,
        };
        assert!(refused(probed.err()) && refused(rendered.err()), "{what}");
        assert!(started.elapsed() < Duration::from_secs(5), "{what} was looked at for {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn memory_scans_and_time_are_bounded() {
    let picture = Picture::quarters(1600, 1200);
    let progressive =
        compress(&picture.rgb(), 1600, turbojpeg::PixelFormat::RGB, |compressor| compressor.set_progressive(true));
    let stored = Stored::new(&progressive);
    let tight = Images::new(Limits { max_memory: 12 << 20, ..limits() });
    let refused = tight.render(stored.path(), &ALL).await.unwrap_err();
    assert!(matches!(refused, ImageError::TooLarge { what: "bytes of memory", .. }), "{refused}");
    let baseline = Stored::new(&picture.jpeg());
    assert_eq!(tight.render(baseline.path(), &[Size::Fit320]).await.unwrap().len(), 1, "scaled, it takes less");

    let scan = memchr::memmem::find(&progressive, b"\xff\xda").unwrap();
    let end = scan + 2 + memchr::memmem::find(&progressive[scan + 2..], b"\xff\xc4").unwrap();
    let scans = [&progressive[..end], &progressive[scan..end].repeat(200), &progressive[end..]].concat();
    let refused = render(&scans, &ALL).await.unwrap_err();
    assert!(matches!(refused, ImageError::TooLarge { what: "scans", .. }), "{refused}");

    let impatient = Images::new(Limits { timeout: Duration::from_nanos(1), concurrency: 1, ..limits() });
    for file in [picture.jpeg(), picture.png(), picture.gif(), picture.webp(true)] {
        let stored = Stored::new(&file);
        let late = impatient.render(stored.path(), &ALL).await;
        assert!(matches!(late, Err(ImageError::TimedOut)), "{late:?}");
    }
}

#[tokio::test]
async fn a_cut_file_is_damaged_or_whole_and_never_half() {
    let picture = Picture::quarters(160, 120);
    let progressive =
        compress(&picture.rgb(), 160, turbojpeg::PixelFormat::RGB, |compressor| compressor.set_progressive(true));
    let animations =
        [gif(160, 120, &[(0, 0, &picture); 2]), animated_webp(&[&picture, &Picture::plain(160, 120, RED)])];
    let stills = [picture.jpeg(), progressive, picture.png(), picture.gif(), picture.webp(true), picture.webp(false)];
    for file in stills.into_iter().chain(animations) {
        let format = probe(&file).await.unwrap().format;
        for percent in 0..100 {
            let cut = &file[..file.len() * percent / 100];
            match render(cut, &[Size::Fit320]).await {
                Ok(rendered) => assert_quarters(&decode(&rendered[0]), 16),
                Err(ImageError::Damaged(_)) => {}
                Err(ImageError::NotAnImage) => assert!(cut.len() < 12),
                Err(error) => panic!("{format:?} cut at {percent} %: {error}"),
            }
            let probed = probe(cut).await;
            assert!(
                matches!(
                    probed,
                    Ok(Probe { width: 160, height: 120, .. }) | Err(ImageError::Damaged(_) | ImageError::NotAnImage)
                ),
                "{format:?} cut at {percent} %: {probed:?}"
            );
        }
        let damaged = probe(&file[..file.len() * 3 / 5]).await;
        if format == Format::Jpeg || format == Format::Png {
            assert_eq!(damaged.unwrap().thumbhash, None, "the header stands, the pixels do not");
        }
    }
}

#[tokio::test]
async fn altered_bytes_never_panic() {
    let picture = Picture::quarters(120, 80);
    let animation = animated_webp(&[&picture, &Picture::plain(120, 80, RED)]);
    for file in [picture.jpeg(), picture.png(), picture.gif(), picture.webp(true), picture.webp(false), animation] {
        let images = Images::new(limits());
        let mut state = 1_u64;
        for _ in 0..300 {
            let mut altered = file.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % altered.len();
                altered[at] = (state >> 24) as u8;
            }
            let stored = Stored::new(&altered);
            match images.render(stored.path(), &ALL).await {
                Ok(rendered) => assert_eq!(rendered.len(), 3),
                Err(ImageError::Damaged(reason)) => assert_ne!(reason, "its decoder gave up", "a codec panicked"),
                Err(ImageError::Io(error)) => panic!("not the file's fault: {error}"),
                Err(_) => {}
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_picture_is_told_so() {
    for (file, unsupported) in [
        (b"".as_slice(), false),
        (b"hello", false),
        (b"%PDF-1.4", false),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", true),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", true),
    ] {
        let error = probe(file).await.unwrap_err();
        let expected = match error {
            ImageError::NotAnImage => !unsupported,
            ImageError::Unsupported(_) => unsupported,
            _ => false,
        };
        assert!(expected, "{file:?}: {error}");
    }
    let gone = Images::new(limits()).probe("/nonexistent/picture".into()).await;
    assert!(matches!(gone, Err(ImageError::Io(_))));
}

#[tokio::test]
async fn generated_files_are_what_they_claim() {
    let photo = generate::photo_jpeg(1, 4000, 3000, 15 << 19).unwrap();
    assert!((6 << 20..9 << 20).contains(&photo.len()), "{} bytes", photo.len());
    let facts = probe(&photo).await.unwrap();
    assert_eq!((facts.format, facts.width, facts.height, facts.has_alpha), (Format::Jpeg, 4000, 3000, false));
    assert_ne!(
        generate::photo_jpeg(1, 64, 48, 2000).unwrap(),
        generate::photo_jpeg(2, 64, 48, 2000).unwrap(),
        "the seed matters"
    );
    assert_eq!(generate::rgba_png(5, 64, 48).unwrap(), generate::rgba_png(5, 64, 48).unwrap());
    let facts = probe(&generate::rgba_png(5, 640, 480).unwrap()).await.unwrap();
    assert_eq!((facts.format, facts.width, facts.height, facts.has_alpha), (Format::Png, 640, 480, true));
    let pdf = generate::pdf(3);
    assert_eq!(sniff(&pdf, "x"), "application/pdf");
    let text = String::from_utf8(pdf).unwrap();
    let start: usize = text.lines().rev().nth(1).unwrap().parse().unwrap();
    assert!(text[start..].starts_with("xref\n"));
    for (number, entry) in text[start..].lines().skip(3).take(5).enumerate() {
        let at: usize = entry[..10].parse().unwrap();
        assert!(text[at..].starts_with(&format!("{} 0 obj", number + 1)));
    }
}

#[test]
fn types_come_from_the_bytes() {
    let picture = Picture::quarters(8, 8);
    let long_text = "ä".repeat(SNIFF_LEN);
    for (bytes, name, expected) in [
        (picture.jpeg().as_slice(), "a.html", "image/jpeg"),
        (&picture.png(), "a.svg", "image/png"),
        (&picture.gif(), "", "image/gif"),
        (&picture.webp(true), "a.txt", "image/webp"),
        (b"", "a.png", "application/octet-stream"),
        (b"\0\x01\x02", "a.txt", "application/octet-stream"),
        (b"plain words", "a.png", "text/plain"),
        (b"BM is how a bitmap starts, and this", "", "text/plain"),
        (long_text.as_bytes(), "", "text/plain"),
        (b"a,b\n1,2\n", "a.CSV", "text/csv"),
        (b"# Title\n", "a.md", "text/markdown"),
        (b"{\"a\": 1}", "a.json", "application/json"),
        (b"not json", "a.json", "text/plain"),
        (b"<!DOCTYPE HTML><p>", "a.csv", "text/html"),
        (b"\xef\xbb\xbf \n<!-- hi --> <HTML>", "a.md", "text/html"),
        (b"<script>alert(1)</script>", "a.txt", "text/html"),
        (b"<SCRIPT\nsrc=x>", "a.json", "text/html"),
        (b"<svg onload='alert(1)'>", "a.png", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<!-- x --><s:svg xmlns:s='http://www.w3.org/2000/svg'/>", "", "image/svg+xml"),
        (b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' ''>", "a.csv", "image/svg+xml"),
        (b"<?xml version='1.0'?><note/>", "a.csv", "text/xml"),
        (b"<angle> brackets", "a.csv", "text/csv"),
        (b"%PDF-1.7\n", "a.txt", "application/pdf"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "a.txt", "application/zip"),
        (b"\x89PNG\r\n", "a.png", "application/octet-stream"),
        (b"GIF87b\0\xff", "a.gif", "application/octet-stream"),
        (b"GIF89a/*<script>alert(1)</script>*/", "a.html", "image/gif"),
    ] {
        assert_eq!(
            sniff(bytes, name),
            expected,
            "{:?} named {name:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(30)])
        );
    }
    assert!(["image/jpeg", "image/png", "image/gif", "image/webp"].into_iter().all(is_raster));
    assert!(!["image/svg+xml", "image/bmp", "text/html", "application/pdf"].into_iter().any(is_raster));
}
