//! What this broker has to tell the controller of its replicas: the log directory of each (AssignReplicasToDirs, KIP-858), and
//! that a leader after an unclean election has recovered (AlterPartition, KIP-704).
//!
//! What is to be told is worked out from the image each time, so that a report is repeated until the metadata has it and never after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use controller::ApiError;
use metadata::{LeaderRecoveryState, PartitionRegistration};
use parking_lot::Mutex;
use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::assign_replicas_to_dirs_request as assign;
use protocol::messages::{AlterPartitionRequest, AssignReplicasToDirsRequest};
use protocol::{ApiKey, ErrorCode, Uuid};
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::controller_client::{ControllerClient, settle};
use crate::metadata_view::MetadataView;
use crate::partition::Partition;
use crate::partitions::Partitions;

/// How long a report rests that the controller did not take.
const RETRY: Duration = Duration::from_millis(500);
/// Partitions in one request: as many as Kafka's own brokers put into one.
const PARTITIONS_MAX: usize = 2_000;
/// Stands for "whichever incarnation": in-sync replicas that stay need no proof.
const ANY_BROKER_EPOCH: i64 = -1;

/// Collects the replicas to report; clones of the `Arc` share it.
#[derive(Default)]
pub struct ControllerReports {
    due: Mutex<BTreeSet<(Uuid, i32)>>,
    added: Notify,
}

/// What is to be said now.
#[derive(Default)]
struct Reports {
    directories: BTreeMap<Uuid, BTreeMap<Uuid, Vec<i32>>>,
    recovered: BTreeMap<Uuid, Vec<PartitionData>>,
    partitions: BTreeSet<(Uuid, i32)>,
}

impl ControllerReports {
    /// Looks at a replica that has come here or changed, and has it reported if the metadata knows it otherwise.
    pub fn look_at(&self, node_id: i32, partition: &Partition, registration: &PartitionRegistration) {
        if wrong_directory(node_id, partition, registration).is_some()
            || has_recovered(partition, registration)
        {
            self.due.lock().insert((partition.topic_id, partition.topic_partition.partition));
            self.added.notify_one();
        }
    }

