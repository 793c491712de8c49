//! Records of a streams group, applied to it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::coordinator_records::{
    GroupCoordinatorRecord as Record, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataValue, StreamsGroupTargetAssignmentMemberValue,
    streams_group_current_member_assignment_value as current,
    streams_group_target_assignment_member_value as target,
};

use super::StreamsGroup;
use super::member::{ActiveTasks, MemberTasks, StreamsMember, TargetTasks, Tasks};
use crate::consumer::MemberState;

impl StreamsGroup {
    /// Takes a record of this group over. Records of other kinds change nothing.
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::StreamsGroupMetadata(_, Some(value)) => {
                self.group_epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
                self.validated_topology_epoch = value.validated_topology_epoch;
                let configs = value.last_assignment_configs.unwrap_or_default();
                self.last_configs = configs.into_iter().map(|config| (config.key, config.value)).collect();
            }
            Record::StreamsGroupTopology(_, value) => {
                self.topology = value;
                self.configured = None;
            }
            Record::StreamsGroupMemberMetadata(key, Some(value)) => {
                self.apply_member_metadata(key.member_id, value);
            }
            Record::StreamsGroupMemberMetadata(key, None) => self.forget_member(&key.member_id),
            Record::StreamsGroupTargetAssignmentMember(key, Some(value)) => {
                self.target.insert(key.member_id, target_tasks(value));
            }
            Record::StreamsGroupTargetAssignmentMember(key, None) => {
                self.target.remove(&key.member_id);
            }
            Record::StreamsGroupTargetAssignmentMetadata(_, value) => {
                self.assignment_epoch = value.as_ref().map_or(-1, |value| value.assignment_epoch);
                self.assignment_timestamp_ms = value.map_or(0, |value| value.assignment_timestamp);
            }
            Record::StreamsGroupCurrentMemberAssignment(key, value) => {
                self.apply_current_assignment(key.member_id, value);
            }
            _ => {}
        }
    }

    fn apply_member_metadata(&mut self, member_id: String, value: StreamsGroupMemberMetadataValue) {
        let before = self.members.get(&member_id).cloned();
        let member = before.unwrap_or_else(|| StreamsMember::new(member_id));
        self.put_member(StreamsMember {
            instance_id: value.instance_id,
            rack_id: value.rack_id,
            client_id: value.client_id,
            client_host: value.client_host,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            topology_epoch: value.topology_epoch,
            process_id: value.process_id,
            user_endpoint: value.user_endpoint.map(|endpoint| (endpoint.host, endpoint.port)),
            client_tags: value.client_tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            ..member
        });
    }

    fn apply_current_assignment(
        &mut self,
        member_id: String,
        value: Option<StreamsGroupCurrentMemberAssignmentValue>,
    ) {
        let before = self.members.get(&member_id).cloned();
        let Some(value) = value else {
            if let Some(member) = before {
                self.put_member(StreamsMember {
                    member_epoch: -1,
                    previous_member_epoch: -1,
                    assigned: MemberTasks::default(),
                    pending_revocation: MemberTasks::default(),
                    ..member
                });
            }
            return;
        };
        let member = before.unwrap_or_else(|| StreamsMember::new(member_id));
        let epoch = value.member_epoch;
        self.put_member(StreamsMember {
            member_epoch: epoch,
            previous_member_epoch: value.previous_member_epoch,
            state: MemberState::from_code(value.state),
            assigned: MemberTasks {
                active: with_epochs(value.active_tasks, epoch),
                standby: without_epochs(value.standby_tasks),
                warmup: without_epochs(value.warmup_tasks),
            },
            pending_revocation: MemberTasks {
                active: with_epochs(value.active_tasks_pending_revocation, epoch),
                standby: without_epochs(value.standby_tasks_pending_revocation),
                warmup: without_epochs(value.warmup_tasks_pending_revocation),
            },
            ..member
        });
    }

    fn put_member(&mut self, member: StreamsMember) {
        self.forget_index(&member.member_id);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        self.members.insert(member.member_id.clone(), member);
    }

    fn forget_member(&mut self, member_id: &str) {
        self.forget_index(member_id);
        self.members.remove(member_id);
        self.task_offsets.remove(member_id);
        if self.members.is_empty() {
            self.shutdown_requested_by = None;
        }
    }

    fn forget_index(&mut self, member_id: &str) {
        self.static_members.retain(|_, mapped| mapped != member_id);
    }
}

fn target_tasks(value: StreamsGroupTargetAssignmentMemberValue) -> TargetTasks {
    let tasks = |ids: Vec<target::TaskIds>| -> Tasks {
        ids.into_iter().map(|task| (task.subtopology_id, task.partitions.into_iter().collect())).collect()
    };
    TargetTasks {
        active: tasks(value.active_tasks),
        standby: tasks(value.standby_tasks),
        warmup: tasks(value.warmup_tasks),
    }
}

fn with_epochs(ids: Vec<current::TaskIds>, member_epoch: i32) -> ActiveTasks {
    let mut tasks = ActiveTasks::new();
    for task in ids {
        let epochs = task.assignment_epochs.filter(|epochs| epochs.len() == task.partitions.len());
        let partitions: &mut BTreeMap<i32, i32> = tasks.entry(task.subtopology_id).or_default();
        match epochs {
            Some(epochs) => partitions.extend(task.partitions.into_iter().zip(epochs)),
            None => {
                partitions.extend(task.partitions.into_iter().map(|index| (index, member_epoch.max(0))));
            }
        }
    }
    tasks
}

fn without_epochs(ids: Vec<current::TaskIds>) -> Tasks {
    let mut tasks = Tasks::new();
    for task in ids {
        let partitions: &mut BTreeSet<i32> = tasks.entry(task.subtopology_id).or_default();
        partitions.extend(task.partitions);
    }
    tasks
}
