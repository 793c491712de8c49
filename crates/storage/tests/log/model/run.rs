//! Does operations on a log and on the model, and compares the two after each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use config::TopicConfig;
use records::{BatchBuilder, Codec, Compression, batches};
use storage::disk::{CrashStyle, Disk, SimDisk};
use storage::{AppendOrigin, LogManager, PartitionLog};

use super::Operation;
use super::expected::{Batch, Left, Limits, Model, Record, Sent};
use crate::harness::*;
use crate::transactions::marker;

/// Producers that are followers' have ids from 4 on; ids in the log begin here.
const PRODUCER_IDS: i64 = 100;
const PRODUCERS: i64 = 10;
const KEYS: u32 = 7;
/// What timestamps are spread over.
const SPREAD_MS: u32 = 1000;

/// A log and its model.
pub struct Pair {
    pub is_compacted: bool,
    is_page_cache: bool,
    config: Arc<TopicConfig>,
    disk: SimDisk,
    manager: LogManager,
    pub log: Arc<PartitionLog>,
    pub model: Model,
}

fn config(is_compacted: bool, is_page_cache: bool, more: &[(&str, &str)]) -> Arc<TopicConfig> {
    let mut pairs = vec![
        ("internal.segment.bytes", "2000"),
        ("index.interval.bytes", "200"),
        ("klamm.durability", if is_page_cache { "page-cache" } else { "synced" }),
    ];
    if is_compacted {
        pairs.extend([("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]);
    }
    pairs.extend_from_slice(more);
    topic_config(&pairs)
}

pub fn run(is_compacted: bool, operations: Vec<Operation>) {
    let config = config(is_compacted, false, &[]);
    let (disk, manager, log) = new_log(Arc::clone(&config));
    let model = Model::default();
    let mut pair = Pair { is_compacted, is_page_cache: false, config, disk, manager, log, model };
    for operation in operations {
        pair.change(operation);
        pair.compare();
    }
    pair.compare_reads(pair.model.start, usize::MAX);
    pair.sync();
    let mut from = pair.model.start;
    while from < pair.log.last_stable_offset() {
        from = pair.compare_committed(from, 500);
    }
}

impl Pair {
    fn change(&mut self, operation: Operation) {
        match operation {
            Operation::Append { records, value_bytes } => self.append(1, records, value_bytes),
            Operation::AppendTogether { requests, value_bytes } => self.append(requests, 1, value_bytes),
            Operation::AppendAsProducer { producer, records, is_transactional } => {
                self.append_as_producer(producer, records, is_transactional);
            }
            Operation::SendAgain { producer } => self.send_again(producer),
            Operation::EndTransaction { producer, is_committed } => {
                let producer = self.producer_id(producer);
                let (marker, epoch) = (marker(producer, is_committed), self.model.epoch);
                let info = self.log.append_markers_as_leader(&marker, epoch, 0, NOW_MS).expect("appends");
                assert_eq!(info.first_offset, self.model.end);
                self.model.end_transaction(producer, is_committed);
            }
            Operation::AppendAsFollower { batches, gap } => self.follow(batches, gap),
            Operation::FollowTransaction { producer, is_committed } => {
                let producer = self.producer_id(producer);
                self.follow_transaction(producer, is_committed);
            }
            Operation::NextEpoch => self.model.epoch += 1,
            Operation::AppendPageCache(is_page_cache) => {
                self.is_page_cache = is_page_cache;
                self.config = config(self.is_compacted, is_page_cache, &[]);
                self.log.set_config(Arc::clone(&self.config));
            }
            Operation::Sync => self.sync(),
            Operation::Read { at, max_bytes } => self.compare_reads(self.model.pick(at), max_bytes),
            Operation::ReadCommitted { at, max_bytes } => {
                self.compare_committed(self.model.pick(at), max_bytes);
            }
            Operation::AskForTime { after_ms } => self.compare_times(NOW_MS + after_ms),
            Operation::Truncate { at } => {
                let at = self.model.pick(at);
                self.log.truncate_to(at, NOW_MS).expect("truncates");
                if at < self.model.end {
                    let (cut_point, end) = (self.model.cut_point(at), self.log.log_end_offset());
                    // Behind a gap that compaction has left, the log ends where its last batch does.
                    assert!(end == cut_point || self.is_compacted && end < cut_point, "{end}, {cut_point}");
                    let is_lost = |batch: &&Batch| batch.last < cut_point && !batch.records.is_empty();
                    let lost = self.model.batches_from(end).find(is_lost);
                    assert!(lost.is_none(), "{lost:?} is cut off, too");
                    self.model.cut(end);
                    self.model.has_forgotten = true;
                    self.model.cuts += 1;
                }
            }
            Operation::DeleteRecords { at } => {
                let at = at as i64 % (self.log.last_stable_offset() + 1);
                let deleted = self.log.delete_records_before(at, NOW_MS).expect("deletes");
                deleted.expect("within the high watermark");
                self.model.start = self.model.start.max(at);
            }
            Operation::Retain { retention_ms, retention_bytes, after_ms } => {
                self.retain(Limits { retention_ms, retention_bytes, now_ms: NOW_MS + after_ms });
            }
            Operation::Roll => self.log.roll(NOW_MS).expect("rolls"),
            Operation::Compact => self.compact(),
            Operation::Checkpoint => self.checkpoint(),
            Operation::CleanRestart => self.restart(),
            Operation::Crash { seed } => self.crash(seed),
        }
    }

    /// What is known of producers after a cut depends on what compaction has left of their batches: others go on then.
    fn producer_id(&self, producer: i64) -> i64 {
        let others = if self.is_compacted { i64::from(self.model.cuts) } else { 0 };
        PRODUCER_IDS + others * PRODUCERS + producer
    }

    /// What holds at any time.
    fn compare(&self) {
        let (log, model) = (&self.log, &self.model);
        assert_eq!(log.log_end_offset(), model.end);
        assert_eq!(log.log_start_offset(), model.start);
        assert!(log.durable_end_offset() <= model.end && log.high_watermark() <= model.end);
        let (stable, high_watermark) = (log.last_stable_offset(), log.high_watermark());
        let is_right =
            |unreplicated, deleted| stable == model.last_stable_offset(high_watermark, unreplicated, deleted);
        // After a cut, of a transaction whose records are all deleted nothing need be known.
        let may_be =
            |unreplicated| is_right(unreplicated, true) || model.cuts > 0 && is_right(unreplicated, false);
        // Where a transaction began whose first batches compaction has taken is known from a snapshot, or not.
        let is_unsure =
            self.is_compacted && model.cuts > 0 && (model.start..=high_watermark).contains(&stable);
        let is_stable = may_be(true) || model.has_forgotten && may_be(false) || is_unsure;
        assert!(is_stable, "{stable} is stable: {:?}, {:?}", model.open, model.ended);
        // Where an epoch began whose first batches compaction has taken is known from a checkpoint, or not.
        let epochs = if self.is_compacted { 0 } else { model.epochs.len() };
        for index in 0..epochs {
            let end = model.end_of_epoch(index);
            if end > model.start {
                let epoch = model.epochs[index].0;
                assert_eq!(log.end_offset_for_epoch(epoch).end_offset, end, "epoch {epoch}");
            }
        }
    }

    fn sync(&mut self) {
        self.manager.sync_pending().expect("syncs");
        assert_eq!(self.log.durable_end_offset(), self.model.end);
        self.log.set_high_watermark(self.model.end);
        self.model.has_forgotten = false;
    }

    fn checkpoint(&mut self) {
        self.manager.checkpoint_recovery_points().expect("writes");
        self.manager.checkpoint_log_start_offsets().expect("writes");
        self.manager.checkpoint_high_watermarks().expect("writes");
    }

    /// Records with the offsets that follow, of a number of batches.
    fn records(&mut self, base: i64, count: usize, value_bytes: usize) -> Vec<Record> {
        let record = |offset| {
            let value = self.model.next_value(value_bytes);
            let number = self.model.written;
            Record {
                offset,
                timestamp: NOW_MS + i64::from(number.wrapping_mul(7919) % SPREAD_MS),
                key: Some(format!("key {}", number.wrapping_mul(31) % KEYS).into_bytes()),
                value: (!self.is_compacted || !number.is_multiple_of(5)).then_some(value),
            }
        };
        (base..).take(count).map(record).collect()
    }

    fn append(&mut self, requests: usize, records: usize, value_bytes: usize) {
        let mut sent = Vec::new();
        let mut base = self.model.end;
        for _ in 0..requests {
            let records = self.records(base, records, value_bytes);
            base += records.len() as i64;
            let codec = if self.model.written.is_multiple_of(4) { Codec::Lz4 } else { Codec::None };
            let builder = BatchBuilder::new(0).compression(Compression::of(codec));
            sent.push((build(builder, &records), records));
        }
        let bytes: Vec<Bytes> = sent.iter().map(|(bytes, _)| bytes.clone()).collect();
        let epoch = self.model.epoch;
        let infos = match bytes.as_slice() {
            [one] => vec![self.log.append_as_leader(one, epoch, AppendOrigin::Client, NOW_MS)],
            many => self.log.append_together(many, epoch, NOW_MS).into_iter().collect(),
        };
        for (info, (_, records)) in infos.into_iter().zip(sent) {
            assert_eq!(info.expect("appends").first_offset, self.model.end);
            self.model.push(plain(records));
        }
    }

    fn append_as_producer(&mut self, producer: i64, count: usize, is_transactional: bool) {
        let producer = self.producer_id(producer);
        // Kafka refuses other records of a producer whose transaction is open.
        let is_transactional = is_transactional || self.model.open.contains_key(&producer);
        let base = self.model.end;
        let sent = self.model.sent.get(&producer).and_then(|sent| sent.last());
        let sequence = sent.map_or(0, |sent| sent.next_sequence);
        if sent.is_some_and(|sent| sent.base < self.model.start) {
            // Whether a producer is known whose records are all deleted depends on snapshots.
            return;
        }
        let records = self.records(base, count, 30);
        let builder = BatchBuilder::new(0).producer(producer, 0, sequence);
        let bytes = build(if is_transactional { builder.transactional() } else { builder }, &records);
        let info = self.log.append_as_leader(&bytes, self.model.epoch, AppendOrigin::Client, NOW_MS);
        assert_eq!(info.expect("appends").first_offset, base);
        let last = base + count as i64 - 1;
        let sent = Sent { bytes, base, last, next_sequence: sequence + count as i32 };
        self.model.sent.entry(producer).or_default().push(sent);
        self.model.push(Batch { producer, is_transactional, ..plain(records) });
    }

    fn send_again(&mut self, producer: i64) {
        let sent = self.model.sent.get(&(self.producer_id(producer))).and_then(|sent| sent.last());
        // Of a producer whose records are all deleted nothing needs to be known.
        let Some(sent) = sent.filter(|sent| sent.base >= self.model.start) else { return };
        let again = self.log.append_as_leader(&sent.bytes, self.model.epoch, AppendOrigin::Client, NOW_MS);
        let again = again.expect("is known");
        let found = (again.duplicate, again.first_offset, again.last_offset);
        assert_eq!(found, (true, sent.base, sent.last));
    }

    fn follow(&mut self, count: usize, gap: i64) {
        let mut bytes = Vec::new();
        for index in 0..count {
            let base = self.model.end + if self.is_compacted { gap } else { 0 };
            let records = self.records(base, 1 + index % 3, 40);
            let builder = BatchBuilder::new(base).partition_leader_epoch(self.model.epoch);
            bytes.extend_from_slice(&build(builder, &records));
            self.model.push(plain(records));
        }
        let info = self.log.append_as_follower(&Bytes::from(bytes), NOW_MS).expect("appends");
        assert_eq!(info.last_offset + 1, self.model.end);
    }

    fn follow_transaction(&mut self, producer: i64, is_committed: bool) {
        let (base, epoch) = (self.model.end, self.model.epoch);
        let records = self.records(base, 2, 40);
        let sent = self.model.sent.get(&producer).and_then(|sent| sent.last());
        let sequence = sent.map_or(0, |sent| sent.next_sequence);
        let builder = BatchBuilder::new(base).partition_leader_epoch(epoch);
        let builder = builder.producer(producer, 0, sequence).transactional();
        let data = build(builder, &records);
        let last = base + 1;
        let sent = Sent { bytes: data.clone(), base, last, next_sequence: sequence + 2 };
        self.model.sent.entry(producer).or_default().push(sent);
        self.model.push(Batch { producer, is_transactional: true, ..plain(records) });
        let mut bytes = data.to_vec();
        bytes.extend_from_slice(&replicated_marker(last + 1, epoch, producer, is_committed));
        self.log.append_as_follower(&Bytes::from(bytes), NOW_MS).expect("appends");
        self.model.end_transaction(producer, is_committed);
    }

    /// First offset and size of each segment.
    fn segments(&self) -> Vec<(i64, i64)> {
        let mut segments = BTreeMap::from([(self.log.active_segment_base_offset(), 0)]);
        for entry in self.disk.list(Path::new("/data/t-0")).unwrap_or_default() {
            if let Some(base) = entry.name.strip_suffix(".log") {
                segments.insert(base.parse().expect("an offset"), entry.length as i64);
            }
        }
        segments.into_iter().collect()
    }

    fn retain(&mut self, limits: Limits) {
        // What retention does to open transactions is another test's.
        if self.is_compacted || !self.model.open.is_empty() {
            return;
        }
        let pairs = [
            ("retention.ms", limits.retention_ms.to_string()),
            ("retention.bytes", limits.retention_bytes.to_string()),
        ];
        let pairs = pairs.each_ref().map(|(key, value)| (*key, value.as_str()));
        self.log.set_config(config(false, self.is_page_cache, &pairs));
        let kept_from = self.model.retained_from(&self.segments(), limits, self.log.high_watermark());
        self.log.delete_old_segments(limits.now_ms).expect("deletes");
        self.log.set_config(Arc::clone(&self.config));
        self.model.start = kept_from;
    }

    fn compact(&mut self) {
        if !self.is_compacted {
            return;
        }
        self.sync();
        self.log.roll(NOW_MS).expect("rolls");
        let mut clean_end = 0;
        while let Some(cleaned) = self.manager.clean_filthiest(NOW_MS) {
            clean_end = cleaned.cleaned_offset;
        }
        assert_eq!(self.manager.uncleanable_logs(), []);
        if clean_end > 0 {
            let left = self.what_is_left();
            self.model.compacted(&left, clean_end);
        }
    }

    fn what_is_left(&self) -> Left {
        let (mut left, mut next) = (Left::default(), self.model.start);
        while next < self.model.end {
            let read = self.log.read(next, 900, i64::MAX, true).expect("reads");
            for batch in batches(&read.records.to_bytes().expect("bytes")) {
                let batch = batch.expect("well formed");
                left.batches.insert(batch.header.base_offset);
                if !batch.header.is_control() {
                    let records = batch.records(1 << 20).expect("readable");
                    left.records.extend(records.map(|record| record.expect("well formed").offset));
                }
            }
            // Behind the last batch that is left there may be nothing.
            next = if read.end_offset > next { read.end_offset } else { break };
        }
        left
    }

    fn restart(&mut self) {
        self.manager.checkpoint_log_start_offsets().expect("writes");
        self.manager.shutdown(1).expect("stops");
        self.start();
        assert_eq!(self.log.durable_end_offset(), self.model.end);
        self.log.set_high_watermark(self.model.end);
    }

    fn start(&mut self) {
        // Whoever holds the old ones keeps nothing of the directory.
        let (manager, report) = start(&self.disk, Arc::clone(&self.config)).expect("starts");
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        self.manager = manager;
        // One that never had a record is not on disk.
        let log = self.manager.get_or_create("t", 0, None, Arc::clone(&self.config), NOW_MS);
        self.log = log.expect("is there");
    }

    fn crash(&mut self, seed: u64) {
        // A deleted prefix is remembered only once its checkpoint is written.
        self.manager.checkpoint_log_start_offsets().expect("writes");
        let synced = self.log.synced_end_offset();
        self.disk = self.disk.crash_image(CrashStyle::Seeded(seed));
        self.start();
        let end = self.log.log_end_offset();
        assert!(end >= synced, "{end} < {synced}: synced records are lost");
        // A start that outlives records is where the log goes on.
        let is_anew = end == self.log.log_start_offset();
        self.model.cuts += u32::from(end < self.model.end);
        self.model.cut(end.min(self.model.end));
        let last = self.model.batches.last().map_or(0, |batch| batch.last + 1);
        assert!(end == last || is_anew || self.is_compacted, "whole batches survive");
        self.model.end = end;
        self.model.start = self.log.log_start_offset();
        self.log.set_high_watermark(end);
    }
}

fn plain(records: Vec<Record>) -> Batch {
    let (base, last) = (records[0].offset, records[records.len() - 1].offset);
    Batch { base, last, producer: -1, is_transactional: false, is_control: false, records }
}

fn build(mut builder: BatchBuilder, records: &[Record]) -> Bytes {
    for record in records {
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &[]);
    }
    builder.build()
}

fn replicated_marker(offset: i64, epoch: i32, producer: i64, is_committed: bool) -> Bytes {
    use records::{ControlRecordType, EndTransactionMarker};
    let value = EndTransactionMarker { committed: is_committed, coordinator_epoch: 0 }.value();
    let kind = if is_committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
    let builder = BatchBuilder::new(offset).partition_leader_epoch(epoch);
    let mut builder = builder.producer(producer, 0, -1).transactional().control();
    builder.append_control(NOW_MS, kind, &value);
    builder.build()
}
