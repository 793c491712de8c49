//! A shard on a bench: requests by hand, time by hand, a log that replay can start from.

use std::collections::BTreeMap;

use bytes::Bytes;
use groups::{
    CoordinatorRecord, Effects, Event, GroupCoordinatorConfig, GroupShard, RecordPosition, Reply, Request,
    RequestContext, RequestId,
};
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::*;
use protocol::{ErrorCode, Uuid};

pub const GROUP: &str = "group";
pub const REBALANCE_TIMEOUT_MS: i32 = 60_000;
pub const SESSION_TIMEOUT_MS: i32 = 10_000;
pub const INITIAL_DELAY_MS: i64 = 3_000;

pub struct Bench {
    pub shard: GroupShard,
    pub config: GroupCoordinatorConfig,
    pub now_ms: i64,
    pub log: Vec<CoordinatorRecord>,
    /// What the last step asked for.
    pub last: Effects,
    /// Entropy for the requests to come; their number where there is none.
    pub entropy: Option<u128>,
    answers: BTreeMap<RequestId, Reply>,
    next_id: u64,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(GroupCoordinatorConfig::default())
    }

    pub fn with(config: GroupCoordinatorConfig) -> Self {
        let mut bench = Self {
            shard: GroupShard::new(config.clone()),
            config,
            now_ms: 1_000_000,
            log: Vec::new(),
            last: Effects::default(),
            entropy: None,
            answers: BTreeMap::new(),
            next_id: 0,
        };
        bench.step(Event::Loaded);
        bench
    }

    pub fn step(&mut self, event: Event) {
        self.last = self.shard.step(self.now_ms, event);
        self.log.extend(self.last.records.iter().cloned());
        for (id, reply) in &self.last.replies {
            assert!(self.answers.insert(*id, reply.clone()).is_none(), "{id:?} answered twice");
        }
    }

    pub fn send(&mut self, api_version: i16, request: Request) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let context = RequestContext {
            api_version,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            member_id_entropy: self.entropy.unwrap_or(u128::from(self.next_id)),
        };
        self.step(Event::Request { id, context, request });
        id
    }

    /// Lets time pass, ticking at each deadline on the way.
    pub fn advance(&mut self, by_ms: i64) {
        let end_ms = self.now_ms + by_ms;
        while let Some(deadline_ms) = self.shard.next_deadline().filter(|deadline_ms| *deadline_ms <= end_ms)
        {
            self.now_ms = self.now_ms.max(deadline_ms);
            self.step(Event::Tick);
        }
        self.now_ms = end_ms;
    }

    /// A new shard from the log.
    pub fn restart(&mut self) {
        self.shard = GroupShard::new(self.config.clone());
        for (offset, record) in self.log.clone().into_iter().enumerate() {
            let position = RecordPosition { offset: offset as i64, producer_id: -1 };
            self.shard.replay(position, Some(record.key), record.value).expect("our own records");
        }
        self.step(Event::Loaded);
    }

    pub fn take(&mut self, id: RequestId) -> Option<Reply> {
        self.answers.remove(&id)
    }

    pub fn is_parked(&self, id: RequestId) -> bool {
        !self.answers.contains_key(&id)
    }

    /// The records of the last step, decoded.
    pub fn last_records(&self) -> Vec<GroupCoordinatorRecord> {
        let decode = |record: &CoordinatorRecord| {
            GroupCoordinatorRecord::decode(record.key.clone(), record.value.clone()).expect("our own records")
        };
        self.last.records.iter().map(decode).collect()
    }

    pub fn joined(&mut self, id: RequestId) -> JoinGroupResponse {
        match self.take(id) {
            Some(Reply::JoinGroup(response)) => response,
            other => panic!("no answer to a join: {other:?}"),
        }
    }

    pub fn synced(&mut self, id: RequestId) -> SyncGroupResponse {
        match self.take(id) {
            Some(Reply::SyncGroup(response)) => response,
            other => panic!("no answer to a sync: {other:?}"),
        }
    }

    pub fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        self.heartbeat_as(member_id, generation_id, None)
    }

    pub fn heartbeat_as(
        &mut self,
        member_id: &str,
        generation_id: i32,
        instance_id: Option<&str>,
    ) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id,
            member_id: member_id.to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
            ..HeartbeatRequest::default()
        };
        let id = self.send(4, Request::Heartbeat(request));
        match self.take(id) {
            Some(Reply::Heartbeat(response)) => error(response.error_code),
            other => panic!("no answer to a heartbeat: {other:?}"),
        }
    }

    pub fn leave(&mut self, leaving: &[(&str, Option<&str>)]) -> Vec<ErrorCode> {
        let members = leaving.iter().map(|(member_id, instance_id)| MemberIdentity {
            member_id: (*member_id).to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
            ..MemberIdentity::default()
        });
        let request = LeaveGroupRequest {
            group_id: GROUP.to_owned(),
            members: members.collect(),
            ..LeaveGroupRequest::default()
        };
        let id = self.send(5, Request::LeaveGroup(request));
        match self.take(id) {
            Some(Reply::LeaveGroup(response)) => {
                assert_eq!(response.error_code, 0);
                response.members.iter().map(|member| error(member.error_code)).collect()
            }
            other => panic!("no answer to a leave: {other:?}"),
        }
    }

    /// Joins as a new dynamic member: asks for an id, and joins with it.
    pub fn join_dynamic(&mut self) -> (String, RequestId) {
        let id = self.send(9, join("", None));
        let member_id = self.joined(id).member_id;
        let id = self.send(9, join(&member_id, None));
        (member_id, id)
    }

    /// A stable group of `size` dynamic members, the leader first, in its first generation. Each member's assignment is
    /// its own id.
    pub fn stable_group(&mut self, size: usize) -> Vec<String> {
        let members: Vec<(String, RequestId)> = (0..size).map(|_| self.join_dynamic()).collect();
        self.advance(INITIAL_DELAY_MS * 4);
        let mut member_ids = Vec::new();
        for (member_id, id) in members {
            assert_eq!(error(self.joined(id).error_code), ErrorCode::None);
            member_ids.push(member_id);
        }
        let generation_id = self.generation_of(&member_ids[0]);
        self.sync_all(&member_ids, generation_id);
        member_ids
    }

    /// Finds the generation a member is in by trying.
    fn generation_of(&mut self, member_id: &str) -> i32 {
        let found = (0..100)
            .find(|generation_id| self.heartbeat(member_id, *generation_id) != ErrorCode::IllegalGeneration);
        found.expect("a member has a generation")
    }

    /// Syncs everybody, the leader, who comes first, last.
    pub fn sync_all(&mut self, member_ids: &[String], generation_id: i32) {
        let ids: Vec<RequestId> = member_ids[1..]
            .iter()
            .map(|member_id| self.send(5, sync(member_id, generation_id, &[])))
            .collect();
        let assignments: Vec<&str> = member_ids.iter().map(String::as_str).collect();
        let leader = self.send(5, sync(&member_ids[0], generation_id, &assignments));
        for (member_id, id) in member_ids.iter().zip(std::iter::once(leader).chain(ids)) {
            let response = self.synced(id);
            assert_eq!(
                (error(response.error_code), &response.assignment[..]),
                (ErrorCode::None, member_id.as_bytes())
            );
        }
    }

    pub fn describe(&mut self) -> protocol::messages::describe_groups_response::DescribedGroup {
        let id = self.send(6, Request::DescribeGroups(vec![GROUP.to_owned()]));
        match self.take(id) {
            Some(Reply::DescribeGroups(mut groups)) => groups.remove(0),
            other => panic!("no answer to a describe: {other:?}"),
        }
    }

    pub fn state(&mut self) -> String {
        self.describe().group_state
    }

    /// Commits offset 7 of `topic`-0 as an admin tool does, without a member.
    pub fn commit(&mut self, topic: &str) -> ErrorCode {
        self.commit_as(9, commit("", -1, topic))
    }

    pub fn commit_as(&mut self, api_version: i16, request: OffsetCommitRequest) -> ErrorCode {
        let id = self.send(api_version, Request::OffsetCommit(request));
        match self.take(id) {
            Some(Reply::OffsetCommit(response)) => error(response.topics[0].partitions[0].error_code),
            other => panic!("no answer to a commit: {other:?}"),
        }
    }

    /// The committed offset of `topic`-0; -1 for none.
    pub fn fetch(&mut self, topic: &str) -> i64 {
        let topic = OffsetFetchRequestTopics {
            name: topic.to_owned(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        };
        self.fetch_of(Some(vec![topic]), false).topics[0].partitions[0].committed_offset
    }

    pub fn fetch_of(
        &mut self,
        topics: Option<Vec<OffsetFetchRequestTopics>>,
        require_stable: bool,
    ) -> protocol::messages::offset_fetch_response::OffsetFetchResponseGroup {
        let group = OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics,
            ..OffsetFetchRequestGroup::default()
        };
        let id = self.send(10, Request::OffsetFetch { group, require_stable });
        match self.take(id) {
            Some(Reply::OffsetFetch(group)) => group,
            other => panic!("no answer to a fetch: {other:?}"),
        }
    }
}

