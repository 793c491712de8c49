//! Appending: validate without the lock, then judge producers, assign offsets and write under it.

mod together;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use config::{CompressionType, Durability, TimestampType, TopicConfig};
use protocol::ErrorCode;
use records::{
    AppendOrigin, BatchHeader, Codec, Compression, InvalidBatch, RecordError, TargetCompression, ValidBatch,
    ValidationRules,
};
use replica::{PreparedAppend, ProducerUpdate};
use smallvec::SmallVec;

use super::producers::producer_batch;
use super::{LogState, PartitionLog};
use crate::disk::{WriteFailure, is_out_of_space};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::plan::roll::{self, RollInput, RollLimits};
use crate::segment::{AppendedBatch, SEGMENT_BYTES_MAX, Segment};

/// Where an append ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// Offset of the first record; for a repeated batch the one it got the first time.
    pub first_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// When the broker gave timestamps (`LogAppendTime`), the one it gave, ms; otherwise -1.
    pub log_append_time: i64,
    /// Log start offset at the append.
    pub log_start_offset: i64,
    /// Log end offset after the append.
    pub log_end_offset: i64,
    /// Durable end offset after the append: the log end offset for page-cache logs, behind it for synced ones.
    pub durable_end_offset: i64,
    /// Bytes written; 0 for a repeated batch.
    pub size_in_bytes: usize,
    /// Whether the batch was in the log already (idempotence) and nothing was written.
    pub duplicate: bool,
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_code}: {message}")]
pub struct AppendError {
    /// What the client is told.
    pub error_code: ErrorCode,
    /// The records at fault, where single records are.
    pub record_errors: Vec<RecordError>,
    /// For people.
    pub message: String,
}

impl AppendError {
    fn new(error_code: ErrorCode, message: String) -> AppendError {
        AppendError { error_code, record_errors: Vec::new(), message }
    }
}

impl From<InvalidBatch> for AppendError {
    fn from(invalid: InvalidBatch) -> Self {
        AppendError {
            error_code: invalid.error_code,
            record_errors: invalid.record_errors,
            message: invalid.message.into_owned(),
        }
    }
}

impl From<StorageError> for AppendError {
    fn from(error: StorageError) -> Self {
        AppendError::new(ErrorCode::KafkaStorageError, error.to_string())
    }
}

/// In which role a leader appends.
#[derive(Clone, Copy)]
struct Leading {
    leader_epoch: i32,
    origin: AppendOrigin,
    transaction_version: i16,
}

/// One batch as it goes to disk.
struct PlacedBatch<'a> {
    head: &'a [u8],
    tail: &'a [u8],
    header: &'a BatchHeader,
}

impl<'a> From<&'a ValidBatch> for PlacedBatch<'a> {
    fn from(batch: &'a ValidBatch) -> Self {
        PlacedBatch { head: &batch.head, tail: &batch.tail, header: &batch.header }
    }
}

impl PartitionLog {
    /// Validates `records`, gives them offsets and appends them as the leader of `leader_epoch`.
    ///
    /// A synced log's append is not durable on return: see [`PartitionLog::durable_end_offset`].
    pub fn append_as_leader(
        self: &Arc<Self>,
        records: &Bytes,
        leader_epoch: i32,
        origin: AppendOrigin,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        self.append_validated(records, Leading { leader_epoch, origin, transaction_version: 0 }, now_ms)
    }

    /// Appends transaction markers. `transaction_version` is the finalised level of that feature: from 2 on a marker
    /// must carry a newer epoch than its transaction (KIP-890).
    pub fn append_markers_as_leader(
        self: &Arc<Self>,
        records: &Bytes,
        leader_epoch: i32,
        transaction_version: i16,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let origin = AppendOrigin::Coordinator;
        self.append_validated(records, Leading { leader_epoch, origin, transaction_version }, now_ms)
    }

