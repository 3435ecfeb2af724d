//! What the demo uploads: scenes made from a seed, or the pictures of a folder.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::{cli::client::Attachment, images::scene_jpeg};

/// Endings that a picture of a folder may have.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "gif", "webp", "tif"];
/// Sides of the generated ones: portrait, landscape, square, wide.
const SIDES: [(u32, u32); 5] = [(960, 720), (720, 960), (800, 800), (1120, 630), (960, 640)];
const FIRST: [&str; 8] = ["Morning", "Evening", "Quiet", "Far", "Winter", "Harvest", "First", "Last"];
const SECOND: [&str; 8] = ["hills", "light", "ridge", "valley", "sky", "fields", "haze", "crossing"];

pub struct Pictures {
    folder: Vec<PathBuf>,
    pub count: usize,
}

impl Pictures {
    /// Those of a folder, `count` at the most, or as many generated ones.
    pub fn from(folder: Option<&Path>, count: usize) -> Result<Self, Failure> {
        let Some(folder) = folder else { return Ok(Self { folder: Vec::new(), count }) };
        let unreadable = |error| Failure::fault(format!("{} cannot be read: {error}", folder.display()));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
            if ENDINGS.contains(&ending.as_str()) {
                found.push(path);
            }
        }
        if found.is_empty() {
            let error = format!("there is no picture in {}", folder.display());
            return Err(Failure::usage(error, format!("give a folder with some: {}", ENDINGS.join(", "))));
        }
        found.sort();
        found.truncate(count);
        Ok(Self { count: found.len(), folder: found })
    }

    /// The picture of this number, with a name.
    pub fn get(&self, number: usize) -> Result<Attachment, Failure> {
        if let Some(path) = self.folder.get(number % self.folder.len().max(1)) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|error| Failure::fault(format!("{} cannot be read: {error}", path.display())))?;
            return Ok(Attachment { name, bytes: bytes.into() });
        }
        let (width, height) = SIDES[number % SIDES.len()];
        let bytes = scene_jpeg(number as u64, width, height).map_err(|error| Failure::fault(error.to_string()))?;
        let name = format!("{} {} {number}.jpg", FIRST[number % 8], SECOND[number / 3 % 8]);
        Ok(Attachment { name, bytes: bytes.into() })
    }
}
