//! What pictures cost the real server in memory, whatever they are and however many come at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{bombs::*, fixtures::*};
use crate::support::{PASSWORD, Person, process::ServerProcess};

/// Bytes above idle, at the most.
const AT_MOST: u64 = 200_000_000;
const PARALLEL: usize = 20;
/// For twenty large pictures in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server whose code for pictures is loaded, and somebody with an account.
async fn server() -> (ServerProcess, Person) {
    let server = ServerProcess::start(&[]).await;
    let stranger = Person::new(&server.app);
    let input = json!({
        "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "", "password": PASSWORD,
    });
    let ada = stranger.clone().known_as(&stranger.mutate("signUp", "user { id } token", input).await);
    let small = Picture::quarters(64, 64);
    rendered(&ada, vec![small.jpeg(), progressive(&small), small.png(), small.gif(), small.webp(false)]).await;
    server.forget_peak();
    (server, ada)
}

/// Uploads all at once; the states of their renditions once none is pending.
async fn rendered(person: &Person, files: Vec<Vec<u8>>) -> Vec<Value> {
    let sent = files.into_iter().map(|file| person.upload("picture", file));
    let files = futures::future::join_all(sent).await;
    let started = Instant::now();
    let mut states = Vec::new();
    for file in &files {
        loop {
            let state = person.file(file, "rendition(size: FIT_1280) { state }").await["rendition"]["state"].clone();
            if state != "PENDING" {
                states.push(state);
                break;
            }
            assert!(started.elapsed() < PATIENCE, "renditions are pending for {:?}", started.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    states
}

/// Runs `work` and returns by how much the server grew meanwhile at the most, beside what it answered.
async fn peak<T>(server: &ServerProcess, what: &str, work: impl Future<Output = T>) -> (u64, T) {
    let idle = server.memory("VmRSS");
    server.forget_peak();
    let answer = work.await;
    let peak = server.memory("VmHWM").saturating_sub(idle);
    let left = server.memory("VmRSS").saturating_sub(idle);
    println!("{what}: {} MB above idle at the most, {} MB afterwards", peak / 1_000_000, left / 1_000_000);
    (peak, answer)
}

/// Pixels of a picture that packs badly: rows of noise over a gradient, made by copying, for debug builds.
fn photo(width: usize, height: usize, channels: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..width * channels + 4096)
        .map(|at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((at * 150 / (width * channels)) as u8).wrapping_add((state >> 60) as u8)
        })
        .collect();
    let mut pixels = Vec::with_capacity(width * height * channels);
    for row in 0..height {
        let from = row * 61 % 4096 / channels * channels;
        pixels.extend_from_slice(&noise[from..from + width * channels]);
    }
    pixels
}

fn jpeg(width: u32, pixels: &[u8], progressive: bool) -> Vec<u8> {
    compress(pixels, width, turbojpeg::PixelFormat::RGB, |compressor| {
        compressor.set_quality(85)?;
        compressor.set_progressive(progressive)?;
        compressor.set_subsamp(turbojpeg::Subsamp::Sub2x2)
    })
}

#[tokio::test]
async fn twenty_bombs_at_once_stay_within_the_bound() {
    let (mut server, ada) = server().await;
    let hungry = bombs().into_iter().filter(|(name, _)| name.contains("takes 150 MB") || name.contains("claims"));
    let bombs: Vec<_> = hungry.map(|(_, bomb)| bomb).cycle().take(PARALLEL).collect();
    let (peak, states) = peak(&server, "bombs", rendered(&ada, bombs)).await;
    assert_eq!(states.len(), PARALLEL);
    assert!(peak <= AT_MOST, "{peak} bytes above idle");
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn twenty_large_pictures_at_once_stay_within_the_bound() {
    let (mut server, ada) = server().await;
    let (large, medium) = (photo(6000, 4000, 3), photo(4000, 3000, 3));
    let webp = webpx::Encoder::new_rgb(&medium, 4000, 3000).quality(80.0).encode(webpx::Unstoppable).unwrap();
    let png = png(4000, 3000, png::ColorType::Rgb, png::BitDepth::Eight, &medium, |_| {});
    let slow = jpeg(6000, &large, true);
    // The meter sees what one progressive decode has to keep: 72 MB of coefficients.
    let (seen, _) = peak(&server, "one progressive JPEG", rendered(&ada, vec![slow.clone()])).await;
    assert!((50_000_000..AT_MOST).contains(&seen), "{seen} bytes above idle");
    let kinds = [jpeg(6000, &large, false), slow, png, webp];
    for file in &kinds {
        assert!(file.len() <= 10 << 20, "one has {} bytes", file.len());
    }
    let files = kinds.into_iter().cycle().take(PARALLEL).collect();
    let (peak, states) = peak(&server, "large pictures", rendered(&ada, files)).await;
    assert!(states.iter().all(|state| state == "READY"), "{states:?}");
    assert!(peak <= AT_MOST, "{peak} bytes above idle");
    assert!(server.stop().await.success());
}