pub fn error(code: i16) -> ErrorCode {
    ErrorCode::from_i16(code).expect("a code of Kafka's")
}

pub fn protocols(named: &[(&str, &[u8])]) -> Vec<JoinGroupRequestProtocol> {
    let protocol = |(name, metadata): &(&str, &[u8])| JoinGroupRequestProtocol {
        name: (*name).to_owned(),
        metadata: Bytes::copy_from_slice(metadata),
        ..JoinGroupRequestProtocol::default()
    };
    named.iter().map(protocol).collect()
}

/// A subscription of the embedded consumer protocol, version 0.
pub fn subscription(topics: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(i32::try_from(topics.len()).expect("few").to_be_bytes());
    for topic in topics {
        bytes.extend(i16::try_from(topic.len()).expect("short").to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes
}

pub fn join_request(member_id: &str, instance_id: Option<&str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: SESSION_TIMEOUT_MS,
        rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
        member_id: member_id.to_owned(),
        group_instance_id: instance_id.map(str::to_owned),
        protocol_type: "consumer".to_owned(),
        protocols: protocols(&[("range", &subscription(&["read"]))]),
        ..JoinGroupRequest::default()
    }
}

pub fn join(member_id: &str, instance_id: Option<&str>) -> Request {
    Request::JoinGroup(join_request(member_id, instance_id))
}

pub fn join_with(member_id: &str, named: &[(&str, &[u8])]) -> Request {
    Request::JoinGroup(JoinGroupRequest { protocols: protocols(named), ..join_request(member_id, None) })
}

/// A sync; a leader assigns each member its own id.
pub fn sync_request(member_id: &str, generation_id: i32, assigned: &[&str]) -> SyncGroupRequest {
    let assignment = |member_id: &&str| SyncGroupRequestAssignment {
        member_id: (*member_id).to_owned(),
        assignment: Bytes::copy_from_slice(member_id.as_bytes()),
        ..SyncGroupRequestAssignment::default()
    };
    SyncGroupRequest {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: assigned.iter().map(assignment).collect(),
        ..SyncGroupRequest::default()
    }
}

pub fn sync(member_id: &str, generation_id: i32, assigned: &[&str]) -> Request {
    Request::SyncGroup(sync_request(member_id, generation_id, assigned))
}

pub const TOPIC_ID: Uuid = Uuid::from_u128(0xabc);

pub fn commit(member_id: &str, generation_id: i32, topic: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 7,
        committed_leader_epoch: 2,
        committed_metadata: Some("note".to_owned()),
        ..OffsetCommitRequestPartition::default()
    };
    OffsetCommitRequest {
        group_id: GROUP.to_owned(),
        generation_id_or_member_epoch: generation_id,
        member_id: member_id.to_owned(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.to_owned(),
            topic_id: TOPIC_ID,
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}
