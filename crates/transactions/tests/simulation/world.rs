//! The world of one run: instances of producers, one coordinator, partitions, and the messages between them.
//!
//! A partition takes records of the newest epoch that it has seen, and only from a producer whose coordinator has said since
//! the last marker that the partition takes part; markers follow Kafka's epoch rules.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorShard, RecordPosition, RequestId};
use protocol::ErrorCode;
use transactions::{
    Action, MarkersToWrite, Producer, Reply, Request, TopicPartition, TransactionCoordinatorConfig,
    TransactionShard,
};

use crate::producer::{Doing, Instance};
use crate::random::Random;

const PARTITIONS: i32 = 3;
const IDS: usize = 2;
const STEPS: usize = 400;

/// What came of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub committed: u64,
    pub aborted: u64,
    pub fenced: u64,
    pub fail_overs: u64,
    pub timed_out: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.fenced += other.fenced;
        self.fail_overs += other.fail_overs;
        self.timed_out += other.timed_out;
    }
}

/// What may be wrong with a coordinator, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// One that takes over has not got the newest records.
    ForgetsRecords,
    /// One that takes over aborts what was to be committed.
    AbortsWhatWasCommitted,
    /// It takes a producer that was replaced for the newest.
    LetsReplacedProducersIn,
}

#[derive(Debug, Default)]
struct Log {
    epochs: BTreeMap<i64, i16>,
    /// Producer id to the transactions whose records are undecided here.
    open: BTreeMap<i64, BTreeSet<u64>>,
    /// The outcome of each transaction that has records here.
    outcomes: BTreeMap<u64, bool>,
}

#[derive(Debug, Clone)]
enum Message {
    /// To the coordinator, from an instance.
    Ask(usize, Request),
    /// To an instance; the request that it answers.
    Answer(usize, Request, Reply),
    /// To a partition.
    Marker(MarkersToWrite, i32),
}

pub struct World {
    random: Random,
    now_ms: i64,
    config: TransactionCoordinatorConfig,
    engine: TransactionShard,
    leader_epoch: i32,
    log: Vec<(Bytes, Option<Bytes>)>,
    asked: BTreeMap<RequestId, (usize, Request)>,
    history: Vec<(usize, Request)>,
    next_request: u64,
    next_producer_id: i64,
    next_transaction: u64,
    instances: Vec<Instance>,
    newest: [usize; IDS],
    logs: Vec<Log>,
    missing: Vec<(MarkersToWrite, BTreeSet<i32>)>,
    network: Vec<Message>,
    /// What a producer was told of its transaction.
    promised: BTreeMap<u64, bool>,
    /// By transactional id: every producer that the coordinator has named, and those of them that were replaced.
    named: BTreeMap<String, BTreeSet<(i64, i16)>>,
    replaced: BTreeMap<String, BTreeSet<(i64, i16)>>,
    tally: Tally,
    planted: Option<Planted>,
}

impl World {
    pub fn run(seed: u64) -> Tally {
        Self::run_with(seed, None)
    }

