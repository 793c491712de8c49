//! Blocks of producer ids (AllocateProducerIds, key 67).

use metadata::MetadataImage;
use protocol::ErrorCode;
use protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};
use protocol::metadata_records::{MetadataRecord, ProducerIdsRecord};

use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// How many ids a broker gets at once.
pub const PRODUCER_ID_BLOCK_SIZE: i32 = 1000;

impl Controller {
    /// Hands a broker the next block of ids, which nobody has had before.
    pub fn allocate_producer_ids(
        &self,
        image: &MetadataImage,
        request: &AllocateProducerIdsRequest,
    ) -> Result<ControllerResult<AllocateProducerIdsResponse>, ApiError> {
        self.check_broker_epoch(image, request.broker_id, request.broker_epoch)?;
        let producer_id_start = image.producer_ids.next_producer_id();
        let next = producer_id_start.checked_add(PRODUCER_ID_BLOCK_SIZE.into());
        let next_producer_id = next.ok_or_else(|| {
            ApiError::new(
                ErrorCode::UnknownServerError,
                "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit",
            )
        })?;
        let record = MetadataRecord::ProducerIds(ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id,
            ..Default::default()
        });
        let response = AllocateProducerIdsResponse {
            error_code: ErrorCode::None.into(),
            producer_id_start,
            producer_id_len: PRODUCER_ID_BLOCK_SIZE,
            ..Default::default()
        };
        Ok(ControllerResult::new(vec![record], response))
    }
}
