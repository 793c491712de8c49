//! Group commit: the logs of one directory that wait for their bytes to be on disk, synced in rounds.
//!
//! While nobody waits for the outcome, rounds keep a distance: a sync for each of many small appends would cost more
//! than the appends.
//!
//! A round takes everybody who waits, syncs each distinct file once, then the directories with new names, and only
//! then tells anyone. Whoever arrives during a round waits for the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::error::StorageError;
use crate::log_directory::LogDirectory;
use crate::partition_log::PartitionLog;
use crate::segment::Segment;
use crate::sync_batch::SyncBatch;

/// From the beginning of one round to that of the next, unless somebody waits for it. At 10 ms the syncs cost as much as
/// receiving and appending 64 KiB batches; at 50 ms a tenth of that.
const ROUND_DISTANCE: Duration = Duration::from_millis(50);

/// The logs that wait for a sync.
#[derive(Default)]
pub(crate) struct SyncQueue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// One round at a time: a file that one round has taken is synced before another may count it as clean.
    round: Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    logs: Vec<Arc<PartitionLog>>,
    /// Somebody waits for the next round.
    is_urgent: bool,
    stopping: bool,
}

/// What one log may say after a round.
pub(crate) struct SyncTicket {
    /// Log end offset when the ticket was taken.
    pub(crate) end_offset: i64,
    /// How often the log had been cut then; a cut since makes the ticket void.
    pub(crate) truncations: u64,
    /// Segments with what the round makes durable, and up to where.
    pub(crate) segments: SmallVec<[(Arc<Segment>, u32); 1]>,
}

impl SyncQueue {
    /// Adds a log; the caller makes sure that it is not waiting yet.
    pub(crate) fn add(&self, log: Arc<PartitionLog>) {
        let mut waiting = self.waiting.lock();
        waiting.logs.push(log);
        if waiting.logs.len() == 1 {
            self.arrived.notify_one();
        }
    }

    /// Lets the next round begin at once.
    pub(crate) fn hurry(&self) {
        let mut waiting = self.waiting.lock();
        if !std::mem::replace(&mut waiting.is_urgent, true) {
            self.arrived.notify_one();
        }
    }

    /// Waits until a round is due; false if there will be none.
    fn wait_for_round(&self, distant: Instant) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.logs.is_empty() && !waiting.stopping {
            self.arrived.wait(&mut waiting);
        }
        while !waiting.is_urgent && !waiting.stopping {
            if self.arrived.wait_until(&mut waiting, distant).timed_out() {
                break;
            }
        }
        waiting.is_urgent = false;
        !(waiting.logs.is_empty() && waiting.stopping)
    }

    /// Ends [`run`] after a last round.
    pub(crate) fn stop(&self) {
        self.waiting.lock().stopping = true;
        self.arrived.notify_all();
    }

    /// Holds rounds back, for whoever renames what a round would sync.
    pub(crate) fn between_rounds(&self) -> MutexGuard<'_, ()> {
        self.round.lock()
    }

    fn take(&self) -> Vec<Arc<PartitionLog>> {
        std::mem::take(&mut self.waiting.lock().logs)
    }
}

/// Syncs whoever waits until the queue is stopped: the loop of a directory's sync thread.
pub(crate) fn run(directory: &LogDirectory) {
    let mut distant = Instant::now();
    while directory.sync_queue.wait_for_round(distant) {
        distant = Instant::now() + ROUND_DISTANCE;
        // The directory has said why it failed; the logs that wait hear it with their next call.
        let _ = sync_waiting(directory);
    }
}

/// One round for everybody who waits now.
pub(crate) fn sync_waiting(directory: &LogDirectory) -> Result<(), StorageError> {
    let _round = directory.sync_queue.round.lock();
    sync_logs(directory, directory.sync_queue.take())
}

/// One round for a single log, on the caller's thread.
pub(crate) fn sync_now(directory: &LogDirectory, log: &Arc<PartitionLog>) -> Result<(), StorageError> {
    let _round = directory.sync_queue.round.lock();
    sync_logs(directory, vec![Arc::clone(log)])
}

fn sync_logs(directory: &LogDirectory, logs: Vec<Arc<PartitionLog>>) -> Result<(), StorageError> {
    directory.check_online()?;
    let mut batch = SyncBatch::default();
    let mut tickets = Vec::with_capacity(logs.len());
    for log in logs {
        match log.take_sync_ticket(&mut batch) {
            Ok(ticket) => tickets.push((log, ticket)),
            Err(error) => return Err(directory.fail(error)),
        }
    }
    batch.commit(directory)?;
    for (log, ticket) in tickets {
        log.synced(&ticket);
    }
    Ok(())
}
