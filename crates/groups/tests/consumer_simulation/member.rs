//! Clients of both protocols, as far as their partitions go.

use std::collections::BTreeSet;

use bytes::Bytes;
use groups::{Reply, Request};
use protocol::embedded::consumer_protocol_assignment::TopicPartition as Assigned;
use protocol::embedded::consumer_protocol_subscription::TopicPartition as Owned;
use protocol::embedded::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::*;
use protocol::{ErrorCode, Message, Reader, Writer};

use crate::cluster::topic_id;

pub const GROUP: &str = "group";
pub const TOPICS: [(&str, u128, i32); 3] = [("one", 1, 5), ("two", 2, 3), ("three", 3, 4)];

pub type Partition = (u128, i32);

/// What a client does next.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Heartbeat,
    /// Classic: JoinGroup, then SyncGroup with this generation and these assignments.
    Join,
    Sync(i32, Vec<SyncGroupRequestAssignment>),
}

#[derive(Debug, Clone)]
pub struct Member {
    pub is_classic: bool,
    pub member_id: String,
    pub epoch: i32,
    pub owned: BTreeSet<Partition>,
    pub topics: Vec<&'static str>,
    pub regex: Option<&'static str>,
    pub next_ms: i64,
    phase: Phase,
    /// Nothing is known of what the coordinator has heard: say all.
    says_all: bool,
    pub waits: bool,
}

/// What an answer did to a client.
#[derive(Debug, Default)]
pub struct Outcome {
    pub claimed: bool,
    pub fenced: bool,
}

fn embedded<M: Message>(message: &M) -> Bytes {
    let mut writer = Writer::new();
    writer.i16(3);
    message.encode(&mut writer, 3).expect("encodable");
    writer.into_bytes().expect("bytes").expect("some")
}

fn number_of(name: &str) -> u128 {
    TOPICS.iter().find(|(topic, ..)| *topic == name).map(|(_, number, _)| *number).expect("a topic of ours")
}

impl Member {
    pub fn new(
        name: String,
        is_classic: bool,
        topics: Vec<&'static str>,
        regex: Option<&'static str>,
    ) -> Self {
        Self {
            is_classic,
            member_id: if is_classic { String::new() } else { name },
            epoch: if is_classic { -1 } else { 0 },
            owned: BTreeSet::new(),
            topics,
            regex,
            next_ms: 0,
            phase: if is_classic { Phase::Join } else { Phase::Heartbeat },
            says_all: true,
            waits: false,
        }
    }

    pub fn api_version(&self) -> i16 {
        match self.phase {
            Phase::Heartbeat if self.is_classic => 4,
            Phase::Heartbeat => 1,
            Phase::Join => 9,
            Phase::Sync(..) => 5,
        }
    }

    pub fn request(&self) -> Request {
        match &self.phase {
            Phase::Heartbeat if self.is_classic => Request::Heartbeat(HeartbeatRequest {
                group_id: GROUP.to_owned(),
                generation_id: self.epoch,
                member_id: self.member_id.clone(),
                ..HeartbeatRequest::default()
            }),
            Phase::Heartbeat => Request::ConsumerGroupHeartbeat(self.consumer_heartbeat()),
            Phase::Join => Request::JoinGroup(self.join()),
            Phase::Sync(generation_id, assignments) => Request::SyncGroup(SyncGroupRequest {
                group_id: GROUP.to_owned(),
                generation_id: *generation_id,
                member_id: self.member_id.clone(),
                protocol_type: Some("consumer".to_owned()),
                protocol_name: Some("range".to_owned()),
                assignments: assignments.clone(),
                ..SyncGroupRequest::default()
            }),
        }
    }

    fn by_topic(&self) -> Vec<(u128, Vec<i32>)> {
        let topics = TOPICS.iter().map(|(_, number, _)| {
            let partitions = self.owned.iter().filter(|(topic, _)| topic == number);
            (*number, partitions.map(|(_, partition)| *partition).collect::<Vec<_>>())
        });
        topics.filter(|(_, partitions)| !partitions.is_empty()).collect()
    }

    fn consumer_heartbeat(&self) -> ConsumerGroupHeartbeatRequest {
        let owned = self.by_topic().into_iter().map(|(number, partitions)| TopicPartitions {
            topic_id: topic_id(number),
            partitions,
            ..TopicPartitions::default()
        });
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.member_id.clone(),
            member_epoch: self.epoch,
            topic_partitions: Some(owned.collect()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        if !self.says_all {
            return request;
        }
        ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: 30_000,
            subscribed_topic_names: Some(self.topics.iter().map(|topic| (*topic).to_owned()).collect()),
            subscribed_topic_regex: self.regex.map(str::to_owned),
            ..request
        }
    }

