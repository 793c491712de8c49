//! A coordinator whose log is committed a little later, and which may fail in between.

use std::collections::BTreeSet;

use groups::{
    Effects, Event, GroupCoordinatorConfig, GroupShard, RecordPosition, Reply, Request, RequestContext,
    RequestId,
};

use crate::cluster::Cluster;
use crate::member::GROUP;

pub struct Coordinator {
    shard: GroupShard,
    pub cluster: Cluster,
    committed: Vec<groups::CoordinatorRecord>,
    uncommitted: Vec<groups::CoordinatorRecord>,
    held: Vec<(RequestId, Reply)>,
    next_id: u64,
    /// Whether a failure loses what was committed, to see that it is noticed.
    pub forgets: bool,
}

impl Coordinator {
    pub fn new() -> Self {
        let mut cluster = Cluster::default();
        for (name, number, partitions) in [("one", 1, 5), ("two", 2, 3), ("three", 3, 4)] {
            cluster.topic(name, number, 0..partitions);
        }
        cluster.group_config(GROUP, "consumer.assignment.interval.ms", "300");
        let mut shard = GroupShard::new(GroupCoordinatorConfig::default());
        shard.step(0, cluster.everything());
        shard.step(0, Event::Loaded);
        Self {
            shard,
            cluster,
            committed: Vec::new(),
            uncommitted: Vec::new(),
            held: Vec::new(),
            next_id: 0,
            forgets: false,
        }
    }

    fn take(&mut self, effects: Effects) {
        self.uncommitted.extend(effects.records);
        self.held.extend(effects.replies);
    }

    /// Sends a request; its answer comes with a later commit.
    pub fn send(&mut self, now_ms: i64, api_version: i16, request: Request, entropy: u64) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let context = RequestContext {
            api_version,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            member_id_entropy: u128::from(entropy) << 64 | u128::from(self.next_id),
        };
        let effects = self.shard.step(now_ms, Event::Request { id, context, request });
        self.take(effects);
        id
    }

    pub fn step(&mut self, now_ms: i64, event: Event) {
        let effects = self.shard.step(now_ms, event);
        self.take(effects);
    }

    pub fn tick(&mut self, now_ms: i64) {
        if self.shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            self.step(now_ms, Event::Tick);
        }
    }

    /// Commits everything; the answers that waited for it.
    pub fn commit(&mut self) -> Vec<(RequestId, Reply)> {
        self.committed.append(&mut self.uncommitted);
        std::mem::take(&mut self.held)
    }

    /// Fails: what was not committed is lost with its answers, and another coordinator replays the rest.
    pub fn fail(&mut self, now_ms: i64) {
        self.uncommitted.clear();
        self.held.clear();
        if self.forgets {
            self.committed.truncate(self.committed.len().saturating_sub(4));
        }
        self.shard = GroupShard::new(GroupCoordinatorConfig::default());
        self.shard.step(now_ms, self.cluster.everything());
        for (offset, record) in self.committed.clone().into_iter().enumerate() {
            let position = RecordPosition { offset: offset as i64, producer_id: -1 };
            self.shard.replay(position, Some(record.key), record.value).expect("our own records");
        }
        self.step(now_ms, Event::Loaded);
    }

    /// The ids of the group's members, of whichever kind the group is.
    pub fn member_ids(&mut self, now_ms: i64) -> BTreeSet<String> {
        let group_id = vec![GROUP.to_owned()];
        let consumer = self.ask(now_ms, Request::ConsumerGroupDescribe(group_id.clone()));
        let classic = self.ask(now_ms, Request::DescribeGroups(group_id));
        let mut ids = BTreeSet::new();
        if let Reply::ConsumerGroupDescribe(groups) = consumer {
            ids.extend(groups.into_iter().flat_map(|group| group.members).map(|member| member.member_id));
        }
        if let Reply::DescribeGroups(groups) = classic {
            ids.extend(groups.into_iter().flat_map(|group| group.members).map(|member| member.member_id));
        }
        ids
    }

    fn ask(&mut self, now_ms: i64, request: Request) -> Reply {
        let context = RequestContext {
            api_version: 1,
            client_id: String::new(),
            client_host: String::new(),
            member_id_entropy: 0,
        };
        let mut effects = self.shard.step(now_ms, Event::Request { id: RequestId(0), context, request });
        effects.replies.remove(0).1
    }
}
