//! Opening a log: created empty, taken up after a clean stop, or recovered after a crash.

mod recover;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use config::{Durability, TopicConfig};
use parking_lot::{Mutex, RwLock};
use protocol::Uuid;
use replica::LeaderEpochs;

use super::{LogState, PartitionLog, ReadHint};
use crate::checkpoint;
use crate::disk::{read_small_file, replace_file};
use crate::error::StorageError;
use crate::file_names::{
    LEADER_EPOCH_CHECKPOINT_FILE, LogFileKind, PARTITION_METADATA_FILE, PartitionFile, log_file_name,
    parse_partition_file,
};
use crate::partition_metadata;
use crate::place::Place;
use crate::plan::recovery::{RecoveryPlan, choose_verified};
use crate::segment::header_scan::HeaderScan;
use crate::segment::{SEGMENT_BYTES_MAX, Segment};

/// What the log directory knows of a log before it is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LoadedLog {
    pub(crate) recovery_point: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) was_clean: bool,
}

/// The files found in a partition's directory.
#[derive(Default)]
struct FoundFiles {
    /// Base offset and length of the `.log` files, ascending.
    logs: Vec<(i64, u64)>,
    indexes: Vec<(i64, LogFileKind, u64)>,
    snapshots: Vec<i64>,
    leftovers: Vec<String>,
}

impl FoundFiles {
    fn has(&self, offset: i64, kind: LogFileKind) -> bool {
        self.indexes.iter().any(|(other, other_kind, _)| *other == offset && *other_kind == kind)
    }
}

impl PartitionLog {
    pub(super) fn empty(
        place: Place,
        topic: Arc<str>,
        partition: i32,
        config: Arc<TopicConfig>,
        producer_id_expiration_ms: i64,
        now_ms: i64,
    ) -> PartitionLog {
        PartitionLog {
            topic,
            partition,
            topic_id: Mutex::new(None),
            place,
            config: RwLock::new(config),
            producer_id_expiration_ms,
            log_start_offset: AtomicI64::new(0),
            log_end_offset: AtomicI64::new(0),
            synced_end_offset: AtomicI64::new(0),
            saved_recovery_point: AtomicI64::new(0),
            durable_end_offset: AtomicI64::new(0),
            high_watermark: AtomicI64::new(0),
            first_unstable_offset: AtomicI64::new(i64::MAX),
            last_flush_ms: AtomicI64::new(now_ms),
            truncations: AtomicU64::new(0),
            swaps: AtomicU32::new(0),
            upkeep: Mutex::new(()),
            sync_is_scheduled: AtomicBool::new(false),
            flush_is_awaited: AtomicBool::new(false),
            names_are_unsynced: AtomicBool::new(false),
            parent_is_unsynced: AtomicBool::new(false),
            is_on_disk: AtomicBool::new(false),
            segments: RwLock::new(Arc::new(Vec::new())),
            read_hints: Mutex::new([ReadHint::default(); super::READ_HINTS]),
            observer: RwLock::new(None),
            state: Mutex::new(LogState::default()),
        }
    }

    /// Gives a topic id to a log that has none, durably.
    pub fn assign_topic_id(&self, topic_id: Uuid) -> Result<(), StorageError> {
        let _state = self.writable_state()?;
        self.put_on_disk()?;
        let mut known = self.topic_id.lock();
        if *known == Some(topic_id) {
            return Ok(());
        }
        let path = self.place.path().join(PARTITION_METADATA_FILE);
        if known.is_some() {
            return Err(StorageError::Mismatch(format!("{} names another topic id", path.display())));
        }
        replace_file(self.directory().disk(), &path, partition_metadata::encode(topic_id).as_bytes())
            .map_err(|source| self.refused_write("write", &path, source))?;
        *known = Some(topic_id);
        Ok(())
    }

