//! How long a group takes until every member has its share: all join at once, and (classic) all join anew.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{ConsumerGroupHeartbeatRequest, JoinGroupRequest, SyncGroupRequest};

use super::Turn;
use super::commits::await_coordinator;
use crate::connection::Connection;

const LIMIT: Duration = Duration::from_secs(120);
const STACK_BYTES: usize = 256 * 1024;
/// Classic members that come later begin another round; this many rounds are measured.
const ROUNDS: usize = 3;

/// Rows: a time for each size and protocol.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    let mut connection = turn.connect()?;
    await_coordinator(&mut connection, 0)?;
    // Nobody measures the virtual machine's first steps.
    connection.create_topic("warm-10", 10, &[])?;
    for round in 0..3 {
        consumers(&turn.server.address, "warm-10", &format!("warm-{round}"), 10)?;
    }
    for size in turn.options.members.clone() {
        let topic = format!("rebalanced-{size}");
        connection.create_topic(&topic, i32::try_from(size)?, &[])?;
        let took = consumers(&turn.server.address, &topic, &format!("consumers-{size}"), size)?;
        (turn.record)(&format!("{size} consumer members join"), "ms", took.as_secs_f64() * 1e3);
        let took = classic(&turn.server.address, &format!("classic-{size}"), size)?;
        (turn.record)(&format!("{size} classic members join anew"), "ms", took.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// What the members of a consumer group know: epoch and number of partitions of each.
struct Board {
    members: Vec<(i32, usize)>,
    changed: Instant,
    is_over: bool,
    failure: Option<String>,
}

/// All join within a moment and beat as the coordinator asks them to; the time until the last change.
fn consumers(address: &str, topic: &str, group: &str, size: usize) -> Result<Duration> {
    let board = Arc::new((
        Mutex::new(Board {
            members: vec![(0, 0); size],
            changed: Instant::now(),
            is_over: false,
            failure: None,
        }),
        Condvar::new(),
    ));
    let mut connections = Vec::new();
    for _ in 0..size {
        connections.push(Connection::open(address)?);
    }
    let started = Instant::now();
    let mut threads = Vec::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let mut member = Consumer {
            connection,
            board: Arc::clone(&board),
            number,
            group: group.to_string(),
            topic: topic.to_string(),
            epoch: 0,
            owned: Vec::new(),
        };
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        threads.push(thread.spawn(move || member.run())?);
    }
    let outcome = await_settled(&board, started, size);
    if let Ok(mut state) = board.0.lock() {
        state.is_over = true;
    }
    board.1.notify_all();
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a member panicked"))?;
    }
    outcome
}

/// Settled: one epoch, and every member has its partition.
fn await_settled(board: &(Mutex<Board>, Condvar), started: Instant, size: usize) -> Result<Duration> {
    let mut state = board.0.lock().map_err(|_| anyhow!("a member panicked"))?;
    loop {
        if let Some(failure) = &state.failure {
            bail!("{failure}");
        }
        let epoch = state.members.first().map_or(0, |member| member.0);
        let is_settled =
            epoch > 0 && state.members.iter().all(|(known, partitions)| *known == epoch && *partitions == 1);
        if is_settled {
            return Ok(state.changed - started);
        }
        ensure!(started.elapsed() < LIMIT, "{size} members have not settled after {LIMIT:?}");
        state = board
            .1
            .wait_timeout(state, Duration::from_millis(100))
            .map_err(|_| anyhow!("a member panicked"))?
            .0;
    }
}

struct Consumer {
    connection: Connection,
    board: Arc<(Mutex<Board>, Condvar)>,
    number: usize,
    group: String,
    topic: String,
    epoch: i32,
    owned: Vec<TopicPartitions>,
}

impl Consumer {
    fn run(&mut self) {
        if let Err(error) = self.beat_until_over() {
            if let Ok(mut state) = self.board.0.lock() {
                state.failure = Some(format!("{error:#}"));
            }
            self.board.1.notify_all();
        }
    }

