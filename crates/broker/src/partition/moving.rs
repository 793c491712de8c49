//! A partition whose log is about to be another one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use storage::{PartitionLog, StorageError};

use super::{NOT_LEADER, Partition};

impl Partition {
    /// Ends this partition's life in favour of one with the log that `complete` gives. Nobody appends meanwhile, and whoever
    /// waits for the high watermark hears when `complete` has made everything durable. If it fails nothing has changed.
    ///
    /// # Errors
    /// That of `complete`.
    pub fn hand_over(
        &self,
        complete: impl FnOnce() -> Result<Arc<PartitionLog>, StorageError>,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let log = {
            let _no_appends = self.tenure.write();
            let log = complete()?;
            self.leader_epoch.store(NOT_LEADER, Ordering::Release);
            *self.leader.lock() = None;
            log
        };
        self.log.set_observer(None);
        self.waiters.wake_all();
        Ok(log)
    }
}
