//! WriteTxnMarkers (key 27, v1-2). A coordinator, or an administrator who ends a hanging transaction, has markers written.
//!
//! v2 says by which `transaction.version` the transaction was ended: from 2 on a marker needs a newer epoch than the records
//! that it ends, so that a late one cannot touch the transaction after (KIP-890).

use protocol::messages::write_txn_markers_request::WritableTxnMarker;
use protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use transactions::TopicPartition;

use crate::context::RequestContext;
use crate::partition::Marker;
use crate::transaction_coordinator::write_marker_to_all;

/// Writes each marker to its partitions and answers when they are committed.
pub async fn handle(context: &RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut markers = Vec::new();
    for marker in request.markers {
        markers.push(write(context, marker).await);
    }
    WriteTxnMarkersResponse { markers, ..Default::default() }
}

async fn write(context: &RequestContext, asked: WritableTxnMarker) -> WritableTxnMarkerResult {
    let marker = Marker {
        producer_id: asked.producer_id,
        producer_epoch: asked.producer_epoch,
        committed: asked.transaction_result,
        coordinator_epoch: asked.coordinator_epoch,
        transaction_version: asked.transaction_version.into(),
    };
    let partitions: Vec<TopicPartition> = asked
        .topics
        .iter()
        .flat_map(|topic| {
            let partition =
                |partition: &i32| TopicPartition { topic: topic.name.clone(), partition: *partition };
            topic.partition_indexes.iter().map(partition)
        })
        .collect();
    let mut outcomes = write_marker_to_all(&context.broker, &partitions, marker).await.into_iter();
    let topics = asked
        .topics
        .into_iter()
        .map(|topic| WritableTxnMarkerTopicResult {
            partitions: topic
                .partition_indexes
                .iter()
                .zip(&mut outcomes)
                .map(|(partition_index, error)| WritableTxnMarkerPartitionResult {
                    partition_index: *partition_index,
                    error_code: error.as_i16(),
                    ..Default::default()
                })
                .collect(),
            name: topic.name,
            ..Default::default()
        })
        .collect();
    WritableTxnMarkerResult { producer_id: asked.producer_id, topics, ..Default::default() }
}