    fn join(&self) -> JoinGroupRequest {
        let owned = self.by_topic().into_iter().map(|(number, partitions)| {
            let name = TOPICS.iter().find(|(_, topic, _)| *topic == number).map(|(name, ..)| *name);
            Owned { topic: name.expect("ours").to_owned(), partitions }
        });
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.iter().map(|topic| (*topic).to_owned()).collect(),
            owned_partitions: owned.collect(),
            ..ConsumerProtocolSubscription::default()
        };
        JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 30_000,
            member_id: self.member_id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                metadata: embedded(&subscription),
                ..JoinGroupRequestProtocol::default()
            }],
            ..JoinGroupRequest::default()
        }
    }

    /// The answer never came.
    pub fn lost(&mut self, now_ms: i64) {
        self.waits = false;
        self.says_all = true;
        self.next_ms = now_ms + 100;
    }

    fn start_over(&mut self, keeps_id: bool) -> Outcome {
        self.owned.clear();
        self.says_all = true;
        if self.is_classic {
            if !keeps_id {
                self.member_id.clear();
            }
            self.epoch = -1;
            self.phase = Phase::Join;
        } else {
            self.epoch = 0;
        }
        Outcome { fenced: true, ..Outcome::default() }
    }

    pub fn answered(&mut self, now_ms: i64, reply: Reply) -> Outcome {
        self.waits = false;
        match reply {
            Reply::ConsumerGroupHeartbeat(response) => self.heartbeat_answered(now_ms, response),
            Reply::Heartbeat(response) => self.classic_heartbeat_answered(now_ms, response.error_code),
            Reply::JoinGroup(response) => self.join_answered(now_ms, response),
            Reply::SyncGroup(response) => self.sync_answered(now_ms, response),
            other => panic!("nobody asked for {other:?}"),
        }
    }

    fn heartbeat_answered(&mut self, now_ms: i64, response: ConsumerGroupHeartbeatResponse) -> Outcome {
        self.next_ms = now_ms + i64::from(response.heartbeat_interval_ms).max(50);
        match ErrorCode::from_i16(response.error_code).expect("a code") {
            ErrorCode::None => {}
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                return self.start_over(true);
            }
            other => panic!("{other:?}: {:?}", response.error_message),
        }
        self.epoch = response.member_epoch;
        self.says_all = false;
        let Some(assignment) = response.assignment else { return Outcome::default() };
        let partitions = assignment.topic_partitions.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| (topic.topic_id.as_u128(), *partition))
        });
        let assigned: BTreeSet<Partition> = partitions.collect();
        if !self.owned.is_subset(&assigned) {
            // It has given up what it must: the coordinator hears of it at once.
            self.next_ms = now_ms;
        }
        self.owned = assigned;
        Outcome { claimed: true, ..Outcome::default() }
    }

    fn classic_heartbeat_answered(&mut self, now_ms: i64, error_code: i16) -> Outcome {
        self.next_ms = now_ms + 1_000;
        match ErrorCode::from_i16(error_code).expect("a code") {
            ErrorCode::None => Outcome::default(),
            ErrorCode::RebalanceInProgress => {
                self.phase = Phase::Join;
                self.next_ms = now_ms;
                // Eager: everything is given up before joining again.
                self.owned.clear();
                Outcome::default()
            }
            ErrorCode::UnknownMemberId => self.start_over(false),
            ErrorCode::IllegalGeneration => self.start_over(true),
            other => panic!("{other:?}"),
        }
    }

    fn join_answered(&mut self, now_ms: i64, response: JoinGroupResponse) -> Outcome {
        self.next_ms = now_ms;
        match ErrorCode::from_i16(response.error_code).expect("a code") {
            ErrorCode::None => {
                let assignments = self.lead(&response);
                self.member_id = response.member_id;
                self.phase = Phase::Sync(response.generation_id, assignments);
            }
            ErrorCode::MemberIdRequired => self.member_id = response.member_id,
            ErrorCode::RebalanceInProgress => {}
            ErrorCode::UnknownMemberId => return self.start_over(false),
            other => panic!("{other:?}"),
        }
        Outcome::default()
    }

    /// A leader's assignment: each topic's partitions go round its readers.
    fn lead(&self, response: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let readers = |topic: &str| -> Vec<&str> {
            let reads = |metadata: &Bytes| {
                let mut reader = Reader::new(metadata.clone());
                let version = reader.i16().expect("a version");
                let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).expect("ours");
                subscription.topics.iter().any(|name| name == topic)
            };
            let members = response.members.iter().filter(|member| reads(&member.metadata));
            members.map(|member| member.member_id.as_str()).collect()
        };
        let assigned_to = |member_id: &str| -> Vec<Assigned> {
            let topics = TOPICS.iter().map(|(topic, _, count)| {
                let readers = readers(topic);
                let is_own = |index: &i32| {
                    !readers.is_empty()
                        && readers[usize::try_from(*index).expect("small") % readers.len()] == member_id
                };
                Assigned { topic: (*topic).to_owned(), partitions: (0..*count).filter(is_own).collect() }
            });
            topics.filter(|topic| !topic.partitions.is_empty()).collect()
        };
        let assignment = |member_id: &str| SyncGroupRequestAssignment {
            member_id: member_id.to_owned(),
            assignment: embedded(&ConsumerProtocolAssignment {
                assigned_partitions: assigned_to(member_id),
                ..ConsumerProtocolAssignment::default()
            }),
            ..SyncGroupRequestAssignment::default()
        };
        response.members.iter().map(|member| assignment(&member.member_id)).collect()
    }

    fn sync_answered(&mut self, now_ms: i64, response: SyncGroupResponse) -> Outcome {
        self.next_ms = now_ms + 1_000;
        let Phase::Sync(generation_id, _) = self.phase else { panic!("nobody asked for a sync") };
        match ErrorCode::from_i16(response.error_code).expect("a code") {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress => {
                self.phase = Phase::Join;
                self.next_ms = now_ms;
                return Outcome::default();
            }
            ErrorCode::UnknownMemberId => return self.start_over(false),
            ErrorCode::IllegalGeneration => return self.start_over(true),
            other => panic!("{other:?}"),
        }
        self.epoch = generation_id;
        self.phase = Phase::Heartbeat;
        let mut reader = Reader::new(response.assignment);
        let Ok(version) = reader.i16() else { return Outcome::default() };
        let assignment = ConsumerProtocolAssignment::decode(&mut reader, version).expect("an assignment");
        let partitions = assignment
            .assigned_partitions
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| (number_of(&topic.topic), *partition)));
        self.owned = partitions.collect();
        Outcome { claimed: true, ..Outcome::default() }
    }
}
