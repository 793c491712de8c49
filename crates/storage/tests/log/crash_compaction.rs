//! A compacted log with transactions loses power at every call that changes the disk; each image must recover.
//!
//! Whatever was reported durable and is the newest of its key must be there, what was deleted or aborted must not come
//! back, no byte may be wrong, and producers go on where they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use config::TopicConfig;
use records::{BatchBuilder, ControlRecordType, EndTransactionMarker, batches};
use storage::disk::{CrashStyle, SimDisk};
use storage::{AppendOrigin, LogManager, PartitionLog, StorageError};

use crate::compaction::compacted;
use crate::harness::*;

const IDEMPOTENT: i64 = 7;
const KEYS: usize = 5;

/// A record as it was handed to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    key: String,
    value: Option<String>,
    /// The transaction it belongs to, by its producer.
    transaction: Option<i64>,
}

/// What must hold after any crash.
#[derive(Clone, Debug, Default)]
struct Promise {
    records: BTreeMap<i64, Written>,
    /// Offset of each transaction's marker and whether it commits, by producer.
    decisions: BTreeMap<i64, (i64, bool)>,
    /// First offset of each batch of the idempotent producer, in the order of its sequences.
    sequences: Vec<i64>,
    durable_end: i64,
    start_max: i64,
}

struct Workload {
    manager: LogManager,
    log: Arc<PartitionLog>,
    promise: Promise,
    written: usize,
}

fn config() -> Arc<TopicConfig> {
    compacted(&[("delete.retention.ms", "1000"), ("internal.segment.bytes", "700")])
}

