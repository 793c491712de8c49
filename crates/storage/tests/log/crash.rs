//! A scripted workload loses power at every call that changes the disk; each image must recover.
//!
//! Whatever was reported durable must be there, offsets must be dense, no byte that is served may be wrong, and a
//! directory that lost power is never refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::TopicConfig;
use protocol::Uuid;
use storage::disk::{CrashStyle, SimDisk};
use storage::{AppendOrigin, LogManager, PartitionLog, StorageError};

use crate::harness::*;

const TOPIC: &str = "crash";

/// What must hold of one partition after any crash.
#[derive(Clone, Debug, Default)]
struct Promise {
    /// Values by offset, as far as they were handed to the log.
    values: BTreeMap<i64, Vec<u8>>,
    /// Everything below was reported durable.
    durable_end: i64,
    /// A start that was asked for may or may not have been reached.
    start_max: i64,
    start_min: i64,
    /// A cut that began may be done or not; where it would end.
    cut_to: Option<i64>,
}

struct Workload {
    manager: LogManager,
    logs: Vec<Arc<PartitionLog>>,
    promises: Vec<Promise>,
    written: u64,
}

fn config() -> Arc<TopicConfig> {
    topic_config(&[("internal.segment.bytes", "1200"), ("index.interval.bytes", "300")])
}

