//! What a list of files shows of a picture before any rendition exists.

use super::{
    Budget, Fingerprint, Format, ImageError,
    formats::Header,
    render::{Needed, Picture},
};

/// The longer side of what the thumbhash is computed from; its encoder takes no more than 100.
const THUMBHASH_SIDE: u32 = 100;

/// A picture's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub format: Format,
    /// Pixels as shown, the EXIF orientation applied.
    pub width: u32,
    pub height: u32,
    /// Some pixel is not opaque; where the pixels cannot be decoded, the header's word.
    pub has_alpha: bool,
    pub animated: bool,
    /// The placeholder (evanw.github.io/thumbhash). `None` where the pixels cannot be decoded.
    pub thumbhash: Option<Vec<u8>>,
    /// `None` also where it is all but one colour.
    pub fingerprint: Option<Fingerprint>,
}

/// What a probe decodes.
pub(super) const NEEDED: Needed = Needed { fit: Fingerprint::SIDE, cover: Fingerprint::SHORTER };

/// What only the pixels tell.
pub(super) struct Seen {
    pub has_alpha: bool,
    pub thumbhash: Vec<u8>,
    pub fingerprint: Option<Fingerprint>,
}

impl Probe {
    /// What the header tells.
    pub(super) fn of(header: &Header) -> Self {
        let (width, height) = header.orientation.shown(header.width, header.height);
        let (has_alpha, animated) = (header.has_alpha, header.animated);
        Self { format: header.format(), width, height, has_alpha, animated, thumbhash: None, fingerprint: None }
    }
}

pub(super) fn look(picture: Picture, _budget: &Budget) -> Result<Seen, ImageError> {
    let fingerprint = Fingerprint::of(&picture.finish(picture.fit(Fingerprint::SIDE)?)?)?;
    Ok(Seen { has_alpha: !picture.is_opaque(), thumbhash: thumbhash(&picture)?, fingerprint })
}

/// Of the picture and of its crops.
pub(super) fn fingerprints(picture: Picture, _budget: &Budget) -> Result<Vec<Fingerprint>, ImageError> {
    Fingerprint::with_crops(&picture.finish(picture.fit(Fingerprint::SIDE_OF_CROPS)?)?)
}

fn thumbhash(picture: &Picture) -> Result<Vec<u8>, ImageError> {
    let small = picture.finish(picture.fit(THUMBHASH_SIDE)?)?;
    let rgba = if small.channels.has_alpha() {
        small.pixels
    } else {
        small.pixels.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, u8::MAX]).collect()
    };
    Ok(thumbhash::rgba_to_thumb_hash(small.width as usize, small.height as usize, &rgba))
}
