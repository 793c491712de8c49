//! Many logs share the journal, and the machine loses power at any call: what was durable is there, and what was cut,
//! deleted or replaced does not come back.
//!
//! `KLAMM_JOURNAL_SEEDS` says how many workloads; each gives several hundred images.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::TopicConfig;
use protocol::Uuid;
use storage::disk::{CrashStyle, Disk, SimDisk};
use storage::{AppendOrigin, LogManager, PartitionLog};

use crate::harness::*;

const LOGS: usize = 7;
const STEPS: usize = 90;
const JOURNAL: &str = "/data/.klamm-journal";

/// What must hold of one log after any crash.
#[derive(Clone, Debug, Default)]
struct Promise {
    id: u128,
    /// Values by offset.
    values: BTreeMap<i64, Vec<u8>>,
    durable_end: i64,
    /// Where the end may be while a cut is under way.
    cut_to: Option<i64>,
    /// It may be gone, or be its successor.
    is_ending: bool,
}

fn config() -> Arc<TopicConfig> {
    topic_config(&[("internal.segment.bytes", "3000"), ("index.interval.bytes", "300")])
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct Workload {
    manager: LogManager,
    logs: Vec<Arc<PartitionLog>>,
    promises: Vec<Promise>,
    random: Random,
    written: u64,
}

type Outcome = Result<(), String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Workload {
    fn create(&mut self, index: usize) -> Outcome {
        self.written += 1;
        let id = u128::from(self.written) << 32;
        let uuid = Some(Uuid::from_u128(id));
        let log = self.manager.get_or_create("j", index as i32, uuid, config(), NOW_MS).map_err(text)?;
        let promise = Promise { id, ..Promise::default() };
        if index < self.logs.len() {
            (self.logs[index], self.promises[index]) = (log, promise);
        } else {
            self.logs.push(log);
            self.promises.push(promise);
        }
        Ok(())
    }

    fn append(&mut self, index: usize) -> Outcome {
        self.written += 1;
        let value = format!("{index}:{}:{}", self.written, "x".repeat(self.random.below(200) as usize));
        let log = &self.logs[index];
        self.promises[index].values.insert(log.log_end_offset(), value.clone().into_bytes());
        let records = batch(NOW_MS, &[value.as_bytes()]);
        log.append_as_leader(&records, 0, AppendOrigin::Client, NOW_MS).map_err(text)?;
        Ok(())
    }

    fn sync(&mut self) -> Outcome {
        self.manager.sync_pending().map_err(text)?;
        for (log, promise) in self.logs.iter().zip(&mut self.promises) {
            promise.durable_end = log.durable_end_offset();
            assert_eq!(promise.durable_end, log.log_end_offset());
            log.set_high_watermark(promise.durable_end);
        }
        Ok(())
    }

    fn truncate(&mut self, index: usize) -> Outcome {
        let back = 1 + self.random.below(6) as i64;
        let (log, promise) = (&self.logs[index], &mut self.promises[index]);
        let target = (log.log_end_offset() - back).max(log.log_start_offset());
        promise.cut_to = Some(target);
        log.truncate_to(target, NOW_MS).map_err(text)?;
        promise.cut_to = None;
        let end = log.log_end_offset();
        promise.values.retain(|offset, _| *offset < end);
        promise.durable_end = promise.durable_end.min(end);
        Ok(())
    }

    fn begin_anew(&mut self, index: usize) -> Outcome {
        self.promises[index].is_ending = true;
        self.manager.delete("j", index as i32, u128::from(self.written), NOW_MS).map_err(text)?;
        self.create(index)
    }

    fn run(&mut self) -> Outcome {
        for index in 0..LOGS {
            self.create(index)?;
        }
        for _ in 0..STEPS {
            let index = self.random.below(LOGS as u64) as usize;
            match self.random.below(40) {
                0 => self.truncate(index)?,
                1 => self.begin_anew(index)?,
                2 => self.logs[index].roll(NOW_MS).map_err(text)?,
                3 => self.manager.checkpoint_recovery_points().map_err(text)?,
                4..=13 => self.sync()?,
                _ => {
                    for index in 0..=index {
                        self.append(index)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A workload that ends when the machine loses power, and what it may count on then.
fn run(disk: &SimDisk, seed: u64) -> Vec<Promise> {
    let Ok((manager, _)) = start(disk, config()) else { return Vec::new() };
    let mut workload =
        Workload { manager, logs: Vec::new(), promises: Vec::new(), random: Random(seed), written: 0 };
    // Losing power is the point.
    let _ = workload.run();
    workload.promises
}

fn check(image: &SimDisk, promises: &[Promise], name: &str) {
    let (manager, report) = start(image, config()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(report.failed.is_empty(), "{name}: {:?}", report.failed);
    assert!(image.entry(JOURNAL.as_ref()).expect("reads").is_none(), "{name}: the journal is used up");
    for (index, promise) in promises.iter().enumerate().filter(|(_, promise)| !promise.is_ending) {
        let Some(log) = manager.log("j", index as i32) else {
            assert_eq!(promise.durable_end, 0, "{name}: log {index} is gone");
            continue;
        };
        if log.topic_id() != Some(Uuid::from_u128(promise.id)) {
            assert_eq!(promise.durable_end, 0, "{name}: log {index} is another");
            continue;
        }
        let end = log.log_end_offset();
        let least = promise.cut_to.map_or(promise.durable_end, |cut| cut.min(promise.durable_end));
        assert!(end >= least, "{name}: log {index} ends at {end}, {least} was durable");
        let found = read_all(&log, 0, end).unwrap_or_else(|error| panic!("{name}: log {index}: {error}"));
        for (offset, value) in found {
            assert_eq!(promise.values.get(&offset), Some(&value), "{name}: log {index}, offset {offset}");
        }
    }
}

#[test]
fn what_the_journal_made_durable_survives_and_what_was_undone_stays_undone() {
    let seeds = std::env::var("KLAMM_JOURNAL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6);
    let (mut images, mut with_journal) = (0_u64, 0_u64);
    for seed in 1..=seeds {
        let probe = SimDisk::new();
        run(&probe, seed);
        for boundary in (0..probe.operations()).skip(seed as usize % 3).step_by(3) {
            let disk = SimDisk::new();
            disk.power_off_at(boundary);
            let promises = run(&disk, seed);
            for style in [CrashStyle::KeepAll, CrashStyle::DropAll, CrashStyle::Seeded(seed ^ boundary)] {
                let image = disk.crash_image(style);
                with_journal += u64::from(image.entry(JOURNAL.as_ref()).expect("reads").is_some());
                check(&image, &promises, &format!("seed {seed}, boundary {boundary}, {style:?}"));
                images += 1;
            }
            // A crash while the journal is being brought back.
            let image = disk.crash_image(CrashStyle::DropAll);
            image.power_off_at(boundary % 9);
            let _ = start(&image, config());
            check(
                &image.crash_image(CrashStyle::Seeded(boundary)),
                &promises,
                &format!("{seed}, {boundary}, twice"),
            );
            images += 1;
        }
    }
    println!("{images} images, {with_journal} of {} with a journal", images / 4 * 3);
    assert!(with_journal * 4 > images, "{with_journal} of {images}");
}

#[test]
fn a_clean_stop_leaves_no_journal() {
    let disk = SimDisk::new();
    let (manager, _) = start(&disk, config()).expect("starts");
    let mut workload =
        Workload { manager, logs: Vec::new(), promises: Vec::new(), random: Random(9), written: 0 };
    workload.run().expect("nothing fails");
    assert!(disk.entry(JOURNAL.as_ref()).expect("reads").is_some(), "many logs waited at a time");
    workload.manager.shutdown(1).expect("stops");
    assert!(disk.entry(JOURNAL.as_ref()).expect("reads").is_none());
    let (manager, _) = start(&disk.crash_image(CrashStyle::DropAll), config()).expect("starts");
    assert!(manager.was_clean_shutdown());
}
