//! The checkpoints of a log directory: what is written of its logs, and what the last run has left.

use super::*;

impl LogDirectory {
    /// Writes the recovery points if one has changed.
    pub(crate) fn maybe_checkpoint_recovery_points(&self) -> Result<(), StorageError> {
        if self.unsaved.recovery_points.load(Ordering::Acquire) {
            self.checkpoint_recovery_points()
        } else {
            Ok(())
        }
    }

    /// Writes the high watermarks if one has changed.
    pub(crate) fn maybe_checkpoint_high_watermarks(&self) -> Result<(), StorageError> {
        if self.unsaved.high_watermarks.load(Ordering::Acquire) {
            self.checkpoint_high_watermarks()
        } else {
            Ok(())
        }
    }

    /// Writes the log start offsets if one has changed.
    pub(crate) fn maybe_checkpoint_log_start_offsets(&self) -> Result<(), StorageError> {
        if self.unsaved.log_start_offsets.load(Ordering::Acquire) {
            self.checkpoint_log_start_offsets()
        } else {
            Ok(())
        }
    }

    /// Notes that the checkpoints may name a log that is not there.
    pub(crate) fn note_forgotten(&self, topic: &str, partition: i32) {
        self.forgotten.lock().insert((topic.to_owned(), partition));
        self.unsaved.note_high_watermark();
        self.unsaved.note_log_start_offset();
    }

    /// Before a log is created under a name that the checkpoints may still hold, they are written without it: a
    /// crash must not find the old log's offsets for the new one.
    pub(crate) fn forget_before_create(&self, topic: &str, partition: i32) -> Result<(), StorageError> {
        if !self.forgotten.lock().contains(&(topic.to_owned(), partition)) {
            return Ok(());
        }
        let forgotten = std::mem::take(&mut *self.forgotten.lock());
        let is_gone = |topic: &str, partition| forgotten.contains(&(topic.to_owned(), partition));
        let written = self
            .forget_cleaner_offsets(is_gone)
            .and_then(|()| self.checkpoint_recovery_points())
            .and_then(|()| self.checkpoint_high_watermarks())
            .and_then(|()| self.checkpoint_log_start_offsets());
        if written.is_err() {
            self.forgotten.lock().extend(forgotten);
        }
        written
    }

