//! Decoded pixels, and how they are made smaller.

use fast_image_resize::{FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer, images};

use super::ImageError;

/// What one pixel holds: a byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// Ink: 255 covers the paper.
    Cmyk,
}

impl Channels {
    pub fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }

    fn pixel_type(self) -> PixelType {
        match self {
            Self::Gray => PixelType::U8,
            Self::GrayAlpha => PixelType::U8x2,
            Self::Rgb => PixelType::U8x3,
            Self::Rgba | Self::Cmyk => PixelType::U8x4,
        }
    }
}

/// Rows from the top, without padding.
#[derive(Clone, Debug)]
pub(super) struct Bitmap {
    pub pixels: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
}

/// A rectangle of a bitmap, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crop {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Bitmap {
    /// A bitmap of zeros.
    pub fn new(width: u32, height: u32, channels: Channels) -> Self {
        Self { pixels: vec![0; area(width, height) * channels.count()], width, height, channels }
    }

    /// Whether every pixel covers what is behind it.
    pub fn is_opaque(&self) -> bool {
        let step = self.channels.count();
        !self.channels.has_alpha() || self.pixels.iter().skip(step - 1).step_by(step).all(|alpha| *alpha == u8::MAX)
    }

    /// Weighs colours by alpha, so that resizing mixes no colour in from transparent pixels.
    pub fn premultiply(&mut self) -> Result<(), ImageError> {
        self.with_view(|view| MulDiv::new().multiply_alpha_inplace(view).map_err(defect))
    }

    /// Undoes [`Self::premultiply`].
    pub fn unpremultiply(&mut self) -> Result<(), ImageError> {
        self.with_view(|view| MulDiv::new().divide_alpha_inplace(view).map_err(defect))
    }

    /// `crop` (or all) of the bitmap at another size; alpha must be premultiplied.
    pub fn resized(&self, width: u32, height: u32, crop: Option<Crop>) -> Result<Self, ImageError> {
        self.filtered(width, height, crop, FilterType::Lanczos3)
    }

    /// The bitmap made smaller by plain averages: fast, and good enough for what is resized again.
    pub fn averaged(&self, width: u32, height: u32) -> Result<Self, ImageError> {
        self.filtered(width, height, None, FilterType::Box)
    }

    fn filtered(&self, width: u32, height: u32, crop: Option<Crop>, filter: FilterType) -> Result<Self, ImageError> {
        let source =
            images::ImageRef::new(self.width, self.height, &self.pixels, self.channels.pixel_type()).map_err(defect)?;
        let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
        if let Some(Crop { left, top, width, height }) = crop {
            options = options.crop(left, top, width, height);
        }
        let mut target = Self::new(width, height, self.channels);
        target.with_view(|view| Resizer::new().resize(&source, view, &options).map_err(defect))?;
        Ok(target)
    }

    fn with_view(
        &mut self,
        work: impl FnOnce(&mut images::Image<'_>) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let channels = self.channels.pixel_type();
        let mut view =
            images::Image::from_slice_u8(self.width, self.height, &mut self.pixels, channels).map_err(defect)?;
        work(&mut view)
    }
}

/// Pixels of a rectangle whose sides passed the limits.
pub(super) fn area(width: u32, height: u32) -> usize {
    width as usize * height as usize
}

fn defect(error: impl std::fmt::Display) -> ImageError {
    ImageError::Damaged(error.to_string())
}
