//! How the node hears that a log directory has failed, or was cordoned.
//!
//! Whoever meets the failure may hold locks, so the observer only counts; tasks that wait for the count do the rest.

use std::sync::Arc;

use storage::{DirectoryObserver, LogDirectory, LogManager};
use tokio::sync::watch;

/// Counts what has happened to log directories.
pub struct DirectoryFailures {
    count: watch::Sender<usize>,
}

impl DirectoryFailures {
    /// Counts what happens to the directories of `logs`; tasks wait on what is returned.
    pub fn observe(logs: &LogManager) -> watch::Receiver<usize> {
        let (count, changes) = watch::channel(0);
        logs.set_directory_observer(Arc::new(DirectoryFailures { count }));
        changes
    }
}

impl DirectoryObserver for DirectoryFailures {
    fn directory_failed(&self, _directory: &LogDirectory) {
        self.count.send_modify(|count| *count += 1);
    }

    fn directory_cordoned(&self, _directory: &LogDirectory) {
        self.count.send_modify(|count| *count += 1);
    }
}
