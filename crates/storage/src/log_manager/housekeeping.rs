//! What is due from time to time: checkpoints, flushes by time, retention, deletion of what was deleted.

use super::LogManager;
use crate::error::StorageError;
use crate::log_directory::LogDirectory;

/// When each kind of upkeep is due next, ms; the first call of [`LogManager::housekeep`] starts the intervals.
#[derive(Default)]
pub(super) struct Schedule {
    recovery_points: Option<i64>,
    log_start_offsets: Option<i64>,
    high_watermarks: Option<i64>,
    retention: Option<i64>,
    producers: Option<i64>,
}

/// How often flushes by time and deletions are looked at, ms.
const TICK_MS: i64 = 1000;

impl LogManager {
    /// Does whatever is due at `now_ms`, and nothing for logs that have not changed but look at their age from time to
    /// time; returns when to call again. It reads and writes files: not for a thread
    /// that serves requests. A directory that fails goes offline; the others are still looked after.
    pub fn housekeep(&self, now_ms: i64) -> i64 {
        let config = &self.config;
        let due = {
            let mut schedule = self.schedule.lock();
            [
                is_due(&mut schedule.recovery_points, config.recovery_point_checkpoint_interval_ms, now_ms),
                is_due(
                    &mut schedule.log_start_offsets,
                    config.log_start_offset_checkpoint_interval_ms,
                    now_ms,
                ),
                is_due(&mut schedule.high_watermarks, config.high_watermark_checkpoint_interval_ms, now_ms),
                is_due(&mut schedule.retention, config.retention_check_interval_ms, now_ms),
                is_due(&mut schedule.producers, config.producer_id_expiration_check_interval_ms, now_ms),
            ]
        };
        let [recovery_points, log_start_offsets, high_watermarks, retention, producers] = due;
        if producers {
            self.logs().iter().for_each(|log| log.remove_expired_producers(now_ms));
        }
        self.directories.iter().for_each(|directory| directory.flush_due(now_ms));
        if retention {
            self.delete_old_segments(now_ms);
        }
        if recovery_points {
            report(self.in_each(LogDirectory::maybe_checkpoint_recovery_points));
        }
        if log_start_offsets {
            report(self.in_each(LogDirectory::maybe_checkpoint_log_start_offsets));
        }
        if high_watermarks {
            report(self.in_each(LogDirectory::maybe_checkpoint_high_watermarks));
        }
        for directory in &self.directories {
            directory.delete_due(now_ms);
            if !directory.is_offline() {
                directory.reserve().maintain();
            }
        }
        now_ms.saturating_add(TICK_MS)
    }

    /// Deletes the segments that retention lets go, in every log; returns how many. A log in which that fails does not
    /// keep the others from it.
    pub fn delete_old_segments(&self, now_ms: i64) -> usize {
        let mut count = 0;
        for log in self.logs().iter().filter(|log| !log.directory().is_offline() && !log.is_closed()) {
            match log.delete_old_segments(now_ms) {
                Ok(deleted) => count += deleted,
                Err(_) if log.is_closed() => {}
                Err(error) => tracing::error!(?log, %error, "cannot delete old segments"),
            }
        }
        count
    }

    /// Writes the recovery points of every directory that is online.
    pub fn checkpoint_recovery_points(&self) -> Result<(), StorageError> {
        self.in_each(LogDirectory::checkpoint_recovery_points)
    }

    /// Writes the log start offsets of every directory that is online.
    pub fn checkpoint_log_start_offsets(&self) -> Result<(), StorageError> {
        self.in_each(LogDirectory::checkpoint_log_start_offsets)
    }

    /// Writes the high watermarks of every directory that is online.
    pub fn checkpoint_high_watermarks(&self) -> Result<(), StorageError> {
        self.in_each(LogDirectory::checkpoint_high_watermarks)
    }

    /// An error of one directory comes after the others have had their turn.
    fn in_each(&self, act: impl Fn(&LogDirectory) -> Result<(), StorageError>) -> Result<(), StorageError> {
        let online = self.directories.iter().filter(|directory| !directory.is_offline());
        online.map(|directory| act(directory)).fold(Ok(()), Result::and)
    }
}

fn is_due(next: &mut Option<i64>, interval_ms: i64, now_ms: i64) -> bool {
    let was_due = next.is_some_and(|next| next <= now_ms);
    if was_due || next.is_none() {
        *next = Some(now_ms.saturating_add(interval_ms));
    }
    was_due
}

fn report(result: Result<(), StorageError>) {
    if let Err(error) = result {
        tracing::error!(%error, "upkeep of the logs failed");
    }
}
