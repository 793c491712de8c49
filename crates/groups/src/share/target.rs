//! The target assignment of a group epoch.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::{ShareGroup, assignor, record};
use crate::group::{Step, interval_after};

impl ShareGroup {
    /// Computes the target assignment of the group epoch, unless it is there, or the last one is too young.
    pub(super) fn maybe_update_target(&mut self, step: &mut Step<'_>) {
        if self.assignment_epoch >= self.group_epoch || !self.may_compute_target(step) {
            return;
        }
        let subscribed: BTreeMap<String, BTreeSet<Uuid>> = self
            .members
            .iter()
            .map(|(member_id, member)| {
                let names = member.subscribed_topic_names.iter().map(String::as_str);
                (member_id.clone(), step.cluster.topic_ids(names))
            })
            .collect();
        let assignable =
            self.initialized.iter().map(|(topic_id, state)| (*topic_id, state.partitions.clone())).collect();
        let assigned = assignor::assign(&subscribed, &assignable, &self.target);
        for (member_id, target) in assigned {
            if self.target.get(&member_id) != Some(&target) {
                let record = record::target_assignment(&self.group_id, &member_id, &target);
                self.write(step, record);
            }
        }
        let record = record::target_assignment_metadata(&self.group_id, self.group_epoch, step.now_ms);
        self.write(step, record);
    }

    fn may_compute_target(&self, step: &Step<'_>) -> bool {
        let own = step.cluster.group_number(&self.group_id, "share.assignment.interval.ms");
        let interval_ms = i64::from(step.config.share.assignment_interval_ms.resolve(own));
        let interval_ms = interval_after(self.target.len(), interval_ms);
        self.assignment_timestamp_ms == 0
            || interval_ms == 0
            || step.now_ms >= self.assignment_timestamp_ms.saturating_add(interval_ms)
    }

    /// Whether partitions have been set up that nobody is assigned yet.
    pub(super) fn is_initialized_assignment_pending(&self) -> bool {
        let is_assigned = |topic_id: &Uuid, partition: &i32| {
            let mut targets = self.target.values().filter_map(|target| target.get(topic_id));
            targets.any(|partitions| partitions.contains(partition))
        };
        let read =
            self.initialized.iter().filter(|(_, state)| self.subscribed_topics.contains_key(&state.name));
        !self.members.is_empty()
            && read.into_iter().any(|(topic_id, state)| {
                !state.partitions.iter().all(|partition| is_assigned(topic_id, partition))
            })
    }
}
