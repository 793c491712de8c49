//! The requests of the classic protocol.

use std::collections::BTreeMap;

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use protocol::{ApiKey, CoordinatorType, DecodeError, EncodeError, ErrorCode, Request};

use super::ClassicMember;
use crate::client::{Client, SendOptions};
use crate::consumer::assignors::{
    self, AssignorName, MemberData, decode_assignment, encode_assignment, encode_subscription,
};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

const PROTOCOL_TYPE: &str = "consumer";
/// A join waits for others as long as they may take; the broker needs a moment more.
const JOIN_SLACK_MS: i64 = 5_000;
/// Since this version LeaveGroup names members in a list, with reasons from 5 on.
const MEMBER_LIST_SINCE: i16 = 3;
const LEAVE_REASON_SINCE: i16 = 5;
const JOIN_REASON_SINCE: i16 = 8;
const PROTOCOL_NAME_SINCE: i16 = 5;

/// A generation that was joined.
pub(super) struct Joined {
    pub(super) assignor: AssignorName,
    /// All members, for the one that decides.
    pub(super) members: Option<Vec<assignors::Member>>,
}

fn unwritable(source: EncodeError) -> ClientError {
    ClientError::config("partition.assignment.strategy", "", format!("it cannot be written: {source}"))
}

fn unreadable(source: DecodeError) -> ClientError {
    tracing::warn!(%source, "a member's data cannot be read");
    ClientError::refused(ApiKey::JoinGroup, ErrorCode::InconsistentGroupProtocol)
}

impl ClassicMember {
    fn instance_id(&self) -> Option<String> {
        self.shared.config.group_instance_id.clone()
    }

    pub(super) async fn join(&mut self, data: &MemberData) -> Result<Joined, ClientError> {
        let config = &self.shared.config;
        let mut protocols = Vec::new();
        for assignor in &config.assignors {
            protocols.push(JoinGroupRequestProtocol {
                name: assignor.name().to_owned(),
                metadata: encode_subscription(data, *assignor).map_err(unwritable)?,
                ..JoinGroupRequestProtocol::default()
            });
        }
        let rebalance_timeout_ms = config.max_poll_interval_ms;
        let mut request = JoinGroupRequest {
            group_id: self.group.to_string(),
            session_timeout_ms: config.session_timeout_ms,
            rebalance_timeout_ms,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols,
            ..JoinGroupRequest::default()
        };
        if self.version(ApiKey::JoinGroup).await? >= JOIN_REASON_SINCE {
            request.reason = Some(self.reason.to_owned());
        }
        let timeout_ms = (i64::from(rebalance_timeout_ms) + JOIN_SLACK_MS)
            .max(self.shared.client.config().request_timeout_ms);
        let mut response = self.call(&request, Some(timeout_ms), |response| response.error_code).await;
        if matches!(&response, Err(error) if error.code() == Some(ErrorCode::MemberIdRequired)) {
            request.member_id.clone_from(&self.member_id);
            response = self.call(&request, Some(timeout_ms), |response| response.error_code).await;
        }
        self.joined(response?)
    }

    fn joined(&mut self, response: JoinGroupResponse) -> Result<Joined, ClientError> {
        self.generation = response.generation_id;
        self.member_id = response.member_id;
        let name = response.protocol_name.unwrap_or_default();
        let unknown = || ClientError::refused(ApiKey::JoinGroup, ErrorCode::InconsistentGroupProtocol);
        let assignor = AssignorName::from_name(&name).ok_or_else(unknown)?;
        let is_leader = response.leader == self.member_id && !response.skip_assignment;
        let mut members = Vec::new();
        for member in response.members {
            let data = MemberData::decode(member.metadata, assignor).map_err(unreadable)?;
            members.push(assignors::Member {
                id: member.member_id,
                instance_id: member.group_instance_id,
                topics: data.topics,
                owned: data.owned,
                generation: data.generation,
            });
        }
        Ok(Joined { assignor, members: is_leader.then_some(members) })
    }

