//! The model: Kafka's log as a list of batches in memory, and what its rules say of that list.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::harness::*;

/// One record as it was handed to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// A batch of the log.
#[derive(Clone, Debug)]
pub struct Batch {
    pub base: i64,
    pub last: i64,
    /// Whose it is; -1 if it says nothing of a producer.
    pub producer: i64,
    pub is_transactional: bool,
    /// It is a marker, whose record is not one of data.
    pub is_control: bool,
    pub records: Vec<Record>,
}

impl Batch {
    fn is_data_of_transaction(&self) -> bool {
        self.is_transactional && !self.is_control
    }
}

/// A transaction whose marker is there.
#[derive(Clone, Debug)]
pub struct Ended {
    pub producer: i64,
    pub first: i64,
    pub marker: i64,
    pub is_committed: bool,
}

/// A batch of an idempotent producer as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub bytes: Bytes,
    pub base: i64,
    pub last: i64,
    pub next_sequence: i32,
}

#[derive(Debug, Default)]
pub struct Model {
    pub batches: Vec<Batch>,
    pub start: i64,
    pub end: i64,
    /// First offset of each leader epoch.
    pub epochs: Vec<(i32, i64)>,
    pub epoch: i32,
    /// First offset of each open transaction, by producer.
    pub open: BTreeMap<i64, i64>,
    pub ended: Vec<Ended>,
    pub sent: BTreeMap<i64, Vec<Sent>>,
    pub written: u32,
    /// As Kafka's, a log that was cut knows no more which ends of transactions were not replicated.
    pub has_forgotten: bool,
    /// How often something was cut off its end.
    pub cuts: u32,
}

impl Model {
    /// A value that no other record has.
    pub fn next_value(&mut self, value_bytes: usize) -> Vec<u8> {
        self.written += 1;
        let mut value = self.written.to_be_bytes().to_vec();
        value.resize(4 + value_bytes, b'v');
        value
    }

    pub fn push(&mut self, batch: Batch) {
        assert!(batch.base >= self.end, "the test appends at the end");
        if self.epochs.last().is_none_or(|(epoch, _)| *epoch < self.epoch) {
            self.epochs.push((self.epoch, batch.base));
        }
        if batch.is_transactional && !batch.is_control {
            self.open.entry(batch.producer).or_insert(batch.base);
        }
        self.end = batch.last + 1;
        self.batches.push(batch);
    }

    /// A producer's marker, at the log's end.
    pub fn end_transaction(&mut self, producer: i64, is_committed: bool) {
        let marker = self.end;
        self.push(Batch {
            base: marker,
            last: marker,
            producer,
            is_transactional: true,
            is_control: true,
            records: Vec::new(),
        });
        if let Some(first) = self.open.remove(&producer) {
            self.ended.push(Ended { producer, first, marker, is_committed });
        }
    }

    /// An offset between the log's ends.
    pub fn pick(&self, at: usize) -> i64 {
        self.start + at as i64 % (self.end - self.start + 1)
    }

    /// The log ends at `end` now, which is where a batch begins.
    pub fn cut(&mut self, end: i64) {
        self.batches.retain(|batch| batch.last < end);
        self.epochs.retain(|(_, first)| *first < end);
        self.open.retain(|_, first| *first < end);
        for undone in self.ended.extract_if(.., |ended| ended.marker >= end) {
            // Its first batch may be gone, or all of them.
            let holds = |batch: &&Batch| {
                batch.producer == undone.producer
                    && batch.is_data_of_transaction()
                    && batch.base >= undone.first
            };
            if let Some(batch) = self.batches.iter().find(holds) {
                self.open.entry(undone.producer).or_insert(batch.base);
            }
        }
        for sent in self.sent.values_mut() {
            sent.retain(|sent| sent.base < end);
        }
        self.end = end;
        self.start = self.start.min(end);
    }

    /// Where a cut to `offset` ends: the batch that holds it goes as a whole.
    pub fn cut_point(&self, offset: i64) -> i64 {
        let holds = |batch: &&Batch| batch.last >= offset;
        self.batches.iter().find(holds).map_or(self.end, |batch| batch.base.min(offset))
    }

    /// Batches that are, at least in part, at or behind `from`.
    pub fn batches_from(&self, from: i64) -> impl Iterator<Item = &Batch> {
        self.batches.iter().filter(move |batch| batch.last >= from)
    }

    /// Below it no transaction is open, and the ends of all are below the high watermark.
    pub fn last_stable_offset(
        &self,
        high_watermark: i64,
        counts_unreplicated: bool,
        counts_deleted: bool,
    ) -> i64 {
        let is_unreplicated = |ended: &&Ended| counts_unreplicated && ended.marker >= high_watermark;
        let unreplicated = self.ended.iter().filter(is_unreplicated).map(|ended| ended.first);
        let open = self.open.iter().filter(|(producer, _)| counts_deleted || self.has_data(**producer));
        let first = open.map(|(_, first)| *first).chain(unreplicated).min();
        first.map_or(high_watermark, |first| first.max(self.start).min(high_watermark))
    }

