//! Any file of a log directory is damaged in any way: it is told or does no harm, and no wrong byte is ever served.
//!
//! `KLAMM_DAMAGE_TRIALS` says how many trials, `KLAMM_DAMAGE_SEED` the first of them (without a number, it alone).

mod dice;
mod images;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use records::batches;
use storage::disk::SimDisk;
use storage::{AppendOrigin, PartitionLog, TimestampOffset};

use self::dice::{Dice, damaged};
use self::images::{Image, Kind, Truth, image, put};
use crate::counting;
use crate::harness::*;

const TRIALS: u64 = 1_500;
/// Once failed; each is tried every time.
const REGRESSIONS: [u64; 10] = [9211, 10634, 11826, 15644, 16862, 17450, 18446, 22616, 39926, 80035];
/// A trial takes about a millisecond; this is far from what a machine under load makes of it.
const TRIAL_MAX: Duration = Duration::from_secs(20);
/// What a trial may take in memory at once, over a disk of 30 KiB.
const TRIAL_BYTES_MAX: usize = 16 << 20;
/// Failures after which enough is known.
const FAILURES_MAX: usize = 8;
/// The leader epoch's bytes in a batch.
const EPOCH: std::ops::Range<usize> = 12..16;
/// The base offset's bytes in a batch.
const OFFSET_BYTES: usize = 8;
/// Of a transaction index.
const ENTRY_BYTES: usize = 34;
/// What is read first at most: nothing, one batch, a few, all.
const SIZES: [usize; 3] = [100_000, 1, 400];

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The bytes were the same afterwards.
    Unchanged,
    /// All that was asked was answered as before.
    Harmless,
    /// Something was refused.
    Told,
}

struct Trial<'a> {
    image: &'a Image,
    damaged: Vec<&'a Path>,
    is_told: bool,
    /// Whether a transaction index is shorter by whole entries.
    lost_entries: bool,
    what: String,
}

fn is_offset_checkpoint(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-offset-checkpoint")
}