    /// Sends reports as long as the node runs. `broker_epoch` is that of its registration.
    pub async fn run(
        &self,
        (node_id, broker_epoch): (i32, i64),
        partitions: Arc<Partitions>,
        metadata: Arc<MetadataView>,
        controller: ControllerClient,
    ) {
        loop {
            let reports = self.collect(node_id, &partitions, &metadata);
            if reports.partitions.is_empty() {
                self.added.notified().await;
                continue;
            }
            let told = send(node_id, broker_epoch, &reports, &controller).await;
            // Whatever is in the metadata by now is not found again.
            self.due.lock().extend(&reports.partitions);
            if let Err(reason) = told {
                warn!(broker = node_id, %reason, "the controller did not take a report on replicas");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    fn collect(&self, node_id: i32, partitions: &Partitions, metadata: &MetadataView) -> Reports {
        let mut reports = Reports::default();
        let image = metadata.image();
        let mut due = self.due.lock();
        while reports.partitions.len() < PARTITIONS_MAX
            && let Some((topic_id, number)) = due.pop_first()
        {
            let registration = image.topics.by_id(topic_id).and_then(|topic| topic.partition(number));
            let (Some(registration), Some(partition)) = (registration, partitions.replica(topic_id, number))
            else {
                continue;
            };
            if let Some(directory) = wrong_directory(node_id, &partition, registration) {
                reports.directories.entry(directory).or_default().entry(topic_id).or_default().push(number);
                reports.partitions.insert((topic_id, number));
            }
            if has_recovered(&partition, registration) {
                reports.recovered.entry(topic_id).or_default().push(recovered(number, registration));
                reports.partitions.insert((topic_id, number));
            }
        }
        reports
    }
}

/// Where the replica lies, if the metadata says something else.
fn wrong_directory(
    node_id: i32,
    partition: &Partition,
    registration: &PartitionRegistration,
) -> Option<Uuid> {
    let directory = partition.log.directory().id();
    let known = registration.directory(node_id)?;
    (directory != Uuid::ZERO && directory != known).then_some(directory)
}

/// Whether the leader serves although the metadata has it recovering: whoever leads here has a log that was recovered before.
fn has_recovered(partition: &Partition, registration: &PartitionRegistration) -> bool {
    registration.leader_recovery_state == LeaderRecoveryState::Recovering
        && partition.leader_epoch() == registration.leader_epoch
}

fn recovered(number: i32, registration: &PartitionRegistration) -> PartitionData {
    let member =
        |id: &i32| BrokerState { broker_id: *id, broker_epoch: ANY_BROKER_EPOCH, ..Default::default() };
    PartitionData {
        partition_index: number,
        leader_epoch: registration.leader_epoch,
        new_isr_with_epochs: registration.isr.iter().map(member).collect(),
        leader_recovery_state: LeaderRecoveryState::Recovered.code(),
        partition_epoch: registration.partition_epoch,
        ..Default::default()
    }
}

/// Why a report has to be repeated.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("no controller: {0}")]
    NoController(ErrorCode),
    #[error(transparent)]
    Refused(#[from] ApiError),
    #[error("refused for {count} partitions, one with {first}")]
    Partitions { count: usize, first: ErrorCode },
}

async fn send(
    node_id: i32,
    broker_epoch: i64,
    reports: &Reports,
    controller: &ControllerClient,
) -> Result<(), NotTaken> {
    let mut errors = Vec::new();
    if !reports.directories.is_empty() {
        errors.extend(assign_directories(node_id, broker_epoch, reports, controller).await?);
    }
    if !reports.recovered.is_empty() {
        errors.extend(say_recovered(node_id, broker_epoch, reports, controller).await?);
    }
    let mut failed = errors.into_iter().filter(|code| *code != ErrorCode::None.as_i16());
    let Some(first) = failed.next() else {
        debug!(
            broker = node_id,
            partitions = reports.partitions.len(),
            "reported replicas to the controller"
        );
        return Ok(());
    };
    let first = ErrorCode::from_i16(first).unwrap_or(ErrorCode::UnknownServerError);
    Err(NotTaken::Partitions { count: 1 + failed.count(), first })
}

async fn assign_directories(
    broker_id: i32,
    broker_epoch: i64,
    reports: &Reports,
    controller: &ControllerClient,
) -> Result<Vec<i16>, NotTaken> {
    let partition = |index: &i32| assign::PartitionData { partition_index: *index, ..Default::default() };
    let topic = |(topic_id, partitions): (&Uuid, &Vec<i32>)| assign::TopicData {
        topic_id: *topic_id,
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    let directory = |(id, topics): (&Uuid, &BTreeMap<Uuid, Vec<i32>>)| assign::DirectoryData {
        id: *id,
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    };
    let directories = reports.directories.iter().map(directory).collect();
    let request = AssignReplicasToDirsRequest { broker_id, broker_epoch, directories, ..Default::default() };
    let answered = controller.decide(move |deciding| {
        settle(deciding.controller.assign_replicas_to_dirs(deciding.image, &request))
    });
    let response = answered.await.map_err(NotTaken::NoController)??;
    let topics = response.directories.into_iter().flat_map(|directory| directory.topics);
    Ok(topics.flat_map(|topic| topic.partitions).map(|partition| partition.error_code).collect())
}

async fn say_recovered(
    broker_id: i32,
    broker_epoch: i64,
    reports: &Reports,
    controller: &ControllerClient,
) -> Result<Vec<i16>, NotTaken> {
    let topic = |(topic_id, partitions): (&Uuid, &Vec<PartitionData>)| TopicData {
        topic_id: *topic_id,
        partitions: partitions.clone(),
        ..Default::default()
    };
    let topics = reports.recovered.iter().map(topic).collect();
    let request = AlterPartitionRequest { broker_id, broker_epoch, topics, ..Default::default() };
    let version = *ApiKey::AlterPartition.versions().end();
    let answered = controller.decide(move |deciding| {
        settle(deciding.controller.alter_partition(deciding.image, &request, version))
    });
    let response = answered.await.map_err(NotTaken::NoController)??;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    Ok(partitions.map(|partition| partition.error_code).collect())
}
