//! A model of a broker and its clients that yields correct histories, or one with a single planted bug.

use std::collections::BTreeMap;

use history_tests::history::{Action, Function, History, Isolation, Operation, Outcome, Polled, Value};
use history_tests::random::Random;

const KEYS: u64 = 3;
/// The relays read this key and write to the one behind it.
const RELAYED: u32 = 0;
const STEPS: u64 = 600;

/// What may be wrong with the broker, once in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    LosesAcknowledged,
    WritesTwice,
    SwapsTwo,
    CommitsAborted,
    SaysWrongOffset,
    ForgetsGroupOffset,
    MovesGroupOffsetAhead,
    TearsCommit,
    AbortsLate,
    SkipsInPoll,
    RepeatsInPoll,
    ShowsUndecided,
    Diverges,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    value: Value,
    fate: Fate,
    writer: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Producer,
    Transactor,
    Relay,
    Reader(Isolation),
}

struct Process {
    role: Role,
    open: Option<Operation>,
    left: u64,
    positions: BTreeMap<u32, usize>,
    begins_anew: bool,
    must_abort: bool,
}

pub struct Model {
    random: Random,
    now_ns: u64,
    logs: Vec<Vec<Entry>>,
    processes: Vec<Process>,
    operations: Vec<Operation>,
    next_value: Value,
    group_offset: usize,
    bug: Option<Bug>,
    /// The step from which on the bug happens at the first occasion.
    due_step: u64,
    step: u64,
    is_reader: bool,
    pub is_planted: bool,
}

