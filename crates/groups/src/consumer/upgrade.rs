//! From classic group to consumer group, when a first member of the consumer protocol joins.

use protocol::ErrorCode;
use protocol::coordinator_records::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};

use super::member::{AssignedPartitions, ConsumerMember, MemberState};
use super::{ConsumerGroup, record};
use crate::classic::embedded::{by_topic_id, read_assignment, read_subscription};
use crate::classic::{ClassicGroup, ClassicMember};
use crate::cluster::Cluster;
use crate::group::Step;
use crate::record::group_metadata_tombstone;
use crate::refusal::Refusal;

impl ConsumerGroup {
    /// The consumer group of a classic group's members, written down. The classic group's parked requests are answered with
    /// REBALANCE_IN_PROGRESS. Nothing is changed if it is refused.
    pub(crate) fn upgraded(step: &mut Step<'_>, classic: &mut ClassicGroup) -> Result<Self, Refusal> {
        check_upgrade(step, classic)?;
        let generation_id = classic.generation_id();
        let mut members = Vec::new();
        for member in classic.members() {
            members.push(upgraded_member(step.cluster, classic, member, generation_id)?);
        }
        classic.answer_all_with_error(step, ErrorCode::RebalanceInProgress);
        step.effects.records.extend(group_metadata_tombstone(&classic.group_id));
        let mut group = Self::new(classic.group_id.clone());
        let group_id = group.group_id.clone();
        for (member, _) in &members {
            group.write(step, record::member_metadata(&group_id, member));
        }
        let metadata_hash = group.compute_metadata_hash(step.cluster);
        group.write(step, record::group_epoch(&group_id, generation_id, metadata_hash));
        for (member, assigned) in &members {
            group.write(step, record::target_assignment(&group_id, &member.member_id, assigned));
        }
        group.write(step, record::target_assignment_metadata(&group_id, generation_id, 0));
        for (member, _) in &members {
            group.write(step, record::current_assignment(&group_id, member));
            let timeout_ms = member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
            group.restart_session(step, &member.member_id, i64::from(timeout_ms));
        }
        Ok(group)
    }
}

fn check_upgrade(step: &Step<'_>, classic: &ClassicGroup) -> Result<(), Refusal> {
    let config = &step.config.consumer;
    let reason = if !config.migration_policy.upgrade {
        "online upgrade is disabled."
    } else if !classic.uses_consumer_protocol() {
        "the group does not use the consumer embedded protocol."
    } else if classic.members().len() > config.max_size {
        "the group size exceeds the consumer group maximum size."
    } else {
        return Ok(());
    };
    Err(cannot_upgrade(classic, reason))
}

fn cannot_upgrade(classic: &ClassicGroup, reason: &str) -> Refusal {
    let group_id = &classic.group_id;
    let message = format!("Cannot upgrade classic group {group_id} to consumer group because {reason}");
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

fn upgraded_member(
    cluster: &Cluster,
    classic: &ClassicGroup,
    member: &ClassicMember,
    generation_id: i32,
) -> Result<(ConsumerMember, AssignedPartitions), Refusal> {
    let malformed = || cannot_upgrade(classic, "the embedded consumer protocol is malformed.");
    let chosen = classic.chosen_metadata(member);
    let subscription = read_subscription(&chosen).ok_or_else(malformed)?;
    let assigned = assigned_partitions(cluster, classic, member)?;
    let protocols = member.protocols.iter().map(|protocol| ClassicProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
        ..ClassicProtocol::default()
    });
    let with_epoch = assigned.iter().map(|(topic_id, partitions)| {
        (*topic_id, partitions.iter().map(|partition| (*partition, generation_id)).collect())
    });
    let upgraded = ConsumerMember {
        member_epoch: generation_id,
        previous_member_epoch: generation_id,
        state: MemberState::Stable,
        instance_id: member.group_instance_id.clone(),
        rack_id: subscription.rack_id.filter(|rack_id| !rack_id.is_empty()),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: subscription.topics.into_iter().collect(),
        assigned: with_epoch.collect(),
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            supported_protocols: protocols.collect(),
            ..ClassicMemberMetadata::default()
        }),
        ..ConsumerMember::new(member.member_id.clone())
    };
    Ok((upgraded, assigned))
}

/// What a custom assignor has put beside the partitions would be lost, so such a group stays as it is.
fn assigned_partitions(
    cluster: &Cluster,
    classic: &ClassicGroup,
    member: &ClassicMember,
) -> Result<AssignedPartitions, Refusal> {
    if member.assignment.is_empty() {
        return Ok(AssignedPartitions::new());
    }
    let assignment = read_assignment(&member.assignment)
        .ok_or_else(|| cannot_upgrade(classic, "the embedded consumer protocol is malformed."))?;
    if assignment.user_data.is_some_and(|user_data| !user_data.is_empty()) {
        return Err(cannot_upgrade(
            classic,
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default \
             assignor before re-attempting the upgrade.",
        ));
    }
    let topics = assignment.assigned_partitions.iter();
    Ok(by_topic_id(cluster, topics.map(|topic| (topic.topic.as_str(), topic.partitions.as_slice()))))
}