fn one(builder: BatchBuilder, key: &str, value: Option<&str>) -> Bytes {
    let mut builder = builder;
    builder.append(NOW_MS, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    builder.build()
}

fn idempotent(sequence: i32, promise: &Promise) -> Bytes {
    let Written { key, value, .. } = &promise.records[&promise.sequences[sequence as usize]];
    one(BatchBuilder::new(0).producer(IDEMPOTENT, 0, sequence), key, value.as_deref())
}

impl Workload {
    fn append(&mut self, builder: BatchBuilder, transaction: Option<i64>) -> Result<i64, String> {
        self.written += 1;
        let key = format!("key {}", self.written * 7 % KEYS);
        let value = (!self.written.is_multiple_of(6))
            .then(|| format!("{} {}", self.written, "v".repeat(self.written % 80)));
        let offset = self.log.log_end_offset();
        let bytes = one(builder, &key, value.as_deref());
        self.promise.records.insert(offset, Written { key, value, transaction });
        let appended = self.log.append_as_leader(&bytes, 0, AppendOrigin::Client, NOW_MS);
        assert_eq!(appended.map_err(|error| error.to_string())?.first_offset, offset);
        Ok(offset)
    }

    fn append_idempotent(&mut self) -> Result<(), String> {
        let sequence = self.promise.sequences.len() as i32;
        self.promise.sequences.push(self.log.log_end_offset());
        self.append(BatchBuilder::new(0).producer(IDEMPOTENT, 0, sequence), None).map(|_| ())
    }

    fn transaction(&mut self, producer_id: i64, committed: bool) -> Result<(), String> {
        for sequence in 0..2 {
            let builder = BatchBuilder::new(0).producer(producer_id, 0, sequence).transactional();
            self.append(builder, Some(producer_id))?;
        }
        self.append(BatchBuilder::new(0), None)?;
        let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
        let control = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut builder = BatchBuilder::new(0).producer(producer_id, 0, -1).transactional().control();
        builder.append_control(NOW_MS, control, &marker.value());
        self.promise.decisions.insert(producer_id, (self.log.log_end_offset(), committed));
        let appended = self.log.append_markers_as_leader(&builder.build(), 0, 0, NOW_MS);
        appended.map(|_| ()).map_err(|error| error.to_string())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.manager.sync_pending()?;
        self.promise.durable_end = self.log.durable_end_offset();
        self.log.set_high_watermark(self.promise.durable_end);
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        let storage = |error: StorageError| error.to_string();
        for round in 0..6i64 {
            for _ in 0..4 {
                self.append(BatchBuilder::new(0), None)?;
                self.append_idempotent()?;
            }
            self.transaction(100 + round, round % 2 == 0)?;
            self.sync().map_err(storage)?;
            if round % 2 == 1 {
                self.log.roll(NOW_MS).map_err(storage)?;
            }
            let now_ms = NOW_MS + round * 700;
            while self.manager.clean_filthiest(now_ms).is_some() {}
            if round == 2 {
                self.manager.checkpoint_high_watermarks().map_err(storage)?;
            }
            if round == 4 {
                self.promise.start_max = 9;
                self.log.delete_records_before(9, now_ms).map_err(storage)?;
                self.manager.checkpoint_log_start_offsets().map_err(storage)?;
            }
            self.manager.housekeep(NOW_MS + round * 30_000);
        }
        self.sync().map_err(storage)?;
        self.manager.shutdown(3).map_err(storage)
    }
}

fn begin(disk: &SimDisk) -> Result<Workload, StorageError> {
    let (manager, _) = start(disk, config())?;
    let log = manager.get_or_create("t", 0, None, config(), NOW_MS)?;
    Ok(Workload { manager, log, promise: Promise::default(), written: 0 })
}

/// What a `read_committed` consumer sees below `end`: key and value by offset.
fn committed_view(
    log: &PartitionLog,
    end: i64,
    promise: &Promise,
    what: &str,
) -> BTreeMap<i64, (String, Option<String>)> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    let (mut view, mut next) = (BTreeMap::new(), log.log_start_offset());
    while next < end {
        let (read, mut aborted) =
            log.read_committed(next, 500, end, true).unwrap_or_else(|error| panic!("{what}: {error}"));
        let bytes = read.records.to_bytes().expect("bytes");
        assert!(!bytes.is_empty(), "{what}: nothing at {next} below {end}");
        let mut skipped = Vec::new();
        for batch in batches(&bytes) {
            let batch = batch.expect("well formed");
            batch.verify_crc().expect("no wrong bytes are served");
            let header = batch.header;
            skipped.extend(aborted.extract_if(.., |aborted| aborted.first_offset <= header.last_offset()));
            if header.is_control() {
                skipped.retain(|aborted| aborted.producer_id != header.producer_id);
                continue;
            }
            let is_skipped = skipped.iter().any(|aborted| aborted.producer_id == header.producer_id);
            for record in batch.records(1 << 20).expect("readable") {
                let record = record.expect("well formed");
                let found = (record.key.map(text).unwrap_or_default(), record.value.map(text));
                let written = promise
                    .records
                    .get(&record.offset)
                    .unwrap_or_else(|| panic!("{what}: {}", record.offset));
                assert_eq!(
                    found,
                    (written.key.clone(), written.value.clone()),
                    "{what}: offset {}",
                    record.offset
                );
                if record.offset >= next && !is_skipped {
                    view.insert(record.offset, found);
                }
            }
        }
        next = read.end_offset;
    }
    view
}

/// The newest value of each key that is not deleted.
fn state(records: impl Iterator<Item = (String, Option<String>)>) -> BTreeMap<String, String> {
    let mut newest = BTreeMap::new();
    for (key, value) in records {
        match value {
            Some(value) => newest.insert(key, value),
            None => newest.remove(&key),
        };
    }
    newest
}

