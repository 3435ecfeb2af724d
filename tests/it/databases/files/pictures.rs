//! Pictures: sides as shown, renditions, and pictures that cannot be decoded.

use serde_json::{Value, json};

use crate::{
    images::fixtures::{Picture, exif, png_claiming, with_segments},
    support::{Person, TestServer},
};

const RENDITIONS: &str = "square: rendition(size: SQUARE_150) { ...R } small: rendition(size: FIT_320) { ...R } \
     large: rendition(size: FIT_1280) { ...R }";
const FRAGMENT: &str = "fragment R on Rendition { size state width height contentType error url }";

async fn renditions(person: &Person, file: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on File {{ {RENDITIONS} }} }} }} {FRAGMENT}");
    person.query(&query, json!({ "id": file["id"] })).await["node"].clone()
}

#[tokio::test]
async fn renditions_get_their_exact_sizes() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let opaque = Picture::quarters(1600, 800);
    let mut clear = Picture::quarters(400, 300);
    clear.rgba.chunks_mut(4).for_each(|pixel| pixel[3] = 100);
    for (bytes, small, large, kinds) in [
        (opaque.jpeg(), (320, 160), (1280, 640), ["image/jpeg"].as_slice()),
        (clear.png(), (320, 240), (400, 300), &["image/png", "image/webp"]),
        (Picture::quarters(200, 100).gif(), (200, 100), (200, 100), &["image/jpeg"]),
        (opaque.webp(false), (320, 160), (1280, 640), &["image/jpeg"]),
    ] {
        let file = ada.upload("picture", bytes).await;
        server.settle().await;
        let made = renditions(&ada, &file).await;
        for (name, width, height) in [("square", 150, 150), ("small", small.0, small.1), ("large", large.0, large.1)] {
            let rendition = &made[name];
            assert_eq!(rendition["state"], "READY", "{made}");
            assert_eq!((&rendition["width"], &rendition["height"]), (&json!(width), &json!(height)), "{name}");
            assert!(kinds.contains(&rendition["contentType"].as_str().unwrap()), "{made}");
            let response = reqwest::get(rendition["url"].as_str().unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], rendition["contentType"].as_str().unwrap());
            assert!(!response.bytes().await.unwrap().is_empty());
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn sides_are_those_after_the_exif_orientation() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for (orientation, width, height) in [(1, 640, 480), (3, 640, 480), (6, 480, 640), (8, 480, 640)] {
        let block = [b"Exif\0\0".as_slice(), &exif(orientation, orientation == 6)].concat();
        let turned = with_segments(&Picture::quarters(640, 480).jpeg(), &[(0xe1, &block)]);
        let file = ada.upload("turned.jpg", turned).await;
        assert_eq!((&file["width"], &file["height"]), (&json!(width), &json!(height)), "orientation {orientation}");
        server.settle().await;
        let made = renditions(&ada, &file).await;
        assert_eq!((&made["large"]["width"], &made["large"]["height"]), (&json!(width), &json!(height)));
        let url = made["large"]["url"].as_str().unwrap();
        let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"SECRETMAKER"), "no metadata");
    }
    server.finish().await;
}

#[tokio::test]
async fn renditions_are_pending_until_a_worker_made_them() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.png", Picture::quarters(64, 64).png()).await;
    let pending = renditions(&ada, &file).await;
    for name in ["square", "small", "large"] {
        assert_eq!((&pending[name]["state"], &pending[name]["url"]), (&json!("PENDING"), &Value::Null));
    }
    server.work().await;
    server.settle().await;
    assert_eq!(renditions(&ada, &file).await["square"]["state"], "READY");
    server.finish().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_decoded_is_kept_and_says_why() {
    let server = TestServer::with(|config| config.images.max_pixels = 4_000_000).await;
    let ada = server.person("ada").await;
    let mut cut = Picture::quarters(300, 300).png();
    cut.truncate(60);
    for (name, bytes) in [
        ("cut.png", cut),
        ("bomb.png", png_claiming(30_000, 30_000)),
        ("many pixels.jpg", Picture::quarters(2100, 2000).jpeg()),
        ("start.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\0".to_vec()),
    ] {
        let file = ada.upload(name, bytes.clone()).await;
        assert_eq!(file["size"], bytes.len());
        server.settle().await;
        let made = renditions(&ada, &file).await;
        for size in ["square", "small", "large"] {
            assert_eq!((&made[size]["state"], &made[size]["url"]), (&json!("FAILED"), &Value::Null), "{name}");
            assert!(made[size]["error"].as_str().unwrap().len() > 5, "{name}: {made}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn what_is_no_picture_has_no_renditions() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for bytes in [b"%PDF-1.7\n".to_vec(), b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), Vec::new()] {
        let file = ada.upload("document", bytes).await;
        server.settle().await;
        let made = renditions(&ada, &file).await;
        assert_eq!(made, json!({ "square": null, "small": null, "large": null }));
    }
    server.finish().await;
}
