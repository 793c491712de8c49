//! ConsumerGroupHeartbeat: a member joins, says what it wants and owns, and hears what it should own.

use protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use protocol::{ErrorCode, Uuid};

use super::ConsumerGroup;
use super::member::{ConsumerMember, LEAVE_STATIC_MEMBER_EPOCH, MemberState, PartitionEpochs};
use super::reconcile::Reconciliation;
use super::{record, regex};
use crate::classic::ClassicGroup;
use crate::event::RequestContext;
use crate::group::Step;
use crate::refusal::Refusal;

/// A heartbeat on its way through a group.
pub(crate) struct ConsumerHeartbeat<'a> {
    pub(crate) context: &'a RequestContext,
    pub(crate) request: &'a ConsumerGroupHeartbeatRequest,
}

impl ConsumerHeartbeat<'_> {
    fn is_join(&self) -> bool {
        self.request.member_epoch == 0
    }

    /// Whether a classic group may become a consumer group for this member.
    pub(crate) fn check_upgraded(&self, step: &Step<'_>, classic: &ClassicGroup) -> Result<(), Refusal> {
        let request = self.request;
        let max_size = step.config.consumer.max_size;
        let is_known = classic.members().any(|member| {
            member.member_id == request.member_id
                || member.group_instance_id.is_some() && member.group_instance_id == request.instance_id
        });
        if !is_known && classic.members().len() >= max_size {
            return Err(too_large(max_size));
        }
        let regex = request.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty());
        regex.map_or(Ok(()), regex::validate)
    }

    /// Whether the member says all about itself, because it does not know what the coordinator knows.
    fn is_full(&self) -> bool {
        let request = self.request;
        let has_subscription =
            request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
        request.rebalance_timeout_ms != -1 && has_subscription && request.topic_partitions.is_some()
    }
}

/// What a changed member means for its group.
pub(super) struct Changed {
    /// The member's own subscription is another one.
    pub(super) subscription: bool,
    /// The group needs another assignment.
    pub(super) group: bool,
}