    /// Opens the log that lies at `place`.
    pub(crate) fn open(
        place: Place,
        topic: Arc<str>,
        partition: i32,
        config: Arc<TopicConfig>,
        producer_id_expiration_ms: i64,
        known: LoadedLog,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let log = PartitionLog::empty(place, topic, partition, config, producer_id_expiration_ms, now_ms);
        log.is_on_disk.store(true, Ordering::Release);
        log.finish_swaps()?;
        let found = log.find_files()?;
        log.remove_leftovers(&found)?;
        *log.topic_id.lock() = log.read_topic_id(known)?;
        let is_changed = !known.was_clean;
        let mut state = LogState { snapshots: found.snapshots.clone(), is_changed, ..LogState::default() };
        log.load_segments(&found, now_ms)?;
        log.load_epochs(&mut state)?;
        let (saved_epochs, were_unsaved) = (state.epochs.clone(), state.epochs_are_unsaved);
        let bases: Vec<i64> = found.logs.iter().map(|(base, _)| *base).collect();
        let reindex_from = match choose_verified(&bases, known.recovery_point, known.was_clean) {
            RecoveryPlan::TrustAll => {
                let end_offset = log.read_end_offset()?;
                log.check_nothing_lost(end_offset, known, None)?;
                log.check_end_of_clean_stop(end_offset, known.recovery_point)?;
                log.log_end_offset.store(end_offset, Ordering::Release);
                i64::MAX
            }
            RecoveryPlan::VerifyFrom(index) => log.recover(&mut state, index, known, now_ms)?,
        };
        log.settle_offsets(&mut state, known, now_ms)?;
        // Verification finds the epochs anew: mostly the same ones.
        state.epochs_are_unsaved = were_unsaved || state.epochs != saved_epochs;
        log.restore_indexes(&found, reindex_from)?;
        log.drop_stray_snapshots(&mut state, reindex_from)?;
        log.rebuild_producers(&mut state, log.log_end_offset().min(reindex_from), reindex_from, now_ms)?;
        *log.state.lock() = state;
        log.segments().iter().for_each(|segment| segment.release_indexes());
        log.saved_recovery_point.store(known.recovery_point, Ordering::Release);
        let log = Arc::new(log);
        if log.synced_end_offset() < log.log_end_offset() {
            log.schedule_sync();
        }
        Ok(log)
    }

    fn find_files(&self) -> Result<FoundFiles, StorageError> {
        let path = self.place.path();
        let entries = self.directory().disk().list(&path);
        let entries = entries.map_err(|error| StorageError::io("list", &path, error))?;
        let mut found = FoundFiles::default();
        for entry in entries.into_iter().filter(|entry| !entry.is_directory) {
            match parse_partition_file(&entry.name) {
                PartitionFile::Log(offset, LogFileKind::Log) => found.logs.push((offset, entry.length)),
                PartitionFile::Log(offset, LogFileKind::ProducerSnapshot) => found.snapshots.push(offset),
                PartitionFile::Log(offset, kind) => found.indexes.push((offset, kind, entry.length)),
                PartitionFile::Leftover => found.leftovers.push(entry.name),
                PartitionFile::Staged(..) | PartitionFile::Other => {}
            }
        }
        found.logs.sort_unstable();
        found.snapshots.sort_unstable();
        Ok(found)
    }

    /// What was marked for deletion goes, and indexes without a segment.
    fn remove_leftovers(&self, found: &FoundFiles) -> Result<(), StorageError> {
        let path = self.place.path();
        let is_orphan = |offset: i64| !found.logs.iter().any(|(base, _)| *base == offset);
        let orphans = found.indexes.iter().filter(|(offset, ..)| is_orphan(*offset));
        let orphans = orphans.map(|(offset, kind, _)| log_file_name(*offset, *kind));
        for name in found.leftovers.iter().cloned().chain(orphans) {
            let path = path.join(name);
            let removed = self.directory().disk().remove_file(&path);
            removed.map_err(|source| self.write_error("remove", &path, source))?;
        }
        Ok(())
    }