impl Model {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let roles = [
            Role::Producer,
            Role::Producer,
            Role::Transactor,
            Role::Transactor,
            Role::Relay,
            Role::Relay,
            Role::Reader(Isolation::Committed),
            Role::Reader(Isolation::Uncommitted),
        ];
        let process = |role| Process {
            role,
            open: None,
            left: 0,
            positions: BTreeMap::new(),
            begins_anew: true,
            must_abort: false,
        };
        Model {
            due_step: random.below(STEPS / 2),
            random,
            now_ns: 0,
            logs: vec![Vec::new(); KEYS as usize],
            processes: roles.into_iter().map(process).collect(),
            operations: Vec::new(),
            next_value: 1,
            group_offset: 0,
            bug,
            step: 0,
            is_reader: false,
            is_planted: false,
        }
    }

    pub fn run(&mut self) -> History {
        for step in 0..STEPS {
            self.step = step;
            self.now_ns += 1;
            let index = self.random.below(self.processes.len() as u64) as usize;
            self.advance(index);
        }
        for index in 0..self.processes.len() {
            while self.processes[index].open.is_some() {
                self.now_ns += 1;
                self.advance(index);
            }
        }
        // Somebody reads everything.
        for (isolation, index) in [(Isolation::Committed, 6), (Isolation::Uncommitted, 7)] {
            self.processes[index].begins_anew = true;
            for _ in 0..2 {
                self.now_ns += 1;
                self.begin_read(index, isolation);
                self.end_read(index, isolation, usize::MAX);
            }
        }
        History::new(std::mem::take(&mut self.operations), true)
    }

    /// Whether the bug is to happen here and now.
    fn plants(&mut self, bug: Bug) -> bool {
        let plants = self.bug == Some(bug) && !self.is_planted && self.step >= self.due_step;
        self.is_planted |= plants;
        plants
    }

    fn advance(&mut self, index: usize) {
        let role = self.processes[index].role;
        match (role, self.processes[index].open.is_some()) {
            (Role::Reader(isolation), false) => self.begin_read(index, isolation),
            (Role::Reader(isolation), true) => {
                let limit = 1 + self.random.below(9) as usize;
                self.end_read(index, isolation, limit);
            }
            (_, false) => self.begin_write(index, role),
            (_, true) if self.processes[index].left > 0 => self.write_one(index, role),
            (_, true) => self.end_write(index, role),
        }
    }

    fn begin_write(&mut self, index: usize, role: Role) {
        let function = if role == Role::Producer { Function::Plain } else { Function::Transaction };
        let mut operation = Operation::new(index as u32, function, self.now_ns, 0);
        if role == Role::Relay {
            // Only one member has the partition, and its transaction is decided before the next one reads.
            let is_taken =
                self.processes.iter().any(|other| other.role == Role::Relay && other.open.is_some());
            let records = self.readable(RELAYED, self.group_offset, Isolation::Committed, 4);
            if is_taken || records.is_empty() {
                return;
            }
            operation.group = Some(1);
            operation.rebalanced = vec![RELAYED];
            operation.actions.push(Action::Poll(records));
        }
        let left = 1 + self.random.below(3);
        let process = &mut self.processes[index];
        (process.open, process.left) = (Some(operation), left);
    }

    fn write_one(&mut self, index: usize, role: Role) {
        self.processes[index].left -= 1;
        let key = if role == Role::Relay { RELAYED + 1 } else { self.random.below(KEYS) as u32 };
        let value = self.next_value;
        self.next_value += 1;
        let fate = if role == Role::Producer { Fate::Committed } else { Fate::Open };
        let entry = Entry { value, fate, writer: index };
        // The answer to a single record may be lost, and the record with it.
        let is_lost = role == Role::Producer && self.random.chance(5);
        let loses = fate == Fate::Committed && !is_lost && self.plants(Bug::LosesAcknowledged);
        let log = &mut self.logs[key as usize];
        let mut offset = log.len() as i64;
        log.push(Entry { fate: if loses { Fate::Nothing } else { fate }, ..entry });
        if is_lost && self.random.chance(50) {
            self.logs[key as usize].pop();
        }
        if !is_lost && self.plants(Bug::WritesTwice) {
            self.logs[key as usize].push(entry);
        }
        if !is_lost && self.plants(Bug::SaysWrongOffset) {
            offset += 1;
            self.logs[key as usize].push(Entry { fate: Fate::Nothing, ..entry });
            let next = Entry { value: self.next_value, fate: Fate::Committed, writer: 0 };
            self.next_value += 1;
            // What really stands there is somebody else's.
            self.logs[key as usize][offset as usize] = next;
            let mut other = Operation::new(0, Function::Plain, self.now_ns, self.now_ns);
            other.actions.push(Action::Send { key, value: next.value, offset: Some(offset) });
            other.process = 99;
            self.operations.push(other);
        }
        let Some(operation) = &mut self.processes[index].open else { return };
        if is_lost {
            operation.outcome = Outcome::Info;
        }
        let before = operation.sends().filter(|(other, ..)| *other == key).last();
        operation.actions.push(Action::Send { key, value, offset: (!is_lost).then_some(offset) });
        if let Some((_, earlier, Some(first))) = before
            && !is_lost
            && self.plants(Bug::SwapsTwo)
        {
            let log = &mut self.logs[key as usize];
            log.swap(first as usize, offset as usize);
            let Some(operation) = &mut self.processes[index].open else { return };
            for action in &mut operation.actions {
                if let Action::Send { value: sent, offset: known, .. } = action {
                    if *sent == earlier {
                        *known = Some(offset);
                    } else if *sent == value {
                        *known = Some(first);
                    }
                }
            }
        }
    }

    fn end_write(&mut self, index: usize, role: Role) {
        let Some(mut operation) = self.processes[index].open.take() else { return };
        operation.completed_ns = Some(self.now_ns);
        if role != Role::Producer {
            let must_abort = std::mem::take(&mut self.processes[index].must_abort);
            let is_commit = self.random.chance(70) && !must_abort;
            let is_wrong = self.decide(&operation, index, is_commit) || must_abort;
            operation.outcome = match (self.random.chance(10) && !is_wrong, is_commit) {
                (true, _) => Outcome::Info,
                (false, true) => Outcome::Ok,
                (false, false) => Outcome::Fail,
            };
            if is_wrong {
                // If the client had not been told, nobody could tell that it is wrong.
                self.operations.push(operation);
                return;
            }
        }
        if self.random.chance(3) {
            // Its client is gone.
            (operation.outcome, operation.completed_ns) = (Outcome::Info, None);
        }
        self.operations.push(operation);
    }

    /// Whether the bug that commits what was aborted happened here.
    fn decide(&mut self, operation: &Operation, index: usize, is_commit: bool) -> bool {
        if operation.group.is_some() && is_commit {
            let polled = operation.polled().count();
            let forgets = operation.outcome == Outcome::Ok && self.plants(Bug::ForgetsGroupOffset);
            // Ahead of a record, and not of something that nobody would have seen anyway.
            let next = operation.polled().last().map_or(0, |last| last.offset as usize + 1);
            let is_record =
                self.logs[RELAYED as usize].get(next).is_some_and(|entry| entry.fate == Fate::Committed);
            let goes_ahead = is_record && self.plants(Bug::MovesGroupOffsetAhead);
            match operation.polled().last() {
                Some(last) if !forgets && polled > 0 => {
                    self.group_offset = last.offset as usize + 1 + usize::from(goes_ahead);
                }
                _ => {}
            }
        }
        let late = is_commit && operation.sends().count() > 1 && self.plants(Bug::AbortsLate);
        let several =
            operation.sends().any(|(key, ..)| Some(key) != operation.sends().next().map(|send| send.0));
        let tears = is_commit && several && self.plants(Bug::TearsCommit);
        let wrong = !is_commit && self.plants(Bug::CommitsAborted);
        let torn = operation.sends().next().map(|(key, ..)| key);
        let first = operation.sends().next().map(|(_, value, _)| value);
        for (key, log) in self.logs.iter_mut().enumerate() {
            for entry in log.iter_mut().filter(|entry| entry.writer == index && entry.fate == Fate::Open) {
                let spared = (tears && Some(key as u32) == torn) || (late && Some(entry.value) == first);
                let commits = (is_commit && !spared) || wrong;
                entry.fate = if commits { Fate::Committed } else { Fate::Aborted };
            }
        }
        wrong
    }

    fn begin_read(&mut self, index: usize, isolation: Isolation) {
        let now_ns = self.now_ns;
        let anew = self.random.chance(5);
        let process = &mut self.processes[index];
        if anew || process.begins_anew {
            process.begins_anew = false;
            process.positions.clear();
            self.operations.push(Operation::new(index as u32, Function::Assign, now_ns, now_ns));
        }
        let mut operation = Operation::new(index as u32, Function::Plain, now_ns, 0);
        operation.isolation = isolation;
        process.open = Some(operation);
    }

    fn end_read(&mut self, index: usize, isolation: Isolation, limit: usize) {
        let Some(mut operation) = self.processes[index].open.take() else { return };
        for key in 0..KEYS as u32 {
            let position = self.processes[index].positions.get(&key).copied().unwrap_or_default();
            self.is_reader = true;
            let mut records = self.readable(key, position, isolation, limit);
            self.is_reader = false;
            let Some(last) = records.last() else { continue };
            self.processes[index].positions.insert(key, last.offset as usize + 1);
            // Who reads alone would skip without a trace if nothing showed that something was there.
            if records.len() > 2 && self.plants(Bug::SkipsInPoll) {
                records.remove(1);
            } else if records.len() > 1 && self.plants(Bug::RepeatsInPoll) {
                records.push(records[0]);
            } else if self.processes[index].positions.len() > 1 && self.plants(Bug::Diverges) {
                records[0].value = u64::MAX;
            }
            operation.actions.push(Action::Poll(records));
        }
        operation.completed_ns = Some(self.now_ns);
        self.operations.push(operation);
    }

    fn readable(&mut self, key: u32, from: usize, isolation: Isolation, limit: usize) -> Vec<Polled> {
        let mut records = Vec::new();
        for offset in from..self.logs[key as usize].len() {
            let Entry { value, fate, writer } = self.logs[key as usize][offset];
            if isolation == Isolation::Committed && fate == Fate::Open {
                let shows = self.is_reader && self.plants(Bug::ShowsUndecided);
                if shows {
                    // It is shown, and then it is aborted.
                    self.processes[writer].must_abort = true;
                    records.push(Polled { key, offset: offset as i64, value });
                }
                break;
            }
            let is_shown = match isolation {
                Isolation::Committed => fate == Fate::Committed,
                Isolation::Uncommitted => fate != Fate::Nothing,
            };
            if is_shown {
                records.push(Polled { key, offset: offset as i64, value });
            }
            if records.len() == limit {
                break;
            }
        }
        records
    }
}
