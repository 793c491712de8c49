//! From one generation to the next: calling members to rejoin, and fixing who is in.

use super::timers::JoinStage;
use super::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, ClassicState, join_response};
use crate::classic::subscription::add_topics_of;
use crate::group::{Step, SubscribedTopics};
use protocol::ErrorCode;

impl ClassicGroup {
    /// Starts a rebalance, or lets one that is on its way end if nobody is missing any more.
    pub(super) fn maybe_prepare_rebalance_or_complete_join(&mut self, step: &mut Step<'_>) {
        if self.can_rebalance() {
            self.prepare_rebalance(step);
        } else {
            self.maybe_complete_join_phase(step);
        }
    }

    /// Calls every member to rejoin. An empty group first waits for more members; any other goes on as soon as all have
    /// rejoined, or when the rebalance timeout is over.
    pub(crate) fn prepare_rebalance(&mut self, step: &mut Step<'_>) {
        if self.state == ClassicState::CompletingRebalance {
            self.reset_assignment_with_error(step, ErrorCode::RebalanceInProgress);
        }
        self.pending_sync_members.clear();
        self.sync_timer = None;
        let is_initial = self.state == ClassicState::Empty;
        self.transition_to(ClassicState::PreparingRebalance, step.now_ms);
        if is_initial {
            let delay_ms = step.config.group_initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.schedule_join(step.now_ms, delay_ms, JoinStage::Initial { delay_ms, remaining_ms });
        } else if self.has_all_members_joined() {
            self.complete_join_phase(step);
        } else {
            self.schedule_join(step.now_ms, self.rebalance_timeout_ms(), JoinStage::Rejoining);
        }
    }

    /// Ends the join phase if nobody is missing; an initial rebalance waits its time out.
    pub(super) fn maybe_complete_join_phase(&mut self, step: &mut Step<'_>) {
        let is_rejoining =
            self.state == ClassicState::PreparingRebalance && self.previous_state != ClassicState::Empty;
        if is_rejoining && self.has_all_members_joined() {
            self.complete_join_phase(step);
        }
    }

    /// Ends the join phase: dynamic members that have not rejoined are out, static ones stay, and the next generation
    /// begins. If members are left but none of them has rejoined, the phase goes on until sessions expire.
    pub(super) fn complete_join_phase(&mut self, step: &mut Step<'_>) {
        self.join_timer = None;
        let is_missing = |member: &&super::ClassicMember| {
            member.awaiting_join.is_none() && member.group_instance_id.is_none()
        };
        let missing: Vec<String> =
            self.members.values().filter(is_missing).map(|member| member.member_id.clone()).collect();
        for member_id in missing {
            self.remove_member(step, &member_id);
        }
        if !self.maybe_elect_joined_leader() && !self.members.is_empty() {
            self.schedule_join(step.now_ms, self.rebalance_timeout_ms().max(1), JoinStage::Rejoining);
            return;
        }
        self.generation_id = self.generation_id.wrapping_add(1);
        self.pending_sync_members.clear();
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        if self.members.is_empty() {
            self.transition_to(ClassicState::Empty, step.now_ms);
            step.effects.records.extend(self.writable_record(step.config));
        } else {
            self.transition_to(ClassicState::CompletingRebalance, step.now_ms);
            self.announce_generation(step);
        }
    }

    /// Answers every parked JoinGroup with the new generation, and waits for every member's SyncGroup.
    fn announce_generation(&mut self, step: &mut Step<'_>) {
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            let response = self.generation_response(&member_id, self.is_leader(&member_id));
            self.answer_join(step, &member_id, response);
            self.restart_session(step.now_ms, &member_id);
            if let Some(member) = self.members.get_mut(&member_id) {
                member.is_new = false;
            }
            self.pending_sync_members.insert(member_id);
        }
        self.schedule_sync(step.now_ms);
    }

    /// The current generation, as a member's JoinGroup is told of it.
    pub(super) fn generation_response(
        &self,
        member_id: &str,
        with_members: bool,
    ) -> protocol::messages::JoinGroupResponse {
        protocol::messages::JoinGroupResponse {
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader_id.clone().unwrap_or_default(),
            members: if with_members { self.joined_members() } else { Vec::new() },
            ..join_response(member_id, ErrorCode::None)
        }
    }

    /// Whether the leader has rejoined, or could be replaced by somebody who has.
    fn maybe_elect_joined_leader(&mut self) -> bool {
        let Some(leader_id) = &self.leader_id else { return false };
        if self.members.get(leader_id).is_some_and(|leader| leader.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        let Some(joined) = joined.map(|member| member.member_id.clone()) else { return false };
        self.leader_id = Some(joined);
        true
    }

    /// The topics all members subscribe to with the selected protocol. None where the group is no consumer group, or
    /// where one subscription cannot be read.
    pub(super) fn compute_subscribed_topics(&self) -> Option<SubscribedTopics> {
        if self.protocol_type.as_deref() != Some(CONSUMER_PROTOCOL_TYPE) {
            return None;
        }
        let mut topics = SubscribedTopics::new();
        for member in self.members.values() {
            let protocol_name = self.protocol_name.as_deref()?;
            add_topics_of(&member.metadata(Some(protocol_name)), &mut topics)?;
        }
        Some(topics)
    }
}
