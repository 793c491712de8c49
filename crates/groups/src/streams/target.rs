//! The target assignment of a streams group's epoch.

use protocol::messages::streams_group_heartbeat_response::Status;

use super::assignor::{self, MemberSpec};
use super::member::{StreamsMember, TargetTasks};
use super::topology::status;
use super::{StreamsGroup, record};
use crate::group::Step;

impl StreamsGroup {
    /// Computes the target assignment of the group epoch, unless it is there, or has to wait: then `statuses` say so.
    pub(super) fn maybe_update_target(&mut self, step: &mut Step<'_>, statuses: &mut Vec<Status>) {
        if self.initial_delay_until_ms.is_some() {
            let reason = "Assignment delayed due to the configured initial rebalance delay.";
            statuses.push(delayed(reason));
            return;
        }
        if self.assignment_epoch >= self.group_epoch {
            return;
        }
        let interval_ms = self.assignment_interval_ms(step);
        let is_due = self.assignment_timestamp_ms == 0
            || interval_ms == 0
            || step.now_ms >= self.assignment_timestamp_ms.saturating_add(interval_ms);
        if is_due {
            self.update_target(step);
        } else {
            statuses.push(delayed("Assignment delayed due to the configured assignment interval."));
        }
    }

    /// Computes it now.
    pub(super) fn update_target(&mut self, step: &mut Step<'_>) {
        let specs = self
            .members
            .iter()
            .map(|(member_id, member)| (member_id.clone(), self.spec_of(member)))
            .collect();
        let configured = self.configured.as_ref().filter(|configured| configured.is_ready());
        let subtopologies = configured.and_then(|configured| configured.subtopologies.as_ref());
        let mut targets = subtopologies
            .map(|subtopologies| assignor::assign(&specs, subtopologies, self.standby_count(step)))
            .unwrap_or_default();
        for member_id in specs.into_keys() {
            let target: TargetTasks = targets.remove(&member_id).unwrap_or_default();
            if self.target.get(&member_id) != Some(&target) {
                let record = record::target_assignment(&self.group_id, &member_id, &target);
                self.write(step, record);
            }
        }
        let record = record::target_assignment_metadata(&self.group_id, self.group_epoch, step.now_ms);
        self.write(step, record);
    }

    fn spec_of(&self, member: &StreamsMember) -> MemberSpec {
        let active = member.assigned.active.iter();
        let offsets = self.task_offsets.get(&member.member_id);
        MemberSpec {
            process_id: member.process_id.clone(),
            active: active
                .map(|(task, partitions)| (task.clone(), partitions.keys().copied().collect()))
                .collect(),
            standby: member.assigned.standby.clone(),
            offsets: offsets.map(|offsets| offsets.offsets.clone()).unwrap_or_default(),
        }
    }
}

fn delayed(reason: &str) -> Status {
    Status { status_code: status::ASSIGNMENT_DELAYED, status_detail: reason.to_owned(), ..Status::default() }
}
