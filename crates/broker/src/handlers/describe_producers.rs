//! DescribeProducers (key 61, v0). The producers that a partition's leader remembers (KIP-664).

use protocol::ErrorCode;
use protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};

use crate::context::RequestContext;
use crate::partitions::NotHere;

/// Describes each partition's active producers.
pub async fn handle(
    context: &RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| TopicResponse {
            partitions: topic
                .partition_indexes
                .iter()
                .map(|index| row(context, &topic.name, *index))
                .collect(),
            name: topic.name,
            ..Default::default()
        })
        .collect();
    DescribeProducersResponse { topics, ..Default::default() }
}

fn row(context: &RequestContext, topic: &str, partition_index: i32) -> PartitionResponse {
    let answer = PartitionResponse { partition_index, ..Default::default() };
    let refused = |error: ErrorCode, error_message| PartitionResponse {
        partition_index,
        error_code: error.as_i16(),
        error_message,
        ..Default::default()
    };
    if let Err(why) = controller::topics::names::check(topic) {
        return refused(ErrorCode::InvalidTopicException, Some(why));
    }
    let partition = match context.broker.partitions.by_name(topic, partition_index) {
        Ok(partition) => partition,
        Err(NotHere::UnknownPartition) => return refused(ErrorCode::UnknownTopicOrPartition, None),
        Err(not_here) => {
            let error = ErrorCode::from(not_here);
            return refused(error, Some(error.message().to_string()));
        }
    };
    let active_producers = partition
        .log
        .with_producer_states(|states| states.iter().cloned().collect::<Vec<_>>())
        .into_iter()
        .map(|producer| ProducerState {
            producer_id: producer.producer_id,
            producer_epoch: i32::from(producer.producer_epoch),
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_start_offset: producer.current_transaction_first_offset.unwrap_or(-1),
            ..Default::default()
        })
        .collect();
    PartitionResponse { active_producers, ..answer }
}
