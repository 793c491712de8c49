//! Transactions and producers: listed, described, aborted, fenced.

use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::describe_producers_response::ProducerState;
use protocol::messages::describe_transactions_response::TransactionState as DescribedTransaction;
use protocol::messages::list_transactions_response::TransactionState as ListedTransaction;
use protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, InitProducerIdRequest, ListTransactionsRequest,
    WriteTxnMarkersRequest,
};
use protocol::{ApiKey, CoordinatorType, ErrorCode};

use super::{Admin, checked};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// The transaction of one producer in one partition, to be aborted by force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortTransaction {
    /// Where.
    pub topic_partition: TopicPartition,
    /// Whose.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch of the transaction coordinator that takes the blame.
    pub coordinator_epoch: i32,
}

impl Admin {
    /// Transactions by coordinator. Brokers of before v1 and v2 cannot filter by duration and pattern and refuse.
    ///
    /// # Errors
    /// A broker could not be asked, or refuses.
    pub async fn list_transactions(
        &self,
        duration_filter_ms: i64,
        pattern: Option<&str>,
    ) -> Result<Vec<(i32, Vec<ListedTransaction>)>, ClientError> {
        let mut listed = Vec::new();
        for broker in self.broker_ids().await? {
            let request = ListTransactionsRequest {
                duration_filter: duration_filter_ms,
                transactional_id_pattern: pattern.map(str::to_owned),
                ..Default::default()
            };
            let response = self.client().send(broker, &request).await?;
            ClientError::check(ApiKey::ListTransactions, response.error_code, None)?;
            listed.push((broker, response.transaction_states));
        }
        Ok(listed)
    }

    /// One transaction with its coordinator's broker id.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn describe_transaction(
        &self,
        transactional_id: &str,
    ) -> Result<(i32, DescribedTransaction), ClientError> {
        let request = DescribeTransactionsRequest {
            transactional_ids: vec![transactional_id.to_owned()],
            ..Default::default()
        };
        let code = |response: &protocol::messages::DescribeTransactionsResponse| {
            response.transaction_states.first().map_or(0, |state| state.error_code)
        };
        let kind = CoordinatorType::Transaction;
        let response = self.coordinated(kind, transactional_id, &request, None, code).await?;
        let coordinator = self.client().coordinator(kind, transactional_id).await?;
        let api = ApiKey::DescribeTransactions;
        let Some(state) = response.transaction_states.into_iter().next() else {
            return Err(ClientError::refused(api, ErrorCode::TransactionalIdNotFound));
        };
        checked(api, state.error_code, None, (coordinator, state))
    }

    /// The producers that a replica remembers; the leader's if no broker is named.
    ///
    /// # Errors
    /// What the broker says, or that it could not be asked.
    pub async fn describe_producers(
        &self,
        partition: &TopicPartition,
        broker: Option<i32>,
    ) -> Result<Vec<ProducerState>, ClientError> {
        let topic = TopicRequest {
            name: partition.topic.to_string(),
            partition_indexes: vec![partition.partition],
            ..Default::default()
        };
        let request = DescribeProducersRequest { topics: vec![topic], ..Default::default() };
        let response = match broker {
            Some(broker) => self.client().send(broker, &request).await?,
            None => self.client().send_to_leader(partition, &request).await?,
        };
        let mut producers = Vec::new();
        for found in response.topics.into_iter().flat_map(|topic| topic.partitions) {
            let message = found.error_message.as_deref();
            ClientError::check(ApiKey::DescribeProducers, found.error_code, message)?;
            producers.extend(found.active_producers);
        }
        Ok(producers)
    }

    /// Writes an abort marker into one partition, for transactions that hang.
    ///
    /// # Errors
    /// What the leader says, or that it could not be asked.
    pub async fn abort_transaction(&self, abort: &AbortTransaction) -> Result<(), ClientError> {
        let partition = &abort.topic_partition;
        let topic = WritableTxnMarkerTopic {
            name: partition.topic.to_string(),
            partition_indexes: vec![partition.partition],
            ..Default::default()
        };
        let marker = WritableTxnMarker {
            producer_id: abort.producer_id,
            producer_epoch: abort.producer_epoch,
            transaction_result: false,
            topics: vec![topic],
            coordinator_epoch: abort.coordinator_epoch,
            ..Default::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() };
        let response = self.client().send_to_leader(partition, &request).await?;
        let topics = response.markers.into_iter().flat_map(|marker| marker.topics);
        topics.flat_map(|topic| topic.partitions).try_for_each(|result| {
            ClientError::check(ApiKey::WriteTxnMarkers, result.error_code, None)
                .map_err(|error| error.about(partition))
        })
    }

    /// Ends whatever transaction a transactional id has open, by taking over its producer id's next epoch.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn fence_producer(&self, transactional_id: &str) -> Result<(i64, i16), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: Some(transactional_id.to_owned()),
            transaction_timeout_ms: 1,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let code = |response: &protocol::messages::InitProducerIdResponse| response.error_code;
        let kind = CoordinatorType::Transaction;
        let response = self.coordinated(kind, transactional_id, &request, None, code).await?;
        let producer = (response.producer_id, response.producer_epoch);
        checked(ApiKey::InitProducerId, response.error_code, None, producer)
    }
}
