//! A member of a streams application, as far as its tasks go.

use std::collections::BTreeSet;

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::StreamsGroupHeartbeatRequest;
use protocol::messages::streams_group_heartbeat_request::{Subtopology, TaskIds, TopicInfo, Topology};
use protocol::messages::streams_group_heartbeat_response::TaskIds as Given;

pub const GROUP: &str = "group";
/// Number of partitions of each subtopology; the second has state.
pub const SUBTOPOLOGIES: [(&str, i32); 2] = [("0", 6), ("1", 4)];

pub type Task = (String, i32);

#[derive(Debug, Clone)]
pub struct Member {
    pub member_id: String,
    pub epoch: i32,
    pub active: BTreeSet<Task>,
    pub standby: BTreeSet<Task>,
    warmup: BTreeSet<Task>,
    pub next_ms: i64,
    pub waits: bool,
}

/// What an answer did to a member.
#[derive(Debug, Default)]
pub struct Outcome {
    pub claimed: bool,
    pub fenced: bool,
}

fn topology() -> Topology {
    let topic = |name: &str| TopicInfo { name: name.to_owned(), ..TopicInfo::default() };
    Topology {
        subtopologies: vec![
            Subtopology {
                subtopology_id: "0".to_owned(),
                source_topics: vec!["foo".to_owned()],
                ..Subtopology::default()
            },
            Subtopology {
                subtopology_id: "1".to_owned(),
                source_topics: vec!["bar".to_owned()],
                state_changelog_topics: vec![topic("counts")],
                ..Subtopology::default()
            },
        ],
        ..Topology::default()
    }
}

fn said(tasks: &BTreeSet<Task>) -> Option<Vec<TaskIds>> {
    let ids = SUBTOPOLOGIES.iter().map(|(subtopology, _)| TaskIds {
        subtopology_id: (*subtopology).to_owned(),
        partitions: tasks.iter().filter(|task| task.0 == *subtopology).map(|task| task.1).collect(),
        ..TaskIds::default()
    });
    Some(ids.filter(|ids| !ids.partitions.is_empty()).collect())
}

fn given(tasks: &[Given]) -> BTreeSet<Task> {
    let partitions = |task: &Given| {
        let id = task.subtopology_id.clone();
        task.partitions.clone().into_iter().map(move |partition| (id.clone(), partition))
    };
    tasks.iter().flat_map(partitions).collect()
}

impl Member {
    pub fn new(member_id: String) -> Self {
        Member {
            member_id,
            epoch: 0,
            active: BTreeSet::new(),
            standby: BTreeSet::new(),
            warmup: BTreeSet::new(),
            next_ms: 0,
            waits: false,
        }
    }

    pub fn request(&self) -> Request {
        let is_join = self.epoch == 0;
        Request::StreamsGroupHeartbeat(StreamsGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.member_id.clone(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if is_join { 30_000 } else { -1 },
            topology: is_join.then(topology),
            process_id: is_join.then(|| format!("process of {}", self.member_id)),
            active_tasks: said(&self.active),
            standby_tasks: said(&self.standby),
            warmup_tasks: said(&self.warmup),
            ..StreamsGroupHeartbeatRequest::default()
        })
    }

    /// The answer never came.
    pub fn lost(&mut self, now_ms: i64) {
        self.waits = false;
        self.next_ms = now_ms + 100;
    }

    pub fn answered(&mut self, now_ms: i64, reply: Reply) -> Outcome {
        self.waits = false;
        let Reply::StreamsGroupHeartbeat(response, topics) = reply else { panic!("{reply:?}") };
        assert!(topics.is_empty(), "all topics are there: {topics:?}");
        match ErrorCode::from_i16(response.error_code).expect("a code of Kafka's") {
            ErrorCode::None => {}
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch => {
                self.epoch = 0;
                self.active.clear();
                self.standby.clear();
                self.warmup.clear();
                self.next_ms = now_ms + 100;
                return Outcome { fenced: true, ..Outcome::default() };
            }
            other => panic!("{other:?} {:?} for {self:?}", response.error_message),
        }
        self.epoch = response.member_epoch;
        self.next_ms = now_ms + i64::from(response.heartbeat_interval_ms).clamp(1, 3_000);
        let (Some(active), Some(standby), Some(warmup)) =
            (&response.active_tasks, &response.standby_tasks, &response.warmup_tasks)
        else {
            return Outcome::default();
        };
        let before = (self.active.clone(), self.standby.clone());
        (self.active, self.standby, self.warmup) = (given(active), given(standby), given(warmup));
        if before != (self.active.clone(), self.standby.clone()) {
            // What has changed is told soon.
            self.next_ms = now_ms + 100;
        }
        Outcome { claimed: true, ..Outcome::default() }
    }
}