impl ConsumerGroup {
    /// Handles a heartbeat with an epoch of zero or more. Nothing is changed if it is refused.
    pub(crate) fn heartbeat(
        &mut self,
        step: &mut Step<'_>,
        heartbeat: &ConsumerHeartbeat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let request = heartbeat.request;
        self.check_capacity(step, &request.member_id, request.instance_id.as_deref())?;
        let member_id = match request.member_id.as_str() {
            "" => new_member_id(heartbeat.context.member_id_entropy),
            member_id => member_id.to_owned(),
        };
        let replaced = self.admit(heartbeat, &member_id)?;
        let before = match &replaced {
            Some(replaced) => taken_over(replaced, &member_id),
            None => self.members.get(&member_id).cloned().unwrap_or_else(|| ConsumerMember::new(&*member_id)),
        };
        let updated = updated_member(heartbeat, before.clone());
        self.check_regex(&before, &updated)?;
        if let Some(replaced) = replaced {
            self.replace(step, &replaced.member_id, &before);
        }
        let changed = self.update_member(step, &before, &updated);
        self.maybe_bump_epoch(step, changed.group);
        self.maybe_update_target(step)?;
        let owned = request.topic_partitions.as_deref();
        let member = self.reconcile(step, &updated, changed.subscription, owned)?;
        let timeout_ms = self.session_timeout_ms(step);
        self.restart_session(step, &member_id, timeout_ms);
        let shows_assignment =
            heartbeat.is_join() || heartbeat.is_full() || before.assigned != member.assigned;
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(member_id),
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: self.heartbeat_interval_ms(step, &member),
            assignment: shows_assignment.then(|| assignment(&member.assigned)),
            ..ConsumerGroupHeartbeatResponse::default()
        })
    }

    pub(super) fn check_capacity(
        &self,
        step: &Step<'_>,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let max_size = step.config.consumer.max_size;
        let is_known = instance_id.is_some_and(|instance_id| self.static_members.contains_key(instance_id))
            || self.members.contains_key(member_id);
        if is_known || self.members.len() < max_size {
            return Ok(());
        }
        Err(too_large(max_size))
    }

    /// Whether the member may be here with its epoch. Gives the member whose place it takes, if it does.
    fn admit(
        &self,
        heartbeat: &ConsumerHeartbeat<'_>,
        member_id: &str,
    ) -> Result<Option<ConsumerMember>, Refusal> {
        let request = heartbeat.request;
        let Some(instance_id) = request.instance_id.as_deref() else {
            match self.existing_member(member_id) {
                Ok(member) => check_epoch(member, request)?,
                Err(unknown) if !heartbeat.is_join() => return Err(unknown),
                Err(_) => {}
            }
            return Ok(None);
        };
        if !heartbeat.is_join() {
            check_epoch(self.existing_static_member(instance_id, member_id)?, request)?;
            return Ok(None);
        }
        let Some(existing) = self.static_member(instance_id) else { return Ok(None) };
        if existing.member_epoch != LEAVE_STATIC_MEMBER_EPOCH && !existing.uses_classic_protocol() {
            let owner = &existing.member_id;
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance \
                 id is owned by {owner} member."
            );
            return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
        }
        Ok(Some(existing.clone()))
    }

    fn check_regex(&self, before: &ConsumerMember, updated: &ConsumerMember) -> Result<(), Refusal> {
        match updated.regex() {
            Some(regex) if before.regex() != Some(regex) && self.regex_subscriber_count(regex) == 0 => {
                regex::validate(regex)
            }
            _ => Ok(()),
        }
    }

    /// Gives a static member's place to its successor.
    pub(super) fn replace(&mut self, step: &mut Step<'_>, old_member_id: &str, successor: &ConsumerMember) {
        let group_id = self.group_id.clone();
        let target = self.target.get(old_member_id).cloned().unwrap_or_default();
        self.write_removal(step, old_member_id);
        self.deadlines.remove(old_member_id);
        self.write(step, record::member_metadata(&group_id, successor));
        self.write(step, record::target_assignment(&group_id, &successor.member_id, &target));
        self.write(step, record::current_assignment(&group_id, successor));
    }

    /// Writes the member down if it is another one now.
    pub(super) fn update_member(
        &mut self,
        step: &mut Step<'_>,
        before: &ConsumerMember,
        updated: &ConsumerMember,
    ) -> Changed {
        let assignor = self.preferred_assignor(step);
        let assignor_after = self.preferred_assignor_after(step, before, updated);
        let names_changed = before.subscribed_topic_names != updated.subscribed_topic_names;
        let regex_changed = before.regex() != updated.regex();
        if before != updated || !self.members.contains_key(&updated.member_id) {
            let record = record::member_metadata(&self.group_id, updated);
            self.write(step, record);
        }
        if let Some(regex) = before.regex().filter(|regex| self.regex_subscriber_count(regex) == 0) {
            self.drop_regex(step, regex);
        }
        let topics_changed = self.refresh_regexes(step);
        Changed {
            subscription: names_changed || regex_changed,
            group: names_changed || regex_changed || topics_changed || assignor != assignor_after,
        }
    }

    /// Starts the next group epoch if the members' wishes or the topics they read have changed.
    pub(super) fn maybe_bump_epoch(&mut self, step: &mut Step<'_>, has_changed: bool) {
        let topics_version = step.cluster.topics_version;
        if !has_changed && self.checked_topics_version == Some(topics_version) {
            return;
        }
        self.checked_topics_version = Some(topics_version);
        if has_changed || self.compute_metadata_hash(step.cluster) != self.metadata_hash {
            self.bump_epoch(step);
        }
        if self.has_partition_metadata_record {
            let record = record::partition_metadata_tombstone(&self.group_id);
            self.write(step, record);
        }
    }

    /// Lets a member go on towards the target, and waits for what it has to do for that.
    pub(super) fn reconcile(
        &mut self,
        step: &mut Step<'_>,
        member: &ConsumerMember,
        has_subscription_changed: bool,
        owned: Option<&[protocol::messages::consumer_group_heartbeat_request::TopicPartitions]>,
    ) -> Result<ConsumerMember, Refusal> {
        if !has_subscription_changed && member.is_reconciled_to(self.assignment_epoch) {
            return Ok(member.clone());
        }
        let nothing = super::member::AssignedPartitions::new();
        let reconciliation = Reconciliation {
            group: self,
            target_epoch: self.assignment_epoch,
            target: self.target.get(&member.member_id).unwrap_or(&nothing),
            subscribed: &self.subscribed_topic_ids(step.cluster, member),
            has_subscription_changed,
            owned,
        };
        let next = reconciliation.advance(member)?;
        if next != *member {
            let record = record::current_assignment(&self.group_id, &next);
            self.write(step, record);
            if !next.uses_classic_protocol() {
                self.deadlines_of(&next.member_id).rebalance = None;
                if next.state == MemberState::UnrevokedPartitions {
                    let (epoch, timeout_ms) = (next.member_epoch, next.rebalance_timeout_ms);
                    self.expect_revocation(step, &next.member_id, epoch, timeout_ms);
                }
            }
        }
        Ok(next)
    }
}

