//! Everything around the shard: the log, the network, the clients, the faults.

use std::collections::{BTreeMap, VecDeque};

use groups::{
    CoordinatorRecord, Event, GroupCoordinatorConfig, GroupShard, RecordPosition, Reply, Request,
    RequestContext, RequestId, offset_fetch_response,
};
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{ConsumerGroupDescribeResponse, DeleteGroupsResponse, DescribeGroupsResponse};
use protocol::{Message, Writer};

use crate::chaos;
use crate::client::{Client, Phase};
use crate::promises::Promises;
use crate::random::Random;

/// The groups that clients join.
pub const GROUPS: [&str; 2] = ["first", "second"];
const FAULTY_TURNS: usize = 300;
const QUIET_TURNS: usize = 400;

/// What happened in a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub answers: usize,
    pub assignments: usize,
    pub commits: usize,
    pub restarts: usize,
    pub records: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        self.assignments += other.assignments;
        self.commits += other.commits;
        self.restarts += other.restarts;
        self.records += other.records;
    }
}

enum LogEntry {
    Record { record: CoordinatorRecord, producer_id: i64 },
    Marker { producer_id: i64, committed: bool },
}

struct Sent {
    client: Option<usize>,
    request: Request,
    api_version: i16,
    life: u32,
    is_answered: bool,
}

pub struct World {
    random: Random,
    config: GroupCoordinatorConfig,
    shard: GroupShard,
    now_ms: i64,
    clients: Vec<Client>,
    log: Vec<LogEntry>,
    committed: usize,
    /// Replies with the length of the log they wait for.
    held: VecDeque<(usize, RequestId, Reply)>,
    sent: BTreeMap<RequestId, Sent>,
    next_id: u64,
    life: u32,
    is_faulty: bool,
    promises: Promises,
    /// Whether a failing node loses what was committed, to see that it is noticed.
    forgets: bool,
    tally: Tally,
}

impl World {
    pub fn run(seed: u64) -> Tally {
        Self::run_with(seed, false)
    }

    pub fn run_with(seed: u64, forgets: bool) -> Tally {
        let mut world = Self::new(Random::new(seed));
        world.forgets = forgets;
        world.step(Event::Loaded);
        for _ in 0..FAULTY_TURNS {
            world.turn();
            world.maybe_fault();
        }
        world.is_faulty = false;
        for _ in 0..QUIET_TURNS {
            world.turn();
        }
        world.check_converged();
        world.check_replay();
        world.tally.records = world.log.len();
        world.tally
    }

    fn new(mut random: Random) -> Self {
        let config = GroupCoordinatorConfig {
            group_initial_rebalance_delay_ms: random.pick(&[0, 500, 3_000]),
            group_max_size: random.pick(&[i32::MAX, i32::MAX, 3]),
            max_batch_bytes: random.pick(&[1_048_588, 1_048_588, 900]),
            ..GroupCoordinatorConfig::default()
        };
        let client_count = 2 + random.below(7);
        let clients = (0..client_count).map(|index| {
            let join_version = random.pick(&[0, 2, 3, 4, 5, 7, 9, 9, 9]);
            Client::new(index, random.pick(&GROUPS), join_version, random.chance(40))
        });
        let clients = clients.collect();
        Self {
            random,
            shard: GroupShard::new(config.clone()),
            config,
            now_ms: 0,
            clients,
            log: Vec::new(),
            committed: 0,
            held: VecDeque::new(),
            sent: BTreeMap::new(),
            next_id: 0,
            life: 0,
            is_faulty: true,
            promises: Promises::default(),
            forgets: false,
            tally: Tally::default(),
        }
    }

    /// Time goes on, clients have a go in some order, some of the log is committed.
    fn turn(&mut self) {
        let by_ms = self.random.pick(&[0, 1, 100, 500, 1_000, 2_500]);
        self.advance(by_ms);
        for _ in 0..2 * self.clients.len() {
            let index = self.random.below(self.clients.len());
            self.client_turn(index);
        }
        if !self.is_faulty {
            // Chance must not keep a client from its heartbeats for a whole session.
            (0..self.clients.len()).for_each(|index| self.client_turn(index));
        }
        let lag = if self.is_faulty { self.random.below(4) } else { 0 };
        self.commit_up_to(self.log.len().saturating_sub(lag));
    }

