//! A member of a consumer group: what it asked for, and what it owns.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;
use protocol::coordinator_records::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedTopicPartitions;

/// Partitions by topic.
pub(crate) type AssignedPartitions = BTreeMap<Uuid, BTreeSet<i32>>;
/// Partitions by topic, each with the epoch in which its owner got it (KIP-1251).
pub(crate) type PartitionEpochs = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a member that leaves.
pub(crate) const LEAVE_MEMBER_EPOCH: i32 = -1;
/// The epoch of a static member that leaves for a while.
pub(crate) const LEAVE_STATIC_MEMBER_EPOCH: i32 = -2;

/// Where a member stands between its old and its target assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemberState {
    /// It owns what it should in its epoch.
    #[default]
    Stable,
    /// It has yet to give partitions up.
    UnrevokedPartitions,
    /// It has all but some partitions that others have yet to give up.
    UnreleasedPartitions,
    /// Written by a later version of the coordinator.
    Unknown,
}

impl MemberState {
    pub(crate) fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }

    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }
}

/// One member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConsumerMember {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) previous_member_epoch: i32,
    pub(crate) state: MemberState,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) subscribed_topic_names: BTreeSet<String>,
    pub(crate) subscribed_topic_regex: Option<String>,
    pub(crate) server_assignor: Option<String>,
    pub(crate) assigned: PartitionEpochs,
    pub(crate) pending_revocation: PartitionEpochs,
    /// Set for a member that speaks the classic protocol.
    pub(crate) classic: Option<ClassicMemberMetadata>,
}

impl ConsumerMember {
    pub(crate) fn new(member_id: impl Into<String>) -> Self {
        Self {
            member_id: member_id.into(),
            member_epoch: 0,
            previous_member_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: String::new(),
            client_host: String::new(),
            subscribed_topic_names: BTreeSet::new(),
            subscribed_topic_regex: Some(String::new()),
            server_assignor: None,
            assigned: PartitionEpochs::new(),
            pending_revocation: PartitionEpochs::new(),
            classic: None,
        }
    }

    pub(crate) fn uses_classic_protocol(&self) -> bool {
        self.classic.is_some()
    }

    /// The regular expression it is subscribed to, if any.
    pub(crate) fn regex(&self) -> Option<&str> {
        self.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.member_epoch == target_epoch
    }

    /// Goes over to an epoch.
    pub(crate) fn enter_epoch(&mut self, member_epoch: i32) {
        self.previous_member_epoch = self.member_epoch;
        self.member_epoch = member_epoch;
    }

    pub(crate) fn classic_protocols(&self) -> &[ClassicProtocol] {
        self.classic.as_ref().map_or(&[], |classic| &classic.supported_protocols)
    }

    /// In which epoch it got a partition that it still has, or has yet to give up.
    pub(crate) fn assignment_epoch(&self, topic_id: Uuid, partition: i32) -> Option<i32> {
        let epoch_in = |partitions: &PartitionEpochs| partitions.get(&topic_id)?.get(&partition).copied();
        epoch_in(&self.assigned).or_else(|| epoch_in(&self.pending_revocation))
    }

    /// Whether all of these partitions are assigned to it. Who does not say what it owns is not believed.
    pub(crate) fn is_assigned_all(&self, owned: Option<&[OwnedTopicPartitions]>) -> bool {
        let is_assigned = |topic: &OwnedTopicPartitions| {
            let assigned = self.assigned.get(&topic.topic_id);
            assigned.is_some_and(|assigned| topic.partitions.iter().all(|index| assigned.contains_key(index)))
        };
        owned.is_some_and(|owned| owned.iter().all(is_assigned))
    }
}