    /// Whether something of a producer's transactions is still there.
    fn has_data(&self, producer: i64) -> bool {
        self.batches_from(self.start)
            .any(|batch| batch.producer == producer && batch.is_data_of_transaction())
    }

    /// What a fetch of `from..to` may name as aborted, in the order of the markers.
    pub fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = &Ended> {
        let concerns = move |ended: &&Ended| !ended.is_committed && ended.marker >= from && ended.first < to;
        self.ended.iter().filter(concerns)
    }

    /// Where the first batch of a transaction lies that is still there.
    pub fn first_data(&self, ended: &Ended) -> Option<i64> {
        let is_its = |batch: &&Batch| {
            batch.producer == ended.producer
                && batch.is_data_of_transaction()
                && (ended.first..ended.marker).contains(&batch.base)
        };
        self.batches_from(self.start).find(is_its).map(|batch| batch.base)
    }

    /// Whether a batch belongs to a transaction that was given up.
    pub fn is_aborted(&self, batch: &Batch) -> bool {
        let holds = |ended: &Ended| {
            ended.producer == batch.producer && (ended.first..ended.marker).contains(&batch.base)
        };
        batch.is_transactional && self.ended.iter().any(|ended| holds(ended) && !ended.is_committed)
    }

    /// The first record that is not older, and the first of the newest ones.
    pub fn at_time(&self, timestamp: i64) -> Option<(i64, i64)> {
        let records = self.all_records().filter(|(at, offset)| *at >= timestamp && *offset >= self.start);
        records.min_by_key(|(_, offset)| *offset)
    }

    /// Time and offset of everything, markers included.
    fn all_records(&self) -> impl Iterator<Item = (i64, i64)> {
        self.batches.iter().flat_map(|batch| {
            let marker = batch.is_control.then_some((NOW_MS, batch.base));
            batch.records.iter().map(|record| (record.timestamp, record.offset)).chain(marker)
        })
    }

    /// Where an epoch ended; asked for one that the log has, from the start on.
    pub fn end_of_epoch(&self, index: usize) -> i64 {
        self.epochs.get(index + 1).map_or(self.end, |(_, first)| *first)
    }

    /// The offset from which on retention leaves everything, given the segments' first offsets and sizes.
    pub fn retained_from(&self, segments: &[(i64, i64)], limits: Limits, high_watermark: i64) -> i64 {
        let mut excess = segments.iter().map(|(_, size)| size).sum::<i64>() - limits.retention_bytes;
        let mut kept_from = self.start;
        let mut is_by_age = true;
        for (index, (base, size)) in segments.iter().enumerate() {
            let next = segments.get(index + 1).map_or(self.end, |(next, _)| *next);
            if next > high_watermark || (next == *base && index + 1 == segments.len()) {
                break;
            }
            let times = self.all_records().filter(|(_, offset)| (*base..next).contains(offset));
            let newest = times.map(|(at, _)| at).max().unwrap_or(NOW_MS);
            is_by_age &= limits.now_ms - newest > limits.retention_ms;
            excess -= size;
            let is_below_start = next <= self.start && index + 1 < segments.len();
            if !(is_by_age || excess >= 0 || is_below_start) {
                break;
            }
            kept_from = kept_from.max(next);
        }
        kept_from
    }

    /// Takes away what compaction has taken away, if it was allowed to: `left` is what is still there,
    /// `clean_end` is up to where the log is clean.
    pub fn compacted(&mut self, left: &Left, clean_end: i64) {
        let mut newest: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for batch in self.batches.iter().filter(|batch| !self.is_aborted(batch)) {
            for record in batch.records.iter().filter(|record| record.offset < clean_end) {
                if let Some(key) = &record.key {
                    newest.insert(key.clone(), record.offset);
                }
            }
        }
        let mut seen: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        let aborted: Vec<bool> = self.batches.iter().map(|batch| self.is_aborted(batch)).collect();
        for (batch, is_aborted) in self.batches.iter_mut().zip(aborted) {
            batch.records.retain(|record| {
                let is_left = left.records.contains(&record.offset);
                let key = record.key.clone().expect("a compacted topic's records have keys");
                let is_newest = newest.get(&key).is_none_or(|newest| record.offset >= *newest);
                let must_stay =
                    record.offset >= clean_end || (!is_aborted && is_newest && record.value.is_some());
                assert!(is_left || !must_stay || record.offset < self.start, "{record:?} is gone");
                if is_left && record.offset >= self.start && record.offset < clean_end && !is_aborted {
                    let before = seen.insert(key, record.offset);
                    assert_eq!(before, None, "{record:?}: an older record of the key is still there");
                }
                is_left
            });
        }
        let is_there = |batch: &Batch| left.batches.range(batch.base..=batch.last).next().is_some();
        self.batches.retain(|batch| !batch.records.is_empty() || batch.last < self.start || is_there(batch));
    }
}

/// What compaction has left of a log.
#[derive(Debug, Default)]
pub struct Left {
    /// Offsets of records of data.
    pub records: BTreeSet<i64>,
    /// First offsets of batches.
    pub batches: BTreeSet<i64>,
}

/// What retention goes by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub retention_ms: i64,
    pub retention_bytes: i64,
    pub now_ms: i64,
}