fn too_large(max_size: usize) -> Refusal {
    let message = format!("The consumer group has reached its maximum capacity of {max_size} members.");
    Refusal::new(ErrorCode::GroupMaxSizeReached, message)
}

/// A member's epoch is the coordinator's, or the one before it if the last answer was lost.
fn check_epoch(member: &ConsumerMember, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let (received, known) = (request.member_epoch, member.member_epoch);
    let missed_answer = received == member.previous_member_epoch
        && member.is_assigned_all(request.topic_partitions.as_deref());
    let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    if received != 0 && member.state == MemberState::Unknown && !owns_nothing {
        let message = "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
        return Err(Refusal::new(ErrorCode::FencedMemberEpoch, message));
    }
    if received == 0 || received == known || received < known && missed_answer {
        return Ok(());
    }
    let comparison = if received > known { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {comparison} member epoch ({received}) than the one known by the group \
         coordinator ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
}

/// The successor of a static member: it begins anew with the same wishes and the same partitions.
pub(super) fn taken_over(replaced: &ConsumerMember, member_id: &str) -> ConsumerMember {
    ConsumerMember {
        member_id: member_id.to_owned(),
        member_epoch: 0,
        previous_member_epoch: 0,
        ..replaced.clone()
    }
}

/// The member as its heartbeat says; what it does not say stays as it was.
fn updated_member(heartbeat: &ConsumerHeartbeat<'_>, before: ConsumerMember) -> ConsumerMember {
    let request = heartbeat.request;
    let names = request.subscribed_topic_names.as_ref().map(|names| names.iter().cloned().collect());
    let timeout_ms = Some(request.rebalance_timeout_ms).filter(|timeout_ms| *timeout_ms != -1);
    ConsumerMember {
        instance_id: request.instance_id.clone().or(before.instance_id),
        rack_id: request.rack_id.clone().or(before.rack_id),
        rebalance_timeout_ms: timeout_ms.unwrap_or(before.rebalance_timeout_ms),
        server_assignor: request.server_assignor.clone().or(before.server_assignor),
        subscribed_topic_names: names.unwrap_or(before.subscribed_topic_names),
        subscribed_topic_regex: request.subscribed_topic_regex.clone().or(before.subscribed_topic_regex),
        client_id: heartbeat.context.client_id.clone(),
        client_host: heartbeat.context.client_host.clone(),
        classic: None,
        ..before
    }
}

fn assignment(partitions: &PartitionEpochs) -> Assignment {
    let topic_partitions = partitions.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        ..TopicPartitions::default()
    });
    Assignment { topic_partitions: topic_partitions.collect(), ..Assignment::default() }
}

/// A random id in Kafka's notation that does not begin with a dash.
pub(super) fn new_member_id(entropy: u128) -> String {
    const VERSION_4: u128 = 4 << 76;
    const VARIANT: u128 = 2 << 62;
    let random = entropy & !(0xf << 76) & !(3 << 62) & (u128::MAX >> 1);
    Uuid::from_u128(random | VERSION_4 | VARIANT).to_string()
}