    pub fn run_with(seed: u64, planted: Option<Planted>) -> Tally {
        let mut world = World::new(seed);
        world.planted = planted;
        for _ in 0..STEPS {
            world.step();
        }
        world.converge();
        world.check();
        world.tally
    }

    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = TransactionCoordinatorConfig {
            add_partitions_wait_ms: if random.chance(50) { 100 } else { 0 },
            abort_timed_out_interval_ms: 50,
            transaction_version: 2,
            ..Default::default()
        };
        let mut world = World {
            engine: TransactionShard::new(&config, 1 << 20),
            random,
            now_ms: 1_000,
            config,
            leader_epoch: 0,
            log: Vec::new(),
            asked: BTreeMap::new(),
            history: Vec::new(),
            next_request: 0,
            next_producer_id: 100,
            next_transaction: 0,
            instances: (0..IDS).map(Instance::new).collect(),
            newest: [0, 1],
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            missing: Vec::new(),
            network: Vec::new(),
            promised: BTreeMap::new(),
            named: BTreeMap::new(),
            replaced: BTreeMap::new(),
            tally: Tally::default(),
            planted: None,
        };
        world.fail_over();
        world
    }

    fn step(&mut self) {
        self.now_ms += self.random.below(20) as i64;
        match self.random.below(100) {
            0..=39 => self.deliver(true),
            40..=64 => {
                let index = self.random.below(self.instances.len());
                self.act(index);
            }
            65..=69 => self.tick(),
            70..=84 => self.deliver(true),
            85..=89 => self.send_markers_again(),
            90..=92 => self.fail_over(),
            93..=95 => {
                let id = self.random.below(IDS);
                self.newest[id] = self.instances.len();
                self.instances.push(Instance::new(id));
            }
            96 => self.now_ms += 700,
            _ => self.repeat_something(),
        }
    }

    /// The faults stop: everything that was decided must come to its end, and every newest producer must get on.
    fn converge(&mut self) {
        for round in 0..2_000 {
            self.settle();
            self.now_ms += 1;
            let index = self.random.below(self.instances.len());
            self.act(index);
            if round % 20 == 0 {
                self.tick();
            }
        }
        self.settle();
        self.now_ms += 60_000;
        self.tick();
        self.settle();
        for index in self.newest {
            // One that was fenced a moment ago has had no time yet: ten questions end a transaction and begin anew.
            for _ in 0..10 {
                if self.instances[index].doing == Doing::Beginning {
                    self.act(index);
                    self.settle();
                }
            }
            let instance = &self.instances[index];
            assert!(instance.doing != Doing::Beginning, "{instance:?} does not get on");
        }
        for log in &self.logs {
            assert!(
                log.open.values().all(BTreeSet::is_empty),
                "a hanging transaction: {log:?} {:?} {:?}",
                self.engine,
                self.missing
            );
        }
    }

    /// Nothing is lost, and nobody hurries.
    fn settle(&mut self) {
        while !self.network.is_empty() {
            self.deliver(false);
        }
        self.send_markers_again();
        while !self.network.is_empty() {
            self.deliver(false);
        }
    }

    /// No transaction is torn, and none ended otherwise than its producer was told.
    fn check(&mut self) {
        let mut outcomes: BTreeMap<u64, bool> = BTreeMap::new();
        for log in &self.logs {
            for (transaction, committed) in &log.outcomes {
                let first = *outcomes.entry(*transaction).or_insert(*committed);
                assert_eq!(first, *committed, "transaction {transaction} is torn");
            }
        }
        for (transaction, promised) in &self.promised {
            if let Some(outcome) = outcomes.get(transaction) {
                assert_eq!(
                    outcome, promised,
                    "transaction {transaction} did not end as its producer was told"
                );
            }
        }
        self.tally.committed += outcomes.values().filter(|committed| **committed).count() as u64;
        self.tally.aborted += outcomes.values().filter(|committed| !**committed).count() as u64;
    }

    fn event(&mut self, event: CoordinatorEvent<TransactionShard>) {
        let takes_over = matches!(event, CoordinatorEvent::Loaded { .. });
        let effects = CoordinatorShard::step(&mut self.engine, self.now_ms, event);
        self.log.extend(effects.records.into_iter().map(|record| (record.key, record.value)));
        for action in effects.actions {
            match action {
                Action::WriteMarkers(mut markers) => {
                    if takes_over && self.planted == Some(Planted::AbortsWhatWasCommitted) {
                        markers.committed = false;
                    }
                    let partitions = markers.partitions.iter().map(|partition| partition.partition).collect();
                    self.missing.push((markers, partitions));
                }
                Action::AbortTimedOut { .. } => {}
            }
        }
        for (id, reply) in effects.replies {
            if let Some((instance, request)) = self.asked.remove(&id) {
                self.watch_fencing(&request, &reply);
                self.network.push(Message::Answer(instance, request, reply));
            }
        }
    }

    /// From the answer to the newest InitProducerId on nobody older is let in: fencing is total.
    fn watch_fencing(&mut self, request: &Request, reply: &Reply) {
        let pair = |producer: &Producer| (producer.id, producer.epoch);
        match (request, reply) {
            (Request::InitProducerId { transactional_id, .. }, Reply::InitProducerId(Ok(producer))) => {
                let named = self.named.entry(transactional_id.clone()).or_default();
                let replaced = self.replaced.entry(transactional_id.clone()).or_default();
                replaced.append(named);
                named.insert(pair(producer));
            }
            (Request::AddPartitions { transactional_id, producer, .. }, Reply::AddPartitions(Ok(()))) => {
                self.assert_not_replaced(transactional_id, pair(producer))
            }
            (Request::EndTransaction { transactional_id, producer, .. }, Reply::EndTransaction(Ok(next))) => {
                self.assert_not_replaced(transactional_id, pair(producer));
                self.named.entry(transactional_id.clone()).or_default().insert(pair(next));
            }
            _ => {}
        }
    }

    fn assert_not_replaced(&self, transactional_id: &str, producer: (i64, i16)) {
        let is_replaced =
            self.replaced.get(transactional_id).is_some_and(|replaced| replaced.contains(&producer));
        assert!(!is_replaced, "{transactional_id}: {producer:?} was replaced and let in again");
    }

    fn ask(&mut self, instance: usize, request: Request) {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.asked.insert(id, (instance, request.clone()));
        self.history.push((instance, request.clone()));
        let request = self.understood(request);
        self.event(CoordinatorEvent::Request { id, request });
    }

    /// What the coordinator takes a request for.
    fn understood(&self, mut request: Request) -> Request {
        if self.planted == Some(Planted::LetsReplacedProducersIn)
            && let Request::AddPartitions { transactional_id, producer, .. }
            | Request::EndTransaction { transactional_id, producer, .. } = &mut request
            && let Some(newest) = self.named.get(transactional_id).and_then(BTreeSet::last)
        {
            (producer.id, producer.epoch) = *newest;
        }
        request
    }

    fn tick(&mut self) {
        let before = self.missing.len();
        self.event(CoordinatorEvent::Tick);
        self.tally.timed_out += (self.missing.len() - before) as u64;
    }

    fn fail_over(&mut self) {
        self.asked.clear();
        self.missing.clear();
        if self.planted == Some(Planted::ForgetsRecords) {
            self.log.truncate(self.log.len().saturating_sub(2));
        }
        self.engine = TransactionShard::new(&self.config, 1 << 20);
        for (key, value) in self.log.clone() {
            let position = RecordPosition { offset: 0, producer_id: -1 };
            self.engine.replay(position, Some(key), value).expect("a record that we wrote");
        }
        self.leader_epoch += 1;
        self.tally.fail_overs += 1;
        let leader_epoch = self.leader_epoch;
        self.event(CoordinatorEvent::Loaded { leader_epoch });
    }

    fn send_markers_again(&mut self) {
        for (markers, missing) in &self.missing {
            for partition in missing {
                self.network.push(Message::Marker(markers.clone(), *partition));
            }
        }
    }

    fn deliver(&mut self, faults: bool) {
        if self.network.is_empty() {
            return;
        }
        let message = if !faults || self.random.chance(70) {
            self.network.remove(0)
        } else {
            let index = self.random.below(self.network.len());
            self.network.swap_remove(index)
        };
        if faults && self.random.chance(10) {
            return;
        }
        if faults && self.random.chance(10) {
            self.network.push(message.clone());
        }
        match message {
            Message::Ask(instance, request) => self.ask(instance, request),
            Message::Answer(instance, request, reply) => self.answered(instance, &request, reply),
            Message::Marker(markers, partition) => self.marker(&markers, partition),
        }
    }

    /// An old request of anybody comes once more.
    fn repeat_something(&mut self) {
        if !self.history.is_empty() {
            let index = self.random.below(self.history.len());
            let (instance, request) = self.history[index].clone();
            self.network.push(Message::Ask(instance, request));
        }
    }

    fn marker(&mut self, markers: &MarkersToWrite, partition: i32) {
        let log = &mut self.logs[partition as usize];
        let Producer { id, epoch } = markers.producer;
        let newest = log.epochs.get(&id).copied().unwrap_or(-1);
        let is_open = log.open.get(&id).is_some_and(|open| !open.is_empty());
        let repeats = epoch == newest && (!is_open || epoch == i16::MAX);
        let is_valid =
            if markers.transaction_version >= 2 { epoch > newest || repeats } else { epoch >= newest };
        if is_valid {
            log.epochs.insert(id, epoch);
            for transaction in log.open.remove(&id).unwrap_or_default() {
                log.outcomes.insert(transaction, markers.committed);
            }
        }
        let mut done = Vec::new();
        for (asked, missing) in &mut self.missing {
            if asked == markers {
                missing.remove(&partition);
                if missing.is_empty() {
                    done.push(asked.clone());
                }
            }
        }
        self.missing.retain(|(_, missing)| !missing.is_empty());
        for markers in done {
            let request = Request::MarkersWritten {
                transactional_id: markers.transactional_id,
                producer: markers.producer,
                coordinator_epoch: markers.coordinator_epoch,
            };
            self.ask(usize::MAX, request);
        }
    }

    /// Records go to a partition after its coordinator was asked; in between nothing else happens to the partition, which is
    /// what the broker's verification sees to.
    fn write(&mut self, index: usize, partition: i32) {
        let instance = &mut self.instances[index];
        let log = &mut self.logs[partition as usize];
        let newest = log.epochs.get(&instance.producer.id).copied().unwrap_or(-1);
        assert!(instance.producer.epoch >= newest, "{instance:?} was let in after it was fenced");
        log.epochs.insert(instance.producer.id, instance.producer.epoch);
        log.open.entry(instance.producer.id).or_default().insert(instance.transaction);
        instance.written.push(partition);
    }

    fn act(&mut self, index: usize) {
        let request = self.next_request_of(index);
        if let Some(request) = request {
            self.network.push(Message::Ask(index, request));
        }
    }

    fn next_request_of(&mut self, index: usize) -> Option<Request> {
        let fresh = self.next_producer_id;
        let instance = &mut self.instances[index];
        let transactional_id = format!("tx{}", instance.transactional_id);
        let producer = instance.producer;
        match instance.doing {
            Doing::Fenced => None,
            Doing::Beginning => {
                self.next_producer_id += 1;
                Some(Request::InitProducerId {
                    transactional_id,
                    transaction_timeout_ms: 500,
                    expected: None,
                    enable_two_phase_commit: false,
                    keep_prepared_transaction: false,
                    fresh_producer_id: Some(fresh),
                })
            }
            Doing::Idle => {
                self.next_transaction += 1;
                instance.transaction = self.next_transaction;
                instance.written.clear();
                instance.doing = Doing::Adding(self.random.below(PARTITIONS as usize) as i32);
                None
            }
            Doing::Adding(partition) => Some(Request::AddPartitions {
                transactional_id,
                producer,
                partitions: vec![TopicPartition { topic: "t".to_owned(), partition }],
                client_transaction_version: 2,
            }),
            Doing::Open => {
                instance.doing = match self.random.below(10) {
                    0..=4 => Doing::Adding(self.random.below(PARTITIONS as usize) as i32),
                    5..=7 => Doing::Ending(true),
                    _ => Doing::Ending(false),
                };
                None
            }
            Doing::Ending(committed) => Some(Request::EndTransaction {
                transactional_id,
                producer,
                committed,
                client_transaction_version: 2,
                fresh_producer_id: Some(fresh),
            }),
        }
    }

    fn answered(&mut self, index: usize, request: &Request, reply: Reply) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        let is_fatal = |error: &ErrorCode| {
            !matches!(error, ErrorCode::ConcurrentTransactions | ErrorCode::NotCoordinator)
        };
        match (request, reply) {
            (Request::InitProducerId { .. }, Reply::InitProducerId(outcome))
                if instance.doing == Doing::Beginning =>
            {
                match outcome {
                    Ok(producer) => {
                        instance.producer = producer;
                        instance.doing = Doing::Idle;
                    }
                    Err(error) => assert!(!is_fatal(&error), "{error:?}"),
                }
            }
            (Request::AddPartitions { producer, partitions, .. }, Reply::AddPartitions(outcome))
                if instance.doing == Doing::Adding(partitions[0].partition)
                    && *producer == instance.producer =>
            {
                match outcome {
                    Ok(()) => {
                        let partition = partitions[0].partition;
                        instance.doing = Doing::Open;
                        self.write_if_added(index, partition);
                    }
                    Err(error) if is_fatal(&error) => self.fence(index),
                    Err(_) => {}
                }
            }
            (Request::EndTransaction { producer, committed, .. }, Reply::EndTransaction(outcome))
                if instance.doing == Doing::Ending(*committed) && *producer == instance.producer =>
            {
                match outcome {
                    Ok(next) => {
                        self.promised.insert(instance.transaction, *committed);
                        instance.producer = next;
                        instance.doing = Doing::Idle;
                    }
                    Err(error) if is_fatal(&error) => self.fence(index),
                    Err(_) => {}
                }
            }
            _ => {}
        }
    }

    /// An answer may be old: the broker's permission is good only if the transaction is still open.
    fn write_if_added(&mut self, index: usize, partition: i32) {
        let instance = &self.instances[index];
        let request = Request::VerifyPartitions {
            transactional_id: format!("tx{}", instance.transactional_id),
            producer: instance.producer,
            partitions: vec![TopicPartition { topic: "t".to_owned(), partition }],
        };
        let event = CoordinatorEvent::Request { id: RequestId(0), request };
        let effects = CoordinatorShard::step(&mut self.engine, self.now_ms, event);
        let is_open = effects
            .replies
            .iter()
            .any(|(_, reply)| *reply == Reply::VerifyPartitions(Ok(vec![ErrorCode::None])));
        if is_open {
            self.write(index, partition);
        } else {
            self.fence(index);
        }
    }

    fn fence(&mut self, index: usize) {
        let instance = &mut self.instances[index];
        self.tally.fenced += 1;
        let is_newest = self.newest[instance.transactional_id] == index;
        // The newest of an id was only too slow, and begins anew; another must never be let in again.
        instance.doing = if is_newest { Doing::Beginning } else { Doing::Fenced };
    }
}
