//! The coordinator of transactions: shards of `transactions` on `__transaction_state`, and what they want done.
//!
//! A decided transaction's markers are written to the leaders of its partitions until each has one; only then is it
//! complete. All leaders are on this broker as long as nodes stand alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::ErrorCode;
use tracing::{debug, warn};
use transactions::{Action, MarkersToWrite, Producer, Reply, Request, TopicPartition, TransactionShard};

use crate::broker::Broker;
use crate::coordinator_runtime::{CoordinatorRuntime, ShardAddress};
use crate::group_coordinator::CONSUMER_OFFSETS;
use crate::partition::{Appended, Marker, Partition};
use crate::partitions::NotHere;

/// The internal topic of transaction state.
pub const TRANSACTION_STATE: &str = "__transaction_state";

/// The transactions of this broker.
pub type TransactionCoordinator = CoordinatorRuntime<TransactionShard>;

/// Pause before markers that a partition would not take are tried again.
const RETRY_BACKOFF: Duration = Duration::from_millis(50);

/// Asks the shard of `transactional_id`; a producer id is handed out if the answer needs one. `request` is made anew for
/// that, with the id.
pub async fn ask(broker: &Broker, transactional_id: &str, request: impl Fn(Option<i64>) -> Request) -> Reply {
    if transactional_id.is_empty() {
        // Whether or not there is a coordinator.
        return request(None).refused(ErrorCode::InvalidRequest);
    }
    match broker.transactions.ask(transactional_id, request(None)).await {
        Reply::NeedsProducerId => match broker.producer_ids.next().await {
            Ok(fresh) => broker.transactions.ask(transactional_id, request(Some(fresh))).await,
            Err(error) => request(None).refused(error),
        },
        reply => reply,
    }
}

/// Does what shards ask for, as long as the node runs.
pub async fn run_actions(broker: Arc<Broker>) {
    let carry_out = async |address: ShardAddress, action: Action| match action {
        Action::WriteMarkers(markers) => write_markers(&broker, address, markers).await,
        Action::AbortTimedOut { transactional_id, producer } => {
            abort_timed_out(&broker, address, transactional_id, producer).await;
        }
    };
    broker.transactions.run_actions(carry_out).await;
}

async fn abort_timed_out(
    broker: &Broker,
    address: ShardAddress,
    transactional_id: String,
    producer: Producer,
) {
    match broker.producer_ids.next().await {
        Ok(fresh_producer_id) => {
            let request = Request::AbortTimedOut { transactional_id, producer, fresh_producer_id };
            broker.transactions.ask_shard(address.index, request).await;
        }
        // The shard asks again at its next look.
        Err(error) => debug!(transactional_id, error = error.name(), "cannot abort yet"),
    }
}

async fn write_markers(broker: &Broker, address: ShardAddress, markers: MarkersToWrite) {
    let marker = Marker {
        producer_id: markers.producer.id,
        producer_epoch: markers.producer.epoch,
        committed: markers.committed,
        coordinator_epoch: markers.coordinator_epoch,
        transaction_version: markers.transaction_version,
    };
    let mut missing = markers.partitions;
    loop {
        let outcomes = write_marker_to_all(broker, &missing, marker).await;
        let mut refused = Vec::new();
        for (partition, outcome) in missing.into_iter().zip(outcomes) {
            match fate(&markers.transactional_id, &partition, outcome) {
                MarkerFate::Written => {}
                MarkerFate::Refused => refused.push(partition),
                // As Kafka's: it stays prepared, and whoever coordinates next tries again.
                MarkerFate::Fenced => return,
            }
        }
        missing = refused;
        if missing.is_empty() {
            break;
        }
        if !broker.transactions.holds(address) {
            // Whoever coordinates now has begun anew.
            return;
        }
        tokio::time::sleep(RETRY_BACKOFF).await;
    }
    let request = Request::MarkersWritten {
        transactional_id: markers.transactional_id,
        producer: markers.producer,
        coordinator_epoch: markers.coordinator_epoch,
    };
    broker.transactions.ask_shard(address.index, request).await;
}

/// What became of one marker.
#[derive(Debug, PartialEq, Eq)]
enum MarkerFate {
    /// The partition has it, or is gone and needs none.
    Written,
    /// It is tried again.
    Refused,
    /// The partition has seen a newer coordinator or a newer epoch of the producer: this one must not decide any more.
    Fenced,
}

fn fate(transactional_id: &str, partition: &TopicPartition, outcome: ErrorCode) -> MarkerFate {
    match outcome {
        ErrorCode::None => MarkerFate::Written,
        ErrorCode::UnknownTopicOrPartition => {
            debug!(transactional_id, ?partition, "a partition of the transaction is gone");
            MarkerFate::Written
        }
        ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => {
            warn!(
                transactional_id,
                ?partition,
                error = outcome.name(),
                "the partition is past this transaction: its end is left to the next coordinator"
            );
            MarkerFate::Fenced
        }
        error => {
            debug!(transactional_id, ?partition, error = error.name(), "the marker is tried again");
            MarkerFate::Refused
        }
    }
}

/// Writes `marker` to each of `partitions` and waits until it is committed; the outcomes in their order.
pub async fn write_marker_to_all(
    broker: &Broker,
    partitions: &[TopicPartition],
    marker: Marker,
) -> Vec<ErrorCode> {
    let now_ms = broker.clock.now_ms();
    let appended: Vec<_> =
        partitions.iter().map(|partition| append_marker(broker, partition, marker, now_ms)).collect();
    let committed = appended.into_iter().map(|appended| async move {
        match appended {
            Ok((partition, appended)) => {
                partition.replicated(&appended).await.err().unwrap_or(ErrorCode::None)
            }
            Err(error) => error,
        }
    });
    join_all(committed).await
}

fn append_marker(
    broker: &Broker,
    partition: &TopicPartition,
    marker: Marker,
    now_ms: i64,
) -> Result<(Arc<Partition>, Appended), ErrorCode> {
    let TopicPartition { topic, partition } = partition;
    let found = match broker.partitions.by_name(topic, *partition) {
        Ok(found) => found,
        Err(NotHere::UnknownTopic | NotHere::UnknownPartition) => {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        Err(not_here) => return Err(not_here.into()),
    };
    if topic == CONSUMER_OFFSETS {
        let Marker { producer_id, committed, .. } = marker;
        return broker.groups.append_marker(*partition, producer_id, committed, |partition| {
            partition.append_marker(marker, now_ms)
        });
    }
    let appended = found.append_marker(marker, now_ms)?;
    Ok((found, appended))
}
