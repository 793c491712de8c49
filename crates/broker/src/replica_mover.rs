//! Moves replicas between log directories (AlterReplicaLogDirs, KIP-113): copies the log, then swaps it while nobody appends.
//!
//! One thread copies for everybody, within `replica.alter.log.dirs.io.max.bytes.per.second`. A move survives a restart: it
//! is begun anew. It ends by itself when the replica goes, or when either directory fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::ErrorCode;
use storage::{LogDirectory, LogManager, PartitionLog, ReadError, StorageError};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::broker_config::DynamicBrokerConfig;
use crate::clock::Clock;
use crate::metadata_publisher::MetadataPublisher;
use crate::partitions::Partitions;

/// Bytes of one read.
const READ_BYTES: usize = 1024 * 1024;
/// How long a move rests whose log cannot be read now.
const RETRY: Duration = Duration::from_millis(200);

/// All moves of this broker.
pub struct ReplicaMover {
    partitions: Arc<Partitions>,
    logs: Arc<LogManager>,
    publisher: MetadataPublisher,
    config: Arc<DynamicBrokerConfig>,
    clock: Arc<dyn Clock>,
    under_way: Mutex<BTreeSet<(String, i32)>>,
    /// Held while a move begins or ends, so that a copy belongs to one request.
    deciding: Mutex<()>,
    begun: Notify,
}

/// What one step came to.
enum Step {
    Copied(usize),
    Finished,
    Waiting,
}

impl ReplicaMover {
    /// No moves yet.
    pub fn new(
        partitions: &Arc<Partitions>,
        publisher: &MetadataPublisher,
        config: &Arc<DynamicBrokerConfig>,
        logs: &Arc<LogManager>,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(ReplicaMover {
            partitions: partitions.clone(),
            logs: logs.clone(),
            publisher: publisher.clone(),
            config: config.clone(),
            clock: clock.clone(),
            under_way: Mutex::default(),
            deciding: Mutex::new(()),
            begun: Notify::new(),
        })
    }

    /// Lets a replica move to `directory`; one that lies there already stays, and a move to elsewhere ends.
    ///
    /// # Errors
    /// As Kafka answers.
    pub fn begin(&self, topic: &str, partition: i32, directory: &Arc<LogDirectory>) -> Result<(), ErrorCode> {
        // First of all: while a move ends, the replica is replaced by one that lies elsewhere.
        let _turn = self.deciding.lock();
        let replica = self.partitions.by_name(topic, partition).map_err(|reason| {
            match ErrorCode::from(reason) {
                // KAFKA: what clients have always been told here.
                ErrorCode::NotLeaderOrFollower => ErrorCode::ReplicaNotAvailable,
                other => other,
            }
        })?;
        let now_ms = self.clock.now_ms();
        if let Some(future) = self.logs.future_log(topic, partition) {
            if Arc::ptr_eq(future.directory(), directory) {
                return Ok(());
            }
            self.logs.cancel_move(topic, partition, rand::random(), now_ms);
            info!(topic, partition, "the move to another log directory has ended");
        }
        self.under_way.lock().remove(&(topic.to_owned(), partition));
        if Arc::ptr_eq(replica.log.directory(), directory) {
            return Ok(());
        }
        let begun = self.logs.begin_move((topic, partition), directory, rand::random(), now_ms);
        begun.map_err(|reason| {
            error!(topic, partition, %reason, "cannot begin to move a replica");
            ErrorCode::KafkaStorageError
        })?;
        info!(topic, partition, to = %directory.path().display(), "a replica moves to another log directory");
        self.under_way.lock().insert((topic.to_owned(), partition));
        self.begun.notify_one();
        Ok(())
    }

