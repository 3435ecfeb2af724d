//! Pictures: sides as shown, renditions, and pictures that cannot be decoded.

use std::time::Duration;

use entity::object::Kind;
use serde_json::{Value, json};
use snaphaven::adapters::objects::memory::MemoryStore;

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
async fn a_rendition_that_is_lost_is_made_again_from_its_original() {
    let server = TestServer::start().await;
    let (ada, admin) = (server.person("ada").await, server.admin().await);
    let [whole, gone] = [Picture::quarters(1600, 800), Picture::quarters(300, 300)];
    let files = [ada.upload("whole.jpg", whole.jpeg()).await, ada.upload("gone.png", gone.png()).await];
    server.settle().await;
    let made = renditions(&ada, &files[0]).await;
    // One is gone at both sites, one rotted at both, one is lacking at the replica alone; of the other file all is gone.
    let objects = server.objects().await;
    let originals: Vec<_> = objects.iter().filter(|object| object.kind == Kind::Original).collect();
    let of = |file: usize, kind: Kind| {
        let file = originals[file].file_id;
        objects.iter().filter(move |object| object.kind == kind && object.file_id == file)
    };
    let lost: Vec<_> = of(0, Kind::Rendition).map(|object| object.key.clone()).collect();
    let stores: [&MemoryStore; 2] = [&server.first, &server.second];
    for store in stores {
        store.delete_latest(&lost[0]);
        store.rot(&lost[1]);
        of(1, Kind::Rendition).chain(of(1, Kind::Original)).for_each(|object| store.delete_latest(&object.key));
    }
    server.second.delete_latest(&lost[2]);
    let verify = async |mode: &str| {
        admin.mutate("verifyReplicas", "run { id }", json!({ "mode": mode })).await;
        server.quiet().await;
    };
    server.advance(Duration::from_secs(1));
    verify("SWEEP").await;
    verify("SCRUB").await;
    let found = "{ replication { findings { kind findings } } }";
    let kinds = json!([{ "kind": "MISSING_IN_REPLICA", "findings": 1 }, { "kind": "LOST", "findings": 6 }]);
    assert_eq!(admin.query(found, json!({})).await["replication"]["findings"], kinds);

    server.schedule("files.make_renditions_again").await;
    server.settle_for_an_hour().await;
    let again = renditions(&ada, &files[0]).await;
    for name in ["square", "small", "large"] {
        let (mut before, mut after) = (made[name].clone(), again[name].clone());
        let urls = [before["url"].take(), after["url"].take()];
        assert_eq!(after, before);
        let bytes = reqwest::get(urls[1].as_str().unwrap()).await.unwrap().error_for_status().unwrap().bytes().await;
        assert!(bytes.unwrap().len() > 100, "{name}");
    }
    assert_eq!(server.objects().await.iter().filter(|object| object.kind == Kind::Rendition).count(), 8);
    // What cannot be made again is told on, and what is mended is not.
    verify("SWEEP").await;
    let kinds = json!([{ "kind": "MISSING_IN_REPLICA", "findings": 1 }, { "kind": "LOST", "findings": 4 }]);
    assert_eq!(admin.query(found, json!({})).await["replication"]["findings"], kinds);
    server.abandon();
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
