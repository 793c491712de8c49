//! The next block of producer ids to hand out.

use protocol::metadata_records::{MetadataRecord, ProducerIdsRecord};

use crate::error::MetadataError;

/// How far producer ids have been handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerIdsImage {
    next: Option<i64>,
}

impl ProducerIdsImage {
    /// The first id of the next block.
    pub fn next_producer_id(&self) -> i64 {
        self.next.unwrap_or(0)
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        if let Some(next_producer_id) = self.next {
            records.push(MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id,
                ..Default::default()
            }));
        }
    }

    pub(crate) fn replay(&mut self, record: &ProducerIdsRecord) -> Result<(), MetadataError> {
        let next = record.next_producer_id;
        // Going back would hand out an id twice, and two producers would be taken for one.
        if next < self.next_producer_id() {
            return Err(MetadataError::InvalidField {
                record: "ProducerIdsRecord",
                field: "NextProducerId",
                value: next,
            });
        }
        self.next = Some(next);
        Ok(())
    }
}
