//! A classic group as a record, and back.

use std::sync::Arc;

use protocol::coordinator_records::GroupMetadataValue;
use protocol::coordinator_records::group_metadata_value::MemberMetadata;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

use super::{ClassicGroup, ClassicMember, ClassicState};
use crate::config::GroupCoordinatorConfig;
use crate::effects::CoordinatorRecord;
use crate::record::{fits_one_batch, group_metadata_record};

impl ClassicGroup {
    /// The group with its members and their assignments, or None where it is larger than the log takes.
    pub(super) fn writable_record(&self, config: &GroupCoordinatorConfig) -> Option<CoordinatorRecord> {
        let protocol_name = self.protocol_name.as_deref();
        let member = |member: &ClassicMember| MemberMetadata {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(protocol_name),
            assignment: member.assignment.clone(),
            ..MemberMetadata::default()
        };
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation_id,
            protocol: self.protocol_name.clone(),
            leader: self.leader_id.clone(),
            current_state_timestamp: self.state_since_ms.unwrap_or(-1),
            members: self.members.values().map(member).collect(),
            ..GroupMetadataValue::default()
        };
        let record = group_metadata_record(&self.group_id, value)?;
        fits_one_batch(std::slice::from_ref(&record), config).then_some(record)
    }
}

/// What is written when a group comes into being: nothing but when.
pub(crate) fn empty_group_record(group_id: &str, now_ms: i64) -> Option<CoordinatorRecord> {
    let value = GroupMetadataValue {
        protocol: None,
        leader: None,
        current_state_timestamp: now_ms,
        ..GroupMetadataValue::default()
    };
    group_metadata_record(group_id, value)
}

/// The group a record describes: stable with the members it names, empty without any. A member's other protocols are
/// not written, so until it rejoins it knows the chosen one only. None where members have no protocol to share.
pub(crate) fn replayed_group(group_id: Arc<str>, value: GroupMetadataValue) -> Option<ClassicGroup> {
    let mut group =
        ClassicGroup::new(group_id, Some(value.current_state_timestamp).filter(|since_ms| *since_ms != -1));
    for member in value.members {
        let name = value.protocol.clone()?;
        let has_rebalance_timeout = member.rebalance_timeout != -1;
        let replayed = ClassicMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            rebalance_timeout_ms: if has_rebalance_timeout {
                member.rebalance_timeout
            } else {
                member.session_timeout
            },
            session_timeout_ms: member.session_timeout,
            protocols: vec![JoinGroupRequestProtocol {
                name,
                metadata: member.subscription,
                ..JoinGroupRequestProtocol::default()
            }],
            assignment: member.assignment,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            session_deadline_ms: None,
        };
        if !group.members.contains_key(&replayed.member_id) {
            group.add_member(replayed, value.protocol_type.clone());
        }
    }
    if !group.members.is_empty() {
        group.state = ClassicState::Stable;
    }
    group.generation_id = value.generation;
    group.protocol_type = Some(value.protocol_type).filter(|protocol_type| !protocol_type.is_empty());
    group.protocol_name = value.protocol;
    group.leader_id = value.leader;
    group.subscribed_topics = group.compute_subscribed_topics();
    Some(group)
}
