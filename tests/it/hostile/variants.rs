//! What cameras, printers and drawing programs really write: every orientation, colour space, depth and shape.

use serde_json::{Value, json};

use super::{SIZES, download, is_ready, kept};
use crate::{
    images::{assert_near, assert_quarters, decoded, fixtures::*, profiles::*, stored_as},
    support::TestServer,
};

/// A rendition's pixels.
async fn shown(rendition: &Value) -> Picture {
    decoded(&download(&rendition["url"]).await, rendition["contentType"].as_str().unwrap())
}

#[tokio::test]
async fn every_orientation_is_shown_upright() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let upright = Picture::quarters(480, 320);
    for orientation in 1..=8 {
        let stored = stored_as(&upright, orientation);
        let block = [b"Exif\0\0".as_slice(), &exif(orientation, orientation % 2 == 0)].concat();
        let image = stored.webp(true);
        let (name, body) = webp_image(&image);
        let (extended, little) = (vp8x(0x08, stored.width, stored.height), exif(orientation, false));
        for (kind, file) in [
            ("jpg", with_segments(&stored.jpeg(), &[(0xe1, &block)])),
            ("png", with_last_chunk(&stored.png(), *b"eXIf", &exif(orientation, true))),
            ("early.png", with_first_chunk(&stored.png(), *b"eXIf", &exif(orientation, false))),
            ("webp", webp_of(&[(b"VP8X", &extended), (name, body), (b"EXIF", &little)])),
        ] {
            let file = kept(&server, &ada, &format!("{orientation}.{kind}"), &file).await;
            assert_eq!((&file["width"], &file["height"]), (&json!(480), &json!(320)), "{orientation}, {kind}");
            for size in SIZES {
                assert_quarters(&shown(&file[size]).await, 14);
            }
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn every_depth_and_colour_space_is_shown_as_it_was_meant() {
    use png::{BitDepth, ColorType};
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let ink = |colorspace, [c, m, y, k]: [u8; 4]| {
        compress(&[c, m, y, k].repeat(64 * 64), 64, turbojpeg::PixelFormat::CMYK, |compressor| {
            compressor.set_colorspace(colorspace)
        })
    };
    let with_profile = |jpeg: &[u8], profile: &[u8]| {
        with_segments(jpeg, &[(0xe2, &[b"ICC_PROFILE\0\x01\x01".as_slice(), profile].concat())])
    };
    use turbojpeg::Colorspace::{CMYK, YCCK};
    // Adobe's samples are the paper that is left: this is full magenta.
    let magenta = [255, 0, 255, 255];
    // What this printer calls magenta is a green of CIELAB (46, −48, 49).
    let odd = printer(46, -48, 49);
    let green = [0, 127, 0, 255];
    let plain = |color| Picture::plain(64, 64, color);
    let adobe = moxcms::ColorProfile::new_adobe_rgb().encode().unwrap();
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let deep = |color: ColorType, samples: &[u16]| {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
        png(64, 64, color, BitDepth::Sixteen, &bytes.repeat(64 * 64), |_| {})
    };
    let palette = png(64, 64, ColorType::Indexed, BitDepth::Eight, &[1; 64 * 64], |info| {
        info.palette = Some(vec![9, 9, 9, 30, 200, 30].into());
        info.trns = Some(vec![255, 100].into());
    });
    for (name, file, expected, tolerance) in [
        ("cmyk.jpg", ink(CMYK, magenta), [255, 0, 255, 255], 8),
        ("ycck.jpg", ink(YCCK, magenta), [255, 0, 255, 255], 8),
        ("cmyk with a profile.jpg", with_profile(&ink(CMYK, magenta), &odd), green, 14),
        ("ycck with a profile.jpg", with_profile(&ink(YCCK, magenta), &odd), green, 14),
        ("cmyk with an RGB profile.jpg", with_profile(&ink(CMYK, magenta), &p3), [255, 0, 255, 255], 8),
        // By the matrices of Adobe RGB (1998) and CSS Color 4.
        ("adobe rgb.jpg", with_profile(&plain([150, 100, 80, 255]).jpeg(), &adobe), [167, 100, 78, 255], 4),
        ("display p3.jpg", with_profile(&plain([200, 60, 60, 255]).jpeg(), &p3), [217, 42, 52, 255], 4),
        ("16 bits.png", deep(ColorType::Rgb, &[0x8000, 0x4000, 0xffff]), [128, 64, 255, 255], 4),
        ("16 bits gray alpha.png", deep(ColorType::GrayscaleAlpha, &[0x8000, 0x8000]), [128, 128, 128, 128], 4),
        ("palette.png", palette, [30, 200, 30, 100], 8),
        (
            "gray alpha.png",
            png(64, 64, ColorType::GrayscaleAlpha, BitDepth::Eight, &[90, 60].repeat(64 * 64), |_| {}),
            [90, 90, 90, 60],
            8,
        ),
        ("one bit.png", png(64, 64, ColorType::Grayscale, BitDepth::One, &[0xff; 8 * 64], |_| {}), [255; 4], 2),
    ] {
        let file = kept(&server, &ada, name, &file).await;
        assert!(is_ready(&file), "{name}: {file}");
        for size in SIZES {
            let picture = shown(&file[size]).await;
            assert_near(picture.at(picture.width / 2, picture.height / 2), expected, tolerance);
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn every_coding_is_read_and_of_a_film_the_first_frame() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let (picture, second) = (Picture::quarters(600, 400), Picture::plain(600, 400, BLUE));
    let rgb = turbojpeg::PixelFormat::RGB;
    let jpeg = |set: fn(&mut turbojpeg::Compressor) -> turbojpeg::Result<()>| compress(&picture.rgb(), 600, rgb, set);
    for (name, file) in [
        ("interlaced.png", interlaced(&picture)),
        ("animated.png", animated_png(&picture, &second)),
        ("animated.gif", gif(600, 400, &[(0, 0, &picture), (0, 0, &second)])),
        ("animated.webp", animated_webp(&[&picture, &second])),
        ("progressive.jpg", jpeg(|compressor| compressor.set_progressive(true))),
        ("arithmetic.jpg", jpeg(|compressor| compressor.set_arithmetic(true))),
        (
            "arithmetic progressive.jpg",
            jpeg(|compressor| {
                compressor.set_arithmetic(true)?;
                compressor.set_progressive(true)
            }),
        ),
        ("lossless.jpg", jpeg(|compressor| compressor.set_lossless(true))),
    ] {
        let file = kept(&server, &ada, name, &file).await;
        assert!(is_ready(&file), "{name}: {file}");
        for size in SIZES {
            assert_quarters(&shown(&file[size]).await, 16);
        }
    }
    let mut twelve = picture.jpeg();
    let frame = memchr::memmem::find(&twelve, b"\xff\xc0").unwrap();
    twelve[frame + 4] = 12;
    let file = kept(&server, &ada, "twelve bits.jpg", &twelve).await;
    assert!(file["square"]["error"].as_str().unwrap().contains("not supported"), "{file}");
    assert_eq!(file["width"], 600, "what the header tells is known all the same");
    server.finish().await;
}

#[tokio::test]
async fn the_thinnest_and_smallest_pictures_have_renditions() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for (width, height, ready) in
        [(1, 1, true), (1, 30_000, true), (30_000, 1, true), (65_535, 1, false), (1, 65_535, false)]
    {
        let picture = Picture::plain(width, height, GREEN);
        for (kind, file) in [("png", picture.png()), ("gif", picture.gif())] {
            let name = format!("{width} × {height}.{kind}");
            let file = kept(&server, &ada, &name, &file).await;
            assert_eq!(is_ready(&file), ready, "{name}: {file}");
            if ready {
                assert_near(shown(&file["square"]).await.at(75, 75), GREEN, 14);
            } else {
                assert!(file["square"]["error"].as_str().unwrap().contains("too large"), "{file}");
            }
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn what_a_camera_tells_of_its_owner_stays_in_the_original() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let opaque = Picture::quarters(400, 300);
    let clear = Picture::plain(400, 300, [30, 30, 220, 100]);
    let exif = telltale_exif();
    let block = [b"Exif\0\0".as_slice(), &exif].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRETPLACE</x:xmpmeta>";
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let icc = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile].concat();
    let jpeg = with_segments(
        &opaque.jpeg(),
        &[(0xe1, &block), (0xe1, xmp), (0xe2, &icc), (0xed, b"Photoshop 3.0\0SECRETCAPTION"), (0xfe, b"SECRETCOMMENT")],
    );
    let text = |png: &[u8]| {
        let png = with_first_chunk(png, *b"tEXt", b"Author\0SECRETAUTHOR");
        let png = with_first_chunk(&png, *b"tIME", &[7, 0xea, 1, 2, 3, 4, 5]);
        with_last_chunk(&png, *b"eXIf", &exif)
    };
    let image = clear.webp(true);
    let (name, body) = webp_image(&image);
    let extended = vp8x(0x3c, 400, 300);
    let webp = webp_of(&[
        (b"VP8X", extended.as_slice()),
        (b"ICCP", &profile),
        (name, body),
        (b"EXIF", &exif),
        (b"XMP ", b"<x:xmpmeta>SECRETPLACE</x:xmpmeta>"),
    ]);
    let mut gif = opaque.gif();
    let end = gif.len() - 1;
    gif.splice(end..end, *b"\x21\xfe\x0dSECRETCOMMENT\0");
    for (name, bytes) in [
        ("a.jpg", jpeg),
        ("b.png", text(&opaque.png())),
        ("c.png", text(&clear.png())),
        ("d.webp", webp),
        ("e.gif", gif),
    ] {
        // That no rendition holds any of it is checked for every file.
        let file = kept(&server, &ada, name, &bytes).await;
        assert!(is_ready(&file), "{name}: {file}");
        for size in SIZES {
            let rendition = download(&file[size]["url"]).await;
            assert!(memchr::memmem::find(&rendition, b"SECRET").is_none(), "{size} of {name}");
        }
    }
    server.finish().await;
}
