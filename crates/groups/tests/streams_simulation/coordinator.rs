//! A coordinator whose log is committed a little later, and which may fail in between.

use std::collections::BTreeSet;

use groups::{
    CoordinatorRecord, Effects, Event, GroupCoordinatorConfig, GroupShard, RecordPosition, Reply, Request,
    RequestContext, RequestId,
};

use crate::cluster::Cluster;
use crate::member::GROUP;

pub struct Coordinator {
    shard: GroupShard,
    cluster: Cluster,
    committed: Vec<CoordinatorRecord>,
    uncommitted: Vec<CoordinatorRecord>,
    held: Vec<(RequestId, Reply)>,
    next_id: u64,
    /// Whether a failure loses what was committed, to see that it is noticed.
    pub forgets: bool,
}

impl Coordinator {
    pub fn new() -> Self {
        let mut cluster = Cluster::default();
        for (name, number, partitions) in [("foo", 1, 6), ("bar", 2, 4), ("counts", 3, 4)] {
            cluster.topic(name, number, 0..partitions);
        }
        cluster.group_config(GROUP, "streams.num.standby.replicas", "1");
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

    fn context(entropy: u64) -> RequestContext {
        RequestContext {
            api_version: 1,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            member_id_entropy: entropy.into(),
        }
    }

    /// Sends a request; its answer comes with a later commit.
    pub fn send(&mut self, now_ms: i64, request: Request) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let context = Self::context(self.next_id);
        let effects = self.shard.step(now_ms, Event::Request { id, context, request });
        self.take(effects);
        id
    }

    pub fn tick(&mut self, now_ms: i64) {
        if self.shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            let effects = self.shard.step(now_ms, Event::Tick);
            self.take(effects);
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
        let effects = self.shard.step(now_ms, Event::Loaded);
        self.take(effects);
    }

    /// The ids of the group's members.
    pub fn member_ids(&mut self, now_ms: i64) -> BTreeSet<String> {
        let request = Request::StreamsGroupDescribe(vec![GROUP.to_owned()]);
        let event = Event::Request { id: RequestId(0), context: Self::context(0), request };
        match self.shard.step(now_ms, event).replies.pop() {
            Some((_, Reply::StreamsGroupDescribe(groups))) => {
                groups.into_iter().flat_map(|group| group.members).map(|member| member.member_id).collect()
            }
            other => panic!("a description was asked for: {other:?}"),
        }
    }
}
