//! The metadata image that handlers read: an immutable value behind one pointer swap.

use std::sync::Arc;

use arc_swap::ArcSwap;
use metadata::MetadataImage;

/// The latest published image.
pub struct MetadataView {
    image: ArcSwap<MetadataImage>,
}

impl Default for MetadataView {
    fn default() -> Self {
        MetadataView { image: ArcSwap::from_pointee(MetadataImage::default()) }
    }
}

impl MetadataView {
    /// The image as it is now.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.load_full()
    }

    /// Replaces the image. Whoever needs what it names must have been told before.
    pub fn publish(&self, image: Arc<MetadataImage>) {
        self.image.store(image);
    }
}
