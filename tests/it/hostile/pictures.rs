//! Bombs, cut and altered pictures, and files that are two things at once.

use std::time::Duration;

use serde_json::json;

use super::{SIZES, download, is_ready, kept};
use crate::{
    images::{bombs::*, fixtures::*},
    support::{FILE, TestServer},
};

#[tokio::test]
async fn bombs_are_kept_as_files_and_say_why_they_have_no_renditions() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for (name, bomb) in bombs() {
        assert!(bomb.len() <= 10 << 20, "{name} has {} bytes", bomb.len());
        let file = kept(&server, &ada, name, &bomb).await;
        for size in SIZES {
            let rendition = &file[size];
            // What is whole although it is odd may be shown; what is too large, damaged or (in a debug build) slow says so.
            let reasons = ["too large", "damaged", "took too long"];
            let told =
                rendition["error"].as_str().is_some_and(|error| reasons.iter().any(|reason| error.contains(reason)));
            assert!(rendition["state"] == "READY" || told, "{name}: {rendition}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_storm_of_bombs_does_not_keep_others_waiting_for_long() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let bomb = jpeg_claiming(&progressive(&Picture::quarters(64, 64)), 5000, 5000);
    let storm = futures::future::join_all((0..20).map(|_| ada.upload("bomb.jpg", bomb.clone())));
    let beside = async {
        // Neither text nor questions wait for a decoder.
        let started = std::time::Instant::now();
        for _ in 0..10 {
            bob.upload("note.txt", *b"words").await;
            bob.query("{ files { totalCount } }", json!({})).await;
        }
        started.elapsed()
    };
    let (files, elapsed) = tokio::join!(storm, beside);
    assert_eq!(files.len(), 20);
    assert!(elapsed < Duration::from_secs(15), "ten small uploads took {elapsed:?}");
    let picture = kept(&server, &bob, "holiday.jpg", &Picture::quarters(640, 480).jpeg()).await;
    assert!(is_ready(&picture));
    server.finish().await;
}

/// Every format, cut at every hundredth, and altered at random places: a few hundred files through the whole server.
#[tokio::test]
async fn cut_and_altered_pictures_are_kept_and_never_shown_half() {
    let picture = Picture::quarters(160, 120);
    let second = Picture::plain(160, 120, RED);
    let whole = [
        ("jpg", picture.jpeg()),
        ("progressive.jpg", progressive(&picture)),
        ("png", picture.png()),
        ("gif", picture.gif()),
        ("lossless.webp", picture.webp(true)),
        ("lossy.webp", picture.webp(false)),
        ("animated.gif", gif(160, 120, &[(0, 0, &picture), (0, 0, &second)])),
        ("animated.webp", animated_webp(&[&picture, &second])),
    ];
    let mut seed = 0x5eed_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for (kind, file) in whole {
        let server = TestServer::start().await;
        let ada = server.person("ada").await;
        let cuts = (0..100).map(|percent| file[..file.len() * percent / 100].to_vec()).collect::<Vec<_>>();
        let altered = (0..20).map(|_| {
            let mut altered = file.clone();
            for _ in 0..=random() % 4 {
                let at = random() % altered.len();
                altered[at] ^= 1 << (random() % 8);
            }
            altered
        });
        let files: Vec<Vec<u8>> = cuts.iter().cloned().chain(altered).collect();
        // All at once, so that the decoders are never idle; then each is looked at.
        let names: Vec<String> = (0..files.len()).map(|number| format!("{number} of {kind}")).collect();
        for (names, files) in names.chunks(20).zip(files.chunks(20)) {
            let sent = names.iter().zip(files).map(|(name, bytes)| ada.upload(name, bytes.clone()));
            let stored = futures::future::join_all(sent).await;
            server.settle().await;
            for ((name, bytes), file) in names.iter().zip(files).zip(stored) {
                let fields =
                    format!("{FILE} downloadUrl {{ url }} rendition(size: FIT_320) {{ state error url width height }}");
                let file = ada.file(&file, &fields).await;
                assert_eq!(download(&file["downloadUrl"]["url"]).await, *bytes, "{name}");
                let rendition = &file["rendition"];
                match rendition["state"].as_str() {
                    Some("READY") => assert!(rendition["width"].as_u64().unwrap() <= 320, "{name}"),
                    Some("FAILED") => {
                        let reason = rendition["error"].as_str().unwrap();
                        assert!(!reason.contains("gave up") && !reason.contains("written"), "{name}: {reason}");
                    }
                    // Too short to be told from noise, or altered in its signature.
                    None => assert!(!file["contentType"].as_str().unwrap().starts_with("image/j"), "{name}: {file}"),
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
        server.finish().await;
    }
}

#[tokio::test]
async fn a_file_that_is_two_things_is_served_as_the_one_its_bytes_say() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let picture = Picture::quarters(64, 48);
    let script = b"<script>alert(document.domain)</script>";
    let page = [b"<!doctype html>".as_slice(), script].concat();
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut gif_script = picture.gif();
    gif_script[6..10].copy_from_slice(b"/*\x30\0");
    gif_script.extend(b"*/=1;alert(1)//");
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let pdf_in_jpeg = with_segments(&picture.jpeg(), &[(0xfe, b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n")]);
    for (name, bytes, kind) in [
        ("script.js", gif_script, "image/gif"),
        ("page.html", with_last_chunk(&picture.png(), *b"tEXt", &[b"x\0".as_slice(), &page].concat()), "image/png"),
        ("archive.zip", [picture.jpeg().as_slice(), zip].concat(), "image/jpeg"),
        ("paper.pdf", pdf_in_jpeg, "image/jpeg"),
        ("drawing.svg", [picture.png().as_slice(), svg].concat(), "image/png"),
        ("picture.png", [b"\x89PNG\r\n\x1a\n".as_slice(), svg].concat(), "image/png"),
        ("picture.jpg", page.clone(), "text/html"),
        ("picture.gif", svg.to_vec(), "image/svg+xml"),
        ("photo.jpeg", [b"\n\n  ".as_slice(), &page].concat(), "text/html"),
        ("empty.png", Vec::new(), "application/octet-stream"),
        ("one.gif", vec![b'G'], "text/plain"),
    ] {
        let file = kept(&server, &ada, name, &bytes).await;
        assert_eq!(file["contentType"], kind, "{name}");
        for which in ["attachment", "inline"] {
            let response = reqwest::get(file[which]["url"].as_str().unwrap()).await.unwrap();
            let header =
                |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            assert_eq!(header("content-type"), kind, "{name}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
            assert!(header("content-security-policy").contains("sandbox"), "{name}");
            let shown = which == "inline" && kind.starts_with("image/") && kind != "image/svg+xml";
            let expected = if shown { "inline;" } else { "attachment;" };
            assert!(header("content-disposition").starts_with(expected), "{name}: {}", header("content-disposition"));
        }
        for size in SIZES.iter().filter(|size| file[**size]["state"] == "READY") {
            let rendition = download(&file[*size]["url"]).await;
            assert!(memchr::memmem::find(&rendition, b"script").is_none(), "{name}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn the_clients_word_on_the_type_counts_for_nothing() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let picture = Picture::quarters(64, 48);
    for (bytes, kind) in [(picture.png(), "image/png"), (b"<!doctype html><p>".to_vec(), "text/html")] {
        for announced in ["image/jpeg", "text/html", "image/svg+xml", "application/javascript", "x/y"] {
            let file = ada.upload_as("x.svg", bytes.clone(), announced).await;
            assert_eq!(file["contentType"], kind, "announced as {announced}");
        }
    }
    server.settle().await;
    server.finish().await;
}
