//! The outbox under seeded schedules, against a broker that keeps producers' sequences as Kafka's does.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::producer::batch::stamped;

const PARTITION: i32 = 0;
const DELIVERY_TIMEOUT_MS: i64 = 1_000_000;

fn limits(delivery_timeout_ms: i64) -> Limits {
    Limits {
        batch_size: 150,
        linger_ms: 3,
        delivery_timeout_ms,
        request_bytes_max: 1_000,
        in_flight_max: 5,
        retries: u32::MAX,
        compression: Compression::default(),
        retry_backoff: Backoff { initial_ms: 10, max_ms: 100 },
        is_idempotent: true,
        is_transactional: false,
    }
}

/// What a broker knows of one producer in one partition.
#[derive(Default)]
struct Sequences {
    epoch: i16,
    next: i32,
    recent: VecDeque<(i32, i32, i64)>,
}

#[derive(Default)]
struct SimulatedLog {
    values: Vec<u64>,
    producers: HashMap<i64, Sequences>,
}

const RECENT_MAX: usize = 5;

impl SimulatedLog {
    fn append(&mut self, bytes: &Bytes) -> Result<i64, ErrorCode> {
        let batch = records::batches(bytes).next().unwrap().unwrap();
        batch.verify_crc().unwrap();
        let header = batch.header;
        let (first, last) = (header.base_sequence, header.last_sequence());
        let is_unknown = !self.producers.contains_key(&header.producer_id);
        let known = self.producers.entry(header.producer_id).or_default();
        if is_unknown {
            // As Kafka: any sequence may come first.
            (known.epoch, known.next) = (header.producer_epoch, first);
        }
        if header.producer_epoch < known.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if header.producer_epoch > known.epoch {
            if first != 0 {
                return Err(ErrorCode::OutOfOrderSequenceNumber);
            }
            *known = Sequences { epoch: header.producer_epoch, ..Sequences::default() };
        }
        if let Some((_, _, offset)) = known.recent.iter().find(|one| (one.0, one.1) == (first, last)) {
            return Ok(*offset);
        }
        if first != known.next {
            let is_old = last < known.next;
            return Err(if is_old {
                ErrorCode::DuplicateSequenceNumber
            } else {
                ErrorCode::OutOfOrderSequenceNumber
            });
        }
        known.next = last + 1;
        let offset = self.values.len() as i64;
        known.recent.push_back((first, last, offset));
        if known.recent.len() > RECENT_MAX {
            known.recent.pop_front();
        }
        for record in batch.records(1 << 20).unwrap() {
            let value = record.unwrap().value.unwrap();
            self.values.push(u64::from_be_bytes(value[..].try_into().unwrap()));
        }
        Ok(offset)
    }
}

type Request = Vec<(QueueKey, u64, Bytes)>;
type Answer = Vec<(QueueKey, u64, Result<i64, ErrorCode>)>;

/// One connection: what is written to it, and what comes back, in order.
#[derive(Default)]
struct Wire {
    requests: VecDeque<Request>,
    answers: VecDeque<Answer>,
}

struct Simulation {
    outbox: Outbox,
    log: SimulatedLog,
    wire: Wire,
    /// What a cut connection had carried may still be processed, and nobody hears of it.
    ghosts: VecDeque<Request>,
    unanswered: VecDeque<Vec<(QueueKey, u64)>>,
    chance: Jitter,
    now_ms: i64,
    faults: bool,
    retriable: ErrorCode,
}

impl Surroundings for Simulation {
    fn leader(&self, _: &TopicPartition) -> Option<i32> {
        Some(1)
    }

    fn capacity(&self, _: i32) -> usize {
        5_usize.saturating_sub(self.unanswered.len())
    }

    fn admits(&self, _: &TopicPartition) -> bool {
        true
    }
}

struct Capacity(usize);

impl Surroundings for Capacity {
    fn leader(&self, _: &TopicPartition) -> Option<i32> {
        Some(1)
    }

    fn capacity(&self, _: i32) -> usize {
        self.0
    }

    fn admits(&self, _: &TopicPartition) -> bool {
        true
    }
}

impl Simulation {
    fn new(seed: u64, delivery_timeout_ms: i64, retriable: ErrorCode) -> Self {
        let mut outbox = Outbox::new(limits(delivery_timeout_ms), seed);
        outbox.set_identity(ProducerIdentity { id: 1, epoch: 0 });
        Self {
            outbox,
            log: SimulatedLog::default(),
            wire: Wire::default(),
            ghosts: VecDeque::new(),
            unanswered: VecDeque::new(),
            chance: Jitter::new(seed),
            now_ms: 0,
            faults: true,
            retriable,
        }
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.chance.below(chances) == 0
    }

