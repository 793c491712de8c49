//! Members that go: on their own, or because they were not heard of.

use protocol::messages::ShareGroupHeartbeatResponse;

use super::validate::LEAVE_EPOCH;
use super::{ShareGroup, record};
use crate::group::Step;
use crate::record::encoded;
use crate::refusal::Refusal;

impl ShareGroup {
    pub(super) fn leave(
        &mut self,
        step: &mut Step<'_>,
        member_id: &str,
    ) -> Result<ShareGroupHeartbeatResponse, Refusal> {
        self.existing_member(member_id)?;
        self.fence(step, member_id);
        Ok(ShareGroupHeartbeatResponse {
            member_id: Some(member_id.to_owned()),
            member_epoch: LEAVE_EPOCH,
            ..ShareGroupHeartbeatResponse::default()
        })
    }

    /// Takes a member out of the group.
    fn fence(&mut self, step: &mut Step<'_>, member_id: &str) {
        let group_id = self.group_id.clone();
        self.write(step, record::current_assignment_tombstone(&group_id, member_id));
        self.write(step, record::target_assignment_tombstone(&group_id, member_id));
        self.write(step, record::member_metadata_tombstone(&group_id, member_id));
        self.sessions.remove(member_id);
        let metadata_hash = step.cluster.metadata_hash(self.subscribed_topics.keys().map(String::as_str));
        let epoch = self.group_epoch.saturating_add(1);
        self.write(step, record::group_epoch(&group_id, epoch, metadata_hash));
        if self.members.is_empty() {
            self.write(step, record::target_assignment_metadata(&group_id, epoch, 0));
        }
    }

    fn session_timeout_ms(&self, step: &Step<'_>) -> i64 {
        let own = step.cluster.group_number(&self.group_id, "share.session.timeout.ms");
        i64::from(step.config.share.session_timeout_ms.resolve(own))
    }

    pub(super) fn restart_session(&mut self, step: &Step<'_>, member_id: &str) {
        let deadline_ms = step.now_ms.saturating_add(self.session_timeout_ms(step));
        self.sessions.insert(member_id.to_owned(), deadline_ms);
        self.timers.want(deadline_ms);
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.sessions.values().min().copied()
    }

    /// Begins the sessions of members found by replay.
    pub(crate) fn loaded(&mut self, step: &mut Step<'_>) {
        let members: Vec<String> = self.members.keys().cloned().collect();
        members.iter().for_each(|member_id| self.restart_session(step, member_id));
    }

    /// Puts out whoever is late.
    pub(crate) fn fire_due(&mut self, step: &mut Step<'_>) {
        let is_over = |deadline_ms: &i64| *deadline_ms <= step.now_ms;
        let late: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, deadline)| is_over(deadline))
            .map(|(id, _)| id.clone())
            .collect();
        for member_id in late {
            self.sessions.remove(&member_id);
            if self.members.contains_key(&member_id) {
                self.fence(step, &member_id);
            }
        }
    }

    /// Writes the group, which is empty, out of the log.
    pub(crate) fn write_tombstones(&self, step: &mut Step<'_>) {
        let group_id = &self.group_id;
        let tombstones = [
            record::target_assignment_metadata_tombstone(group_id),
            record::state_partition_metadata_tombstone(group_id),
            record::group_epoch_tombstone(group_id),
        ];
        step.effects.records.extend(tombstones.iter().filter_map(|record| encoded(record, 0)));
    }
}