fn check(log: &Arc<PartitionLog>, promise: &Promise, what: &str) {
    let end = log.log_end_offset();
    assert!(end >= promise.durable_end, "{what}: ends at {end}, durable was {}", promise.durable_end);
    let start = log.log_start_offset();
    assert!(start <= promise.start_max, "{what}: starts at {start}");
    log.set_high_watermark(end);
    let stable = log.last_stable_offset();
    let is_committed = |offset: &i64, written: &Written| {
        *offset < stable
            && written.transaction.is_none_or(|producer| {
                promise.decisions.get(&producer).is_some_and(|(_, committed)| *committed)
            })
    };
    let view = committed_view(log, stable, promise, what);
    for offset in view.keys() {
        assert!(
            is_committed(offset, &promise.records[offset]),
            "{what}: an aborted record at {offset} is back"
        );
    }
    let expected = promise.records.range(start..).filter(|(offset, written)| is_committed(offset, written));
    let expected = state(expected.map(|(_, written)| (written.key.clone(), written.value.clone())));
    let found = state(view.into_values());
    assert_eq!(found, expected, "{what}: state of {start}..{stable}");
}

fn recover_and_check(image: &SimDisk, promise: &Promise, what: &str) {
    let (manager, report) = start(image, config()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.failed.is_empty(), "{what}: {:?}", report.failed);
    let Some(log) = manager.log("t", 0) else {
        assert_eq!(promise.durable_end, 0, "{what}: the log is gone");
        return;
    };
    check(&log, promise, what);
    let names = names(image, "/data/t-0");
    assert!(
        !names.iter().any(|name| name.ends_with(".cleaned") || name.ends_with(".swap")),
        "{what}: {names:?}"
    );
    // The idempotent producer's last batch is known, if it is there.
    let there = promise.sequences.iter().take_while(|offset| **offset < log.log_end_offset()).count();
    if let Some(last) = there.checked_sub(1).filter(|last| promise.sequences[*last] >= log.log_start_offset())
    {
        let again = log.append_as_leader(&idempotent(last as i32, promise), 0, AppendOrigin::Client, NOW_MS);
        let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(again.duplicate && again.first_offset == promise.sequences[last], "{what}: {again:?}");
    }
    // Compaction goes on, and another crash right after it takes nothing.
    manager.sync_pending().expect("syncs");
    log.roll(NOW_MS).expect("rolls");
    while manager.clean_filthiest(NOW_MS + 10_000).is_some() {}
    assert_eq!(manager.uncleanable_logs(), [], "{what}");
    check(&log, promise, &format!("{what}, compacted"));
    let end = log.log_end_offset();
    drop((log, manager));
    let again = image.crash_image(CrashStyle::DropAll);
    let (manager, report) = start(&again, config()).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert!(report.failed.is_empty(), "{what}, again: {:?}", report.failed);
    let log = manager.log("t", 0).unwrap_or_else(|| panic!("{what}: the log is gone at the second crash"));
    assert_eq!(log.log_end_offset(), end, "{what}, again");
    check(&log, promise, &format!("{what}, again"));
}

#[test]
fn every_crash_image_of_a_compacted_log_recovers() {
    // Without a number of seeds for each boundary, a sample: every seventh boundary.
    let seeds = std::env::var("KLAMM_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse::<u64>().ok());
    let (step, seeds) = seeds.map_or((7, 2), |seeds| (1, seeds));
    let whole = SimDisk::new();
    let mut workload = begin(&whole).expect("starts");
    workload.run().expect("nothing fails");
    let promise = workload.promise.clone();
    drop(workload);
    recover_and_check(&whole, &promise, "without a crash");
    let boundaries = whole.operations();
    assert!(boundaries > 300, "the workload has {boundaries} boundaries only");
    let mut images = 0;
    for boundary in (0..boundaries).step_by(step) {
        let disk = SimDisk::new();
        disk.power_off_at(boundary);
        let promise = match begin(&disk) {
            Ok(mut workload) => {
                // What fails without being told, a compaction or upkeep, ends nothing.
                let _ = workload.run();
                workload.promise
            }
            Err(_) => Promise::default(),
        };
        for style in crash_styles(boundary, seeds) {
            recover_and_check(&disk.crash_image(style), &promise, &format!("boundary {boundary}, {style:?}"));
            images += 1;
        }
    }
    println!("{images} crash images of {boundaries} boundaries recovered");
}