    fn enqueue(&mut self, value: u64) -> Delivery {
        let record = ProducerRecord::to("t").value(value.to_be_bytes().to_vec());
        let named = TopicPartition::new("t", PARTITION);
        self.outbox.append(&named, &record, 0, record.size(), self.now_ms).unwrap().0
    }

    fn send(&mut self) {
        if self.outbox.wants_identity() {
            let id = self.outbox.identity().id + 1;
            self.outbox.set_identity(ProducerIdentity { id, epoch: 0 });
        }
        let due = self.outbox.due(self.now_ms, &Capacity(self.capacity(1)));
        for (_, batches) in due.requests {
            let mut request = Vec::new();
            for one in batches {
                let sealed = one.sending.seal(one.identity, one.base_sequence);
                self.outbox.sealed(one.key, one.batch_id, sealed.clone());
                let bytes = stamped(&sealed, one.identity, one.base_sequence).to_bytes().unwrap();
                request.push((one.key, one.batch_id, bytes));
            }
            self.unanswered.push_back(request.iter().map(|(key, id, _)| (*key, *id)).collect());
            self.wire.requests.push_back(request);
        }
    }

    fn process(&mut self, request: &Request) -> Answer {
        let is_refused = self.faults && self.one_in(6);
        let is_told_wrong = self.faults && self.one_in(10);
        let answered = request.iter().map(|(key, id, bytes)| {
            let result = match is_refused {
                true => Err(self.retriable),
                false => self.log.append(bytes),
            };
            // Written, and yet refused: as after a timeout of the replicas.
            let result = if is_told_wrong { result.and(Err(self.retriable)) } else { result };
            (*key, *id, result)
        });
        answered.collect()
    }

    fn hear(&mut self, answer: Answer) {
        for (key, id, result) in answer {
            match result {
                Ok(offset) => drop(self.outbox.written(key, id, offset, -1)),
                Err(code) => self.fail(key, id, Some(code)),
            }
        }
    }

    fn fail(&mut self, key: QueueKey, id: u64, code: Option<ErrorCode>) {
        let known = code.unwrap_or(ErrorCode::NetworkException);
        let error = ClientError::refused(protocol::ApiKey::Produce, known);
        self.outbox.failed(key, id, Failure { code, error }, self.now_ms);
    }

    fn cut(&mut self) {
        let wire = std::mem::take(&mut self.wire);
        let kept = self.chance.below(wire.requests.len() as u64 + 1) as usize;
        self.ghosts.extend(wire.requests.into_iter().take(kept));
        for request in std::mem::take(&mut self.unanswered) {
            request.into_iter().for_each(|(key, id)| self.fail(key, id, None));
        }
    }

    fn step(&mut self) {
        self.now_ms += self.chance.below(8) as i64;
        self.send();
        match self.chance.below(8) {
            0..=2 => {
                if let Some(request) = self.wire.requests.pop_front() {
                    let answer = self.process(&request);
                    self.wire.answers.push_back(answer);
                }
            }
            3..=5 => {
                if let Some(answer) = self.wire.answers.pop_front() {
                    self.unanswered.pop_front();
                    self.hear(answer);
                }
            }
            6 if self.faults && self.one_in(4) => self.cut(),
            _ => {
                if let Some(request) = self.ghosts.pop_front() {
                    self.process(&request);
                }
            }
        }
    }

    fn heal(&mut self) {
        self.faults = false;
        for _ in 0..20_000 {
            if self.outbox.is_empty() && self.ghosts.is_empty() {
                return;
            }
            self.step();
        }
        panic!("it does not come to an end: {:?}", self.outbox);
    }
}

/// Runs one schedule; the deliveries with their values, and the log.
fn run(seed: u64, delivery_timeout_ms: i64, retriable: ErrorCode) -> (Vec<(u64, Delivery)>, Vec<u64>) {
    let mut simulation = Simulation::new(seed, delivery_timeout_ms, retriable);
    let mut deliveries = Vec::new();
    let count = 20 + simulation.chance.below(60);
    for value in 0..count {
        let delivery = simulation.enqueue(value);
        deliveries.push((value, delivery));
        for _ in 0..simulation.chance.below(6) {
            simulation.step();
        }
    }
    simulation.heal();
    (deliveries, simulation.log.values)
}

fn assert_ordered_without_doubles(values: &[u64], seed: u64) {
    assert!(values.is_sorted_by(|a, b| a < b), "seed {seed}: {values:?}");
}

