//! ListTransactions (key 66, v0-2). The transactions that this broker coordinates (KIP-664, KIP-994, KIP-1152).

use protocol::ErrorCode;
use protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use regex::Regex;
use transactions::{Reply, Request};

use crate::context::RequestContext;

/// Puts the answers of all shards together.
pub async fn handle(context: &RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let pattern = request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$"))).transpose() {
        Ok(pattern) => pattern,
        Err(_) => return refuse(ErrorCode::InvalidRegularExpression),
    };
    let coordinator = &context.broker.transactions;
    if coordinator.is_loading() {
        return refuse(ErrorCode::CoordinatorLoadInProgress);
    }
    let mut response = ListTransactionsResponse::default();
    response.unknown_state_filters.extend(unknown_states(&request));
    for shard in coordinator.ready_shards() {
        match coordinator.ask_shard(shard, Request::List(request.clone())).await {
            Reply::List(part) if part.error_code == ErrorCode::None.as_i16() => {
                response.transaction_states.extend(part.transaction_states);
            }
            Reply::List(part) => return ListTransactionsResponse { error_code: part.error_code, ..response },
            other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
        }
    }
    if let Some(pattern) = pattern {
        response.transaction_states.retain(|listed| pattern.is_match(&listed.transactional_id));
    }
    response
}

fn unknown_states(request: &ListTransactionsRequest) -> impl Iterator<Item = String> + '_ {
    let is_unknown = |name: &&String| transactions::TransactionState::from_name(name).is_none();
    request.state_filters.iter().filter(is_unknown).cloned()
}

fn refuse(error: ErrorCode) -> ListTransactionsResponse {
    ListTransactionsResponse { error_code: error.as_i16(), ..Default::default() }
}
