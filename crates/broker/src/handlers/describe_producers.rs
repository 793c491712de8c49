//! DescribeProducers (key 61, v0). The producers that a partition's leader remembers (KIP-664).

use protocol::ErrorCode;
use protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};

use crate::context::RequestContext;

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
    if controller::topics::names::check(topic).is_err() {
        let error = ErrorCode::InvalidTopicException;
        return PartitionResponse {
            error_code: error.as_i16(),
            error_message: Some(error.message().to_string()),
            ..answer
        };
    }
    let partition = match context.broker.partitions.by_name(topic, partition_index).map_err(ErrorCode::from) {
        Ok(partition) => partition,
        Err(error) => {
            let error_message = Some(error.message().to_string());
            return PartitionResponse { error_code: error.as_i16(), error_message, ..answer };
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