impl Trial<'_> {
    fn is_damaged(&self, suffix: &str) -> bool {
        self.damaged.iter().any(|path| path.to_string_lossy().ends_with(suffix))
    }

    fn run(&mut self, disk: &SimDisk) {
        let Ok((manager, report)) = start(disk, Arc::clone(&self.image.config)) else {
            self.is_told = true;
            return;
        };
        let Some(log) = manager.log("t", 0) else {
            assert_eq!(report.failed.len(), 1, "{}: the log is gone", self.what);
            self.is_told = true;
            return;
        };
        let (start_offset, end) = (log.log_start_offset(), log.log_end_offset());
        self.check_ends(start_offset, end);
        self.read_everything(&log, start_offset, end, &SIZES);
        self.read_committed(&log, end);
        if (start_offset, end) == (self.image.truth.start, self.image.truth.end) {
            self.ask_for_times(&log);
        }
        let was_told = self.is_told;
        let appended = self.append(&log, end);
        if appended.is_some() {
            manager.sync_pending().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        }
        drop(log);
        manager.shutdown(43).unwrap_or_else(|error| panic!("{}: {error}", self.what));
        drop(manager);
        // What was repaired is not damaged for the next start.
        let (manager, report) = start(disk, Arc::clone(&self.image.config))
            .unwrap_or_else(|error| panic!("{}: {error}", self.what));
        assert!(report.failed.is_empty() || was_told, "{}: {:?}", self.what, report.failed);
        let Some(log) = manager.log("t", 0) else { return };
        assert_eq!(log.log_end_offset(), appended.unwrap_or(end), "{}", self.what);
        self.read_everything(&log, log.log_start_offset(), end, &SIZES[..1]);
    }

    fn truth(&self) -> &Truth {
        &self.image.truth
    }

    fn check_ends(&mut self, start: i64, end: i64) {
        let (truth, what) = (&self.image.truth, &self.what);
        if start != truth.start {
            // A digit in a text without a checksum: the records are there and right, whoever is offered them.
            assert!(self.damaged.iter().any(|path| is_offset_checkpoint(path)), "{what}: starts at {start}");
        }
        if end == truth.end {
            return;
        }
        self.is_told = true;
        let is_cut =
            !self.image.is_clean && self.is_damaged(".log") && end >= truth.recovery_point.min(truth.end);
        let is_set_aside = self.is_damaged("log-start-offset-checkpoint") && start == end;
        let is_unknown =
            self.is_damaged("recovery-point-offset-checkpoint") || self.is_damaged("cleanshutdown");
        assert!(is_cut || is_set_aside || is_unknown, "{what}: ends at {end} instead of {}", truth.end);
    }

    /// Every batch from `start` to `end`, in fetches of several sizes, is one that was written, and none is left out.
    fn read_everything(&mut self, log: &PartitionLog, start: i64, end: i64, sizes: &[usize]) {
        for size in sizes.iter().copied() {
            let mut next = start;
            while next < end {
                next = match log.read(next, size, end, true) {
                    Ok(read) => {
                        let bytes = read.records.to_bytes().expect("a simulated disk gives bytes");
                        assert!(!bytes.is_empty(), "{}: nothing at {next} of {log:?}", self.what);
                        self.check_batches(&bytes, next)
                    }
                    Err(error) => {
                        assert_eq!(
                            error.error_code().to_string(),
                            "CORRUPT_MESSAGE",
                            "{}: {error}",
                            self.what
                        );
                        self.is_told = true;
                        // Who goes on behind the damage finds what is there.
                        let behind = self.truth().batches.range(next + 1..).next();
                        behind.map_or(end, |(base, _)| *base)
                    }
                };
            }
        }
    }

    fn check_batches(&self, bytes: &bytes::Bytes, from: i64) -> i64 {
        let mut next = from;
        for batch in batches(bytes) {
            let batch = batch.unwrap_or_else(|error| panic!("{}: {error} at {next}", self.what));
            let base = batch.header.base_offset;
            let written = self.truth().batches.get(&base);
            // No checksum covers the leader epoch, and behind the recovery point nothing else tells it.
            let is_told_apart = base < self.truth().recovery_point
                || batch.bytes.get(EPOCH) == written.and_then(|bytes| bytes.get(EPOCH));
            let same = |bytes: &bytes::Bytes| match is_told_apart {
                true => batch.bytes == *bytes,
                false => {
                    batch.bytes[..EPOCH.start] == bytes[..EPOCH.start]
                        && batch.bytes[EPOCH.end..] == bytes[EPOCH.end..]
                }
            };
            if self.is_moved(&batch.bytes) {
                next = batch.header.next_offset();
                continue;
            }
            assert!(written.is_some_and(same), "{}: a wrong batch at {next}: {batch:?}", self.what);
            let last_before = self.truth().batches.range(..base).next_back();
            let is_skipped =
                last_before.is_some_and(|(skipped, bytes)| *skipped >= next || last_offset(bytes) >= next);
            assert!(!is_skipped, "{}: from {next} to {base}, what lies between is left out", self.what);
            assert!(batch.header.last_offset() >= next, "{}: a batch before {next}", self.what);
            next = batch.header.next_offset();
        }
        next
    }

    /// Whether it is a batch as it was written, at another offset, where nothing can tell: no checksum covers the base
    /// offset, compaction leaves gaps, and what is known of the log's end is older than the batch.
    fn is_moved(&self, bytes: &bytes::Bytes) -> bool {
        let is_unsure = self.image.kind == Kind::Compacted && !self.image.is_clean && self.is_damaged(".log");
        let same = |written: &bytes::Bytes| written[OFFSET_BYTES..] == bytes[OFFSET_BYTES..];
        let base = i64::from_be_bytes(bytes[..OFFSET_BYTES].try_into().expect("eight bytes"));
        let truth = self.truth();
        is_unsure
            && !truth.batches.contains_key(&base)
            && truth.batches.range(truth.recovery_point..).any(|(_, written)| same(written))
    }

    fn read_committed(&mut self, log: &PartitionLog, end: i64) {
        let bound = log.last_stable_offset().min(end);
        let truth = &self.image.truth;
        for (base, aborted) in truth.aborted.range(log.log_start_offset()..bound) {
            let from = (*base).max(log.log_start_offset());
            match log.read_committed(from, 1, bound, true) {
                // Whole entries that are missing leave no trace, in Kafka's format as in ours.
                Ok(_) if self.is_damaged(".txnindex") && self.lost_entries => {}
                Ok((read, named)) if !read.records.is_empty() => {
                    // Which of those that follow are named depends on the offset index.
                    let named = named.iter().filter(|one| one.first_offset < read.end_offset);
                    let named: Vec<_> = named.map(|one| (one.producer_id, one.first_offset)).collect();
                    assert_eq!(&named, aborted, "{}: aborted at {base}", self.what);
                }
                Ok(_) => {}
                Err(_) => self.is_told = true,
            }
        }
    }

    fn ask_for_times(&mut self, log: &PartitionLog) {
        let truth = &self.image.truth;
        // Behind the recovery point nothing tells a wrong leader epoch from a right one.
        let is_epoch_sure = self.image.is_clean || !self.is_damaged(".log");
        let told = |found: Option<TimestampOffset>| {
            found.map(|found| (found.timestamp, found.offset, found.leader_epoch.filter(|_| is_epoch_sure)))
        };
        for (at, expected) in &truth.times {
            match log.offset_for_timestamp(*at) {
                Ok(found) => {
                    assert_eq!(told(found), told(*expected), "{}: the offset for {at}", self.what);
                }
                Err(_) => self.is_told = true,
            }
        }
        match log.offset_of_max_timestamp() {
            Ok(found) => assert_eq!(told(found), told(truth.newest), "{}: the newest", self.what),
            Err(_) => self.is_told = true,
        }
        if !self.is_damaged("leader-epoch-checkpoint") && !self.is_damaged(".log") {
            let ends: Vec<_> = (0..6).map(|epoch| log.end_offset_for_epoch(epoch).end_offset).collect();
            assert_eq!(ends, truth.epoch_ends, "{}: ends of epochs", self.what);
        }
    }

    /// Sends the last batch again, which must be known, and a new one; returns the end after it.
    fn append(&mut self, log: &Arc<PartitionLog>, end: i64) -> Option<i64> {
        if let Some((bytes, offset)) = &self.image.truth.sent_last
            && (end, self.is_told) == (self.image.truth.end, false)
        {
            let again = log.append_as_leader(bytes, 9, AppendOrigin::Client, NOW_MS);
            let again = again.unwrap_or_else(|error| panic!("{}: {error}", self.what));
            assert!(again.duplicate && again.first_offset == *offset, "{}: {again:?}", self.what);
        }
        let bytes = crate::compaction::keyed(NOW_MS + 5000, &[("new", Some("value"))]);
        match log.append_as_leader(&bytes, 9, AppendOrigin::Client, NOW_MS) {
            Ok(info) => {
                assert_eq!(info.first_offset, end, "{}", self.what);
                let read =
                    log.read_bytes(end, 1, end + 1).unwrap_or_else(|error| panic!("{}: {error}", self.what));
                let batch = batches(&read).next().expect("one").expect("well formed");
                batch.verify_crc().expect("is right");
                assert_eq!(batch.header.base_offset, end, "{}", self.what);
                Some(end + 1)
            }
            Err(_) => {
                self.is_told = true;
                None
            }
        }
    }
}

