//! Log directories that get no new replicas (KIP-1066).

use std::sync::atomic::Ordering;

use super::LogDirectory;

impl LogDirectory {
    /// Whether it gets no new replicas (`cordoned.log.dirs`).
    pub fn is_cordoned(&self) -> bool {
        self.is_cordoned.load(Ordering::Acquire)
    }

    pub(crate) fn set_cordoned(&self, is_cordoned: bool) {
        if self.is_cordoned.swap(is_cordoned, Ordering::AcqRel) != is_cordoned {
            tracing::info!(directory = %self.path.display(), is_cordoned, "cordons have changed");
            let observer = self.observer.read().clone();
            if let Some(observer) = observer {
                observer.directory_cordoned(self);
            }
        }
    }
}
