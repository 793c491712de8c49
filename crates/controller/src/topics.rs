//! Topics are created, grow and are deleted.

mod create;
mod delete;
mod grow;
pub mod names;

pub use create::TopicAccess;
pub use delete::DeleteAccess;

use std::collections::BTreeSet;

use metadata::{MetadataImage, PartitionRegistration, WriteOptions};
use protocol::ErrorCode;
use protocol::Uuid;
use protocol::metadata_records::MetadataRecord;

use crate::leader_and_isr::default_directory;
use crate::placement::UsableBroker;
use crate::result::ApiError;
use crate::settings::Controller;

/// How many partitions one request may create, as in Kafka.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;
/// How many records one request may write, as in Kafka: they are one atomic batch.
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// Brokers that can be given replicas: not on their way out, and with a directory that takes them.
fn usable_brokers(image: &MetadataImage) -> Vec<UsableBroker> {
    let brokers = image.cluster.brokers().values();
    brokers
        .filter(|broker| !broker.in_controlled_shutdown && broker.has_uncordoned_directory())
        .map(|broker| UsableBroker { id: broker.id, rack: broker.rack.clone(), fenced: broker.fenced })
        .collect()
}

/// Checks replicas that a person chose: registered, able to take them, each once, and as many as elsewhere.
pub(crate) fn check_manual_assignment(
    image: &MetadataImage,
    replicas: &[i32],
    replication_factor: Option<usize>,
) -> Result<(), ApiError> {
    let invalid = |what: String| {
        Err(ApiError::new(
            ErrorCode::InvalidReplicaAssignment,
            format!("The manual partition assignment includes {what}"),
        ))
    };
    if replicas.is_empty() {
        return invalid("an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut seen = BTreeSet::new();
    for id in sorted {
        let Some(broker) = image.cluster.broker(id) else {
            return invalid(format!("broker {id}, but no such broker is registered."));
        };
        if !broker.has_uncordoned_directory() {
            return invalid(format!("broker {id}, but all its log directories are cordoned."));
        }
        if !seen.insert(id) {
            return invalid(format!("the broker {id} more than once."));
        }
    }
    match replication_factor {
        Some(factor) if factor != replicas.len() => invalid(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
             {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// A partition nobody has written to yet. `None` if none of its replicas can serve.
fn new_partition(image: &MetadataImage, replicas: Vec<i32>) -> Option<PartitionRegistration> {
    let isr: Box<[i32]> = replicas.iter().copied().filter(|id| image.cluster.is_active(*id)).collect();
    let leader = *isr.first()?;
    Some(PartitionRegistration {
        directories: replicas.iter().map(|id| default_directory(image, *id)).collect(),
        replicas: replicas.into(),
        isr,
        leader,
        leader_epoch: 0,
        partition_epoch: 0,
        ..Default::default()
    })
}

fn all_fenced_in_assignment(partition: i64) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidReplicaAssignment,
        format!(
            "All brokers specified in the manual partition assignment for partition {partition} are fenced or in \
             controlled shutdown."
        ),
    )
}

fn cannot_replicate(replication_factor: i16, why: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidReplicationFactor,
        format!("Unable to replicate the partition {replication_factor} time(s): {why}"),
    )
}

const ALL_FENCED: &str = "All brokers are currently fenced or in controlled shutdown.";

/// The record of a new partition.
fn partition_record(
    options: &WriteOptions,
    topic_id: Uuid,
    (number, partition): (i32, &PartitionRegistration),
) -> Result<MetadataRecord, ApiError> {
    let record = partition.to_record(topic_id, number, options);
    record.map_err(|error| ApiError::new(ErrorCode::UnknownServerError, error.to_string()))
}

impl Controller {
    /// `min.insync.replicas` of a topic, at most its replication factor; at least 1.
    pub(crate) fn effective_min_isr(&self, image: &MetadataImage, topic: &metadata::TopicImage) -> usize {
        let wanted = self.topic_setting(image, topic.name(), crate::configs::MIN_INSYNC_REPLICAS);
        let wanted = wanted.and_then(|text| text.trim().parse().ok()).unwrap_or(1_usize);
        let factor = topic.partition(0).map_or(1, |partition| partition.replicas.len());
        wanted.min(factor).max(1)
    }

    /// `unclean.leader.election.enable` of a topic.
    pub(crate) fn unclean_election_enabled(&self, image: &MetadataImage, topic: &str) -> bool {
        let enabled = self.topic_setting(image, topic, "unclean.leader.election.enable");
        enabled.is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}