    /// Lets time pass; at no moment may the shard keep asking for ticks.
    fn advance(&mut self, by_ms: i64) {
        let end_ms = self.now_ms + by_ms;
        let mut ticks_now = 0;
        while let Some(deadline_ms) = self.shard.next_deadline().filter(|deadline_ms| *deadline_ms <= end_ms)
        {
            ticks_now = if deadline_ms > self.now_ms { 0 } else { ticks_now + 1 };
            assert!(ticks_now < 20, "the shard wants ticks for ever");
            self.now_ms = self.now_ms.max(deadline_ms);
            self.step(Event::Tick);
        }
        self.now_ms = end_ms;
    }

    fn client_turn(&mut self, index: usize) {
        let token = self.next_id;
        if let Some((api_version, request)) = self.clients[index].next_request(self.now_ms, token) {
            let id = self.next_request_id();
            self.clients[index].waits_for = Some((id, self.now_ms));
            if !(self.is_faulty && self.random.chance(5)) {
                self.send(id, Some(index), api_version, request);
            }
        }
    }

    fn next_request_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    fn send(&mut self, id: RequestId, client: Option<usize>, api_version: i16, request: Request) {
        let sent =
            Sent { client, request: request.clone(), api_version, life: self.life, is_answered: false };
        self.sent.insert(id, sent);
        let context = RequestContext {
            api_version,
            client_id: format!("client{}", client.unwrap_or(99)),
            client_host: "/10.0.0.1".to_owned(),
            member_id_entropy: u128::from(id.0) << 64 | u128::from(self.random.next()),
        };
        self.step(Event::Request { id, context, request });
    }

    fn step(&mut self, event: Event) {
        let marker = match &event {
            Event::TransactionCompleted { producer_id, committed } => Some((*producer_id, *committed)),
            _ => None,
        };
        let effects = self.shard.step(self.now_ms, event);
        let producer_id = effects.transaction.map_or(-1, |transaction| transaction.producer_id);
        self.log.extend(effects.records.into_iter().map(|record| LogEntry::Record { record, producer_id }));
        self.log.extend(marker.map(|(producer_id, committed)| LogEntry::Marker { producer_id, committed }));
        for (id, reply) in effects.replies {
            let sent = self.sent.get_mut(&id).expect("a reply goes to somebody who asked");
            assert!(!sent.is_answered, "{id:?} is answered once");
            assert_eq!(sent.life, self.life, "{id:?} was asked of this shard");
            sent.is_answered = true;
            assert_encodable(&reply, sent.api_version);
            self.promises.given(self.life, &sent.request, &reply);
            self.held.push_back((self.log.len(), id, reply));
        }
    }

    /// Delivers what no longer waits for the log.
    fn commit_up_to(&mut self, committed: usize) {
        self.committed = self.committed.max(committed);
        while self.held.front().is_some_and(|(position, ..)| *position <= self.committed) {
            let Some((_, id, reply)) = self.held.pop_front() else { break };
            let sent = self.sent.remove(&id).expect("held replies were asked for");
            self.promises.told(&sent.request, &reply);
            if self.is_faulty && self.random.chance(5) {
                continue;
            }
            self.tally.answers += 1;
            self.tally.assignments +=
                usize::from(matches!(&reply, Reply::SyncGroup(answer) if answer.error_code == 0));
            self.tally.commits += usize::from(matches!(&reply, Reply::OffsetCommit(_)));
            if let Some(client) = sent.client.map(|index| &mut self.clients[index])
                && client.waits_for.is_some_and(|(waits_for, _)| waits_for == id)
                && client.phase != Phase::Crashed
            {
                client.receive(&reply);
            }
        }
    }

    fn maybe_fault(&mut self) {
        match self.random.below(100) {
            0..3 => self.crash(),
            3..5 => self.hand_over(),
            5..10 => {
                let index = self.random.below(self.clients.len());
                self.clients[index].phase = Phase::Crashed;
            }
            10..16 => self.revive(),
            16..20 => self.leave(),
            20..50 => self.chaos(),
            50..53 => {
                let producer_id = self.random.below(3) as i64;
                let committed = self.random.chance(50);
                self.step(Event::TransactionCompleted { producer_id, committed });
            }
            53..55 => self.step(Event::TopicsDeleted(chaos::deleted_topics())),
            _ => {}
        }
    }

