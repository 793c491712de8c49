//! The directories that are damaged: three kinds of log, left cleanly and by a crash, and all that is true of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use config::TopicConfig;
use records::{BatchBuilder, Codec, Compression, batches};
use storage::disk::{CrashStyle, Disk, OpenMode, SimDisk, read_small_file};
use storage::{AppendOrigin, LogManager, PartitionLog, TimestampOffset};

use crate::compaction::compacted;
use crate::harness::*;
use crate::transactions;

/// The producer whose last batch is sent again after each damage.
const IDEMPOTENT: i64 = 9;

/// What kind of log an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Offsets without gaps, deleted records at the start.
    Dense,
    /// Committed and aborted transactions.
    Transactional,
    /// Compacted once.
    Compacted,
}

/// A directory with one log, and what must be true of whatever is served from it.
pub struct Image {
    pub kind: Kind,
    pub is_clean: bool,
    pub config: Arc<TopicConfig>,
    disk: SimDisk,
    pub files: Vec<(PathBuf, Vec<u8>)>,
    pub truth: Truth,
}

#[derive(Debug)]
pub struct Truth {
    /// The bytes of every batch, by base offset.
    pub batches: BTreeMap<i64, Bytes>,
    pub start: i64,
    pub end: i64,
    /// What is below was synced and checkpointed.
    pub recovery_point: i64,
    pub times: Vec<(i64, Option<TimestampOffset>)>,
    pub newest: Option<TimestampOffset>,
    /// Producer and first offset of what a fetch of one batch must name as aborted, by base offset.
    pub aborted: BTreeMap<i64, Vec<(i64, i64)>>,
    pub epoch_ends: Vec<i64>,
    /// The last batch of the idempotent producer as it was sent, and where it lies.
    pub sent_last: Option<(Bytes, i64)>,
}

impl Image {
    pub fn copy(&self) -> SimDisk {
        self.disk.crash_image(CrashStyle::KeepAll)
    }
}

fn idempotent(sequence: i32, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(0).producer(IDEMPOTENT, 0, sequence);
    let value = format!("{sequence} {}", "v".repeat(40));
    builder.append(timestamp, None, Some(value.as_bytes()), &[]);
    builder.build()
}

fn fill_dense(log: &Arc<PartitionLog>, range: std::ops::Range<i32>) {
    for number in range {
        let timestamp = NOW_MS + i64::from(number) * 10;
        let bytes = if number % 7 == 3 {
            let mut builder = BatchBuilder::new(0).compression(Compression::of(Codec::Lz4));
            for record in 0..3 {
                builder.append(timestamp + record, None, Some(&[b'z'; 100]), &[]);
            }
            builder.build()
        } else {
            idempotent(number - (number + 3) / 7, timestamp)
        };
        let appended = log.append_as_leader(&bytes, number / 9, AppendOrigin::Client, NOW_MS);
        appended.expect("appends");
    }
}

fn fill_transactional(log: &Arc<PartitionLog>, range: std::ops::Range<i32>) {
    for number in range {
        let producers = [i64::from(number) * 2, i64::from(number) * 2 + 1];
        for sequence in 0..2 {
            for producer in producers {
                let bytes = transactions::data(producer, sequence);
                log.append_as_leader(&bytes, 0, AppendOrigin::Client, NOW_MS).expect("appends");
            }
        }
        for (producer, committed) in producers.into_iter().zip([number % 3 == 0, number % 3 == 1]) {
            let marker = transactions::marker(producer, committed);
            log.append_markers_as_leader(&marker, 0, 0, NOW_MS).expect("appends");
        }
    }
}

fn fill_compacted(log: &Arc<PartitionLog>, range: std::ops::Range<i32>) {
    for number in range {
        let key = format!("key {}", number * 7 % 11);
        let value = format!("{number} {}", "v".repeat(number as usize % 50));
        let value = (number % 6 != 5).then_some(value.as_str());
        let bytes = crate::compaction::keyed(NOW_MS + i64::from(number), &[(&key, value)]);
        log.append_as_leader(&bytes, 0, AppendOrigin::Client, NOW_MS).expect("appends");
    }
}

