//! Members of the classic protocol in a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup stand for what a
//! ConsumerGroupHeartbeat would say.

use protocol::coordinator_records::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::embedded::ConsumerProtocolSubscription;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use protocol::{ErrorCode, Uuid};

use super::heartbeat::{new_member_id, taken_over};
use super::member::{ConsumerMember, MemberState};
use super::{ConsumerGroup, PROTOCOL_TYPE};
use crate::classic::embedded::{by_topic_id, metadata_version, read_subscription, write_assignment};
use crate::classic::{ClassicGroup, join_response, leave_outcome};
use crate::cluster::Cluster;
use crate::event::RequestContext;
use crate::group::Step;

/// From this version on a new dynamic member is first given its id and has to come back with it (KIP-394).
const MEMBER_ID_REQUIRED_MIN_VERSION: i16 = 4;

/// A member that joins, before and after.
struct JoiningMember {
    before: ConsumerMember,
    updated: ConsumerMember,
    /// The static member whose place it takes.
    replaced: Option<ConsumerMember>,
    subscription: ConsumerProtocolSubscription,
}

impl ConsumerGroup {
    /// Handles a JoinGroup whose group id and session timeout are fine. It is answered at once: nobody waits for others
    /// here. Gives the classic group that this group becomes, if it does.
    pub(crate) fn join(
        &mut self,
        step: &mut Step<'_>,
        context: &RequestContext,
        request: &JoinGroupRequest,
    ) -> (JoinGroupResponse, Option<ClassicGroup>) {
        let is_new = request.member_id.is_empty();
        let member_id =
            if is_new { new_member_id(context.member_id_entropy) } else { request.member_id.clone() };
        let refused = |error: ErrorCode| (join_response("", error), None);
        if let Err(error) = self.check_join(step, &member_id, request) {
            return refused(error);
        }
        let is_dynamic = request.group_instance_id.is_none();
        if is_new && is_dynamic && context.api_version >= MEMBER_ID_REQUIRED_MIN_VERSION {
            return (join_response(&member_id, ErrorCode::MemberIdRequired), None);
        }
        let joining = match self.joining_member(context, request, &member_id) {
            Ok(joining) => joining,
            Err(error) => return refused(error),
        };
        match self.let_join(step, request, joining) {
            Ok(joined) => joined,
            Err(error) => refused(error),
        }
    }

