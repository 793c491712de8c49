//! Leaders change their in-sync replicas (AlterPartition, key 56, v2-3).

use metadata::{LeaderRecoveryState, MetadataImage, NO_LEADER_CHANGE, PartitionRegistration, TopicImage};
use protocol::ErrorCode;
use protocol::messages::alter_partition_request::{BrokerState as IsrMember, PartitionData as PartitionWish};
use protocol::messages::alter_partition_response::{PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};

use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// Below this version the new ISR comes without broker epochs.
const FIRST_VERSION_WITH_BROKER_EPOCHS: i16 = 3;
/// Stands for "not known" in a request.
const ANY_BROKER_EPOCH: i64 = -1;

impl Controller {
    /// Changes the ISR of partitions that the sender leads, and ends reassignments that this completes.
    pub fn alter_partition(
        &self,
        image: &MetadataImage,
        request: &AlterPartitionRequest,
        api_version: i16,
    ) -> Result<ControllerResult<AlterPartitionResponse>, ApiError> {
        self.check_broker_epoch(image, request.broker_id, request.broker_epoch)?;
        let mut records = Vec::new();
        let mut topics = Vec::new();
        for wishes in &request.topics {
            let topic = image.topics.by_id(wishes.topic_id);
            let mut partitions = Vec::new();
            for wish in &wishes.partitions {
                let outcome = match topic {
                    None => Err(ErrorCode::UnknownTopicId),
                    Some(topic) => self.alter_isr(image, topic, request.broker_id, wish, api_version),
                };
                partitions.push(match outcome {
                    Err(error) => PartitionData {
                        partition_index: wish.partition_index,
                        error_code: error.into(),
                        ..Default::default()
                    },
                    Ok((change, data)) => {
                        records.extend(change.map(MetadataRecord::PartitionChange));
                        data
                    }
                });
            }
            topics.push(TopicData { topic_id: wishes.topic_id, partitions, ..Default::default() });
        }
        let response =
            AlterPartitionResponse { error_code: ErrorCode::None.into(), topics, ..Default::default() };
        Ok(ControllerResult::new(records, response))
    }

    fn alter_isr(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        broker_id: i32,
        wish: &PartitionWish,
        api_version: i16,
    ) -> Result<(Option<PartitionChangeRecord>, PartitionData), ErrorCode> {
        let partition_index = wish.partition_index;
        let partition = topic.partition(partition_index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let new_isr: Vec<IsrMember> = if api_version < FIRST_VERSION_WITH_BROKER_EPOCHS {
            let member =
                |id: &i32| IsrMember { broker_id: *id, broker_epoch: ANY_BROKER_EPOCH, ..Default::default() };
            wish.new_isr.iter().map(member).collect()
        } else {
            wish.new_isr_with_epochs.clone()
        };
        let recovery_state = check_wish(broker_id, partition, wish, &new_isr)?;
        if new_isr.iter().any(|member| !is_eligible(image, member)) {
            return Err(ErrorCode::IneligibleReplica);
        }
        let is_active = |id| image.cluster.is_active(id);
        let election = self.election_of(image, topic.name());
        let change = self.change_partition(image, topic, (partition_index, partition), is_active, |change| {
            change.election = election;
            change.target_isr = new_isr.iter().map(|member| member.broker_id).collect();
            change.target_recovery_state = recovery_state;
        });
        let mut now = PartitionRegistration::clone(partition);
        if let Some(change) = &change {
            now = now.merge(change).map_err(|_| ErrorCode::UnknownServerError)?;
            if change.leader != broker_id && change.leader != NO_LEADER_CHANGE {
                // The end of a reassignment may take the leadership from the sender: it has to fetch metadata before
                // it tries again, and yet the change is made.
                let data = PartitionData {
                    partition_index,
                    error_code: ErrorCode::NewLeaderElected.into(),
                    ..Default::default()
                };
                return Ok((Some(change.clone()), data));
            }
        }
        let data = PartitionData {
            partition_index,
            error_code: ErrorCode::None.into(),
            leader_id: now.leader,
            leader_epoch: now.leader_epoch,
            isr: now.isr.to_vec(),
            leader_recovery_state: now.leader_recovery_state.code(),
            partition_epoch: now.partition_epoch,
            ..Default::default()
        };
        Ok((change, data))
    }
}

/// Fences stale leaders and refuses what no leader may ask.
fn check_wish(
    broker_id: i32,
    partition: &PartitionRegistration,
    wish: &PartitionWish,
    new_isr: &[IsrMember],
) -> Result<LeaderRecoveryState, ErrorCode> {
    // A leader that knows more than this controller: somebody else is the controller by now.
    if wish.leader_epoch > partition.leader_epoch || wish.partition_epoch > partition.partition_epoch {
        return Err(ErrorCode::NotController);
    }
    if wish.leader_epoch < partition.leader_epoch {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if broker_id != partition.leader {
        return Err(ErrorCode::InvalidRequest);
    }
    if wish.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::InvalidUpdateVersion);
    }
    let mut ids: Vec<i32> = new_isr.iter().map(|member| member.broker_id).collect();
    let has_leader = ids.contains(&partition.leader);
    ids.sort_unstable();
    let distinct = ids.windows(2).all(|pair| pair.first() != pair.last());
    let among_replicas = ids.iter().all(|id| partition.replicas.contains(id));
    if !has_leader || !distinct || !among_replicas {
        return Err(ErrorCode::InvalidRequest);
    }
    let state =
        LeaderRecoveryState::from_code(wish.leader_recovery_state).ok_or(ErrorCode::InvalidRequest)?;
    let recovering = state == LeaderRecoveryState::Recovering;
    let was_recovered = partition.leader_recovery_state == LeaderRecoveryState::Recovered;
    if recovering && (ids.len() > 1 || was_recovered) {
        return Err(ErrorCode::InvalidRequest);
    }
    Ok(state)
}

/// Whether a replica may be in sync: its broker serves, and is the incarnation that the leader means (KIP-903).
fn is_eligible(image: &MetadataImage, member: &IsrMember) -> bool {
    image.cluster.is_active(member.broker_id)
        && image.cluster.broker(member.broker_id).is_some_and(|broker| {
            member.broker_epoch == ANY_BROKER_EPOCH || member.broker_epoch == broker.epoch
        })
}
