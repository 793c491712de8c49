//! Brokers say in which log directories their replicas lie (AssignReplicasToDirs, key 73, KIP-858).

use std::collections::BTreeSet;

use metadata::MetadataImage;
use protocol::messages::assign_replicas_to_dirs_response::{DirectoryData, PartitionData, TopicData};
use protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};
use protocol::{ErrorCode, Uuid};

use crate::leader_and_isr::Affected;
use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

impl Controller {
    /// Records where replicas lie. A replica in a directory that is not online leaves the ISR.
    pub fn assign_replicas_to_dirs(
        &self,
        image: &MetadataImage,
        request: &AssignReplicasToDirsRequest,
    ) -> Result<ControllerResult<AssignReplicasToDirsResponse>, ApiError> {
        if !image.write_options().metadata_version.supports_directory_assignment() {
            let message = "Directory assignment is not supported yet.";
            return Err(ApiError::new(ErrorCode::UnsupportedVersion, message));
        }
        let broker_id = request.broker_id;
        self.check_broker_epoch(image, broker_id, request.broker_epoch)?;
        let broker = image.cluster.broker(broker_id);
        let mut records = Vec::new();
        let mut offline = BTreeSet::new();
        let mut directories = Vec::new();
        for wanted in &request.directories {
            let is_online = broker.is_some_and(|broker| broker.has_online_directory(wanted.id));
            let mut topics = Vec::new();
            for topic in &wanted.topics {
                let mut partitions = Vec::new();
                for partition in &topic.partitions {
                    let replica = (topic.topic_id, partition.partition_index);
                    let outcome = self.assign_replica(image, broker_id, replica, wanted.id);
                    let error_code = outcome.as_ref().err().copied().unwrap_or(ErrorCode::None).into();
                    if !is_online && outcome.is_ok() {
                        offline.insert(replica);
                    }
                    records.extend(outcome.ok().flatten().map(MetadataRecord::PartitionChange));
                    partitions.push(PartitionData {
                        partition_index: partition.partition_index,
                        error_code,
                        ..Default::default()
                    });
                }
                topics.push(TopicData { topic_id: topic.topic_id, partitions, ..Default::default() });
            }
            directories.push(DirectoryData { id: wanted.id, topics, ..Default::default() });
        }
        let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
        let is_offline = |number: i32, topic: &metadata::TopicImage| offline.contains(&(topic.id(), number));
        if !offline.is_empty() {
            self.leader_and_isr_updates(image, affected, |n, topic, _| is_offline(n, topic), &mut records);
        }
        let response = AssignReplicasToDirsResponse {
            error_code: ErrorCode::None.into(),
            directories,
            ..Default::default()
        };
        Ok(ControllerResult::new(records, response))
    }

    fn assign_replica(
        &self,
        image: &MetadataImage,
        broker_id: i32,
        (topic_id, number): (Uuid, i32),
        directory: Uuid,
    ) -> Result<Option<PartitionChangeRecord>, ErrorCode> {
        let topic = image.topics.by_id(topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partition(number).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if !partition.replicas.contains(&broker_id) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let is_active = |id| image.cluster.is_active(id);
        Ok(self.change_partition(image, topic, (number, partition), is_active, |change| {
            change.set_directory(broker_id, directory);
        }))
    }
}
