//! A streams group (KIP-1071): the members of one Kafka Streams application, its topology, and who runs which tasks.

mod assignor;
mod commit;
mod deadlines;
pub(crate) mod describe;
mod heartbeat;
mod leave;
mod member;
mod reconcile;
mod record;
mod replay;
mod settings;
mod target;
mod topology;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::coordinator_records::{GroupCoordinatorRecord as Record, StreamsGroupTopologyValue};

pub(crate) use heartbeat::{StreamsAlive, StreamsHeartbeat};
pub(crate) use validate::{heartbeat_refusal, validate_heartbeat};

use crate::group::{GroupTimers, Step};
use crate::record::encoded;
use deadlines::MemberDeadlines;
use member::{StreamsMember, TargetTasks};
use topology::Configured;

/// The protocol type of streams groups.
pub(crate) const PROTOCOL_TYPE: &str = "streams";

/// How far a member's copies of state have come, and how far they have to go, by task.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskOffsets {
    offsets: BTreeMap<(String, i32), i64>,
    end_offsets: BTreeMap<(String, i32), i64>,
}

/// One streams group. As with consumer groups every change of it is a record, written and applied at once.
#[derive(Debug)]
pub(crate) struct StreamsGroup {
    pub(crate) group_id: Arc<str>,
    group_epoch: i32,
    assignment_epoch: i32,
    /// When the target assignment was computed; 0 where the next one need not wait.
    assignment_timestamp_ms: i64,
    metadata_hash: i64,
    /// The topology epoch that was found to fit the cluster's topics; -1 for none.
    validated_topology_epoch: i32,
    /// The settings that the last epoch was begun with.
    last_configs: Vec<(String, String)>,
    topology: Option<StreamsGroupTopologyValue>,
    configured: Option<Configured>,
    members: BTreeMap<String, StreamsMember>,
    /// Member ids by group instance id.
    static_members: BTreeMap<String, String>,
    target: BTreeMap<String, TargetTasks>,
    task_offsets: BTreeMap<String, TaskOffsets>,
    /// Grows when it becomes known that other endpoints answer for other partitions.
    endpoint_epoch: i32,
    shutdown_requested_by: Option<String>,
    /// The topics' version that the metadata hash was last compared with.
    checked_topics_version: Option<u64>,
    /// When the group epoch last changed on this node.
    changed_at_ms: Option<i64>,
    /// Until when the first assignment waits for more members.
    initial_delay_until_ms: Option<i64>,
    deadlines: BTreeMap<String, MemberDeadlines>,
    pub(crate) timers: GroupTimers,
}

impl StreamsGroup {
    /// A group without members, not yet written anywhere.
    pub(crate) fn new(group_id: Arc<str>) -> Self {
        Self {
            group_id,
            group_epoch: 1,
            assignment_epoch: 1,
            assignment_timestamp_ms: 0,
            metadata_hash: 0,
            validated_topology_epoch: -1,
            last_configs: Vec::new(),
            topology: None,
            configured: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            target: BTreeMap::new(),
            task_offsets: BTreeMap::new(),
            endpoint_epoch: 0,
            shutdown_requested_by: None,
            checked_topics_version: None,
            changed_at_ms: None,
            initial_delay_until_ms: None,
            deadlines: BTreeMap::new(),
            timers: GroupTimers::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The state's name, as clients see it.
    pub(crate) fn state_name(&self) -> &'static str {
        let topology_epoch = self.topology.as_ref().map(|topology| topology.epoch);
        if self.members.is_empty() {
            "Empty"
        } else if topology_epoch != Some(self.validated_topology_epoch) {
            "NotReady"
        } else if self.group_epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether the application reads this topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let mut subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        !self.members.is_empty()
            && subtopologies
                .any(|subtopology| topology::sources_of(subtopology).any(|source| source == topic))
    }

    fn static_member(&self, instance_id: &str) -> Option<&StreamsMember> {
        self.static_members.get(instance_id).and_then(|member_id| self.members.get(member_id))
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
        records.push(record::group_epoch_tombstone(group_id));
        records.push(record::topology(group_id, None));
        step.effects.records.extend(records.iter().filter_map(|record| encoded(record, 0)));
    }
}