impl Workload {
    fn append(&mut self, partition: usize, records: usize) -> Result<(), String> {
        let log = &self.logs[partition];
        let promise = &mut self.promises[partition];
        let values: Vec<Vec<u8>> = (0..records)
            .map(|_| {
                self.written += 1;
                format!("{partition}:{}:{}", self.written, "x".repeat(self.written as usize % 90))
                    .into_bytes()
            })
            .collect();
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let first = log.log_end_offset();
        for (offset, value) in (first..).zip(&values) {
            promise.values.insert(offset, value.clone());
        }
        let epoch = (self.written / 20) as i32;
        log.append_as_leader(&batch(NOW_MS, &slices), epoch, AppendOrigin::Client, NOW_MS)
            .map_err(|error| error.to_string())?;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.manager.sync_pending()?;
        for (log, promise) in self.logs.iter().zip(&mut self.promises) {
            promise.durable_end = log.durable_end_offset();
            assert_eq!(promise.durable_end, log.log_end_offset());
            log.set_high_watermark(promise.durable_end);
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), StorageError> {
        self.manager.checkpoint_recovery_points()?;
        self.manager.checkpoint_high_watermarks()?;
        self.manager.checkpoint_log_start_offsets()?;
        for promise in &mut self.promises {
            promise.start_min = promise.start_max;
        }
        Ok(())
    }

    fn truncate(&mut self, partition: usize, back: i64) -> Result<(), StorageError> {
        let log = &self.logs[partition];
        let promise = &mut self.promises[partition];
        let target = (log.log_end_offset() - back).max(log.log_start_offset());
        // Until the cut is done either end is right; the batch of the target goes as a whole.
        promise.cut_to = Some(target - 3);
        log.truncate_to(target, NOW_MS)?;
        promise.cut_to = None;
        let end = log.log_end_offset();
        promise.values.retain(|offset, _| *offset < end);
        promise.durable_end = promise.durable_end.min(end);
        Ok(())
    }

    fn delete_records(&mut self, partition: usize, up_to: i64) -> Result<(), StorageError> {
        self.promises[partition].start_max = self.promises[partition].start_max.max(up_to);
        self.logs[partition].delete_records_before(up_to, NOW_MS)?;
        Ok(())
    }

    /// Retention by size takes the oldest segments.
    fn retain(&mut self, partition: usize) -> Result<(), StorageError> {
        let (log, promise) = (&self.logs[partition], &mut self.promises[partition]);
        promise.start_max = promise.start_max.max(log.high_watermark());
        log.set_config(topic_config(&[("internal.segment.bytes", "1200"), ("retention.bytes", "600")]));
        log.delete_old_segments(NOW_MS)?;
        log.set_config(config());
        promise.start_max = log.log_start_offset();
        Ok(())
    }

    /// Every kind of change to the disk, several times over.
    fn run(&mut self) -> Result<(), String> {
        let storage = |error: StorageError| error.to_string();
        for round in 0..6i64 {
            for i in 0..9 {
                self.append(i % 3, 1 + i % 3)?;
                if i % 4 == round as usize % 4 {
                    self.sync().map_err(storage)?;
                }
            }
            if round % 2 == 1 {
                self.checkpoint().map_err(storage)?;
            }
            if round == 2 || round == 4 {
                self.truncate((round / 2 - 1) as usize, 4).map_err(storage)?;
                self.append((round / 2 - 1) as usize, 2)?;
            }
            if round == 3 {
                self.sync().map_err(storage)?;
                self.delete_records(2, 12).map_err(storage)?;
                self.logs[1].roll(NOW_MS).map_err(storage)?;
            }
            if round == 4 {
                self.sync().map_err(storage)?;
                self.retain(1).map_err(storage)?;
            }
            self.manager.housekeep(NOW_MS + round * 30_000);
        }
        assert!(self.promises[1].start_max > 0, "retention had something to take");
        self.sync().map_err(storage)?;
        self.manager.shutdown(3).map_err(storage)
    }
}

fn begin(disk: &SimDisk) -> Result<Workload, StorageError> {
    let (manager, _) = start(disk, config())?;
    let create =
        |partition| manager.get_or_create(TOPIC, partition, Some(Uuid::from_u128(9)), config(), NOW_MS);
    let logs = (0..3).map(create).collect::<Result<Vec<_>, _>>()?;
    Ok(Workload { manager, logs, promises: vec![Promise::default(); 3], written: 0 })
}

fn recover_and_check(image: &SimDisk, promises: &[Promise], what: &str) {
    let (manager, report) = start(image, config()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.failed.is_empty(), "{what}: {:?}", report.failed);
    for (partition, promise) in promises.iter().enumerate() {
        let Some(log) = manager.log(TOPIC, partition as i32) else {
            assert_eq!(promise.durable_end, 0, "{what}: the log of partition {partition} is gone");
            continue;
        };
        check_log(&log, promise, &format!("{what}, partition {partition}"));
        // Life goes on, and what goes on is durable in its turn.
        let end = log.log_end_offset();
        let info = log.append_as_leader(&batch(NOW_MS, &[b"after"]), 1000, AppendOrigin::Client, NOW_MS);
        assert_eq!(info.expect("appends").first_offset, end, "{what}");
        manager.sync_pending().expect("syncs");
        assert_eq!(log.durable_end_offset(), end + 1, "{what}");
    }
    let ends: Vec<_> = manager.logs().iter().map(|log| (log.partition(), log.log_end_offset())).collect();
    drop(manager);
    // A second crash right after the recovery loses nothing that was there.
    let again = image.crash_image(CrashStyle::DropAll);
    let (manager, report) = start(&again, config()).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert!(report.failed.is_empty(), "{what}, again: {:?}", report.failed);
    for (partition, end) in ends {
        let log =
            manager.log(TOPIC, partition).unwrap_or_else(|| panic!("{what}, again: {partition} is gone"));
        assert_eq!(log.log_end_offset(), end, "{what}, again");
    }
}

fn check_log(log: &PartitionLog, promise: &Promise, what: &str) {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let durable_end = promise.cut_to.map_or(promise.durable_end, |cut_to| promise.durable_end.min(cut_to));
    assert!(end >= durable_end, "{what}: ends at {end}, durable was {durable_end}");
    assert!(start >= promise.start_min && start <= promise.start_max.max(0), "{what}: starts at {start}");
    assert!(log.durable_end_offset() <= end && log.high_watermark() <= end, "{what}");
    for from in [start, start + (end - start) / 2] {
        let found = read_all(log, from, end).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (offset, value) in found {
            assert_eq!(Some(&value), promise.values.get(&offset), "{what}: offset {offset}");
        }
    }
}

#[test]
fn every_crash_image_of_a_workload_recovers() {
    let seeds = crash_seeds(3);
    let whole = SimDisk::new();
    begin(&whole).expect("starts").run().expect("nothing fails");
    let boundaries = whole.operations();
    assert!(boundaries > 300, "the workload has {boundaries} boundaries only");
    let mut images = 0;
    for boundary in 0..boundaries {
        let disk = SimDisk::new();
        disk.power_off_at(boundary);
        let promises = match begin(&disk) {
            Ok(mut workload) => {
                let outcome = workload.run();
                assert!(outcome.is_err() || boundary + 1 >= boundaries, "boundary {boundary}");
                workload.promises
            }
            Err(_) => vec![Promise::default(); 3],
        };
        for style in crash_styles(boundary, seeds) {
            let image = disk.crash_image(style);
            recover_and_check(&image, &promises, &format!("boundary {boundary}, {style:?}"));
            images += 1;
        }
    }
    println!("{images} crash images of {boundaries} boundaries recovered");
}

#[test]
fn a_crash_during_recovery_is_recovered_from() {
    let disk = SimDisk::new();
    let mut workload = begin(&disk).expect("starts");
    for i in 0..40 {
        workload.append(i % 3, 2).expect("appends");
    }
    workload.sync().expect("syncs");
    for i in 0..9 {
        workload.append(i % 3, 2).expect("appends");
    }
    let promises = workload.promises.clone();
    let mut images = 0;
    for seed in 0..crash_seeds(40) {
        let torn = disk.crash_image(CrashStyle::Seeded(seed));
        let boundaries = {
            let probe = torn.crash_image(CrashStyle::KeepAll);
            let before = probe.operations();
            start(&probe, config()).expect("starts");
            probe.operations() - before
        };
        for boundary in 0..boundaries {
            let image = torn.crash_image(CrashStyle::KeepAll);
            image.power_off_at(boundary);
            let _ = start(&image, config());
            let image = image.crash_image(CrashStyle::Seeded(seed ^ boundary));
            recover_and_check(&image, &promises, &format!("seed {seed}, boundary {boundary}"));
            images += 1;
        }
    }
    println!("{images} crash images of recoveries recovered");
}

#[test]
fn many_logs_are_made_durable_together() {
    let config = config();
    let disk = SimDisk::new();
    let (manager, _) = start(&disk, Arc::clone(&config)).expect("starts");
    let create = |partition| manager.get_or_create(TOPIC, partition, None, Arc::clone(&config), NOW_MS);
    let logs: Vec<_> = (0..60).map(|partition| create(partition).expect("creates")).collect();
    for round in 1..=20 {
        for log in &logs {
            log.append_as_leader(&batch(NOW_MS, &[&[b'x'; 90]]), round, AppendOrigin::Client, NOW_MS)
                .expect("appends");
        }
        let before = disk.operations();
        manager.sync_pending().expect("syncs");
        let operations = disk.operations() - before;
        assert!(
            operations <= 5,
            "{operations} calls for 60 logs: the journal or the volume serves everybody"
        );
    }
    manager.checkpoint_recovery_points().expect("writes");
    let check = |image: &SimDisk| {
        let (manager, report) = start(image, Arc::clone(&config)).expect("starts");
        assert_eq!((report.opened, report.failed.len()), (60, 0));
        for log in manager.logs() {
            assert_eq!(read_all(&log, 0, 20).expect("reads").len(), 20);
            assert_eq!(log.latest_epoch().map(|entry| entry.epoch), Some(20));
            assert_eq!(log.end_offset_for_epoch(7).end_offset, 7);
        }
        manager.was_clean_shutdown()
    };
    assert!(!check(&disk.crash_image(CrashStyle::DropAll)));
    manager.shutdown(1).expect("stops");
    assert!(check(&disk.crash_image(CrashStyle::DropAll)), "a clean stop is durable as a whole");
}
