//! The target assignment of a group epoch.

use std::collections::BTreeMap;

use protocol::ErrorCode;

use super::ConsumerGroup;
use super::member::ConsumerMember;
use super::record;
use super::subscription::count_key;
use crate::assignor::{self, GroupSpec, MemberSpec};
use crate::group::{Step, interval_after};
use crate::refusal::Refusal;

impl ConsumerGroup {
    /// The assignor most members ask for; the broker's default where nobody does.
    pub(super) fn preferred_assignor(&self, step: &Step<'_>) -> String {
        choose_assignor(&self.server_assignors, step)
    }

    /// As [`ConsumerGroup::preferred_assignor`], once `after` stands in for `before`.
    pub(super) fn preferred_assignor_after(
        &self,
        step: &Step<'_>,
        before: &ConsumerMember,
        after: &ConsumerMember,
    ) -> String {
        let mut counts = self.server_assignors.clone();
        if let Some(assignor) = &before.server_assignor {
            count_key(&mut counts, assignor, false);
        }
        if let Some(assignor) = &after.server_assignor {
            count_key(&mut counts, assignor, true);
        }
        choose_assignor(&counts, step)
    }

    /// Computes the target assignment of the group epoch, unless it is there, or the last one is too young.
    pub(super) fn maybe_update_target(&mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        if self.assignment_epoch >= self.group_epoch || !self.may_compute_target(step) {
            return Ok(());
        }
        let spec = GroupSpec {
            members: self
                .members
                .iter()
                .map(|(id, member)| (id.clone(), self.spec_of(step, member)))
                .collect(),
            is_homogeneous: self.is_homogeneous(),
        };
        let assignor = self.preferred_assignor(step);
        let cluster = &*step.cluster;
        let assigned = assignor::assign(&assignor, &spec, &|topic_id| cluster.partition_count(topic_id));
        let mut assigned = assigned.map_err(|reason| {
            let epoch = self.group_epoch;
            let message = format!("Failed to compute a new target assignment for epoch {epoch}: {reason}");
            Refusal::new(ErrorCode::UnknownServerError, message)
        })?;
        for member_id in spec.members.into_keys() {
            let target = assigned.remove(&member_id).unwrap_or_default();
            if self.target.get(&member_id) != Some(&target) {
                let record = record::target_assignment(&self.group_id, &member_id, &target);
                self.write(step, record);
            }
        }
        let record = record::target_assignment_metadata(&self.group_id, self.group_epoch, step.now_ms);
        self.write(step, record);
        Ok(())
    }

    fn may_compute_target(&self, step: &Step<'_>) -> bool {
        let interval_ms = interval_after(self.target.len(), self.assignment_interval_ms(step));
        self.assignment_timestamp_ms == 0
            || interval_ms == 0
            || step.now_ms >= self.assignment_timestamp_ms.saturating_add(interval_ms)
    }

    fn spec_of(&self, step: &Step<'_>, member: &ConsumerMember) -> MemberSpec {
        MemberSpec {
            instance_id: member.instance_id.clone(),
            subscribed: self.subscribed_topic_ids(step.cluster, member),
            assigned: self.target.get(&member.member_id).cloned().unwrap_or_default(),
        }
    }
}

/// Of assignors that equally many ask for, the first in the alphabet.
fn choose_assignor(counts: &BTreeMap<String, usize>, step: &Step<'_>) -> String {
    let most = counts.values().max();
    let preferred = counts.iter().find(|(_, count)| Some(*count) == most).map(|(name, _)| name);
    preferred.or(step.config.consumer.assignors.first()).cloned().unwrap_or_default()
}
