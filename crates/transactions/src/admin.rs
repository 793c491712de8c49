//! What administrators see of transactions (KIP-664, KIP-994, KIP-1152).

use protocol::ErrorCode;
use protocol::messages::describe_transactions_response::{TopicData, TransactionState as Described};
use protocol::messages::list_transactions_response::TransactionState as Listed;
use protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use crate::shard::TransactionShard;
use crate::state::TransactionState;

impl TransactionShard {
    pub(crate) fn describe(&self, transactional_id: String) -> Described {
        if transactional_id.is_empty() {
            let error_code = ErrorCode::InvalidRequest.as_i16();
            return Described { error_code, transactional_id, ..Default::default() };
        }
        let Some(known) = self.transactions.get(&transactional_id) else {
            let error_code = ErrorCode::TransactionalIdNotFound.as_i16();
            return Described { error_code, transactional_id, ..Default::default() };
        };
        let topics = known.partitions.iter().map(|(topic, indexes)| TopicData {
            topic: topic.clone(),
            partitions: indexes.iter().copied().collect(),
            ..Default::default()
        });
        Described {
            error_code: ErrorCode::None.as_i16(),
            transactional_id,
            transaction_state: known.state.name().to_owned(),
            transaction_timeout_ms: known.timeout_ms,
            transaction_start_time_ms: known.start_ms,
            producer_id: known.producer.id,
            producer_epoch: known.producer.epoch,
            topics: topics.collect(),
            ..Default::default()
        }
    }

    pub(crate) fn list(&self, now_ms: i64, request: &ListTransactionsRequest) -> ListTransactionsResponse {
        let mut states = Vec::new();
        let mut unknown_state_filters = Vec::new();
        for name in &request.state_filters {
            match TransactionState::from_name(name) {
                Some(state) => states.push(state),
                None => unknown_state_filters.push(name.clone()),
            }
        }
        let transaction_states = self
            .transactions
            .iter()
            .filter(|(_, known)| {
                let producers = &request.producer_id_filters;
                (producers.is_empty() || producers.contains(&known.producer.id))
                    && (request.state_filters.is_empty() || states.contains(&known.state))
                    && (request.duration_filter < 0
                        || now_ms.saturating_sub(known.start_ms) > request.duration_filter)
            })
            .map(|(transactional_id, known)| Listed {
                transactional_id: transactional_id.clone(),
                producer_id: known.producer.id,
                transaction_state: known.state.name().to_owned(),
                ..Default::default()
            })
            .collect();
        ListTransactionsResponse {
            error_code: ErrorCode::None.as_i16(),
            unknown_state_filters,
            transaction_states,
            ..Default::default()
        }
    }
}
