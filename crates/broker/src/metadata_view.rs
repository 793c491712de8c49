//! The metadata image that handlers read: an immutable value behind one pointer swap, and answers encoded from it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use metadata::MetadataImage;
use parking_lot::Mutex;
use protocol::Encoded;
use protocol::messages::metadata_response::MetadataResponseBroker;

/// Answers kept: clients of several versions, by several listeners.
const ANSWERS_MAX: usize = 4;
/// Bytes of all of them; a larger answer is encoded each time.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The latest published image.
pub struct MetadataView {
    image: ArcSwap<MetadataImage>,
    answers: Mutex<Answers>,
}

/// What an answer about all topics depends on, beside the image.
#[derive(Debug, Clone, PartialEq)]
pub struct AllTopics {
    /// Version of the answer.
    pub version: i16,
    /// Whether it names what may be done with each topic.
    pub topic_operations: bool,
    /// Whether it names what may be done with the cluster.
    pub cluster_operations: bool,
    /// The brokers as this client reaches them.
    pub brokers: Vec<MetadataResponseBroker>,
}

/// Answers made from one image.
#[derive(Default)]
struct Answers {
    image: Option<Arc<MetadataImage>>,
    encoded: Vec<(AllTopics, Bytes)>,
}

impl Default for MetadataView {
    fn default() -> Self {
        let image = ArcSwap::from_pointee(MetadataImage::default());
        MetadataView { image, answers: Mutex::default() }
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
        *self.answers.lock() = Answers::default();
    }

    /// The frame of an answer that was made from this very image, with the correlation id that it had.
    pub fn answer(&self, image: &Arc<MetadataImage>, asked: &AllTopics) -> Option<Bytes> {
        let answers = self.answers.lock();
        answers.image.as_ref().filter(|made_from| Arc::ptr_eq(made_from, image))?;
        let (_, encoded) = answers.encoded.iter().find(|(known, _)| known == asked)?;
        Some(encoded.clone())
    }

    /// Keeps an answer that was made from `image`, if that is still the latest.
    pub fn keep_answer(&self, image: &Arc<MetadataImage>, asked: AllTopics, encoded: &Encoded) {
        let mut answers = self.answers.lock();
        if !Arc::ptr_eq(&self.image.load(), image) {
            return;
        }
        answers.image = Some(Arc::clone(image));
        let kept: usize = answers.encoded.iter().map(|(_, encoded)| encoded.len()).sum();
        if answers.encoded.len() < ANSWERS_MAX
            && kept + encoded.len() <= ANSWER_BYTES_MAX
            && let Some(bytes) = encoded.to_bytes()
        {
            answers.encoded.push((asked, bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Part;

    use super::*;

    fn asked(version: i16) -> AllTopics {
        AllTopics { version, topic_operations: false, cluster_operations: false, brokers: Vec::new() }
    }

    fn encoded(text: &'static str) -> Encoded {
        Encoded { parts: vec![Part::Bytes(Bytes::from_static(text.as_bytes()))] }
    }

    #[test]
    fn an_answer_serves_its_own_image_and_question_only() {
        let view = MetadataView::default();
        let first = view.image();
        view.keep_answer(&first, asked(1), &encoded("one"));
        assert_eq!(view.answer(&first, &asked(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(view.answer(&first, &asked(2)), None);
        view.publish(Arc::default());
        assert_eq!(view.answer(&first, &asked(1)), None, "let go with its image");
        view.keep_answer(&first, asked(1), &encoded("late"));
        let second = view.image();
        assert_eq!(view.answer(&second, &asked(1)), None);
        assert_eq!(view.answer(&first, &asked(1)), None, "made from an image that is gone");
    }

    #[test]
    fn answers_are_few() {
        let view = MetadataView::default();
        let image = view.image();
        let kept = (0..10).filter(|version| {
            view.keep_answer(&image, asked(*version), &encoded("answer"));
            view.answer(&image, &asked(*version)).is_some()
        });
        assert_eq!(kept.count(), ANSWERS_MAX);
    }
}
