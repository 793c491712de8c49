//! ShareGroupHeartbeat: a member joins, says what it reads, and hears what it is assigned.

use protocol::ErrorCode;
use protocol::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::validate::LEAVE_EPOCH;
use super::{Partitions, ShareGroup, ShareMember, record};
use crate::event::RequestContext;
use crate::group::Step;
use crate::refusal::Refusal;

/// The shortest interval that is ever asked for.
const INTERVAL_MIN_MS: i64 = 50;

impl ShareGroup {
    /// Handles a heartbeat. Nothing is changed if it is refused.
    pub(crate) fn heartbeat(
        &mut self,
        step: &mut Step<'_>,
        context: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<ShareGroupHeartbeatResponse, Refusal> {
        if request.member_epoch == LEAVE_EPOCH {
            return self.leave(step, &request.member_id);
        }
        self.check_capacity(step, &request.member_id)?;
        let before = self.admit(request)?;
        let updated = updated_member(context, request, before.clone());
        let topics_changed = before.subscribed_topic_names != updated.subscribed_topic_names;
        if !self.members.contains_key(&updated.member_id) || !before.says_the_same(&updated) {
            let record = record::member_metadata(&self.group_id, &updated);
            self.write(step, record);
        }
        let is_pending =
            self.assignment_epoch >= self.group_epoch && self.is_initialized_assignment_pending();
        let has_bumped = self.maybe_bump_epoch(step, topics_changed || is_pending);
        self.maybe_update_target(step);
        let member = self.reconcile(step, updated, has_bumped);
        self.restart_session(step, &request.member_id);
        self.maybe_initialize(step);
        let shows_assignment = request.member_epoch == 0
            || request.subscribed_topic_names.is_some()
            || before.assigned != member.assigned;
        Ok(ShareGroupHeartbeatResponse {
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: self.heartbeat_interval_ms(step, &member),
            assignment: shows_assignment.then(|| assignment(&member.assigned)),
            member_id: Some(member.member_id),
            ..ShareGroupHeartbeatResponse::default()
        })
    }

    fn check_capacity(&self, step: &Step<'_>, member_id: &str) -> Result<(), Refusal> {
        let max_size = step.config.share.max_size;
        if self.members.contains_key(member_id) || self.members.len() < max_size {
            return Ok(());
        }
        let message = format!("The share group has reached its maximum capacity of {max_size} members.");
        Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message))
    }

    /// The member as it was, or a new one if it joins.
    fn admit(&self, request: &ShareGroupHeartbeatRequest) -> Result<ShareMember, Refusal> {
        let (member_id, received) = (&request.member_id, request.member_epoch);
        if received == 0 {
            let existing = self.members.get(member_id).cloned();
            return Ok(existing.unwrap_or_else(|| ShareMember::new(member_id)));
        }
        let member = self.existing_member(member_id)?;
        let (known, previous) = (member.member_epoch, member.previous_member_epoch);
        let message = if received > known {
            format!(
                "The share group member has a greater member epoch ({received}) than the one known by the group \
                 coordinator ({known}). The member must abandon all its partitions and rejoin."
            )
        } else if received < known && received != previous {
            format!(
                "The share group member has a smaller member epoch ({received}) than the one known by the group \
                 coordinator ({known}), and it does not match the previous member epoch ({previous}). The member must \
                 abandon all its partitions and rejoin."
            )
        } else {
            return Ok(member.clone());
        };
        Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
    }

    pub(super) fn existing_member(&self, member_id: &str) -> Result<&ShareMember, Refusal> {
        self.members.get(member_id).ok_or_else(|| {
            let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
            Refusal::new(ErrorCode::UnknownMemberId, message)
        })
    }

    /// Starts the next group epoch if there is reason to, or if topics have changed that members read.
    fn maybe_bump_epoch(&mut self, step: &mut Step<'_>, has_reason: bool) -> bool {
        let topics_version = step.cluster.topics_version;
        if !has_reason && self.checked_topics_version == Some(topics_version) {
            return false;
        }
        self.checked_topics_version = Some(topics_version);
        let metadata_hash = step.cluster.metadata_hash(self.subscribed_topics.keys().map(String::as_str));
        if !has_reason && metadata_hash == self.metadata_hash {
            return false;
        }
        let record = record::group_epoch(&self.group_id, self.group_epoch.saturating_add(1), metadata_hash);
        self.write(step, record);
        true
    }

    /// Brings the member to the target assignment.
    fn reconcile(&mut self, step: &mut Step<'_>, member: ShareMember, has_bumped: bool) -> ShareMember {
        let member = self.members.get(&member.member_id).cloned().unwrap_or(member);
        if !has_bumped && member.member_epoch == self.assignment_epoch {
            return member;
        }
        let readable = step.cluster.topic_ids(member.subscribed_topic_names.iter().map(String::as_str));
        let target = self.target.get(&member.member_id);
        let assigned: Partitions = target
            .into_iter()
            .flatten()
            .filter(|(topic_id, partitions)| readable.contains(*topic_id) && !partitions.is_empty())
            .map(|(topic_id, partitions)| (*topic_id, partitions.clone()))
            .collect();
        let mut next = ShareMember { assigned, ..member.clone() };
        if next.member_epoch != self.assignment_epoch {
            next.previous_member_epoch = next.member_epoch;
            next.member_epoch = self.assignment_epoch;
        }
        if next != member {
            let record = record::current_assignment(&self.group_id, &next);
            self.write(step, record);
        }
        next
    }

    /// When this member should come again: soon while its partitions are being set up or assigned.
    fn heartbeat_interval_ms(&self, step: &Step<'_>, member: &ShareMember) -> i32 {
        let own = step.cluster.group_number(&self.group_id, "share.heartbeat.interval.ms");
        let configured_ms = i64::from(step.config.share.heartbeat_interval_ms.resolve(own));
        let is_moving = self.is_initializing_now(step)
            || self.group_epoch > self.assignment_epoch
            || member.member_epoch != self.assignment_epoch
            || self.is_initialized_assignment_pending();
        // A thousand members must not come twenty times a second each.
        let soon_ms = INTERVAL_MIN_MS + i64::try_from(self.members.len()).unwrap_or(i64::MAX / 2);
        let interval_ms = if is_moving { soon_ms.min(configured_ms) } else { configured_ms };
        i32::try_from(interval_ms).unwrap_or(i32::MAX)
    }
}

/// The member as its heartbeat says; what it does not say stays as it was.
fn updated_member(
    context: &RequestContext,
    request: &ShareGroupHeartbeatRequest,
    before: ShareMember,
) -> ShareMember {
    let names = request.subscribed_topic_names.as_ref().map(|names| names.iter().cloned().collect());
    ShareMember {
        rack_id: request.rack_id.clone().or(before.rack_id),
        client_id: context.client_id.clone(),
        client_host: context.client_host.clone(),
        subscribed_topic_names: names.unwrap_or(before.subscribed_topic_names),
        ..before
    }
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topic_partitions = partitions.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        ..TopicPartitions::default()
    });
    Assignment { topic_partitions: topic_partitions.collect(), ..Assignment::default() }
}