#[test]
fn nothing_is_lost_doubled_or_reordered_in_10000_schedules() {
    let retriable: Vec<ErrorCode> = ErrorCode::all()
        .filter(|code| code.is_retriable() && *code != ErrorCode::OutOfOrderSequenceNumber)
        .collect();
    assert!(retriable.len() > 20, "every retriable code has its turn");
    for seed in 0..10_000 {
        let code = retriable[seed as usize % retriable.len()];
        let (deliveries, values) = run(seed, DELIVERY_TIMEOUT_MS, code);
        assert_ordered_without_doubles(&values, seed);
        assert_eq!(values.len(), deliveries.len(), "seed {seed}");
        for (value, delivery) in deliveries {
            let written = delivery.now_or_never().expect("it is over").unwrap_or_else(|error| {
                panic!("seed {seed}, value {value}: {error}");
            });
            let found = values.iter().position(|one| *one == value).map(|at| at as i64);
            assert!(written.offset == -1 || Some(written.offset) == found, "seed {seed}: {written:?}");
        }
    }
}

#[test]
fn what_takes_too_long_fails_and_leaves_no_disorder() {
    let mut failures = 0;
    for seed in 0..3_000 {
        let (deliveries, values) = run(seed, 60, ErrorCode::NotEnoughReplicas);
        assert_ordered_without_doubles(&values, seed);
        for (value, delivery) in deliveries {
            match delivery.now_or_never().expect("it is over") {
                Ok(_) => assert!(values.contains(&value), "seed {seed}: {value} is lost"),
                Err(error) => {
                    let is_late = error.setting() == Some("delivery.timeout.ms");
                    let is_behind_it = error.code() == Some(ErrorCode::OutOfOrderSequenceNumber);
                    assert!(is_late || is_behind_it, "seed {seed}: {error}");
                    failures += 1;
                }
            }
        }
    }
    assert!(failures > 1_000, "{failures}");
}

#[test]
fn a_refused_record_leaves_the_others_alone() {
    for refused in 0..4_u64 {
        let mut simulation = Simulation::new(refused, DELIVERY_TIMEOUT_MS, ErrorCode::NotEnoughReplicas);
        simulation.faults = false;
        let deliveries: Vec<Delivery> = (0..8).map(|value| simulation.enqueue(value)).collect();
        let mut is_refused = false;
        while !simulation.outbox.is_empty() {
            simulation.now_ms += 5;
            simulation.send();
            let Some(request) = simulation.wire.requests.pop_front() else { continue };
            simulation.unanswered.pop_front();
            let value =
                records::batches(&request[0].2).next().unwrap().unwrap().records(1 << 20).unwrap().next();
            let value = value.unwrap().unwrap().value.unwrap();
            if !is_refused && value[7] >= refused as u8 {
                is_refused = true;
                let (key, id, _) = request[0];
                simulation.fail(key, id, Some(ErrorCode::InvalidRecord));
                continue;
            }
            let answer = simulation.process(&request);
            simulation.hear(answer);
        }
        let results: Vec<_> = deliveries.into_iter().map(|one| one.now_or_never().unwrap()).collect();
        let written = results.iter().filter(|one| one.is_ok()).count();
        assert!(results.iter().any(Result::is_err) && written > 0);
        assert_eq!(simulation.log.values.len(), written);
        assert_ordered_without_doubles(&simulation.log.values, refused);
    }
}

#[test]
fn few_batches_overtake_one_without_an_answer() {
    let mut simulation = Simulation::new(0, DELIVERY_TIMEOUT_MS, ErrorCode::NotEnoughReplicas);
    let next = |simulation: &mut Simulation, value| {
        let _delivery = simulation.enqueue(value);
        simulation.now_ms += 5;
        let due = simulation.outbox.due(simulation.now_ms, &Capacity(5));
        due.requests.into_iter().flat_map(|(_, batches)| batches).next().map(|one| (one.key, one.batch_id))
    };
    // The broker comes to know the producer.
    let (key, first) = next(&mut simulation, 0).expect("nothing is on its way");
    simulation.outbox.written(key, first, 0, -1);
    let (_, silent) = next(&mut simulation, 1).expect("nothing is on its way");
    let mut overtaking = 0;
    while let Some((key, id)) = next(&mut simulation, 2 + overtaking) {
        // By the partition's next leader, while the old one says nothing.
        simulation.outbox.written(key, id, 1, -1);
        overtaking += 1;
        assert!(overtaking < 100, "the broker would forget the batch that has no answer");
    }
    assert_eq!(overtaking as usize, RECENT_MAX - 1);
    simulation.outbox.written(key, silent, 1, -1);
    assert!(next(&mut simulation, 200).is_some());
}