    fn check_join(
        &self,
        step: &Step<'_>,
        member_id: &str,
        request: &JoinGroupRequest,
    ) -> Result<(), ErrorCode> {
        let policy = step.config.consumer.migration_policy;
        if !policy.upgrade && !policy.downgrade {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let instance_id = request.group_instance_id.as_deref();
        self.check_capacity(step, member_id, instance_id).map_err(|refusal| refusal.error)?;
        let knows = |name: &str| self.classic_protocols.get(name).copied().unwrap_or(0);
        let is_common = |name: &str| knows(name) == self.classic_member_count;
        let is_supported = request.protocol_type == PROTOCOL_TYPE
            && request.protocols.iter().any(|protocol| is_common(&protocol.name));
        if is_supported { Ok(()) } else { Err(ErrorCode::InconsistentGroupProtocol) }
    }

    fn joining_member(
        &self,
        context: &RequestContext,
        request: &JoinGroupRequest,
        member_id: &str,
    ) -> Result<JoiningMember, ErrorCode> {
        let instance_id = request.group_instance_id.as_deref();
        let (before, replaced) = match instance_id {
            None => (self.members.get(member_id).cloned(), None),
            Some(instance_id) if request.member_id.is_empty() => {
                let replaced = self.static_member(instance_id).cloned();
                (replaced.as_ref().map(|replaced| taken_over(replaced, member_id)), replaced)
            }
            Some(instance_id) => {
                let existing = self.existing_static_member(instance_id, member_id);
                (Some(existing.map_err(|refusal| refusal.error)?.clone()), None)
            }
        };
        let before = before.unwrap_or_else(|| ConsumerMember::new(member_id));
        let metadata = request.protocols.first().map(|protocol| &protocol.metadata);
        let subscription = metadata.and_then(read_subscription);
        let subscription = subscription.ok_or(ErrorCode::InconsistentGroupProtocol)?;
        let protocols = request.protocols.iter().map(|protocol| ClassicProtocol {
            name: protocol.name.clone(),
            metadata: protocol.metadata.clone(),
            ..ClassicProtocol::default()
        });
        let rack_id = subscription.rack_id.clone().filter(|rack_id| !rack_id.is_empty());
        let timeout_ms = Some(request.rebalance_timeout_ms).filter(|timeout_ms| *timeout_ms != -1);
        let updated = ConsumerMember {
            instance_id: request.group_instance_id.clone().or(before.instance_id.clone()),
            rack_id: rack_id.or(before.rack_id.clone()),
            rebalance_timeout_ms: timeout_ms.unwrap_or(before.rebalance_timeout_ms),
            subscribed_topic_names: subscription.topics.iter().cloned().collect(),
            subscribed_topic_regex: Some(String::new()),
            client_id: context.client_id.clone(),
            client_host: context.client_host.clone(),
            classic: Some(ClassicMemberMetadata {
                session_timeout_ms: request.session_timeout_ms,
                supported_protocols: protocols.collect(),
                ..ClassicMemberMetadata::default()
            }),
            ..before.clone()
        };
        Ok(JoiningMember { before, updated, replaced, subscription })
    }

    fn let_join(
        &mut self,
        step: &mut Step<'_>,
        request: &JoinGroupRequest,
        joining: JoiningMember,
    ) -> Result<(JoinGroupResponse, Option<ClassicGroup>), ErrorCode> {
        let JoiningMember { before, updated, replaced, subscription } = joining;
        let was_classic = match (&replaced, self.members.get(&updated.member_id)) {
            (Some(replaced), _) => replaced.uses_classic_protocol(),
            (None, Some(existing)) if existing.instance_id.is_some() => existing.uses_classic_protocol(),
            _ => true,
        };
        if let Some(replaced) = replaced {
            self.replace(step, &replaced.member_id, &before);
        }
        let changed = self.update_member(step, &before, &updated);
        self.maybe_bump_epoch(step, changed.group);
        let is_last = !was_classic && self.members.values().all(super::ConsumerMember::uses_classic_protocol);
        let downgrades = is_last && self.may_downgrade_to(step, self.members.len());
        if !downgrades {
            self.maybe_update_target(step).map_err(|refusal| refusal.error)?;
        }
        let owned = owned_partitions(step.cluster, &subscription);
        let is_current = self.assignment_epoch >= self.group_epoch;
        let member = if downgrades && !is_current {
            updated
        } else {
            self.reconcile(step, &updated, changed.group, Some(&owned)).map_err(|refusal| refusal.error)?
        };
        let protocol_name = member.classic_protocols().first().map(|protocol| protocol.name.clone());
        let response = JoinGroupResponse {
            generation_id: member.member_epoch,
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name,
            ..join_response(&member.member_id, ErrorCode::None)
        };
        let classic = if downgrades { self.downgraded(step) } else { None };
        self.deadlines_of(&member.member_id).join_ms = None;
        self.restart_session(step, &member.member_id, i64::from(request.session_timeout_ms));
        self.expect_sync(step, &member.member_id, request.rebalance_timeout_ms);
        Ok((response, classic))
    }

    /// Handles a SyncGroup: the member fetches what it has been assigned.
    pub(crate) fn sync(&mut self, step: &mut Step<'_>, request: &SyncGroupRequest) -> SyncGroupResponse {
        let (protocol_type, protocol_name) = (request.protocol_type.clone(), request.protocol_name.clone());
        match self.try_sync(step, request) {
            Ok(assignment) => {
                SyncGroupResponse { protocol_type, protocol_name, assignment, ..SyncGroupResponse::default() }
            }
            Err(error) => SyncGroupResponse { error_code: error.as_i16(), ..SyncGroupResponse::default() },
        }
    }

    fn try_sync(
        &mut self,
        step: &mut Step<'_>,
        request: &SyncGroupRequest,
    ) -> Result<bytes::Bytes, ErrorCode> {
        let instance_id = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance_id, request.generation_id)?;
        let chosen = member.classic_protocols().first().map(|protocol| protocol.name.as_str());
        let is_other = |asked: &Option<String>, known: Option<&str>| {
            asked.as_deref().is_some_and(|asked| Some(asked) != known)
        };
        if is_other(&request.protocol_type, Some(PROTOCOL_TYPE)) || is_other(&request.protocol_name, chosen) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let member = member.clone();
        if self.assignment_epoch > member.member_epoch && member.state != MemberState::UnrevokedPartitions {
            self.expect_join(step, &member.member_id, member.rebalance_timeout_ms);
            return Err(ErrorCode::RebalanceInProgress);
        }
        let metadata = member.classic_protocols().first().map(|protocol| &protocol.metadata);
        let version = metadata.and_then(metadata_version).ok_or(ErrorCode::UnknownServerError)?;
        self.deadlines_of(&member.member_id).sync_ms = None;
        self.restart_classic_session(step, &member);
        let assigned = member.assigned.iter();
        let assigned =
            assigned.map(|(topic_id, partitions)| (*topic_id, partitions.keys().copied().collect()));
        Ok(write_assignment(step.cluster, assigned, version))
    }

