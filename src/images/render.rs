//! Renditions: one decode, at the coarsest scale that serves every size asked for.

use entity::rendition::Size;

use super::{
    Budget, Fingerprint, ImageError,
    bitmap::{Bitmap, Channels, Crop},
    color::Converter,
    encode, formats,
    orientation::Orientation,
};

/// One rendition, ready to be stored.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub size: Size,
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub content_type: &'static str,
}

/// One picture for screens, ready to be stored.
#[derive(Clone, Debug)]
pub struct Still {
    /// `None` where it is all but one colour.
    pub fingerprint: Option<Fingerprint>,
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub content_type: &'static str,
}

/// The longer side of a `Fit…` rendition in pixels, or the side of the square.
fn side(size: Size) -> u32 {
    match size {
        Size::Square150 => 150,
        Size::Fit320 => 320,
        Size::Fit1280 => 1280,
    }
}

/// How small a decoder may scale: the longer side stays ≥ `fit` and the shorter ≥ `cover`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needed {
    pub fit: u32,
    pub cover: u32,
}

impl Needed {
    pub fn of(sizes: &[Size]) -> Self {
        sizes.iter().fold(Self::default(), |needed, size| match size {
            Size::Square150 => Self { cover: needed.cover.max(side(*size)), ..needed },
            Size::Fit320 | Size::Fit1280 => Self { fit: needed.fit.max(side(*size)), ..needed },
        })
    }

    pub fn is_met(self, width: u32, height: u32) -> bool {
        width.max(height) >= self.fit && width.min(height) >= self.cover
    }

    /// By how much a decoder with a coarse filter may divide the sides: half as much again as needed stays, for the
    /// final filter to work with. At least 1.
    pub fn reduction(self, width: u32, height: u32) -> f64 {
        let ratio = |have: u32, needed: u32| f64::from(have) / (1.5 * f64::from(needed));
        let fit = ratio(width.max(height), self.fit);
        fit.min(ratio(width.min(height), self.cover)).max(1.0)
    }
}

pub(super) fn render(mut picture: Picture, sizes: &[Size], budget: &Budget) -> Result<Vec<Rendered>, ImageError> {
    // From large to small, each made from the last: the full picture is walked only once.
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(side(sizes[*index])));
    let mut done = Vec::with_capacity(sizes.len());
    for index in order {
        budget.time()?;
        let size = sizes[index];
        let bitmap = match size {
            Size::Square150 => picture.square(side(size))?,
            Size::Fit320 | Size::Fit1280 => picture.fit(side(size))?,
        };
        if size != Size::Square150 {
            picture.smaller = Some(bitmap.clone());
        }
        let finished = picture.finish(bitmap)?;
        let (bytes, format) = encode::encode(&finished)?;
        let Bitmap { width, height, .. } = finished;
        done.push((index, Rendered { size, bytes, width, height, content_type: format.content_type() }));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, rendered)| rendered).collect())
}

/// The picture upright within `side` × `side`, without anything but its pixels.
pub(super) fn still(picture: &Picture, side: u32, budget: &Budget) -> Result<Still, ImageError> {
    budget.time()?;
    let finished = picture.finish(picture.fit(side)?)?;
    let fingerprint = Fingerprint::of(&finished)?;
    let (bytes, format) = encode::encode(&finished)?;
    let Bitmap { width, height, .. } = finished;
    Ok(Still { fingerprint, bytes, width, height, content_type: format.content_type() })
}

/// A decoded picture, still as stored: not turned, in its own colours, alpha premultiplied.
pub(super) struct Picture {
    base: Bitmap,
    /// The last one made from `base`, to make smaller ones from.
    smaller: Option<Bitmap>,
    opaque: bool,
    /// As stored, which the decoder may have scaled down.
    width: u32,
    height: u32,
    orientation: Orientation,
    converter: Converter,
}

impl Picture {
    pub fn decode(data: &[u8], header: &formats::Header, needed: Needed, budget: &Budget) -> Result<Self, ImageError> {
        let formats::Decoded { bitmap: base, opaque } = formats::decode(data, header, needed, budget)?;
        budget.time()?;
        let converter = Converter::new(base.channels, &header.profile);
        let formats::Header { width, height, orientation, .. } = *header;
        Ok(Self { base, smaller: None, opaque, width, height, orientation, converter })
    }

    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Within `side` × `side`, never enlarged, at least a pixel wide and high.
    pub fn fit(&self, side: u32) -> Result<Bitmap, ImageError> {
        let longer = self.width.max(self.height);
        let scaled = |length: u32| {
            let rounded = (u64::from(length) * u64::from(side) + u64::from(longer) / 2) / u64::from(longer);
            u32::try_from(rounded).unwrap_or(side).max(1)
        };
        let (width, height) =
            if longer <= side { (self.width, self.height) } else { (scaled(self.width), scaled(self.height)) };
        self.source(Needed { fit: width.max(height), cover: 0 }).resized(width, height, None)
    }

    /// Exactly `side` × `side`: the middle of the picture, enlarged where it is smaller.
    fn square(&self, side: u32) -> Result<Bitmap, ImageError> {
        let source = self.source(Needed { fit: 0, cover: side });
        let shorter = f64::from(source.width.min(source.height));
        let crop = Crop {
            left: (f64::from(source.width) - shorter) / 2.0,
            top: (f64::from(source.height) - shorter) / 2.0,
            width: shorter,
            height: shorter,
        };
        source.resized(side, side, Some(crop))
    }

    fn source(&self, needed: Needed) -> &Bitmap {
        self.smaller.as_ref().filter(|smaller| needed.is_met(smaller.width, smaller.height)).unwrap_or(&self.base)
    }

    /// Turned upright, in sRGB, alpha kept only where something shines through.
    pub fn finish(&self, mut bitmap: Bitmap) -> Result<Bitmap, ImageError> {
        if !self.opaque {
            bitmap.unpremultiply()?;
        }
        let mut bitmap = self.orientation.apply(self.converter.convert(bitmap));
        if self.opaque && bitmap.channels == Channels::Rgba {
            bitmap.pixels = bitmap.pixels.as_chunks().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
            bitmap.channels = Channels::Rgb;
        }
        Ok(bitmap)
    }
}
