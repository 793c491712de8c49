//! A group of the consumer protocol (KIP-848): members, epochs, target and current assignments.

mod classic_protocol;
mod commit;
mod deadlines;
pub(crate) mod describe;
mod downgrade;
mod heartbeat;
mod interval;
mod leave;
pub(crate) mod member;
mod reconcile;
pub(crate) mod record;
mod regex;
mod replay;
mod subscription;
mod target;
mod upgrade;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Uuid;
use protocol::coordinator_records::GroupCoordinatorRecord as Record;

pub(crate) use heartbeat::ConsumerHeartbeat;
pub(crate) use member::{ConsumerMember, MemberState};
pub(crate) use validate::{check, check_filled, heartbeat_refusal, validate_heartbeat};

use crate::group::{GroupTimers, Step};
use crate::record::encoded;
use deadlines::MemberDeadlines;
use member::AssignedPartitions;
use subscription::{ResolvedRegex, SubscriptionCount};

/// The protocol type of consumer groups.
pub(crate) const PROTOCOL_TYPE: &str = "consumer";

/// One consumer group. Every change of it is a record: what is decided is written, and what is written is applied, now as
/// in replay.
///
/// The group epoch grows with every change that may lead to another assignment. A target assignment is computed for it,
/// perhaps a little later; each member goes from its own epoch to the target's in its own time, giving up what it must
/// before it gets anything new.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) group_id: Arc<str>,
    pub(crate) group_epoch: i32,
    pub(crate) assignment_epoch: i32,
    /// When the target assignment was computed; 0 where the next one need not wait.
    assignment_timestamp_ms: i64,
    metadata_hash: i64,
    pub(crate) members: BTreeMap<String, ConsumerMember>,
    /// Member ids by group instance id.
    static_members: BTreeMap<String, String>,
    subscribed_topics: BTreeMap<String, SubscriptionCount>,
    /// Members by regular expression.
    subscribed_regexes: BTreeMap<String, usize>,
    resolved_regexes: BTreeMap<String, ResolvedRegex>,
    /// Members by the assignor they ask for.
    server_assignors: BTreeMap<String, usize>,
    target: BTreeMap<String, AssignedPartitions>,
    /// The epoch of each partition's owner.
    partition_epochs: BTreeMap<Uuid, BTreeMap<i32, i32>>,
    pub(crate) classic_member_count: usize,
    /// Members of the classic protocol by embedded protocol.
    classic_protocols: BTreeMap<String, usize>,
    /// Whether a record of older versions describes the subscribed topics: its tombstone is due.
    has_partition_metadata_record: bool,
    /// The topics' version that the metadata hash was last compared with.
    checked_topics_version: Option<u64>,
    /// When the group epoch last changed on this node.
    changed_at_ms: Option<i64>,
    deadlines: BTreeMap<String, MemberDeadlines>,
    pub(crate) timers: GroupTimers,
}

impl ConsumerGroup {
    /// A group without members, not yet written anywhere.
    pub(crate) fn new(group_id: Arc<str>) -> Self {
        Self {
            group_id,
            group_epoch: 1,
            assignment_epoch: 1,
            assignment_timestamp_ms: 0,
            metadata_hash: 0,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            subscribed_topics: BTreeMap::new(),
            subscribed_regexes: BTreeMap::new(),
            resolved_regexes: BTreeMap::new(),
            server_assignors: BTreeMap::new(),
            target: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
            classic_member_count: 0,
            classic_protocols: BTreeMap::new(),
            has_partition_metadata_record: false,
            checked_topics_version: None,
            changed_at_ms: None,
            deadlines: BTreeMap::new(),
            timers: GroupTimers::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The state's name, as clients see it.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.group_epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics.contains_key(topic)
    }

    fn static_member(&self, instance_id: &str) -> Option<&ConsumerMember> {
        self.static_members.get(instance_id).and_then(|member_id| self.members.get(member_id))
    }

    /// The epoch of the member that owns a partition; none where nobody does.
    fn partition_epoch(&self, topic_id: Uuid, partition: i32) -> Option<i32> {
        self.partition_epochs.get(&topic_id)?.get(&partition).copied()
    }

    /// Writes a record and applies it.
    fn write(&mut self, step: &mut Step<'_>, record: Record) {
        step.effects.records.extend(encoded(&record, 0));
        self.apply(record);
    }

    /// Writes what takes the whole group out of the log; the caller forgets it.
    pub(crate) fn write_tombstones(&self, step: &mut Step<'_>) {
        let group_id = &self.group_id;
        let mut records = Vec::new();
        let ids = || self.members.keys();
        records.extend(ids().map(|member_id| record::current_assignment_tombstone(group_id, member_id)));
        records.extend(ids().map(|member_id| record::target_assignment_tombstone(group_id, member_id)));
        records.push(record::target_assignment_metadata_tombstone(group_id));
        records.extend(ids().map(|member_id| record::member_metadata_tombstone(group_id, member_id)));
        let regexes = self.resolved_regexes.keys();
        records.extend(regexes.map(|regex| record::regular_expression_tombstone(group_id, regex)));
        records.push(record::partition_metadata_tombstone(group_id));
        records.push(record::group_epoch_tombstone(group_id));
        step.effects.records.extend(records.iter().filter_map(|record| encoded(record, 0)));
    }
}
