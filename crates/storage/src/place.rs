//! Where a log lies: its log directory and its name there, which changes once, when the log is deleted.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::log_directory::LogDirectory;

/// The directory of one log.
pub(crate) struct Place {
    directory: Arc<LogDirectory>,
    name: RwLock<Box<str>>,
}

impl Place {
    pub(crate) fn new(directory: Arc<LogDirectory>, name: String) -> Place {
        Place { directory, name: RwLock::new(name.into_boxed_str()) }
    }

    /// The log directory that holds the log.
    pub(crate) fn directory(&self) -> &Arc<LogDirectory> {
        &self.directory
    }

    /// The partition's directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(&**self.name.read())
    }

    /// Says that the partition's directory has been renamed.
    pub(crate) fn renamed(&self, name: String) {
        *self.name.write() = name.into_boxed_str();
    }
}
