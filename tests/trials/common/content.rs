//! Bytes to upload: seeded, each different from all others, some of them pictures.

use bytes::Bytes;
use rand::{Rng, RngExt, rngs::StdRng};
use snaphaven::images::generate;

use super::client::sha256;

#[derive(Clone, Debug)]
pub struct Content {
    pub bytes: Bytes,
    pub sha256: String,
}

/// Makes contents. Pictures are costly, so a few are made once and varied behind their end, where decoders do not look.
#[derive(Clone)]
pub struct Contents {
    pictures: Vec<Bytes>,
}

impl Contents {
    pub fn new(seed: u64) -> Self {
        let photo = |n: u64| generate::photo_jpeg(seed ^ n, 400 + 60 * n as u32, 300, 40_000 * (1 + n as usize));
        let mut pictures: Vec<_> = (0..4).map(|n| Bytes::from(photo(n).expect("a picture of our own"))).collect();
        pictures.push(generate::rgba_png(seed, 200, 160).expect("a picture of our own").into());
        Self { pictures }
    }

    pub fn next(&self, rng: &mut StdRng) -> Content {
        let mut bytes = match rng.random_range(0..10) {
            0..4 => random(rng, 1..4_000),
            4..6 => random(rng, 30_000..300_000),
            6 => random(rng, 500_000..3_000_000),
            _ => self.pictures[rng.random_range(0..self.pictures.len())].to_vec(),
        };
        let mut tail = [0; 16];
        rng.fill_bytes(&mut tail);
        bytes.extend_from_slice(&tail);
        Content { sha256: sha256(&bytes), bytes: bytes.into() }
    }
}

fn random(rng: &mut StdRng, size: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(size)];
    rng.fill_bytes(&mut bytes);
    bytes
}
