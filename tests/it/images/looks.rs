//! Whether copies of a picture are known by their looks, and other pictures are not taken for it.

use snaphaven::images::{CopyKind, Fingerprint, Images, scene_jpeg};

use super::fixtures::{Picture, Stored, limits, probe};

/// What a picture is blocked by.
async fn blocked(bytes: &[u8]) -> Vec<Fingerprint> {
    Images::new(limits()).fingerprints(Stored::new(bytes).path()).await.unwrap()
}

async fn looks(bytes: &[u8]) -> Fingerprint {
    probe(bytes).await.unwrap().fingerprint.unwrap()
}

/// Something with a pattern, the left half of it see-through where `seen` says so.
fn waves(pixel: impl Fn([u8; 3], bool) -> [u8; 4]) -> Picture {
    Picture::from_fn(240, 160, |x, y| {
        let wave = |length: f32| (f32::sin((x + 2 * y) as f32 / length) * 100.0 + 120.0) as u8;
        pixel([wave(17.0), wave(29.0), wave(53.0)], x < 120)
    })
}

#[tokio::test]
async fn copies_of_a_picture_are_known_and_others_are_not() {
    // Hills, a sky, and a gradient under grain.
    for seed in [1, 2, 7] {
        let picture = scene_jpeg(seed, 320, 240).unwrap();
        let known = blocked(&picture).await;
        assert!(known.len() > 1, "its crops, too");
        let copies = Images::new(limits()).copies(Stored::new(&picture).path(), seed).await.unwrap();
        for kind in [CopyKind::Encoded, CopyKind::Resized, CopyKind::Cropped] {
            let of_kind: Vec<_> = copies.iter().filter(|copy| copy.kind == kind).collect();
            assert!(of_kind.len() >= 7, "{kind:?}");
            for copy in of_kind {
                let looks = looks(&copy.bytes).await;
                assert!(known.iter().any(|known| known.resembles(&looks)), "seed {seed}, {kind:?}");
            }
        }
        let other = looks(&scene_jpeg(seed + 4, 320, 240).unwrap()).await;
        assert!(!known.iter().any(|known| known.resembles(&other)), "seed {seed} is not seed {}", seed + 4);
    }
}

#[tokio::test]
async fn the_format_and_the_orientation_do_not_matter() {
    let picture = waves(|[r, g, b], _| [r, g, b, 255]);
    let first = looks(&picture.jpeg()).await;
    for bytes in [picture.png(), picture.webp(true), picture.webp(false)] {
        assert!(first.resembles(&looks(&bytes).await));
    }
    // What shines through is shown in front of white.
    let glass = waves(|[r, g, b], seen| if seen { [0, 0, 0, 0] } else { [r, g, b, 255] });
    let paper = waves(|[r, g, b], seen| if seen { [255; 4] } else { [r, g, b, 255] });
    assert!(looks(&glass.png()).await.resembles(&looks(&paper.jpeg()).await));
    assert!(!looks(&glass.png()).await.resembles(&first));
    let other_colors = waves(|[r, g, b], _| [b, r, g, 255]);
    assert!(!looks(&other_colors.jpeg()).await.resembles(&first));
}

#[tokio::test]
async fn one_colour_has_no_looks_to_be_known_by() {
    for color in [[0, 0, 0, 255], [255; 4], [90, 120, 200, 255]] {
        let plain = Picture::plain(200, 120, color).jpeg();
        assert_eq!(probe(&plain).await.unwrap().fingerprint, None);
        assert!(blocked(&plain).await.is_empty());
    }
}

#[tokio::test]
async fn a_fingerprint_outlives_its_bytes() {
    let first = looks(&waves(|[r, g, b], _| [r, g, b, 255]).jpeg()).await;
    let bytes = first.to_bytes();
    assert_eq!(bytes.len(), Fingerprint::LEN);
    assert_eq!(Fingerprint::from_bytes(&bytes), Some(first));
    assert_eq!(Fingerprint::from_bytes(&bytes[1..]), None);
}