    /// What a Heartbeat is answered.
    pub(crate) fn classic_heartbeat(
        &mut self,
        step: &mut Step<'_>,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        let instance_id = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance_id, request.generation_id)?.clone();
        self.restart_classic_session(step, &member);
        let must_rejoin = member.member_epoch < self.assignment_epoch
            || member.state == MemberState::UnrevokedPartitions
            || member.state == MemberState::UnreleasedPartitions && !self.waits_for_others(&member);
        if !must_rejoin {
            return Ok(());
        }
        self.expect_join(step, &member.member_id, member.rebalance_timeout_ms);
        Err(ErrorCode::RebalanceInProgress)
    }

    fn restart_classic_session(&mut self, step: &Step<'_>, member: &ConsumerMember) {
        let timeout_ms = member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
        self.restart_session(step, &member.member_id, i64::from(timeout_ms));
    }

    /// Whether partitions of the member's target still belong to others.
    fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        let target = self.target.get(&member.member_id).into_iter().flatten();
        let mut missing = target
            .flat_map(|(topic_id, partitions)| partitions.iter().map(move |index| (*topic_id, *index)))
            .filter(|(topic_id, index)| {
                let assigned = member.assigned.get(topic_id);
                !assigned.is_some_and(|assigned| assigned.contains_key(index))
            });
        missing.any(|(topic_id, index): (Uuid, i32)| self.partition_epoch(topic_id, index).is_some())
    }

    /// The member of the classic protocol that these ids and this generation name.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
    ) -> Result<&ConsumerMember, ErrorCode> {
        let member = match instance_id {
            None => self.existing_member(member_id),
            Some(instance_id) => self.existing_static_member(instance_id, member_id),
        };
        let member = member.map_err(|refusal| refusal.error)?;
        if !member.uses_classic_protocol() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if member.member_epoch == generation_id { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Handles a LeaveGroup, which may name members of either protocol. Gives the classic group that this group becomes, if it does.
    pub(crate) fn classic_leave(
        &mut self,
        step: &mut Step<'_>,
        leaving: Vec<MemberIdentity>,
    ) -> (Vec<MemberResponse>, Option<ClassicGroup>) {
        let mut gone: Vec<String> = Vec::new();
        let mut responses = Vec::new();
        for identity in leaving {
            let error = match self.leaving_member_id(&identity) {
                Ok(member_id) => {
                    if !gone.contains(&member_id) {
                        gone.push(member_id);
                    }
                    ErrorCode::None
                }
                Err(error) => error,
            };
            responses.push(leave_outcome(identity, error));
        }
        let classic = if gone.is_empty() { None } else { self.fence(step, &gone) };
        (responses, classic)
    }

    fn leaving_member_id(&self, identity: &MemberIdentity) -> Result<String, ErrorCode> {
        let member = match identity.group_instance_id.as_deref() {
            None => self.existing_member(&identity.member_id).map_err(|refusal| refusal.error)?,
            Some(instance_id) if identity.member_id.is_empty() => {
                self.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)?
            }
            Some(instance_id) => self
                .existing_static_member(instance_id, &identity.member_id)
                .map_err(|refusal| refusal.error)?,
        };
        Ok(member.member_id.clone())
    }
}

/// What a member of the classic protocol says it owns.
fn owned_partitions(cluster: &Cluster, subscription: &ConsumerProtocolSubscription) -> Vec<TopicPartitions> {
    let topics = subscription.owned_partitions.iter();
    let owned = by_topic_id(cluster, topics.map(|topic| (topic.topic.as_str(), topic.partitions.as_slice())));
    let owned = owned.into_iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id,
        partitions: partitions.into_iter().collect(),
        ..TopicPartitions::default()
    });
    owned.collect()
}