    /// The node dies: what was not committed may be gone, and with it every answer that waited for it.
    fn crash(&mut self) {
        let survived = self.committed + self.random.below(self.log.len() - self.committed + 1);
        self.log.truncate(if self.forgets { survived.saturating_sub(3) } else { survived });
        self.committed = self.committed.min(self.log.len());
        self.held.clear();
        self.restart();
    }

    /// Another node takes over in good order.
    fn hand_over(&mut self) {
        self.step(Event::Unload);
        assert_eq!(self.shard.next_deadline(), None);
        let unanswered =
            self.sent.values().filter(|sent| sent.life == self.life && !sent.is_answered).count();
        assert_eq!(unanswered, 0, "unloading answers everybody");
        self.commit_up_to(self.log.len());
        self.restart();
    }

    fn restart(&mut self) {
        self.tally.restarts += 1;
        self.life += 1;
        self.shard = self.replayed();
        self.step(Event::Loaded);
        if self.random.chance(50) {
            self.clients.iter_mut().for_each(|client| client.waits_for = None);
        }
    }

    fn replayed(&self) -> GroupShard {
        let mut shard = GroupShard::new(self.config.clone());
        for (offset, entry) in self.log.iter().enumerate() {
            match entry {
                LogEntry::Marker { producer_id, committed } => {
                    shard.replay_end_transaction(*producer_id, *committed)
                }
                LogEntry::Record { record, producer_id } => {
                    let position = RecordPosition { offset: offset as i64, producer_id: *producer_id };
                    let replayed = shard.replay(position, Some(record.key.clone()), record.value.clone());
                    replayed.expect("our own records");
                }
            }
        }
        shard
    }

    /// A client that was lost starts again: a static one under its instance id, any other as a stranger.
    fn revive(&mut self) {
        let index = self.random.below(self.clients.len());
        let client = &mut self.clients[index];
        if !client.is_alive() {
            client.member_id = String::new();
            client.phase = Phase::Join;
            client.waits_for = None;
        }
    }

    fn leave(&mut self) {
        let index = self.random.below(self.clients.len());
        if self.clients[index].is_alive() && !self.clients[index].member_id.is_empty() {
            let request = Request::LeaveGroup(self.clients[index].leave());
            self.clients[index].phase = Phase::Crashed;
            let id = self.next_request_id();
            self.send(id, None, 4, request);
        }
    }

    fn chaos(&mut self) {
        let member_ids: Vec<String> = self.clients.iter().map(|client| client.member_id.clone()).collect();
        let id = self.next_request_id();
        let (api_version, request) = chaos::request(&mut self.random, &member_ids, id.0);
        self.send(id, None, api_version, request);
    }

    /// Faults are over: everybody alive is in a stable group with nobody else, and nobody waits.
    fn check_converged(&mut self) {
        assert!(self.held.is_empty());
        if self.config.max_batch_bytes < 10_000 {
            // A group whose record is larger than the log takes never settles.
            return;
        }
        for group_id in GROUPS {
            let members =
                self.clients.iter().filter(|client| client.is_alive() && client.group_id == group_id);
            let mut alive: Vec<(&str, &Phase)> =
                members.map(|client| (client.member_id.as_str(), &client.phase)).collect();
            assert!(alive.iter().all(|(_, phase)| **phase == Phase::Stable), "{group_id}: {alive:?}");
            alive.sort_by_key(|(member_id, _)| *member_id);
            let described = describe(&mut self.shard, self.now_ms, group_id);
            let members: Vec<&str> =
                described.members.iter().map(|member| member.member_id.as_str()).collect();
            assert_eq!(
                members,
                alive.iter().map(|(member_id, _)| *member_id).collect::<Vec<_>>(),
                "{group_id}"
            );
            let expected: &[&str] = if alive.is_empty() { &["Empty", "Dead"] } else { &["Stable"] };
            assert!(
                expected.contains(&described.group_state.as_str()),
                "{group_id}: {}",
                described.group_state
            );
        }
        let unanswered =
            self.sent.values().filter(|sent| sent.life == self.life && !sent.is_answered).count();
        assert_eq!(unanswered, 0, "nobody waits in a settled group");
    }