    /// What is told of batches that have just been appended.
    fn info_of(&self, batches: &[ValidBatch], config: &TopicConfig, now_ms: i64) -> AppendInfo {
        let gives_timestamps = config.message_timestamp_type == TimestampType::LogAppendTime;
        AppendInfo {
            first_offset: batches.first().map_or(-1, |batch| batch.header.base_offset),
            last_offset: batches.last().map_or(-1, |batch| batch.header.last_offset()),
            log_append_time: if gives_timestamps { now_ms } else { -1 },
            log_start_offset: self.log_start_offset(),
            log_end_offset: self.log_end_offset(),
            durable_end_offset: self.durable_end_offset(),
            size_in_bytes: batches.iter().map(ValidBatch::size_in_bytes).sum(),
            duplicate: false,
        }
    }

    fn append_validated(
        self: &Arc<Self>,
        records: &Bytes,
        leading: Leading,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let config = self.config();
        let batches = validated(records, &config, leading.origin, now_ms)?;
        let mut state = self.writable_state()?;
        let first_offset = self.log_end_offset();
        let info = self.append_batches(&mut state, batches, &config, leading, now_ms)?;
        drop(state);
        self.after_append(&config, first_offset);
        Ok(info)
    }

    fn append_batches(
        self: &Arc<Self>,
        state: &mut LogState,
        mut batches: Vec<ValidBatch>,
        config: &TopicConfig,
        leading: Leading,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        self.directory().reserve().check_space()?;
        let Leading { leader_epoch, origin, transaction_version } = leading;
        let mut next_offset = self.log_end_offset();
        for batch in &mut batches {
            batch.assign(next_offset, leader_epoch);
            next_offset = batch.header.next_offset();
        }
        let update = match self.judge_producers(state, &batches, origin, transaction_version)? {
            PreparedAppend::Append(update) => update,
            PreparedAppend::Duplicate(batch) => {
                return Ok(self.duplicate_info(
                    batch.first_offset(),
                    batch.last_offset,
                    batch.timestamp,
                    config,
                ));
            }
        };
        let placed: SmallVec<[PlacedBatch<'_>; 2]> = batches.iter().map(PlacedBatch::from).collect();
        self.write(state, &placed, config, now_ms)?;
        self.take_over(state, update, &placed, config)?;
        Ok(self.info_of(&batches, config, now_ms))
    }

    /// Appends batches as they are, offsets and epochs included: what a leader or the metadata quorum has decided.
    ///
    /// Offsets must not lie below the log end offset; gaps are kept, as compaction leaves them. An incomplete last
    /// batch is ignored.
    pub fn append_as_follower(
        self: &Arc<Self>,
        records: &Bytes,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let config = self.config();
        let mut batches: SmallVec<[records::Batch; 2]> = SmallVec::new();
        for batch in records::batches(records) {
            let batch = batch.map_err(|error| AppendError::new(error.error_code(), error.to_string()))?;
            batch.verify_crc().map_err(|error| AppendError::new(error.error_code(), error.to_string()))?;
            batches.push(batch);
        }
        let size: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        check_fits_segment(size, &config)?;
        let mut state = self.writable_state()?;
        let mut expected = self.log_end_offset();
        for batch in &batches {
            let header = &batch.header;
            if header.base_offset < expected || header.last_offset() < header.base_offset {
                let message = format!("offset {} where at least {expected} is due", header.base_offset);
                return Err(AppendError::new(ErrorCode::CorruptMessage, message));
            }
            expected = header.next_offset();
        }
        let first_offset = batches.first().map_or(expected, |batch| batch.header.base_offset);
        let tails: SmallVec<[Bytes; 2]> = batches.iter().map(records::Batch::tail).collect();
        let appended = batches.iter().zip(&tails).map(|(batch, tail)| producer_batch(&batch.header, tail));
        let update = state.producers.prepare_replicated(appended);
        let placed: SmallVec<[PlacedBatch<'_>; 2]> = batches
            .iter()
            .map(|batch| PlacedBatch { head: &batch.bytes, tail: &[], header: &batch.header })
            .collect();
        self.write(&mut state, &placed, &config, now_ms)?;
        self.take_over(&mut state, update, &placed, &config)?;
        drop(state);
        self.after_append(&config, first_offset);
        Ok(AppendInfo {
            first_offset,
            last_offset: expected - 1,
            log_append_time: -1,
            log_start_offset: self.log_start_offset(),
            log_end_offset: expected,
            durable_end_offset: self.durable_end_offset(),
            size_in_bytes: size,
            duplicate: false,
        })
    }

    fn judge_producers<'a>(
        &self,
        state: &LogState,
        batches: impl IntoIterator<Item = &'a ValidBatch>,
        origin: AppendOrigin,
        transaction_version: i16,
    ) -> Result<PreparedAppend, AppendError> {
        let appended = batches.into_iter().map(|batch| producer_batch(&batch.header, &batch.tail));
        state
            .producers
            .prepare(appended, origin, transaction_version)
            .map_err(|error| AppendError::new(error.error_code(), error.to_string()))
    }

    fn duplicate_info(&self, first: i64, last: i64, timestamp: i64, config: &TopicConfig) -> AppendInfo {
        let gives_timestamps = config.message_timestamp_type == TimestampType::LogAppendTime;
        AppendInfo {
            first_offset: first,
            last_offset: last,
            log_append_time: if gives_timestamps { timestamp } else { -1 },
            log_start_offset: self.log_start_offset(),
            log_end_offset: self.log_end_offset(),
            durable_end_offset: self.durable_end_offset(),
            size_in_bytes: 0,
            duplicate: true,
        }
    }

    /// Writes placed batches to the active segment, rolling before if it is due.
    fn write(
        self: &Arc<Self>,
        state: &mut LogState,
        batches: &[PlacedBatch<'_>],
        config: &TopicConfig,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(()) };
        let segment = self.segment_for(
            state,
            first.header.base_offset,
            last.header.last_offset(),
            batches,
            config,
            now_ms,
        )?;
        let mut parts: SmallVec<[&[u8]; 8]> = SmallVec::new();
        let mut appended: SmallVec<[AppendedBatch; 4]> = SmallVec::new();
        for batch in batches {
            parts.extend([batch.head, batch.tail]);
            appended.push(AppendedBatch {
                last_offset: batch.header.last_offset(),
                max_timestamp: batch.header.max_timestamp,
                size: (batch.head.len() + batch.tail.len()) as u32,
            });
        }
        let interval = u32::try_from(config.index_interval_bytes).unwrap_or(0);
        segment
            .append(&self.place, &appended, &parts, interval)
            .map_err(|failure| self.undo_append(&segment, failure))
    }

    /// Cuts off what was written of a batch. A full disk then leaves the log as it was; any other failure ends the
    /// directory's use.
    fn undo_append(&self, segment: &Arc<Segment>, failure: WriteFailure) -> StorageError {
        let path = segment.path(&self.place, LogFileKind::Log);
        let was_cut = failure.written == 0 || segment.cut_to_size(&self.place).is_ok();
        if was_cut && is_out_of_space(&failure.source) {
            self.directory()
                .reserve()
                .note_full(&format_args!("an append to {}-{}", self.topic, self.partition));
            return StorageError::io("append to", &path, failure.source);
        }
        if !was_cut {
            tracing::error!(segment = %path.display(), "half an append stays at the end of the segment");
        }
        self.write_error("append to", &path, failure.source)
    }

    /// The segment to append to.
    fn segment_for(
        self: &Arc<Self>,
        state: &mut LogState,
        first_offset: i64,
        last_offset: i64,
        batches: &[PlacedBatch<'_>],
        config: &TopicConfig,
        now_ms: i64,
    ) -> Result<Arc<Segment>, StorageError> {
        // Segments follow each other without a gap even where a leader's compaction has made one, so that recovery can
        // tell what was torn off; unless the gap is wider than a segment can be.
        let log_end_offset = self.log_end_offset();
        let is_near = last_offset.saturating_sub(log_end_offset) <= i64::from(i32::MAX);
        let begins_at = if is_near { log_end_offset } else { first_offset };
        let Some(active) = self.active_segment() else {
            return self.add_segment(begins_at, now_ms);
        };
        if !self.must_roll(&active, last_offset, batches, 1, config, now_ms)? {
            return Ok(active);
        }
        self.roll_at(state, begins_at, now_ms)
    }

    /// Whether a segment ends before these batches, which may need `entries` in its indexes.
    fn must_roll(
        &self,
        active: &Arc<Segment>,
        last_offset: i64,
        batches: &[PlacedBatch<'_>],
        entries: usize,
        config: &TopicConfig,
        now_ms: i64,
    ) -> Result<bool, StorageError> {
        let read_error =
            |source| StorageError::io("read", &active.path(&self.place, LogFileKind::Log), source);
        let (offset_entries, time_entries) = active.index_entries(&self.place).map_err(read_error)?;
        let more_entries = entries.saturating_sub(1) as u32;
        let input = RollInput {
            base_offset: active.base_offset,
            size: active.size(),
            index_entries: (offset_entries + more_entries, time_entries + more_entries),
            created_ms: active.created_ms,
            first_timestamp: active.first_timestamp(&self.place).map_err(read_error)?,
            appended_bytes: batches.iter().map(|batch| batch.head.len() + batch.tail.len()).sum(),
            appended_max_timestamp: batches
                .iter()
                .map(|batch| batch.header.max_timestamp)
                .max()
                .unwrap_or(-1),
            appended_last_offset: last_offset,
            now_ms,
        };
        let limits = RollLimits {
            segment_bytes: segment_bytes(config),
            segment_ms: roll::segment_ms(config),
            jitter_ms: roll::jitter_ms(
                &self.topic,
                self.partition,
                active.base_offset,
                config.segment_jitter_ms,
                roll::segment_ms(config),
            ),
            segment_index_bytes: config.segment_index_bytes,
        };
        Ok(roll::should_roll(&input, &limits))
    }

    /// Ends the active segment and begins one at the log end offset. An empty active segment stays.
    pub fn roll(self: &Arc<Self>, now_ms: i64) -> Result<(), StorageError> {
        let mut state = self.writable_state()?;
        if self.active_segment().is_none_or(|active| active.size() > 0) {
            self.roll_at(&mut state, self.log_end_offset(), now_ms)?;
        }
        Ok(())
    }

    pub(super) fn roll_at(
        self: &Arc<Self>,
        state: &mut LogState,
        base_offset: i64,
        now_ms: i64,
    ) -> Result<Arc<Segment>, StorageError> {
        if let Some(active) = self.active_segment() {
            active.finish_indexes(&self.place).map_err(|source| {
                self.refused_write(
                    "write the index of",
                    &active.path(&self.place, LogFileKind::OffsetIndex),
                    source,
                )
            })?;
            self.take_producer_snapshot(state, base_offset)?;
        }
        let segment = self.add_segment(base_offset, now_ms)?;
        // The ended segment is synced soon in either mode, so that recovery never has more than one to verify.
        self.schedule_sync();
        Ok(segment)
    }

    pub(super) fn add_segment(&self, base_offset: i64, now_ms: i64) -> Result<Arc<Segment>, StorageError> {
        self.put_on_disk()?;
        let segment = Segment::new(base_offset, 0, base_offset, now_ms);
        if let Err(source) = segment.file(&self.place, LogFileKind::Log) {
            let path = segment.path(&self.place, LogFileKind::Log);
            return Err(self.refused_write("create", &path, source));
        }
        self.names_are_unsynced.store(true, Ordering::Release);
        let mut segments = self.segments().to_vec();
        segments.push(Arc::clone(&segment));
        self.replace_segments(segments);
        Ok(segment)
    }

    /// Producer state, epochs and offsets follow what is on file now.
    fn take_over(
        &self,
        state: &mut LogState,
        update: ProducerUpdate,
        batches: &[PlacedBatch<'_>],
        config: &TopicConfig,
    ) -> Result<(), StorageError> {
        let Some(last) = batches.last() else { return Ok(()) };
        let next_offset = last.header.next_offset();
        for batch in batches {
            let assigned = state.epochs.assign(batch.header.partition_leader_epoch, batch.header.base_offset);
            state.epochs_are_unsaved |= assigned;
        }
        let completed = state.producers.apply(update);
        state.producers.set_map_end_offset(next_offset);
        if state.producers.first_unstable_offset().is_some()
            || self.first_unstable_offset.load(Ordering::Relaxed) != i64::MAX
        {
            self.publish_first_unstable_offset(state);
        }
        // Readers bounded by offsets published below find the aborted transactions of them in the index.
        let indexed = self.index_aborted_transactions(&completed);
        self.log_end_offset.store(next_offset, Ordering::Release);
        if config.klamm_durability == Durability::PageCache {
            self.durable_end_offset.store(next_offset, Ordering::Release);
        }
        indexed
    }

    fn after_append(self: &Arc<Self>, config: &TopicConfig, first_offset: i64) {
        let is_due = config.klamm_durability == Durability::Synced
            || self.log_end_offset() - self.synced_end_offset() >= config.flush_messages;
        if is_due && self.log_end_offset() > first_offset {
            self.schedule_sync();
        } else if config.flush_ms < i64::MAX {
            self.maybe_await_flush();
        }
    }
}

/// What a request brought, once it has been looked at.
type Judged = Result<Vec<ValidBatch>, AppendError>;

fn validated(records: &Bytes, config: &TopicConfig, origin: AppendOrigin, now_ms: i64) -> Judged {
    let batches = records::validate(records, &rules(config, origin, now_ms))?;
    check_fits_segment(batches.iter().map(ValidBatch::size_in_bytes).sum(), config)?;
    Ok(batches)
}

fn check_fits_segment(size: usize, config: &TopicConfig) -> Result<(), AppendError> {
    let limit = segment_bytes(config);
    if size as u64 <= u64::try_from(limit).unwrap_or(0).min(u64::from(SEGMENT_BYTES_MAX)) {
        return Ok(());
    }
    let message = format!("the append of {size} bytes exceeds the segment size of {limit} bytes");
    Err(AppendError::new(ErrorCode::RecordListTooLarge, message))
}

fn segment_bytes(config: &TopicConfig) -> i32 {
    config.internal_segment_bytes.unwrap_or(config.segment_bytes)
}

fn rules(config: &TopicConfig, origin: AppendOrigin, now_ms: i64) -> ValidationRules {
    ValidationRules {
        origin,
        now_ms,
        max_message_bytes: usize::try_from(config.max_message_bytes).unwrap_or(0),
        max_decompressed_message_bytes: usize::try_from(config.max_decompressed_message_bytes).unwrap_or(0),
        compression: target_compression(config),
        timestamp_type: match config.message_timestamp_type {
            TimestampType::CreateTime => records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        compacted: config.compacts(),
    }
}

fn target_compression(config: &TopicConfig) -> TargetCompression {
    let codec = match config.compression_type {
        CompressionType::Producer => return TargetCompression::Producer,
        CompressionType::Uncompressed => Codec::None,
        CompressionType::Gzip => Codec::Gzip,
        CompressionType::Snappy => Codec::Snappy,
        CompressionType::Lz4 => Codec::Lz4,
        CompressionType::Zstd => Codec::Zstd,
    };
    let level = match codec {
        Codec::Gzip => config.compression_gzip_level,
        Codec::Lz4 => config.compression_lz4_level,
        Codec::Zstd => config.compression_zstd_level,
        Codec::None | Codec::Snappy => return TargetCompression::Fixed(Compression::of(codec)),
    };
    TargetCompression::Fixed(Compression::with_level(codec, level).unwrap_or(Compression::of(codec)))
}