    fn read_topic_id(&self, known: LoadedLog) -> Result<Option<Uuid>, StorageError> {
        let path = self.place.path().join(PARTITION_METADATA_FILE);
        let bytes = match read_small_file(self.directory().disk(), &path, partition_metadata::BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("read", &path, error)),
        };
        match partition_metadata::decode(&String::from_utf8_lossy(&bytes)) {
            Ok(topic_id) => Ok(topic_id),
            // The file is synced with the first records; before that a crash may tear it.
            Err(reason) if !known.was_clean && known.recovery_point == 0 => {
                tracing::warn!(file = %path.display(), reason, "removing torn partition metadata of a new log");
                let removed = self.directory().disk().remove_file(&path);
                removed.map_err(|source| self.write_error("remove", &path, source))?;
                Ok(None)
            }
            Err(reason) => Err(StorageError::damaged(&path, reason)),
        }
    }

    fn load_segments(&self, found: &FoundFiles, now_ms: i64) -> Result<(), StorageError> {
        let mut segments = Vec::with_capacity(found.logs.len());
        for (index, (base_offset, length)) in found.logs.iter().enumerate() {
            let size = u32::try_from(*length).ok().filter(|size| *size <= SEGMENT_BYTES_MAX);
            let Some(size) = size else {
                let path = self.place.path().join(log_file_name(*base_offset, LogFileKind::Log));
                return Err(StorageError::damaged(
                    &path,
                    format!("{length} bytes are too many for a segment"),
                ));
            };
            let next = found.logs.get(index + 1).map(|(next, _)| *next);
            let segment = Segment::new(*base_offset, size, next.unwrap_or(*base_offset), now_ms);
            let is_indexed = |(offset, kind, length): &(i64, LogFileKind, u64)| {
                *offset == *base_offset && *kind == LogFileKind::TransactionIndex && *length > 0
            };
            segment.set_has_transaction_index(found.indexes.iter().any(is_indexed));
            segments.push(segment);
        }
        self.replace_segments(segments);
        Ok(())
    }

    /// The epochs as saved; where they are missing or damaged, as the batches tell them.
    fn load_epochs(&self, state: &mut LogState) -> Result<(), StorageError> {
        let path = self.place.path().join(LEADER_EPOCH_CHECKPOINT_FILE);
        let text = checkpoint::read_text(self.directory().disk(), &path)?;
        match LeaderEpochs::from_checkpoint(&text) {
            Ok(epochs) => state.epochs = epochs,
            Err(_) if self.segments().iter().all(|segment| segment.size() == 0) => {}
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "finding the leader epochs in the batches");
                self.find_epochs(state)?;
                state.epochs_are_unsaved = true;
            }
        }
        Ok(())
    }

    fn find_epochs(&self, state: &mut LogState) -> Result<(), StorageError> {
        for segment in self.segments().iter() {
            let file = segment
                .file(&self.place, LogFileKind::Log)
                .map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?;
            let mut scan = HeaderScan::new(file.as_ref(), 0, segment.size());
            // Damage ends the search here; recovery decides what it means.
            while let Ok(Some(batch)) = scan.next() {
                state.epochs.assign(batch.header.partition_leader_epoch, batch.header.base_offset);
            }
        }
        Ok(())
    }

    /// The end of a log that was stopped cleanly, from the last entry of its last index on.
    fn read_end_offset(&self) -> Result<i64, StorageError> {
        let Some(active) = self.active_segment() else { return Ok(0) };
        if active.size() == 0 {
            return Ok(active.base_offset);
        }
        // Until the end is known, every offset the index can express is taken for possible.
        active.set_end(active.size(), active.offset_max().saturating_add(1));
        let next_offset = active.last_batch_end(&self.place)?;
        active.set_end(active.size(), next_offset);
        Ok(next_offset)
    }

    /// A clean stop leaves the recovery point at the end of a batch, the last one. No checksum covers a batch's base
    /// offset, and this is what tells that it is another.
    fn check_end_of_clean_stop(&self, end_offset: i64, recovery_point: i64) -> Result<(), StorageError> {
        let segments = self.segments();
        let before = segments.iter().rfind(|segment| segment.base_offset < recovery_point);
        let Some(segment) = before.filter(|_| recovery_point > 0 && recovery_point < end_offset) else {
            return Ok(());
        };
        let last = segment.find_offset(&self.place, recovery_point - 1)?;
        if last.is_some_and(|batch| batch.header.next_offset() == recovery_point) {
            return Ok(());
        }
        let path = segment.path(&self.place, LogFileKind::Log);
        let reason = format!(
            "the log ends at offset {end_offset}, but it was stopped at {recovery_point}, where no batch ends"
        );
        Err(StorageError::damaged(&path, reason))
    }

    /// Rebuilds missing index files of segments that were not verified.
    fn restore_indexes(&self, found: &FoundFiles, verified_from: i64) -> Result<(), StorageError> {
        let kinds = [LogFileKind::OffsetIndex, LogFileKind::TimeIndex];
        let trusted = |segment: &&Arc<Segment>| segment.size() > 0 && segment.base_offset < verified_from;
        for segment in self.segments().iter().filter(trusted) {
            if kinds.iter().all(|kind| found.has(segment.base_offset, *kind)) {
                continue;
            }
            segment.restore_missing_indexes(&self.place).map_err(|source| {
                self.write_error("write", &segment.path(&self.place, LogFileKind::OffsetIndex), source)
            })?;
        }
        Ok(())
    }

    /// Bounds every offset by what the log holds.
    fn settle_offsets(
        &self,
        state: &mut LogState,
        known: LoadedLog,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let first = self.segments().first().map(|segment| segment.base_offset);
        let start_offset = known.log_start_offset.max(first.unwrap_or(0));
        if self.log_end_offset() < start_offset {
            if known.was_clean && first.is_some() {
                let end_offset = self.log_end_offset();
                return Err(StorageError::damaged(
                    &self.place.path(),
                    format!("the log ends at offset {end_offset}, before its saved start {start_offset}"),
                ));
            }
            self.begin_at(state, start_offset, now_ms)?;
        }
        let end_offset = self.log_end_offset();
        let high_watermark = known.high_watermark.clamp(start_offset, end_offset);
        let synced =
            if known.was_clean { end_offset } else { known.recovery_point.clamp(start_offset, end_offset) };
        let is_synced = self.config.read().klamm_durability == Durability::Synced;
        self.log_start_offset.store(start_offset, Ordering::Release);
        self.high_watermark.store(high_watermark, Ordering::Release);
        self.synced_end_offset.store(synced, Ordering::Release);
        // Below the high watermark everything was durable once, or it had not become that.
        let durable = if is_synced { synced.max(high_watermark) } else { end_offset };
        self.durable_end_offset.store(durable, Ordering::Release);
        state.epochs_are_unsaved |= state.epochs.truncate_from_end(end_offset);
        state.epochs_are_unsaved |= state.epochs.truncate_from_start(start_offset);
        state.is_changed |= state.epochs_are_unsaved;
        Ok(())
    }

    /// The saved log start offset lies beyond what there is: Kafka then begins anew there. A synced log cannot come to
    /// that by a crash, so what there is may be all that is left: it is kept under names that Kafka ignores, too.
    fn begin_at(&self, state: &mut LogState, offset: i64, now_ms: i64) -> Result<(), StorageError> {
        let segments = self.segments();
        if !segments.is_empty() {
            tracing::warn!(
                topic = %self.topic,
                partition = self.partition,
                log_end_offset = self.log_end_offset(),
                log_start_offset = offset,
                "the log ends below its start offset: beginning anew there"
            );
        }
        self.replace_segments(Vec::new());
        let is_synced = self.config.read().klamm_durability == Durability::Synced;
        for segment in segments.iter().rev() {
            if is_synced && segment.size() > 0 {
                self.quarantine_segment(segment)?;
            } else {
                self.discard_segment(segment, now_ms)?;
            }
        }
        state.epochs.clear();
        self.log_end_offset.store(offset, Ordering::Release);
        Ok(())
    }

    /// Snapshots that belong to no segment go, but for the newest; so do those that are not trusted.
    fn drop_stray_snapshots(&self, state: &mut LogState, trusted_until: i64) -> Result<(), StorageError> {
        let limit = self.log_end_offset().min(trusted_until);
        self.remove_snapshots(state, |offset| offset > limit)?;
        let newest = state.snapshots.last().copied();
        let segments = self.segments();
        let is_base = |offset: i64| segments.iter().any(|segment| segment.base_offset == offset);
        self.remove_snapshots(state, |offset| Some(offset) != newest && !is_base(offset))
    }
}