    pub(super) async fn sync(
        &mut self,
        joined: &Joined,
        assignment: BTreeMap<String, Vec<TopicPartition>>,
    ) -> Result<Vec<TopicPartition>, ClientError> {
        let mut assignments = Vec::new();
        for (member_id, partitions) in assignment {
            let assignment = encode_assignment(&partitions).map_err(unwritable)?;
            let one =
                SyncGroupRequestAssignment { member_id, assignment, ..SyncGroupRequestAssignment::default() };
            assignments.push(one);
        }
        let has_names = self.version(ApiKey::SyncGroup).await? >= PROTOCOL_NAME_SINCE;
        let request = SyncGroupRequest {
            group_id: self.group.to_string(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: has_names.then(|| PROTOCOL_TYPE.to_owned()),
            protocol_name: has_names.then(|| joined.assignor.name().to_owned()),
            assignments,
            ..SyncGroupRequest::default()
        };
        let timeout_ms = i64::from(self.shared.config.max_poll_interval_ms) + JOIN_SLACK_MS;
        let response = self.call(&request, Some(timeout_ms), |response| response.error_code).await?;
        decode_assignment(response.assignment).map_err(unreadable)
    }

    pub(super) async fn heartbeat(&mut self) -> Result<(), ClientError> {
        let request = HeartbeatRequest {
            group_id: self.group.to_string(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id(),
            ..HeartbeatRequest::default()
        };
        self.call(&request, None, |response| response.error_code).await?;
        Ok(())
    }

    /// Leaves, unless the member is static: then it may come back without a rebalance.
    pub(super) async fn leave(&mut self, reason: &str) {
        if self.member_id.is_empty() {
            return;
        }
        self.generation = -1;
        self.publish();
        if self.instance_id().is_some() {
            return;
        }
        let version = self.version(ApiKey::LeaveGroup).await.unwrap_or(0);
        let mut request =
            LeaveGroupRequest { group_id: self.group.to_string(), ..LeaveGroupRequest::default() };
        if version >= MEMBER_LIST_SINCE {
            request.members = vec![MemberIdentity {
                member_id: self.member_id.clone(),
                reason: (version >= LEAVE_REASON_SINCE).then(|| reason.to_owned()),
                ..MemberIdentity::default()
            }];
        } else {
            request.member_id.clone_from(&self.member_id);
        }
        if let Err(error) = self.call(&request, None, |response| response.error_code).await {
            tracing::debug!(%error, "the coordinator was not told that the member is gone");
        }
        self.member_id.clear();
    }

    async fn version(&self, api: ApiKey) -> Result<i16, ClientError> {
        let coordinator = self.shared.client.coordinator(CoordinatorType::Group, &self.group).await?;
        self.shared.client.version(coordinator, api).await
    }

    async fn call<R: Request>(
        &mut self,
        request: &R,
        timeout_ms: Option<i64>,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError>
    where
        R::Response: GivenMemberId,
    {
        let client = self.shared.client.clone();
        let options = SendOptions { lane: self.shared.group_lane, timeout_ms, ..SendOptions::default() };
        let kind = CoordinatorType::Group;
        let response = client.send_to_coordinator_with(kind, &self.group, request, options).await?;
        let checked = ClientError::check(R::API_KEY, code(&response), None);
        let Err(error) = checked else { return Ok(response) };
        let error = client.said_by_coordinator(kind, &self.group, error);
        if Client::is_coordinator_moved(&error) {
            client.forget_coordinator(kind, &self.group);
        }
        if error.code() == Some(ErrorCode::MemberIdRequired)
            && let Some(member_id) = response.given_member_id()
        {
            self.member_id = member_id.to_owned();
        }
        Err(error)
    }
}

/// A refused join may come with the id to join with (KIP-394).
pub(super) trait GivenMemberId {
    fn given_member_id(&self) -> Option<&str> {
        None
    }
}

impl GivenMemberId for JoinGroupResponse {
    fn given_member_id(&self) -> Option<&str> {
        Some(&self.member_id)
    }
}

impl GivenMemberId for protocol::messages::SyncGroupResponse {}
impl GivenMemberId for protocol::messages::HeartbeatResponse {}
impl GivenMemberId for protocol::messages::LeaveGroupResponse {}
