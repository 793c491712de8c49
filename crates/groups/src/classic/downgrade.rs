//! A consumer group whose members all speak the classic protocol, as a classic group.

use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

use super::embedded::{metadata_version, write_assignment};
use super::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, ClassicMember, ClassicState};
use crate::cluster::Cluster;
use crate::consumer::ConsumerMember;
use crate::consumer::member::AssignedPartitions;
use crate::group::Step;

/// A member of a consumer group with its target assignment.
pub(crate) struct Downgraded<'a> {
    pub(crate) member: &'a ConsumerMember,
    pub(crate) target: AssignedPartitions,
}

impl ClassicGroup {
    /// The stable group of these members in this generation. None where they have no protocol in common.
    pub(crate) fn from_consumer_members(
        group_id: Arc<str>,
        generation_id: i32,
        now_ms: i64,
        cluster: &Cluster,
        members: Vec<Downgraded<'_>>,
    ) -> Option<Self> {
        let mut group = Self::new(group_id, Some(now_ms));
        group.state = ClassicState::Stable;
        group.generation_id = generation_id;
        let mut targets = Vec::new();
        for Downgraded { member, target } in members {
            targets.push((member.member_id.clone(), target));
            group.add_member(classic_member(member), CONSUMER_PROTOCOL_TYPE.to_owned());
        }
        group.protocol_name = Some(group.select_protocol()?);
        group.subscribed_topics = group.compute_subscribed_topics();
        for (member_id, target) in targets {
            let protocol_name = group.protocol_name.clone();
            let Some(member) = group.members.get_mut(&member_id) else { continue };
            let version = metadata_version(&member.metadata(protocol_name.as_deref()))?;
            let target =
                target.into_iter().map(|(topic_id, partitions)| (topic_id, partitions.into_iter().collect()));
            member.assignment = write_assignment(cluster, target, version);
        }
        Some(group)
    }

    /// Writes the group down and begins its members' sessions.
    pub(crate) fn begin(&mut self, step: &mut Step<'_>) {
        step.effects.records.extend(self.writable_record(step.config));
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            self.restart_session(step.now_ms, member_id);
        }
    }
}

fn classic_member(member: &ConsumerMember) -> ClassicMember {
    let protocols = member.classic_protocols().iter().map(|protocol| JoinGroupRequestProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
        ..JoinGroupRequestProtocol::default()
    });
    ClassicMember {
        member_id: member.member_id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms),
        protocols: protocols.collect(),
        assignment: Bytes::new(),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
        session_deadline_ms: None,
    }
}
