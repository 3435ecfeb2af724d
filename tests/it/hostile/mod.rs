//! Pictures sent with bad intent or bad luck, through the public door: it is kept bit for bit or refused in clear words,
//! and never costs more than a moment.

mod pictures;
mod variants;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

/// No single file may keep the server busy for longer: two seconds of a quiet machine in a release build. The rest is for busy
/// machines and for debug builds, whose resizing takes ten times as long; a hang is still told.
const AT_MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });

const FIELDS: &str = "name size sha256 contentType width height attachment: downloadUrl { url } \
     inline: downloadUrl(disposition: INLINE) { url } square: rendition(size: SQUARE_150) { ...R } \
     small: rendition(size: FIT_320) { ...R } large: rendition(size: FIT_1280) { ...R }";
const FRAGMENT: &str = "fragment R on Rendition { state width height contentType error url }";

const SIZES: [&str; 3] = ["square", "small", "large"];

/// Uploads the bytes, waits for the renditions, and checks what holds for every file: the original comes back bit for
/// bit, and each rendition is either there, without metadata, or says why not. Returns the file's fields.
async fn kept(server: &TestServer, person: &Person, name: &str, bytes: &[u8]) -> Value {
    let started = Instant::now();
    let file = person.upload(name, bytes).await;
    server.settle().await;
    let elapsed = started.elapsed();
    assert!(elapsed < AT_MOST, "{name} took {elapsed:?}");
    // For the record: `--nocapture` shows where the time goes.
    if elapsed > Duration::from_millis(500) {
        println!("{name}: {elapsed:?}");
    }
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on File {{ {FIELDS} }} }} }} {FRAGMENT}");
    let file = person.query(&query, json!({ "id": file["id"] })).await["node"].clone();
    assert_eq!(file["size"], bytes.len(), "{name}");
    assert_eq!(download(&file["attachment"]["url"]).await, bytes, "{name} is stored bit for bit");
    let raster = file["contentType"].as_str().unwrap().starts_with("image/") && !file["square"].is_null();
    for size in SIZES {
        let rendition = &file[size];
        match rendition["state"].as_str() {
            None => assert!(!raster, "{name}: {file}"),
            Some("READY") => {
                let bytes = download(&rendition["url"]).await;
                assert_eq!(crate::images::parts::metadata(&bytes), [""; 0], "in {size} of {name}");
            }
            Some("FAILED") => {
                let reason = rendition["error"].as_str().unwrap();
                assert!(reason.contains("picture"), "{name}: {reason}");
                assert!(!reason.contains("decoder gave up"), "{name} made a codec panic");
            }
            other => panic!("{name}: a rendition is {other:?}"),
        }
    }
    file
}

async fn download(url: &Value) -> Vec<u8> {
    let response = reqwest::get(url.as_str().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

/// Whether every rendition is there.
fn is_ready(file: &Value) -> bool {
    SIZES.iter().all(|size| file[*size]["state"] == "READY")
}