    fn beat_until_over(&mut self) -> Result<()> {
        let mut tells_owned = true;
        loop {
            let response = self.connection.call(1, &self.request(tells_owned))?;
            let code = ErrorCode::from_i16(response.error_code);
            if matches!(code, Some(ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId)) {
                (self.epoch, tells_owned) = (0, true);
                self.owned.clear();
                continue;
            }
            if matches!(code, Some(ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator)) {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            ensure!(code == Some(ErrorCode::None), "{response:?}");
            self.epoch = response.member_epoch;
            tells_owned = false;
            if let Some(assignment) = response.assignment {
                self.owned = assignment
                    .topic_partitions
                    .into_iter()
                    .map(|topic| TopicPartitions {
                        topic_id: topic.topic_id,
                        partitions: topic.partitions,
                        ..Default::default()
                    })
                    .collect();
                // As clients do: what was given up or taken is told at once.
                tells_owned = true;
            }
            let interval = Duration::from_millis(u64::try_from(response.heartbeat_interval_ms)?);
            let wait = if tells_owned { Duration::ZERO } else { interval };
            if self.publish_and_wait(wait)? {
                return Ok(());
            }
        }
    }

    /// Whether the group is over.
    fn publish_and_wait(&self, wait: Duration) -> Result<bool> {
        let until = Instant::now() + wait;
        let count = self.owned.iter().map(|topic| topic.partitions.len()).sum();
        let mut state = self.board.0.lock().map_err(|_| anyhow!("another member panicked"))?;
        if state.members[self.number] != (self.epoch, count) {
            state.members[self.number] = (self.epoch, count);
            state.changed = Instant::now();
            self.board.1.notify_one();
        }
        let is_over = state.is_over;
        drop(state);
        while !is_over && Instant::now() < until {
            let rest = until.saturating_duration_since(Instant::now());
            thread::sleep(rest.min(Duration::from_millis(200)));
            if self.board.0.lock().map_err(|_| anyhow!("another member panicked"))?.is_over {
                return Ok(true);
            }
        }
        Ok(is_over)
    }

    fn request(&self, tells_owned: bool) -> ConsumerGroupHeartbeatRequest {
        let is_first = self.epoch == 0;
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: format!("{}-{}", self.group, self.number),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if is_first { 60_000 } else { -1 },
            subscribed_topic_names: is_first.then(|| vec![self.topic.clone()]),
            topic_partitions: tells_owned.then(|| self.owned.clone()),
            ..Default::default()
        }
    }
}

/// A member of a classic group, on its own connection: a join is not answered before all have joined.
struct Classic {
    connection: Connection,
    group: String,
    member_id: String,
    /// A member that says something new begins a rebalance; one that says the same is given the last generation again.
    round: u8,
}

/// All members of a group join again at once; from the first request to the last answered SyncGroup. The median.
fn classic(address: &str, group: &str, size: usize) -> Result<Duration> {
    let mut members = Vec::new();
    for _ in 0..size {
        let mut member = Classic {
            connection: Connection::open(address)?,
            group: group.to_string(),
            member_id: String::new(),
            round: 0,
        };
        member.ask_for_id()?;
        members.push(member);
    }
    // The first round waits for the group's initial delay.
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        members = round(members)?;
        times.push(started.elapsed());
    }
    times.remove(0);
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().context("a round")
}

fn round(members: Vec<Classic>) -> Result<Vec<Classic>> {
    let mut threads = Vec::new();
    for mut member in members {
        member.round = member.round.wrapping_add(1);
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        threads.push(thread.spawn(move || member.join_and_sync().map(|()| member))?);
    }
    threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a member panicked"))?).collect()
}

impl Classic {
    fn joining(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: "range".to_string(),
            metadata: Bytes::copy_from_slice(&[self.round; 64]),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.member_id.clone(),
            protocol_type: "consumer".to_string(),
            protocols: vec![protocol],
            ..Default::default()
        }
    }

    fn ask_for_id(&mut self) -> Result<()> {
        let started = Instant::now();
        while self.member_id.is_empty() {
            self.member_id = self.connection.call(7, &self.joining())?.member_id;
            ensure!(started.elapsed() < LIMIT, "no member id");
        }
        Ok(())
    }

    fn join_and_sync(&mut self) -> Result<()> {
        loop {
            let joined = self.connection.call(7, &self.joining())?;
            ensure!(joined.error_code == 0, "join: {}", joined.error_code);
            let assignment = |member_id: String| SyncGroupRequestAssignment {
                member_id,
                assignment: Bytes::from_static(&[0; 64]),
                ..Default::default()
            };
            let is_leader = joined.leader == self.member_id;
            let members = joined.members.into_iter().filter(|_| is_leader);
            let request = SyncGroupRequest {
                group_id: self.group.clone(),
                generation_id: joined.generation_id,
                member_id: self.member_id.clone(),
                assignments: members.map(|member| assignment(member.member_id)).collect(),
                ..Default::default()
            };
            let synced = self.connection.call(4, &request)?;
            match ErrorCode::from_i16(synced.error_code) {
                Some(ErrorCode::None) => return Ok(()),
                // Somebody came late and began another round.
                Some(ErrorCode::RebalanceInProgress) => {}
                other => bail!("sync: {other:?}"),
            }
        }
    }
}
