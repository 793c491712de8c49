//! A client that joins, syncs, heartbeats and commits, as Kafka's own does.

use bytes::Bytes;
use groups::{Reply, Request, RequestId};
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::*;

pub const SESSION_MS: i32 = 10_000;
pub const REBALANCE_MS: i32 = 20_000;
const HEARTBEAT_MS: i64 = 3_000;
const REQUEST_TIMEOUT_MS: i64 = 8_000;

#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Join,
    Sync {
        assign_to: Vec<String>,
    },
    Stable,
    /// Fenced, or the group was full: it does not come back by itself.
    GivenUp,
    Crashed,
}

#[derive(Debug)]
pub struct Client {
    pub group_id: String,
    pub instance_id: Option<String>,
    /// JoinGroup's version: it decides the style.
    pub join_version: i16,
    pub protocols: Vec<JoinGroupRequestProtocol>,
    pub member_id: String,
    pub generation_id: i32,
    pub phase: Phase,
    pub waits_for: Option<(RequestId, i64)>,
    next_heartbeat_ms: i64,
    /// Offsets this client commits are numbered over all clients of a topic.
    pub topic: String,
}

impl Client {
    pub fn new(index: usize, group_id: &str, join_version: i16, is_static: bool) -> Self {
        let names: &[&str] =
            if index.is_multiple_of(2) { &["range", "sticky"] } else { &["sticky", "range"] };
        let protocol = |name: &&str| JoinGroupRequestProtocol {
            name: (*name).to_owned(),
            metadata: Bytes::from(format!("\0\0\0\0\0\x01\0\x02t{}\u{0}\u{0}\u{0}\u{0}", index % 10)),
            ..JoinGroupRequestProtocol::default()
        };
        Self {
            group_id: group_id.to_owned(),
            instance_id: is_static.then(|| format!("instance{index}")),
            join_version: if is_static { join_version.max(5) } else { join_version },
            protocols: names.iter().map(protocol).collect(),
            member_id: String::new(),
            generation_id: -1,
            phase: Phase::Join,
            waits_for: None,
            next_heartbeat_ms: 0,
            topic: format!("t{}", index % 3),
        }
    }

    pub fn is_alive(&self) -> bool {
        !matches!(self.phase, Phase::GivenUp | Phase::Crashed)
    }

    /// What the client does next, if anything is due.
    pub fn next_request(&mut self, now_ms: i64, token: u64) -> Option<(i16, Request)> {
        if let Some((_, sent_ms)) = self.waits_for {
            let patience_ms = match self.phase {
                Phase::Join => i64::from(REBALANCE_MS) + 5_000,
                _ => REQUEST_TIMEOUT_MS,
            };
            if now_ms - sent_ms < patience_ms {
                return None;
            }
            self.waits_for = None;
            if matches!(self.phase, Phase::Sync { .. }) {
                self.phase = Phase::Join;
            }
        }
        match self.phase.clone() {
            Phase::Join => Some((self.join_version, Request::JoinGroup(self.join()))),
            Phase::Sync { assign_to } => Some((4, Request::SyncGroup(self.sync(&assign_to, token)))),
            Phase::Stable if now_ms >= self.next_heartbeat_ms => {
                self.next_heartbeat_ms = now_ms + HEARTBEAT_MS;
                Some((4, Request::Heartbeat(self.heartbeat())))
            }
            Phase::Stable if token.is_multiple_of(4) => {
                Some((9, Request::OffsetCommit(self.commit(i64::try_from(token).expect("a small number")))))
            }
            _ => None,
        }
    }

    fn join(&self) -> JoinGroupRequest {
        JoinGroupRequest {
            group_id: self.group_id.clone(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: self.protocols.clone(),
            ..JoinGroupRequest::default()
        }
    }

    /// A leader gives each member the number of this very assignment.
    fn sync(&self, assign_to: &[String], token: u64) -> SyncGroupRequest {
        let assignment = |member_id: &String| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: Bytes::from(format!("{token}:{member_id}")),
            ..SyncGroupRequestAssignment::default()
        };
        SyncGroupRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            assignments: assign_to.iter().map(assignment).collect(),
            ..SyncGroupRequest::default()
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            ..HeartbeatRequest::default()
        }
    }

    fn commit(&self, offset: i64) -> OffsetCommitRequest {
        OffsetCommitRequest {
            group_id: self.group_id.clone(),
            generation_id_or_member_epoch: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: self.topic.clone(),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: 0,
                    committed_offset: offset,
                    ..OffsetCommitRequestPartition::default()
                }],
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        }
    }

    pub fn leave(&self) -> LeaveGroupRequest {
        LeaveGroupRequest {
            group_id: self.group_id.clone(),
            members: vec![MemberIdentity {
                member_id: self.member_id.clone(),
                group_instance_id: self.instance_id.clone(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        }
    }

    /// Takes an answer to the request the client waits for.
    pub fn receive(&mut self, reply: &Reply) {
        self.waits_for = None;
        let error = match reply {
            Reply::JoinGroup(response) => {
                let error = ErrorCode::from_i16(response.error_code).expect("a code of Kafka's");
                if error == ErrorCode::None {
                    self.member_id.clone_from(&response.member_id);
                    self.generation_id = response.generation_id;
                    let leads = response.leader == response.member_id && !response.skip_assignment;
                    let to = |member: &JoinGroupResponseMember| member.member_id.clone();
                    let assign_to =
                        if leads { response.members.iter().map(to).collect() } else { Vec::new() };
                    self.phase = Phase::Sync { assign_to };
                } else if error == ErrorCode::MemberIdRequired {
                    self.member_id.clone_from(&response.member_id);
                }
                error
            }
            Reply::SyncGroup(response) => {
                if response.error_code == 0 {
                    self.phase = Phase::Stable;
                    self.next_heartbeat_ms = 0;
                }
                ErrorCode::from_i16(response.error_code).expect("a code of Kafka's")
            }
            Reply::Heartbeat(response) => {
                ErrorCode::from_i16(response.error_code).expect("a code of Kafka's")
            }
            Reply::OffsetCommit(response) => {
                let code = response.topics[0].partitions[0].error_code;
                ErrorCode::from_i16(code).expect("a code of Kafka's")
            }
            other => panic!("a client does not ask for {other:?}"),
        };
        match error {
            ErrorCode::None | ErrorCode::MemberIdRequired => {}
            ErrorCode::FencedInstanceId | ErrorCode::GroupMaxSizeReached => self.phase = Phase::GivenUp,
            ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                self.member_id = String::new();
                self.phase = Phase::Join;
            }
            ErrorCode::RebalanceInProgress
            | ErrorCode::IllegalGeneration
            | ErrorCode::NotCoordinator
            | ErrorCode::UnknownServerError
            | ErrorCode::InconsistentGroupProtocol => self.phase = Phase::Join,
            other => panic!("{other} for {self:?}"),
        }
    }
}
