//! Up to where the logs of a directory have been compacted, as its checkpoint says.

use super::LogDirectory;
use crate::checkpoint::{self, Offsets};
use crate::error::StorageError;
use crate::file_names::CLEANER_OFFSET_CHECKPOINT_FILE;

impl LogDirectory {
    /// Up to where a log has been compacted.
    pub(crate) fn cleaner_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.cleaner_offsets.lock().get(&(topic.to_owned(), partition)).copied()
    }

    /// Notes durably up to where a log has been compacted.
    pub(crate) fn set_cleaner_offset(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), StorageError> {
        let mut offsets = self.cleaner_offsets.lock();
        offsets.insert((topic.to_owned(), partition), offset);
        self.write_cleaner_offsets(&offsets)
    }

    /// Notes durably that what lies at or above `offset` has not been compacted.
    pub(crate) fn lower_cleaner_offset(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), StorageError> {
        let mut offsets = self.cleaner_offsets.lock();
        match offsets.get_mut(&(topic.to_owned(), partition)) {
            Some(cleaned) if *cleaned > offset => *cleaned = offset,
            _ => return Ok(()),
        }
        self.write_cleaner_offsets(&offsets)
    }

    /// Forgets durably what was noted of logs that are gone.
    pub(super) fn forget_cleaner_offsets(
        &self,
        is_gone: impl Fn(&str, i32) -> bool,
    ) -> Result<(), StorageError> {
        let mut offsets = self.cleaner_offsets.lock();
        let count = offsets.len();
        offsets.retain(|(topic, partition), _| !is_gone(topic, *partition));
        if offsets.len() == count { Ok(()) } else { self.write_cleaner_offsets(&offsets) }
    }

    fn write_cleaner_offsets(&self, offsets: &Offsets) -> Result<(), StorageError> {
        self.check_online()?;
        let entries =
            offsets.iter().map(|((topic, partition), offset)| (topic.as_str(), *partition, *offset));
        let text = checkpoint::encode_offsets(entries);
        let path = self.path.join(CLEANER_OFFSET_CHECKPOINT_FILE);
        checkpoint::write_text(self.disk(), &path, &text).map_err(|error| self.fail_unless_full(error))
    }

    /// Reads up to where logs have been compacted; what cannot be read is compacted from the start.
    pub(crate) fn read_cleaner_offsets(&self) {
        match checkpoint::read_offsets(self.disk(), &self.path.join(CLEANER_OFFSET_CHECKPOINT_FILE)) {
            Ok(offsets) => *self.cleaner_offsets.lock() = offsets,
            Err(error) => tracing::warn!(%error, "going on without a checkpoint"),
        }
    }
}
