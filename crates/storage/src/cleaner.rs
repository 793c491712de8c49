//! The compactor: threads that look for the filthiest log, clean it, and look again.
//!
//! Nothing runs and nothing is held in memory while there is nothing to clean. A log is cleaned by one thread at a
//! time; whoever cuts, deletes or closes it meanwhile does not wait: the compaction notices and gives up.

pub(crate) mod batch_reader;
pub(crate) mod cleaned_segment;
pub(crate) mod filter;
pub(crate) mod key_offsets;
mod throttle;
pub(crate) mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use self::throttle::Throttle;
use crate::log_manager::LogManager;
use crate::partition_log::{CleaningError, CleaningResources, PartitionLog};

/// How compaction may go about its work; all of it may change at run time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.threads`.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`: bytes for the maps of keys over all threads.
    pub dedupe_buffer_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`: bytes over all threads.
    pub io_buffer_bytes: u64,
    /// `log.cleaner.io.max.bytes.per.second`: read and written over all threads.
    pub io_bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`: pause while there is nothing to clean.
    pub backoff_ms: u64,
}

impl Default for CleanerConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        CleanerConfig {
            threads: 1,
            dedupe_buffer_bytes: 134_217_728,
            load_factor: 0.9,
            io_buffer_bytes: 524_288,
            io_bytes_per_second_max: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}

/// A log that was compacted, as far as was possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanedLog {
    /// Topic.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
    /// Up to where it is clean now.
    pub cleaned_offset: i64,
    /// Bytes of the cleaned segments before.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
}

/// A log that cannot be compacted, until the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncleanableLog {
    /// Topic.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
    /// What is wrong.
    pub reason: String,
}

/// The state that the threads share.
pub(crate) struct Cleaner {
    state: Mutex<CleanerState>,
    changed: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    began: Instant,
    seed: u64,
}

struct CleanerState {
    config: CleanerConfig,
    /// Threads that run, once they have been started.
    running: Option<usize>,
    stopping: bool,
    busy: BTreeSet<(String, i32)>,
    uncleanable: BTreeMap<(String, i32), String>,
    throttle: Throttle,
}

impl Cleaner {
    pub(crate) fn new(config: CleanerConfig, seed: u64) -> Cleaner {
        Cleaner {
            state: Mutex::new(CleanerState {
                config,
                running: None,
                stopping: false,
                busy: BTreeSet::new(),
                uncleanable: BTreeMap::new(),
                throttle: Throttle::new(config.io_bytes_per_second_max),
            }),
            changed: Condvar::new(),
            threads: Mutex::new(Vec::new()),
            began: Instant::now(),
            seed,
        }
    }

    /// Ends the threads; a compaction under way is given up.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
        let current = std::thread::current().id();
        for thread in self.threads.lock().drain(..) {
            // The last owner of the logs may be such a thread itself.
            if thread.thread().id() != current && thread.join().is_err() {
                tracing::error!("a cleaner thread has panicked");
            }
        }
    }

    /// A log is gone; what comes under its name is another.
    pub(crate) fn forget(&self, topic: &str, partition: i32) {
        self.state.lock().uncleanable.remove(&(topic.to_owned(), partition));
    }

    fn config(&self) -> CleanerConfig {
        self.state.lock().config
    }

    /// Charges bytes, and waits until the rate allows to go on. False when the cleaner stops.
    fn charge(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        let wait = state.throttle.charge(bytes, self.began.elapsed());
        let until = Instant::now() + wait.min(Duration::from_secs(3600));
        while !state.stopping && Instant::now() < until {
            self.changed.wait_until(&mut state, until);
        }
        !state.stopping
    }

    /// Waits for the backoff; false if this thread is not wanted any more.
    fn pause(&self) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + Duration::from_millis(state.config.backoff_ms);
        if !state.stopping {
            self.changed.wait_until(&mut state, until);
        }
        self.is_wanted(&mut state)
    }

    fn is_wanted(&self, state: &mut CleanerState) -> bool {
        let running = state.running.unwrap_or(0);
        if !state.stopping && running <= state.config.threads {
            return true;
        }
        state.running = Some(running.saturating_sub(1));
        false
    }

    fn key(log: &PartitionLog) -> (String, i32) {
        (log.topic().to_owned(), log.partition())
    }
}

impl LogManager {
    /// Begins to compact in the background, on threads of its own. `clock` tells the time in ms.
    pub fn start_cleaners(self: &Arc<Self>, clock: Arc<dyn Fn() -> i64 + Send + Sync>) {
        self.cleaner.state.lock().running.get_or_insert(0);
        self.add_cleaners(&clock);
        *self.cleaner_clock.lock() = Some(clock);
    }

    /// Takes other settings into use; threads come and go as they say.
    pub fn set_cleaner_config(self: &Arc<Self>, config: CleanerConfig) {
        {
            let mut state = self.cleaner.state.lock();
            if state.config == config {
                return;
            }
            state.config = config;
            state.throttle.set_rate(config.io_bytes_per_second_max);
        }
        self.cleaner.changed.notify_all();
        let clock = self.cleaner_clock.lock().clone();
        if let Some(clock) = clock {
            self.add_cleaners(&clock);
        }
    }

