//! From batches of the metadata log to images, with metadata transactions honoured (KIP-868).
//!
//! Between BeginTransaction and EndTransaction nothing is published; AbortTransaction drops what was replayed.

use protocol::metadata_records::MetadataRecord;

use crate::delta::MetadataDelta;
use crate::error::MetadataError;
use crate::image::MetadataImage;
use crate::provenance::Provenance;

/// A committed batch of the metadata log.
#[derive(Clone, Copy, Debug)]
pub struct MetadataBatch<'a> {
    /// Offset of the first record; offsets count records.
    pub base_offset: i64,
    /// The leader's epoch.
    pub epoch: i32,
    /// When the leader appended it, milliseconds since 1970.
    pub append_timestamp_ms: i64,
    /// The records.
    pub records: &'a [MetadataRecord],
}

/// A new image and the changes that led to it.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Since the image published before.
    pub delta: MetadataDelta,
    /// The new image.
    pub image: MetadataImage,
}

/// Replays the log and yields images.
#[derive(Clone, Debug)]
pub struct MetadataLoader {
    image: MetadataImage,
    delta: MetadataDelta,
    in_transaction_since: Option<i64>,
}

impl MetadataLoader {
    /// Goes on from `image`: the empty one, or a snapshot's.
    pub fn new(image: MetadataImage) -> Self {
        Self { delta: MetadataDelta::new(&image), image, in_transaction_since: None }
    }

    /// The image of a snapshot's records, which contains the log up to `provenance`.
    pub fn load_snapshot<'a>(
        records: impl IntoIterator<Item = &'a MetadataRecord>,
        provenance: Provenance,
    ) -> Result<MetadataImage, MetadataError> {
        let mut delta = MetadataDelta::new(&MetadataImage::empty());
        for record in records {
            delta.replay(record)?;
        }
        Ok(delta.apply(provenance))
    }

    /// The last published image.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// The offset of the BeginTransactionRecord whose end has not been seen; a new leader aborts it.
    pub fn open_transaction(&self) -> Option<i64> {
        self.in_transaction_since
    }

    /// Replays a batch and returns what it publishes, in order: nothing inside a transaction, usually one image.
    pub fn replay(&mut self, batch: MetadataBatch<'_>) -> Result<Vec<Publication>, MetadataError> {
        let mut published = Vec::new();
        let mut offset = batch.base_offset;
        let at = |offset| Provenance {
            last_contained_offset: offset,
            last_contained_epoch: batch.epoch,
            last_contained_log_time_ms: batch.append_timestamp_ms,
        };
        for record in batch.records {
            match record {
                MetadataRecord::BeginTransaction(_) => {
                    if self.in_transaction_since.is_some() {
                        return Err(MetadataError::Transaction("begun inside another one"));
                    }
                    if offset > batch.base_offset {
                        published.push(self.publish(at(offset - 1)));
                    }
                    self.in_transaction_since = Some(offset);
                }
                MetadataRecord::EndTransaction(_) => {
                    self.in_transaction_since
                        .take()
                        .ok_or(MetadataError::Transaction("ended without a beginning"))?;
                }
                MetadataRecord::AbortTransaction(_) => {
                    self.in_transaction_since
                        .take()
                        .ok_or(MetadataError::Transaction("aborted without a beginning"))?;
                    self.delta = MetadataDelta::new(&self.image);
                }
                _ => self.delta.replay(record)?,
            }
            offset += 1;
        }
        if self.in_transaction_since.is_none() && offset > batch.base_offset {
            published.push(self.publish(at(offset - 1)));
        }
        Ok(published)
    }

    fn publish(&mut self, provenance: Provenance) -> Publication {
        self.image = self.delta.apply(provenance);
        let delta = std::mem::replace(&mut self.delta, MetadataDelta::new(&self.image));
        Publication { delta, image: self.image.clone() }
    }
}