fn last_offset(bytes: &bytes::Bytes) -> i64 {
    let batch = batches(bytes).next().expect("one batch").expect("well formed");
    batch.header.last_offset()
}

fn images() -> Vec<Image> {
    let kinds = [Kind::Dense, Kind::Transactional, Kind::Compacted];
    kinds.into_iter().flat_map(|kind| [true, false].map(|is_clean| image(kind, is_clean))).collect()
}

fn kind_of_file(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned()
}

fn run_trial(images: &[Image], seed: u64) -> (PathBuf, Outcome) {
    let mut dice = Dice(seed);
    let image = &images[dice.below(images.len())];
    let disk = image.copy();
    let mut trial =
        Trial { image, damaged: Vec::new(), is_told: false, lost_entries: false, what: String::new() };
    let mut what = format!("seed {seed}, {:?}, clean {}", image.kind, image.is_clean);
    let mut is_changed = false;
    let (first, _) = &image.files[dice.below(image.files.len())];
    let second = (dice.below(8) == 0).then(|| &image.files[dice.below(image.files.len())].0);
    for path in [Some(first), second.filter(|second| *second != first)].into_iter().flatten() {
        let bytes = &image.files.iter().find(|(other, _)| other == path).expect("one of them").1;
        let (after, how) = damaged(bytes, &mut dice);
        is_changed |= after != *bytes;
        what += &format!(", {}: {how}", path.display());
        put(&disk, path, &after);
        let is_entry = |entry: &[u8]| bytes.chunks_exact(ENTRY_BYTES).any(|one| one == entry);
        trial.lost_entries |= after.len() % ENTRY_BYTES == 0 && after.chunks_exact(ENTRY_BYTES).all(is_entry);
        trial.damaged.push(path);
    }
    trial.what = what;
    trial.run(&disk);
    let outcome = match (is_changed, trial.is_told) {
        (false, is_told) => {
            assert!(!is_told, "{}: what is whole is refused", trial.what);
            Outcome::Unchanged
        }
        (true, true) => Outcome::Told,
        (true, false) => Outcome::Harmless,
    };
    (first.clone(), outcome)
}