    fn add_cleaners(self: &Arc<Self>, clock: &Arc<dyn Fn() -> i64 + Send + Sync>) {
        let mut state = self.cleaner.state.lock();
        while let Some(running) = state.running
            && running < state.config.threads
            && !state.stopping
        {
            let (manager, clock) = (Arc::downgrade(self), Arc::clone(clock));
            let thread = std::thread::Builder::new()
                .name(format!("log-cleaner-{running}"))
                .spawn(move || run(&manager, clock.as_ref()));
            match thread {
                Ok(thread) => self.cleaner.threads.lock().push(thread),
                Err(error) => {
                    tracing::error!(%error, "cannot start a cleaner thread");
                    return;
                }
            }
            state.running = Some(running + 1);
        }
    }

    /// Compacts the log that has most to clean, on the caller's thread; `None` if nothing is due.
    pub fn clean_filthiest(&self, now_ms: i64) -> Option<CleanedLog> {
        let (log, range) = self.take_filthiest(now_ms)?;
        let config = self.cleaner.config();
        let threads = config.threads.max(1) as u64;
        let resources = CleaningResources {
            map_bytes: usize::try_from(config.dedupe_buffer_bytes / threads)
                .unwrap_or(usize::MAX)
                .min(i32::MAX as usize),
            load_factor: config.load_factor,
            seed: self.cleaner.seed,
            read_bytes: usize::try_from(config.io_buffer_bytes / threads / 2).unwrap_or(usize::MAX),
            charge: &|bytes| self.cleaner.charge(bytes),
        };
        let result = log.clean(&range, &resources, now_ms);
        let key = Cleaner::key(&log);
        let mut state = self.cleaner.state.lock();
        state.busy.remove(&key);
        let (topic, partition) = key.clone();
        match result {
            Ok(summary) => {
                drop(state);
                tracing::info!(
                    topic,
                    partition,
                    cleaned_offset = summary.cleaned_offset,
                    keys = summary.keys,
                    segments_before = summary.segments_before,
                    segments_after = summary.segments_after,
                    bytes_before = summary.bytes_before,
                    bytes_after = summary.bytes_after,
                    "compacted a log"
                );
                let (bytes_before, bytes_after) = (summary.bytes_before, summary.bytes_after);
                let cleaned_offset = summary.cleaned_offset;
                Some(CleanedLog { topic, partition, cleaned_offset, bytes_before, bytes_after })
            }
            Err(CleaningError::Abandoned) => None,
            Err(_) if log.is_closed() => None,
            Err(CleaningError::Storage(error)) => {
                drop(state);
                tracing::error!(topic, partition, %error, "cannot compact a log now");
                None
            }
            Err(CleaningError::Uncleanable(reason)) => {
                tracing::error!(topic, partition, reason, "a log cannot be compacted, it stays as it is");
                state.uncleanable.insert(key, reason);
                None
            }
        }
    }

    fn take_filthiest(
        &self,
        now_ms: i64,
    ) -> Option<(Arc<PartitionLog>, crate::plan::cleaning::CleanableRange)> {
        let mut filthiest: Option<(Arc<PartitionLog>, crate::plan::cleaning::CleanableRange)> = None;
        let online = self.directories().iter().filter(|directory| !directory.is_offline());
        for log in online.flat_map(|directory| directory.compacted_logs()) {
            let key = Cleaner::key(&log);
            {
                let state = self.cleaner.state.lock();
                if state.stopping {
                    return None;
                }
                if state.busy.contains(&key) || state.uncleanable.contains_key(&key) || log.is_closed() {
                    continue;
                }
            }
            match log.due_cleaning(now_ms) {
                Ok(Some(range)) => {
                    if filthiest.as_ref().is_none_or(|(_, most)| range.dirty_ratio() > most.dirty_ratio()) {
                        filthiest = Some((log, range));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(topic = key.0, partition = key.1, %error, "cannot tell what is to be compacted");
                }
            }
        }
        let (log, range) = filthiest?;
        // Another thread may have taken it since.
        let is_mine = self.cleaner.state.lock().busy.insert(Cleaner::key(&log));
        is_mine.then_some((log, range))
    }

    /// The logs that cannot be compacted, and why.
    pub fn uncleanable_logs(&self) -> Vec<UncleanableLog> {
        let mut state = self.cleaner.state.lock();
        state.uncleanable.retain(|(topic, partition), _| self.log(topic, *partition).is_some());
        let row = |((topic, partition), reason): (&(String, i32), &String)| UncleanableLog {
            topic: topic.clone(),
            partition: *partition,
            reason: reason.clone(),
        };
        state.uncleanable.iter().map(row).collect()
    }
}

/// The loop of a cleaner thread. It owns nothing while it waits.
fn run(manager: &Weak<LogManager>, clock: &dyn Fn() -> i64) {
    loop {
        let Some(manager) = manager.upgrade() else { return };
        let cleaner = Arc::clone(&manager.cleaner);
        let has_cleaned = manager.clean_filthiest(clock()).is_some();
        drop(manager);
        let is_wanted = if has_cleaned {
            let mut state = cleaner.state.lock();
            cleaner.is_wanted(&mut state)
        } else {
            cleaner.pause()
        };
        if !is_wanted {
            return;
        }
    }
}
