//! DescribeTransactions (key 65, v0). Where each transactional id stands (KIP-664).

use protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use transactions::{Reply, Request};

use crate::context::RequestContext;

/// Describes each id by its coordinator.
pub async fn handle(
    context: &RequestContext,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut transaction_states = Vec::new();
    for transactional_id in request.transactional_ids {
        let asked = Request::Describe(transactional_id.clone());
        match context.broker.transactions.ask(&transactional_id, asked).await {
            Reply::Describe(described) => transaction_states.push(described),
            other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
        }
    }
    DescribeTransactionsResponse { transaction_states, ..Default::default() }
}
