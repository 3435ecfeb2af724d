//! `block-list measure`: how well pictures are found again by their looks, measured on pictures that somebody names.

use std::{collections::BTreeMap, io::Write as _, time::Instant};

use super::{Failure, args::BlockListCommand, demo::Pictures, print};
use crate::{
    config::Config,
    images::{CopyKind, Fingerprint, Images, Limits},
};

pub async fn run(config: Config, command: BlockListCommand) -> Result<(), Failure> {
    let BlockListCommand::Measure { photos, files } = command;
    let pictures = Pictures::from(photos.as_deref(), files)?;
    let whose = photos.map_or_else(|| "generated".to_owned(), |folder| format!("from {}", folder.display()));
    measure(&Images::new(Limits::from(&config.images)), &pictures, &whose).await
}

/// A picture as it would be blocked, and copies of it as they would be uploaded.
struct Measured {
    blocked: Vec<Fingerprint>,
    copies: Vec<(CopyKind, Option<Fingerprint>)>,
}

impl Measured {
    async fn of(images: &Images, bytes: &[u8], seed: u64) -> Result<Self, Failure> {
        let unreadable =
            |error: &dyn std::fmt::Display| Failure::fault(format!("a picture cannot be measured: {error}"));
        let store = |bytes: &[u8]| {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(bytes)?;
            Ok::<_, std::io::Error>(file)
        };
        let file = store(bytes).map_err(|error| unreadable(&error))?;
        let path = file.path().to_owned();
        let blocked = images.fingerprints(path.clone()).await.map_err(|error| unreadable(&error))?;
        let mut copies = Vec::new();
        for copy in images.copies(path, seed).await.map_err(|error| unreadable(&error))? {
            let file = store(&copy.bytes).map_err(|error| unreadable(&error))?;
            let seen = images.probe(file.path().to_owned()).await.map_err(|error| unreadable(&error))?;
            copies.push((copy.kind, seen.fingerprint));
        }
        Ok(Self { blocked, copies })
    }

    fn finds(&self, copy: Option<&Fingerprint>) -> bool {
        copy.is_some_and(|copy| self.blocked.iter().any(|blocked| blocked.resembles(copy)))
    }
}

async fn measure(images: &Images, pictures: &Pictures, whose: &str) -> Result<(), Failure> {
    let began = Instant::now();
    print(&format!("{} pictures, {whose}\n", pictures.count))?;
    let mut all = Vec::with_capacity(pictures.count);
    for number in 0..pictures.count {
        all.push(Measured::of(images, &pictures.get(number)?.bytes, number as u64).await?);
    }
    let plain = all.iter().filter(|picture| picture.blocked.is_empty()).count();
    let mut found: BTreeMap<CopyKind, (usize, usize)> = BTreeMap::new();
    let (mut pairs, mut wrong) = (0, 0);
    let (mut originals, mut wrong_originals) = (0, 0);
    for (number, picture) in all.iter().enumerate() {
        for (kind, copy) in &picture.copies {
            let (good, of) = found.entry(*kind).or_default();
            *of += 1;
            *good += usize::from(picture.finds(copy.as_ref()));
        }
        for (_, other) in all.iter().enumerate().filter(|(other, _)| *other != number) {
            originals += 1;
            wrong_originals += usize::from(picture.finds(other.blocked.first()));
            pairs += other.copies.len();
            wrong += other.copies.iter().filter(|(_, copy)| picture.finds(copy.as_ref())).count();
        }
    }
    for (kind, (good, of)) in found {
        let name = match kind {
            CopyKind::Encoded => "encoded again, JPEG 40 to 95",
            CopyKind::Resized => "resized, 50 to 200 %",
            CopyKind::Cropped => "cropped by 5 % of the area",
        };
        print(&format!("  {name:<40} {good:>7} of {of:>7} found  {:>7.2} %\n", percent(good, of)))?;
    }
    for (name, wrong, of) in
        [("another picture taken for it", wrong_originals, originals), ("a copy of another taken for it", wrong, pairs)]
    {
        print(&format!("  {name:<40} {wrong:>7} of {of:>7} pairs  {:>7.2} %\n", percent(wrong, of)))?;
    }
    print(&format!(
        "  all but one colour, so blocked by its bytes alone: {plain}\n  in {:.0} s\n",
        began.elapsed().as_secs_f64()
    ))
}

fn percent(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * part as f64 / of as f64 }
}