#[test]
fn damage_is_told_or_does_no_harm() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let images = images();
    let (first, count) = match number("KLAMM_DAMAGE_SEED") {
        Some(seed) => (seed, number("KLAMM_DAMAGE_TRIALS").unwrap_or(1)),
        None => (0, number("KLAMM_DAMAGE_TRIALS").unwrap_or(TRIALS)),
    };
    let seeds = REGRESSIONS.into_iter().chain(first..first + count);
    let mut counts: BTreeMap<(String, Outcome), u64> = BTreeMap::new();
    let (mut longest, mut largest) = (Duration::ZERO, 0);
    let mut failures = Vec::new();
    let mut trials = 0;
    for seed in seeds {
        trials += 1;
        let began = Instant::now();
        let trial = || catch_unwind(AssertUnwindSafe(|| run_trial(&images, seed)));
        let (result, bytes) = counting::peak_of(trial);
        let Ok((path, outcome)) = result else {
            failures.push(seed);
            if failures.len() < FAILURES_MAX { continue } else { break }
        };
        longest = longest.max(began.elapsed());
        largest = largest.max(bytes);
        assert!(
            longest < TRIAL_MAX && largest < TRIAL_BYTES_MAX,
            "seed {seed}: {longest:?}, {largest} bytes"
        );
        *counts.entry((kind_of_file(&path), outcome)).or_default() += 1;
    }
    for ((kind, outcome), count) in &counts {
        println!("{kind}: {outcome:?} {count}");
    }
    assert!(failures.is_empty(), "these seeds fail: {failures:?}");
    let kinds: std::collections::BTreeSet<_> = counts.keys().map(|(kind, _)| kind).collect();
    println!(
        "{trials} trials over {} kinds of files, longest {longest:?}, most memory {largest}",
        kinds.len()
    );
}
