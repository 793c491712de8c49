//! Which log directory a new log goes to, and which ones get none.

use std::path::Path;
use std::sync::Arc;

use protocol::Uuid;

use super::LogManager;
use crate::log_directory::LogDirectory;

/// Stands for every directory in `cordoned.log.dirs`.
const ALL: &str = "*";

/// The one that was assigned, or else the one with the fewest logs: among those not cordoned, if there are such.
pub(super) fn directory_for_new_log(
    directories: &[Arc<LogDirectory>],
    assigned: Option<Uuid>,
) -> Option<&Arc<LogDirectory>> {
    let online = || directories.iter().filter(|directory| !directory.is_offline());
    if let Some(found) = online().find(|directory| Some(directory.id()) == assigned) {
        return Some(found);
    }
    // Logs are counted only where there is a choice.
    if directories.len() == 1 {
        return online().next();
    }
    online().min_by_key(|directory| (directory.is_cordoned(), directory.log_count()))
}

impl LogManager {
    /// Lets no new log into these directories, and into all others again: `cordoned.log.dirs` (KIP-1066).
    pub fn set_cordoned(&self, cordoned: &[String]) {
        let covers = |path: &Path| cordoned.iter().any(|entry| entry == ALL || Path::new(entry) == path);
        for directory in &self.directories {
            directory.set_cordoned(covers(directory.path()));
        }
    }
}