    /// Keeps others from writing recovery points while a log is being cut or renamed.
    pub(crate) fn recovery_points_turn(&self) -> MutexGuard<'_, ()> {
        self.checkpointing.lock()
    }

    /// Writes the recovery points, after everything that recovery trusts below them is on disk.
    pub(crate) fn checkpoint_recovery_points(&self) -> Result<(), StorageError> {
        self.write_recovery_points(&self.recovery_points_turn())
    }

    /// As [`LogDirectory::checkpoint_recovery_points`], for whoever has the turn.
    pub(crate) fn write_recovery_points(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), StorageError> {
        unsaved::take(&self.unsaved.recovery_points);
        let logs = self.logs_on_disk();
        let mut points = Vec::with_capacity(logs.len());
        let mut batch = SyncBatch::default();
        for log in &logs {
            let point = match log.prepare_recovery_point(&mut batch) {
                Ok(point) => point,
                Err(error) => {
                    self.check_online()?;
                    // The log may have been deleted a moment ago.
                    if !log.is_closed() {
                        tracing::warn!(?log, %error, "the recovery point of a log stays where it is");
                    }
                    self.unsaved.note_recovery_point();
                    log.known_recovery_point()
                }
            };
            points.push((Arc::clone(log), point));
        }
        batch.commit(self)?;
        let saved: Vec<i64> = points.iter().map(|(_, point)| *point).collect();
        self.write_checkpoint(RECOVERY_POINT_CHECKPOINT_FILE, points, |known| known.recovery_point)
            .inspect_err(|_| self.unsaved.note_recovery_point())?;
        logs.iter().zip(saved).for_each(|(log, point)| log.recovery_point_saved(point));
        Ok(())
    }

    /// Writes the high watermarks.
    pub(crate) fn checkpoint_high_watermarks(&self) -> Result<(), StorageError> {
        let _saving = self.saving_offsets.lock();
        unsaved::take(&self.unsaved.high_watermarks);
        let offsets = self.logs_on_disk().into_iter().map(|log| {
            let high_watermark = log.high_watermark();
            (log, high_watermark)
        });
        self.write_checkpoint(HIGH_WATERMARK_CHECKPOINT_FILE, offsets.collect(), |known| known.high_watermark)
            .inspect_err(|_| self.unsaved.note_high_watermark())
    }

    /// Writes the log start offsets that the names of the segments do not tell.
    pub(crate) fn checkpoint_log_start_offsets(&self) -> Result<(), StorageError> {
        let _saving = self.saving_offsets.lock();
        unsaved::take(&self.unsaved.log_start_offsets);
        let offsets = {
            let _between_rounds = self.sync_queue.between_rounds();
            let logs = self.logs().into_iter();
            logs.filter_map(|log| log.start_offset_to_save().map(|offset| (log, offset))).collect()
        };
        self.write_checkpoint(LOG_START_OFFSET_CHECKPOINT_FILE, offsets, |known| known.log_start_offset)
            .inspect_err(|_| self.unsaved.note_log_start_offset())
    }

    /// Writes the offsets of open logs, and of those that are not open as they were found.
    fn write_checkpoint(
        &self,
        name: &str,
        logs: Vec<(Arc<PartitionLog>, i64)>,
        found: impl Fn(&FoundOffsets) -> Option<i64>,
    ) -> Result<(), StorageError> {
        self.check_online()?;
        let unopened = self.unopened.lock();
        let kept = unopened
            .iter()
            .filter_map(|((topic, partition), known)| Some((topic.as_str(), *partition, found(known)?)));
        let mut entries: Vec<(&str, i32, i64)> =
            logs.iter().map(|(log, offset)| (log.topic(), log.partition(), *offset)).chain(kept).collect();
        entries.sort_unstable();
        let text = checkpoint::encode_offsets(entries.into_iter());
        let written = checkpoint::write_text(self.disk(), &self.path.join(name), &text);
        written.map_err(|error| self.fail_unless_full(error))
    }

    /// Reads the checkpoints. One that cannot be read counts as empty: everything is then verified.
    pub(crate) fn read_checkpoints(&self) {
        let mut unopened = self.unopened.lock();
        type Field = fn(&mut FoundOffsets) -> &mut Option<i64>;
        let files: [(&str, Field); 3] = [
            (RECOVERY_POINT_CHECKPOINT_FILE, |found| &mut found.recovery_point),
            (HIGH_WATERMARK_CHECKPOINT_FILE, |found| &mut found.high_watermark),
            (LOG_START_OFFSET_CHECKPOINT_FILE, |found| &mut found.log_start_offset),
        ];
        for (name, field) in files {
            match checkpoint::read_offsets(self.disk(), &self.path.join(name)) {
                Ok(offsets) => {
                    for (key, offset) in offsets {
                        *field(unopened.entry(key).or_default()) = Some(offset);
                    }
                }
                Err(error) => tracing::warn!(%error, "going on without a checkpoint"),
            }
        }
    }

    /// What the checkpoints say of a log that is to be opened.
    pub(crate) fn known(&self, topic: &str, partition: i32) -> LoadedLog {
        let found = self.unopened.lock().get(&(topic.to_owned(), partition)).copied().unwrap_or_default();
        LoadedLog {
            recovery_point: found.recovery_point.unwrap_or(0),
            log_start_offset: found.log_start_offset.unwrap_or(0),
            high_watermark: found.high_watermark.unwrap_or(0),
            was_clean: self.last_shutdown.was_clean,
        }
    }

    /// Lets go of what the checkpoints said of logs that are not there.
    pub(crate) fn forget_unless(&self, is_there: impl Fn(&str, i32) -> bool) {
        let mut unopened = self.unopened.lock();
        let gone = unopened.extract_if(.., |(topic, partition), _| !is_there(topic, *partition));
        self.forgotten.lock().extend(gone.map(|(key, _)| key));
        self.cleaner_offsets.lock().retain(|(topic, partition), _| is_there(topic, *partition));
    }
}