/// Fills a log in two parts with a checkpoint between them.
pub fn image(kind: Kind, is_clean: bool) -> Image {
    let segments = [("internal.segment.bytes", "1100"), ("index.interval.bytes", "150")];
    let config = match kind {
        Kind::Compacted => compacted(&segments),
        _ => topic_config(&segments),
    };
    let (disk, manager, log) = new_log(Arc::clone(&config));
    let fill: fn(&Arc<PartitionLog>, std::ops::Range<i32>) = match kind {
        Kind::Dense => fill_dense,
        Kind::Transactional => fill_transactional,
        Kind::Compacted => fill_compacted,
    };
    let (part, whole) = if kind == Kind::Transactional { (8, 12) } else { (30, 42) };
    fill(&log, 0..part);
    settle(&manager, &log);
    match kind {
        Kind::Dense => {
            log.delete_records_before(4, NOW_MS).expect("deletes").expect("below the high watermark");
            manager.housekeep(NOW_MS + 100_000_000);
        }
        Kind::Compacted => {
            log.roll(NOW_MS).expect("rolls");
            manager.clean_filthiest(NOW_MS + 1).expect("is due");
            manager.housekeep(NOW_MS + 100_000_000);
        }
        Kind::Transactional => {}
    }
    manager.checkpoint_recovery_points().expect("writes");
    manager.checkpoint_log_start_offsets().expect("writes");
    let mut recovery_point = log.synced_end_offset();
    fill(&log, part..whole);
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(log.log_end_offset());
    manager.checkpoint_high_watermarks().expect("writes");
    drop(log);
    if is_clean {
        manager.shutdown(42).expect("stops");
        recovery_point = i64::MAX;
    }
    let disk = only_files(&disk.crash_image(CrashStyle::KeepAll));
    let files = files_of(&disk);
    let truth = truth(&disk, kind, recovery_point, &config);
    drop(manager);
    Image { kind, is_clean, config, disk, files, truth }
}

fn settle(manager: &LogManager, log: &Arc<PartitionLog>) {
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(log.log_end_offset());
}

/// The same files on a disk that has never held others, and one that was kept aside earlier.
fn only_files(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::new();
    for directory in ["/data", "/data/t-0"] {
        copy.create_dir_all(Path::new(directory)).expect("creates");
        for entry in
            disk.list(Path::new(directory)).expect("lists").iter().filter(|entry| !entry.is_directory)
        {
            let path = Path::new(directory).join(&entry.name);
            put(&copy, &path, &read_small_file(disk, &path, 1 << 20).expect("reads"));
        }
    }
    put(&copy, Path::new("/data/t-0/00000000000000000000.log.quarantined"), &[7; 90]);
    copy
}

/// Writes a whole file.
pub fn put(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, OpenMode::Truncate).expect("opens");
    storage::disk::write_all_at(file.as_ref(), 0, &[bytes]).expect("writes");
    file.sync_data().expect("syncs");
}

fn files_of(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for directory in ["/data", "/data/t-0"] {
        let entries = disk.list(Path::new(directory)).expect("lists").into_iter();
        for entry in entries.filter(|entry| !entry.is_directory && entry.name != ".lock") {
            let path = Path::new(directory).join(&entry.name);
            let bytes = read_small_file(disk, &path, 1 << 20).expect("reads");
            files.push((path, bytes));
        }
    }
    files
}

/// The base offsets of what is served.
fn read_back(log: &PartitionLog, start: i64, end: i64) -> Vec<i64> {
    let (mut bases, mut next) = (Vec::new(), start);
    while next < end {
        let read = log.read(next, 700, end, true).expect("reads");
        for batch in batches(&read.records.to_bytes().expect("bytes")) {
            bases.push(batch.expect("well formed").header.base_offset);
        }
        next = read.end_offset;
    }
    bases
}

fn truth(disk: &SimDisk, kind: Kind, recovery_point: i64, config: &Arc<TopicConfig>) -> Truth {
    let disk = disk.crash_image(CrashStyle::KeepAll);
    let (manager, report) = start(&disk, Arc::clone(config)).expect("starts");
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let log = manager.log("t", 0).expect("is there");
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let mut all = BTreeMap::new();
    // Those before the start, too: they are on the disk, and a damaged checkpoint may name an earlier start.
    for (_, bytes) in
        files_of(&disk).into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "log"))
    {
        for batch in batches(&Bytes::from(bytes)) {
            let batch = batch.expect("well formed");
            all.insert(batch.header.base_offset, batch.bytes);
        }
    }
    let served = all.iter().filter(|(_, bytes)| super::last_offset(bytes) >= start).map(|(base, _)| *base);
    assert_eq!(read_back(&log, start, end), served.collect::<Vec<_>>());
    let named = |from: i64| {
        let (read, aborted) = log.read_committed(from, 1, end, true).expect("reads");
        assert!(read.end_offset > from);
        let aborted = aborted.into_iter().filter(|aborted| aborted.first_offset < read.end_offset);
        aborted.map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()
    };
    let aborted = all.range(start..).map(|(base, _)| (*base, named(*base))).collect();
    let asked = (-1..45).map(|step| NOW_MS + step * 10).chain([0, i64::MAX]);
    let times = asked.map(|at| (at, log.offset_for_timestamp(at).expect("reads"))).collect();
    let sent_last = (kind == Kind::Dense).then(|| {
        let last = all.values().flat_map(batches).filter_map(Result::ok);
        let last = last.filter(|batch| batch.header.producer_id == IDEMPOTENT).last().expect("there is one");
        let timestamp = last.header.base_timestamp;
        (idempotent(last.header.base_sequence, timestamp), last.header.base_offset)
    });
    Truth {
        batches: all,
        start,
        end,
        recovery_point: recovery_point.min(end),
        times,
        newest: log.offset_of_max_timestamp().expect("reads"),
        aborted,
        epoch_ends: (0..6).map(|epoch| log.end_offset_for_epoch(epoch).end_offset).collect(),
        sent_last,
    }
}
