//! A copy of a log takes the log's name.

use std::path::PathBuf;

use super::PartitionLog;
use crate::error::StorageError;

impl PartitionLog {
    /// Its directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Renames its directory, durably, while it is in use.
    pub(crate) fn take_name(&self, name: String) -> Result<(), StorageError> {
        let _upkeep = self.upkeep.lock();
        let directory = self.directory();
        let _points = directory.recovery_points_turn();
        let _between_rounds = self.retire_from_journal()?;
        let (from, to) = (self.place.path(), directory.path().join(&name));
        directory.check_online()?;
        let renamed =
            directory.disk().rename(&from, &to).and_then(|()| directory.disk().sync_dir(directory.path()));
        renamed.map_err(|source| self.write_error("rename", &from, source))?;
        self.place.renamed(name);
        directory.unsaved().note_recovery_point();
        Ok(())
    }
}
