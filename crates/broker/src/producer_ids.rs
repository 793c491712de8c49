//! Producer ids, handed out from blocks that the controller has recorded.

use protocol::ErrorCode;
use std::ops::Range;
use tokio::sync::Mutex;

use crate::controller_client::ControllerClient;

/// The block in hand. Waiting for the next block is the only time that the lock is held across an await: everybody who asks
/// then needs that same block.
pub struct ProducerIds {
    node_id: i32,
    controller: ControllerClient,
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// No block yet: the first id asks for one.
    pub fn new(node_id: i32, controller: ControllerClient) -> Self {
        ProducerIds { node_id, controller, block: Mutex::new(0..0) }
    }

    /// An id that no producer of this cluster has had.
    ///
    /// # Errors
    /// What the controller answered, as a code that clients retry.
    pub async fn next(&self) -> Result<i64, ErrorCode> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = self.controller.allocate_producer_ids(self.node_id).await.map_err(|refusal| {
                tracing::warn!(error = refusal.name(), "no block of producer ids from the controller");
                ErrorCode::CoordinatorLoadInProgress
            })?;
        }
        let id = block.start;
        block.start += 1;
        Ok(id)
    }
}
