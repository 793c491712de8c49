//! How the node hears that a log directory has failed.
//!
//! Whoever meets the failure may hold locks, so the observer only counts; tasks that wait for the count do the rest.

use storage::{DirectoryObserver, LogDirectory};
use tokio::sync::watch;

/// Counts the log directories that have failed.
pub struct DirectoryFailures {
    count: watch::Sender<usize>,
}

impl DirectoryFailures {
    /// A counter, and the end that tasks wait on.
    pub fn new() -> (Self, watch::Receiver<usize>) {
        let (count, changes) = watch::channel(0);
        (DirectoryFailures { count }, changes)
    }
}

impl DirectoryObserver for DirectoryFailures {
    fn directory_failed(&self, _directory: &LogDirectory) {
        self.count.send_modify(|count| *count += 1);
    }
}
