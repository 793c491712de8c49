//! Random operations against a list of values: whatever the order, the log is the list.

use std::sync::Arc;

use proptest::prelude::*;
use storage::AppendOrigin;
use storage::disk::CrashStyle;

use crate::harness::*;

#[derive(Clone, Debug)]
enum Operation {
    Append { records: usize, value_bytes: usize },
    AppendTogether { requests: usize, value_bytes: usize },
    AppendPageCache(bool),
    Sync,
    Read { at: usize, max_bytes: usize },
    Truncate { at: usize },
    DeleteRecords { at: usize },
    Roll,
    Checkpoint,
    CleanRestart,
    Crash { seed: u64 },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (1usize..5, 0usize..300).prop_map(|(records, value_bytes)| Operation::Append { records, value_bytes }),
        4 => (1usize..6, 0usize..300).prop_map(|(requests, value_bytes)| Operation::AppendTogether { requests, value_bytes }),
        1 => any::<bool>().prop_map(Operation::AppendPageCache),
        2 => Just(Operation::Sync),
        4 => (0usize..1000, 0usize..3000).prop_map(|(at, max_bytes)| Operation::Read { at, max_bytes }),
        1 => (0usize..1000).prop_map(|at| Operation::Truncate { at }),
        1 => (0usize..1000).prop_map(|at| Operation::DeleteRecords { at }),
        1 => Just(Operation::Roll),
        1 => Just(Operation::Checkpoint),
        1 => Just(Operation::CleanRestart),
        1 => any::<u64>().prop_map(|seed| Operation::Crash { seed }),
    ]
}

struct Model {
    /// Values by offset; those below the start are kept for simplicity.
    values: Vec<Vec<u8>>,
    /// Where batches begin.
    batch_starts: Vec<usize>,
    start: usize,
    written: u32,
}

impl Model {
    fn next_value(&mut self, value_bytes: usize) -> Vec<u8> {
        self.written += 1;
        let mut value = self.written.to_be_bytes().to_vec();
        value.resize(4 + value_bytes, b'v');
        value
    }

    fn cut(&mut self, end: usize) {
        self.values.truncate(end);
        self.batch_starts.retain(|start| *start < end);
    }
}