    /// A shard from the log is the shard that wrote it, as far as clients can tell.
    fn check_replay(&mut self) {
        let mut replayed = self.replayed();
        for group_id in GROUPS {
            let original = describe(&mut self.shard, self.now_ms, group_id);
            if ["Stable", "Empty"].contains(&original.group_state.as_str()) {
                assert_eq!(describe(&mut replayed, self.now_ms, group_id), original);
            }
        }
        for group_id in [GROUPS[0], GROUPS[1], chaos::GROUP] {
            let fetched = offsets(&mut self.shard, self.now_ms, group_id);
            assert_eq!(offsets(&mut replayed, self.now_ms, group_id), fetched);
            for topic in self.promises.topics(group_id) {
                let offset =
                    fetched.iter().find(|(name, _)| *name == topic).map_or(-1, |(_, offset)| *offset);
                self.promises.fetched(group_id, &topic, offset);
            }
        }
    }
}

/// An answer has to fit the version it was asked in.
fn assert_encodable(reply: &Reply, api_version: i16) {
    let mut writer = Writer::new();
    let encoded = match reply.clone() {
        Reply::JoinGroup(response) => response.encode(&mut writer, api_version),
        Reply::SyncGroup(response) => response.encode(&mut writer, api_version),
        Reply::Heartbeat(response) => response.encode(&mut writer, api_version),
        Reply::LeaveGroup(response) => response.encode(&mut writer, api_version),
        Reply::ConsumerGroupHeartbeat(response) => response.encode(&mut writer, api_version),
        Reply::ConsumerGroupDescribe(groups) => {
            ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
                .encode(&mut writer, api_version)
        }
        Reply::StreamsGroupHeartbeat(..) | Reply::StreamsGroupDescribe(_) | Reply::Share(_) => {
            panic!("nobody asked for {reply:?}")
        }
        Reply::OffsetCommit(response) => response.encode(&mut writer, api_version),
        Reply::TxnOffsetCommit(response) => response.encode(&mut writer, api_version),
        Reply::OffsetFetch(group) => {
            offset_fetch_response(vec![group], api_version).encode(&mut writer, api_version)
        }
        Reply::OffsetDelete(response) => response.encode(&mut writer, api_version),
        Reply::ListGroups(response) => response.encode(&mut writer, api_version),
        Reply::DescribeGroups(groups) => {
            DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
                .encode(&mut writer, api_version)
        }
        Reply::DeleteGroups(results) => DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
            .encode(&mut writer, api_version),
    };
    assert_eq!(encoded, Ok(()), "{reply:?} in version {api_version}");
}

fn ask(shard: &mut GroupShard, now_ms: i64, request: Request) -> Reply {
    let context = RequestContext {
        api_version: 5,
        client_id: String::new(),
        client_host: String::new(),
        member_id_entropy: 0,
    };
    let mut effects = shard.step(now_ms, Event::Request { id: RequestId(0), context, request });
    assert_eq!((effects.replies.len(), effects.records.len()), (1, 0));
    effects.replies.remove(0).1
}

fn describe(shard: &mut GroupShard, now_ms: i64, group_id: &str) -> DescribedGroup {
    let Reply::DescribeGroups(mut groups) =
        ask(shard, now_ms, Request::DescribeGroups(vec![group_id.to_owned()]))
    else {
        panic!("a description was asked for")
    };
    let mut group = groups.remove(0);
    group.members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
    group
}

fn offsets(shard: &mut GroupShard, now_ms: i64, group_id: &str) -> Vec<(String, i64)> {
    let topics: Option<Vec<OffsetFetchRequestTopics>> = None;
    let group = OffsetFetchRequestGroup {
        group_id: group_id.to_owned(),
        topics,
        ..OffsetFetchRequestGroup::default()
    };
    let Reply::OffsetFetch(group) = ask(shard, now_ms, Request::OffsetFetch { group, require_stable: false })
    else {
        panic!("offsets were asked for")
    };
    let topics = group.topics.into_iter();
    topics.map(|topic| (topic.name, topic.partitions[0].committed_offset)).collect()
}