    /// Copies as long as the node runs, after taking up what the last run has left.
    pub async fn run(self: Arc<Self>) {
        for unfinished in self.logs.unfinished_moves() {
            let (topic, partition) = (unfinished.topic.as_str(), unfinished.partition);
            if let Err(error) = self.begin(topic, partition, &unfinished.directory) {
                warn!(topic, partition, %error, "a move that was under way is not taken up");
            }
        }
        loop {
            let under_way: Vec<_> = self.under_way.lock().iter().cloned().collect();
            if under_way.is_empty() {
                self.begun.notified().await;
                continue;
            }
            let mut is_waiting = true;
            for (topic, partition) in under_way {
                match self.step(&topic, partition) {
                    Step::Copied(bytes) => {
                        is_waiting = false;
                        self.pause_after(bytes).await;
                    }
                    Step::Finished => is_waiting = false,
                    Step::Waiting => {}
                }
            }
            if is_waiting {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Rests as long as the rate in force asks for; one that is raised meanwhile ends the rest.
    async fn pause_after(&self, bytes: usize) {
        let copied = tokio::time::Instant::now();
        while let Some(rest) = self.rest_after(bytes).checked_sub(copied.elapsed())
            && !rest.is_zero()
        {
            tokio::time::sleep(rest.min(RETRY)).await;
        }
    }

    fn rest_after(&self, bytes: usize) -> Duration {
        let rate = self.config.current().quotas.replica_alter_log_dirs_io_max_bytes_per_second;
        match u32::try_from(rate) {
            Ok(rate) if rate > 0 => Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
            _ => Duration::ZERO,
        }
    }

    /// Copies a piece, or makes the swap if nothing is left.
    fn step(&self, topic: &str, partition: i32) -> Step {
        let _turn = self.deciding.lock();
        let key = (topic.to_owned(), partition);
        if !self.under_way.lock().contains(&key) {
            return Step::Finished;
        }
        let end = |why: &str| {
            warn!(topic, partition, why, "a replica does not move on");
            self.logs.cancel_move(topic, partition, rand::random(), self.clock.now_ms());
            self.under_way.lock().remove(&key);
            Step::Finished
        };
        let Some(future) = self.logs.future_log(topic, partition) else { return end("its copy is gone") };
        let Ok(replica) = self.partitions.by_name(topic, partition) else {
            return end("it is not here any more");
        };
        if future.directory().is_offline() {
            return end("the log directory has failed");
        }
        match copy_piece(&replica.log, &future, self.clock.now_ms()) {
            Ok(0) => {}
            Ok(bytes) => return Step::Copied(bytes),
            Err(reason) => {
                warn!(topic, partition, %reason, "cannot copy a replica now");
                return Step::Waiting;
            }
        }
        let swapped = self.publisher.swap_log(&replica, || {
            // Nobody appends from here on.
            let now_ms = self.clock.now_ms();
            while copy_piece(&replica.log, &future, now_ms)? > 0 {}
            replica.log.flush()?;
            self.logs.complete_move(topic, partition, rand::random(), now_ms)
        });
        match swapped {
            Ok(()) => {
                let to = future.directory().path().display();
                info!(topic, partition, %to, "a replica has moved to another log directory");
                self.under_way.lock().remove(&key);
                Step::Finished
            }
            Err(reason) => end(&reason.to_string()),
        }
    }
}

/// Appends what comes next to the copy; returns its size, 0 when the copy has everything.
fn copy_piece(log: &PartitionLog, future: &Arc<PartitionLog>, now_ms: i64) -> Result<usize, StorageError> {
    let from = future.log_end_offset();
    let end = log.log_end_offset();
    if from >= end {
        return Ok(0);
    }
    let bytes = match log.read_bytes(from, READ_BYTES, end) {
        Ok(bytes) => bytes,
        // Retention was faster.
        Err(ReadError::OffsetOutOfRange { .. }) => {
            future.truncate_fully_and_start_at(log.log_start_offset(), now_ms)?;
            return Ok(1);
        }
        Err(ReadError::Storage(error)) => return Err(error),
        Err(error) => return Err(StorageError::Mismatch(error.to_string())),
    };
    // The copy may begin within a batch, where records before were deleted.
    let first = records::batches(&bytes).next().transpose();
    let first = first.map_err(|error| StorageError::Mismatch(error.to_string()))?;
    if let Some(first) = first
        && first.header.base_offset < from
    {
        future.truncate_fully_and_start_at(first.header.base_offset, now_ms)?;
    }
    let appended = future.append_as_follower(&bytes, now_ms);
    appended.map_err(|error| StorageError::Mismatch(error.to_string()))?;
    Ok(bytes.len())
}
