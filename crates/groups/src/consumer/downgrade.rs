//! From consumer group to classic group, once all members left speak the classic protocol.

use super::ConsumerGroup;
use crate::classic::{ClassicGroup, Downgraded};
use crate::group::Step;

impl ConsumerGroup {
    /// Whether the group becomes a classic one when these members are gone.
    pub(super) fn may_downgrade_without(&self, step: &Step<'_>, leaving: &[String]) -> bool {
        let remaining = || self.members.values().filter(|member| !leaving.contains(&member.member_id));
        let count = remaining().count();
        count > 0
            && remaining().all(super::ConsumerMember::uses_classic_protocol)
            && self.may_downgrade_to(step, count)
    }

    /// Whether a group of this many members may become a classic one.
    pub(super) fn may_downgrade_to(&self, step: &Step<'_>, member_count: usize) -> bool {
        step.config.consumer.migration_policy.downgrade
            && member_count <= usize::try_from(step.config.group_max_size).unwrap_or(0)
    }

    /// The classic group of those who stay, written down and rebalancing.
    pub(super) fn downgraded_without(&self, step: &mut Step<'_>, leaving: &[String]) -> Option<ClassicGroup> {
        let mut classic = self.as_classic(step, leaving)?;
        self.write_tombstones(step);
        classic.begin(step);
        classic.prepare_rebalance(step);
        Some(classic)
    }

    /// The classic group of everybody, written down; rebalancing where the target assignment is out of date.
    pub(super) fn downgraded(&self, step: &mut Step<'_>) -> Option<ClassicGroup> {
        let mut classic = self.as_classic(step, &[])?;
        self.write_tombstones(step);
        classic.begin(step);
        if self.assignment_epoch < self.group_epoch {
            classic.prepare_rebalance(step);
        }
        Some(classic)
    }

    fn as_classic(&self, step: &Step<'_>, leaving: &[String]) -> Option<ClassicGroup> {
        let staying = self.members.values().filter(|member| !leaving.contains(&member.member_id));
        let members = staying.map(|member| Downgraded {
            member,
            target: self.target.get(&member.member_id).cloned().unwrap_or_default(),
        });
        let group_id = self.group_id.clone();
        ClassicGroup::from_consumer_members(
            group_id,
            self.group_epoch,
            step.now_ms,
            step.cluster,
            members.collect(),
        )
    }
}
