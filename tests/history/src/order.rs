//! What is known of the logs: which value stands at which offset, who wrote it, who has read it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::history::{Function, History, Isolation, Key, Outcome, Value};

/// Offsets of one key with what stands there, as far as somebody has seen it or was told.
#[derive(Debug, Default)]
pub struct KeyOrder {
    /// Sorted; an offset with several values stands here several times.
    pub entries: Vec<(i64, Value)>,
    /// The offsets, sorted: the rank of one is its index with gaps removed.
    pub offsets: Vec<i64>,
    /// First and last rank of a value.
    pub ranks: HashMap<Value, (usize, usize)>,
}

impl KeyOrder {
    fn from(mut entries: Vec<(i64, Value)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        let mut offsets: Vec<i64> = Vec::with_capacity(entries.len());
        let mut ranks: HashMap<Value, (usize, usize)> = HashMap::with_capacity(entries.len());
        for (offset, value) in &entries {
            if offsets.last() != Some(offset) {
                offsets.push(*offset);
            }
            let rank = offsets.len() - 1;
            ranks.entry(*value).and_modify(|(_, last)| *last = rank).or_insert((rank, rank));
        }
        KeyOrder { entries, offsets, ranks }
    }

    /// How many known offsets are below this one; it is known itself, as everything polled is.
    pub fn rank(&self, offset: i64) -> usize {
        self.offsets.partition_point(|known| *known < offset)
    }
}

/// All that the rules look up.
#[derive(Debug, Default)]
pub struct Orders {
    /// What the log holds, aborted records included.
    pub all: BTreeMap<Key, KeyOrder>,
    /// What `read_committed` shows.
    pub committed: BTreeMap<Key, KeyOrder>,
    /// Key and value to the operation that sent it.
    pub writers: HashMap<(Key, Value), usize>,
    /// What was polled with `read_committed`.
    pub read_committed: HashSet<(Key, Value)>,
    /// What was polled with `read_uncommitted`.
    pub read_uncommitted: HashSet<(Key, Value)>,
    /// Operation by operation: whether its sends are certain to count.
    pub is_committed: Vec<bool>,
}

impl Orders {
    /// Gathers it, in one pass over sends and polls each.
    pub fn of(history: &History) -> Self {
        let mut orders = Orders::default();
        for (index, operation) in history.operations.iter().enumerate() {
            for (key, value, _) in operation.sends() {
                orders.writers.insert((key, value), index);
            }
            let read = match operation.isolation {
                Isolation::Committed => &mut orders.read_committed,
                Isolation::Uncommitted => &mut orders.read_uncommitted,
            };
            read.extend(operation.polled().map(|polled| (polled.key, polled.value)));
        }
        orders.is_committed = history.operations.iter().map(|operation| orders.counts(operation)).collect();
        orders.fill(history);
        orders
    }

    fn counts(&self, operation: &crate::history::Operation) -> bool {
        let is_seen = |key, value| {
            self.read_committed.contains(&(key, value))
                || (operation.function == Function::Plain && self.read_uncommitted.contains(&(key, value)))
        };
        match operation.outcome {
            Outcome::Ok => true,
            Outcome::Fail => false,
            Outcome::Info => operation.sends().any(|(key, value, offset)| {
                is_seen(key, value) || (operation.function == Function::Plain && offset.is_some())
            }),
        }
    }

    fn fill(&mut self, history: &History) {
        let mut all: BTreeMap<Key, Vec<(i64, Value)>> = BTreeMap::new();
        let mut committed: BTreeMap<Key, Vec<(i64, Value)>> = BTreeMap::new();
        for (index, operation) in history.operations.iter().enumerate() {
            for (key, value, offset) in operation.sends() {
                let Some(offset) = offset else { continue };
                all.entry(key).or_default().push((offset, value));
                if self.is_committed[index] {
                    committed.entry(key).or_default().push((offset, value));
                }
            }
            for polled in operation.polled() {
                let entry = (polled.offset, polled.value);
                all.entry(polled.key).or_default().push(entry);
                let writer = self.writers.get(&(polled.key, polled.value));
                let is_plain =
                    writer.is_some_and(|writer| history.operations[*writer].function == Function::Plain);
                let is_ok = writer.is_some_and(|writer| self.is_committed[*writer]);
                if operation.isolation == Isolation::Committed || is_plain || is_ok {
                    committed.entry(polled.key).or_default().push(entry);
                }
            }
        }
        self.all = all.into_iter().map(|(key, entries)| (key, KeyOrder::from(entries))).collect();
        self.committed = committed.into_iter().map(|(key, entries)| (key, KeyOrder::from(entries))).collect();
    }

    /// The order that a consumer of this isolation level walks along.
    pub fn seen_with(&self, isolation: Isolation) -> &BTreeMap<Key, KeyOrder> {
        match isolation {
            Isolation::Committed => &self.committed,
            Isolation::Uncommitted => &self.all,
        }
    }

    /// Whether somebody with this isolation level has polled it.
    pub fn was_read(&self, isolation: Isolation, key: Key, value: Value) -> bool {
        match isolation {
            Isolation::Committed => self.read_committed.contains(&(key, value)),
            Isolation::Uncommitted => self.read_uncommitted.contains(&(key, value)),
        }
    }
}