fn run(operations: Vec<Operation>) {
    let mut config = small_segments();
    let (mut disk, mut manager, mut log) = new_log(Arc::clone(&config));
    let mut model = Model { values: Vec::new(), batch_starts: Vec::new(), start: 0, written: 0 };
    for operation in operations {
        match operation {
            Operation::Append { records, value_bytes } => {
                let values: Vec<Vec<u8>> = (0..records).map(|_| model.next_value(value_bytes)).collect();
                let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
                let info = log.append_as_leader(&batch(NOW_MS, &slices), 0, AppendOrigin::Client, NOW_MS);
                assert_eq!(info.expect("appends").first_offset, model.values.len() as i64);
                model.batch_starts.push(model.values.len());
                model.values.extend(values);
            }
            Operation::AppendTogether { requests, value_bytes } => {
                let values: Vec<Vec<u8>> = (0..requests).map(|_| model.next_value(value_bytes)).collect();
                let batches: Vec<_> = values.iter().map(|value| batch(NOW_MS, &[value])).collect();
                for (info, value) in log.append_together(&batches, 0, NOW_MS).into_iter().zip(values) {
                    assert_eq!(info.expect("appends").first_offset, model.values.len() as i64);
                    model.batch_starts.push(model.values.len());
                    model.values.push(value);
                }
            }
            Operation::AppendPageCache(page_cache) => {
                let durability = if page_cache { "page-cache" } else { "synced" };
                config = topic_config(&[
                    ("internal.segment.bytes", "2000"),
                    ("index.interval.bytes", "200"),
                    ("klamm.durability", durability),
                ]);
                log.set_config(Arc::clone(&config));
            }
            Operation::Sync => {
                manager.sync_pending().expect("syncs");
                assert_eq!(log.durable_end_offset(), model.values.len() as i64);
                log.set_high_watermark(log.durable_end_offset());
            }
            Operation::Read { at, max_bytes } => check_read(&log, &model, at, max_bytes),
            Operation::Truncate { at } => {
                let at = model.start + at % (model.values.len() - model.start + 1);
                log.truncate_to(at as i64, NOW_MS).expect("truncates");
                if at < model.values.len() {
                    let within = model.batch_starts.partition_point(|start| *start <= at);
                    let end = model.batch_starts[within - 1].min(at);
                    model.cut(end);
                    model.start = model.start.min(end);
                }
            }
            Operation::DeleteRecords { at } => {
                let at = at as i64 % (log.high_watermark() + 1);
                log.delete_records_before(at, NOW_MS).expect("deletes").expect("within the high watermark");
                model.start = model.start.max(at as usize);
            }
            Operation::Roll => log.roll(NOW_MS).expect("rolls"),
            Operation::Checkpoint => {
                manager.checkpoint_recovery_points().expect("writes");
                manager.checkpoint_log_start_offsets().expect("writes");
                manager.checkpoint_high_watermarks().expect("writes");
            }
            Operation::CleanRestart => {
                manager.checkpoint_log_start_offsets().expect("writes");
                drop(log);
                manager.shutdown(1).expect("stops");
                (manager, _) = start(&disk, Arc::clone(&config)).expect("starts");
                // One that never had a record is not on disk.
                log = manager.get_or_create("t", 0, None, Arc::clone(&config), NOW_MS).expect("is there");
                assert_eq!(log.durable_end_offset(), model.values.len() as i64);
            }
            Operation::Crash { seed } => {
                // A deleted prefix is remembered only once its checkpoint is written.
                manager.checkpoint_log_start_offsets().expect("writes");
                let synced = log.synced_end_offset();
                disk = disk.crash_image(CrashStyle::Seeded(seed));
                drop(log);
                let report;
                (manager, report) = start(&disk, Arc::clone(&config)).expect("starts");
                assert!(report.failed.is_empty(), "{:?}", report.failed);
                log = match manager.log("t", 0) {
                    Some(log) => log,
                    None => {
                        assert_eq!(synced, 0, "the directory of a log without synced records may be lost");
                        manager.get_or_create("t", 0, None, Arc::clone(&config), NOW_MS).expect("creates")
                    }
                };
                let end = log.log_end_offset();
                assert!(end >= synced, "{end} < {synced}: synced records are lost");
                model.cut(end as usize);
                assert_eq!(end as usize, model.values.len(), "whole batches survive");
            }
        }
        assert_eq!(log.log_end_offset(), model.values.len() as i64);
        assert!(log.durable_end_offset() <= log.log_end_offset());
        model.start = model.start.max(log.log_start_offset() as usize);
        assert_eq!(log.log_start_offset(), model.start as i64);
    }
    check_read(&log, &model, 0, usize::MAX);
    let all = read_all(&log, model.start as i64, log.log_end_offset()).expect("reads");
    let values: Vec<&[u8]> = all.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, model.values[model.start..]);
}

fn check_read(log: &storage::PartitionLog, model: &Model, at: usize, max_bytes: usize) {
    let at = model.start + at % (model.values.len() - model.start + 1);
    let result = log.read(at as i64, max_bytes, i64::MAX, false).expect("reads");
    let bytes = result.records.to_bytes().expect("bytes");
    assert!(bytes.len() <= max_bytes);
    let mut next = at;
    for batch in records::batches(&bytes) {
        let batch = batch.expect("well formed");
        batch.verify_crc().expect("checksum");
        for record in batch.records(1 << 20).expect("plain") {
            let record = record.expect("well formed");
            let offset = record.offset as usize;
            assert_eq!(record.value.as_deref(), Some(model.values[offset].as_slice()), "offset {offset}");
            if offset >= at {
                assert_eq!(offset, next);
                next += 1;
            }
        }
    }
    assert_eq!(result.end_offset as usize, next);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_log_is_the_list(operations in prop::collection::vec(operation(), 1..80)) {
        run(operations);
    }
}

#[test]
fn a_start_that_outlives_unsynced_records_is_where_the_log_goes_on() {
    let mut operations: Vec<Operation> =
        (0..4).map(|_| Operation::Append { records: 2, value_bytes: 0 }).collect();
    operations.extend([
        Operation::AppendPageCache(true),
        Operation::CleanRestart,
        Operation::Append { records: 2, value_bytes: 0 },
        Operation::Sync,
        Operation::DeleteRecords { at: 845 },
        Operation::Crash { seed: 3038042440927825592 },
        Operation::Crash { seed: 0 },
    ]);
    run(operations);
}

#[test]
fn a_clean_stop_makes_a_log_without_records_last() {
    run(vec![
        Operation::CleanRestart,
        Operation::Append { records: 1, value_bytes: 0 },
        Operation::CleanRestart,
        Operation::Crash { seed: 10594071735842012616 },
    ]);
}
