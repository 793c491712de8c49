//! Reading: whole batches from one segment, as a region of its file or as bytes, without the append lock.

mod batch_walk;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::{ErrorCode, FileRegion, Records};

use self::batch_walk::BatchWalk;
use super::{AbortedTransaction, PartitionLog, ReadHint};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::segment::Segment;
use crate::segment::header_scan::ScanError;
use crate::segment::lookup::read_range;
use crate::segment::recover::LogRules;

/// From here on bytes are sent from the file; below, copying them into the answer was measured to be cheaper.
const REGION_BYTES_MIN: usize = 32 * 1024;

/// Batches, and the offsets of the log when they were read.
#[derive(Clone, Debug)]
pub struct ReadResult {
    /// Whole batches; the first may begin before the offset asked for. Empty when nothing is there to read.
    pub records: Records,
    /// Upper bound (exclusive) of the offsets in `records`; the start offset when they are empty.
    pub end_offset: i64,
    /// Log start offset.
    pub log_start_offset: i64,
    /// Log end offset.
    pub log_end_offset: i64,
    /// High watermark.
    pub high_watermark: i64,
    /// Last stable offset.
    pub last_stable_offset: i64,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The offset is not in the log.
    #[error("offset {offset} is outside of {log_start_offset}..={log_end_offset}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// First offset there is.
        log_start_offset: i64,
        /// Offset the next record will get.
        log_end_offset: i64,
    },
    /// The disk failed, or what it holds is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// What the client is told.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            // As Kafka's broker says it: clients stop there instead of trying for ever.
            ReadError::Storage(StorageError::Damaged { .. }) => ErrorCode::CorruptMessage,
            ReadError::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

/// What a read may answer with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A region of a file, or bytes: whatever costs less to send.
    Any,
    /// Bytes.
    Bytes,
}

/// Where a read begins.
struct Start {
    segment: Arc<Segment>,
    position: u32,
}

impl PartitionLog {
    /// Reads batches from the one that holds `start_offset` on: at most `max_bytes` of them, none with an offset at
    /// or above `upper_bound_offset`. With `at_least_one_batch` the first comes even if it is larger.
    pub fn read(
        &self,
        start_offset: i64,
        max_bytes: usize,
        upper_bound_offset: i64,
        at_least_one_batch: bool,
    ) -> Result<ReadResult, ReadError> {
        self.read_as(Form::Any, start_offset, max_bytes, upper_bound_offset, at_least_one_batch)
    }

    /// [`PartitionLog::read`], and the aborted transactions among what was read: of one state of the log, whatever
    /// compaction does meanwhile.
    pub fn read_committed(
        &self,
        start_offset: i64,
        max_bytes: usize,
        upper_bound_offset: i64,
        at_least_one_batch: bool,
    ) -> Result<(ReadResult, Vec<AbortedTransaction>), ReadError> {
        loop {
            let swaps = self.swaps.load(Ordering::Acquire);
            let read = self.read(start_offset, max_bytes, upper_bound_offset, at_least_one_batch)?;
            let aborted = self.aborted_transactions(start_offset, read.end_offset)?;
            if swaps == self.swaps.load(Ordering::Acquire) {
                return Ok((read, aborted));
            }
        }
    }

    /// [`PartitionLog::read`] with at least one batch, copied into memory: for whoever looks at the records.
    pub fn read_bytes(
        &self,
        start_offset: i64,
        max_bytes: usize,
        upper_bound_offset: i64,
    ) -> Result<Bytes, ReadError> {
        let read = self.read_as(Form::Bytes, start_offset, max_bytes, upper_bound_offset, true)?;
        Ok(read.records.to_bytes().expect("no region was asked for"))
    }

    fn read_as(
        &self,
        form: Form,
        start_offset: i64,
        max_bytes: usize,
        upper_bound_offset: i64,
        at_least_one_batch: bool,
    ) -> Result<ReadResult, ReadError> {
        self.directory().check_online()?;
        loop {
            let truncations = self.truncations.load(Ordering::Acquire);
            if truncations % 2 == 1 {
                // The log is being cut right now: its lock is free when that is done.
                drop(self.state.lock());
                continue;
            }
            let result = self.while_swapped(|| {
                self.read_once(form, start_offset, max_bytes, upper_bound_offset, at_least_one_batch)
            });
            // Cut under the reader's feet: whatever was read may be from before and after, so it begins again.
            if self.truncations.load(Ordering::Acquire) != truncations {
                continue;
            }
            // A segment that retention took while it was read is no failure of the disk.
            let log_start_offset = self.log_start_offset();
            if let Err(ReadError::Storage(error @ StorageError::Damaged { .. })) = &result
                && start_offset >= log_start_offset
            {
                self.report_damage(start_offset, error);
            }
            return match result {
                Err(ReadError::Storage(_)) if start_offset < log_start_offset => {
                    let log_end_offset = self.log_end_offset();
                    Err(ReadError::OffsetOutOfRange {
                        offset: start_offset,
                        log_start_offset,
                        log_end_offset,
                    })
                }
                result => result,
            };
        }
    }

    /// Whether [`PartitionLog::read`] with these arguments would wait for the device; false when it would fail.
    pub fn read_would_block(&self, start_offset: i64, max_bytes: usize) -> bool {
        if start_offset >= self.log_end_offset() {
            return false;
        }
        let Some(segment) = self.segment_of(start_offset) else { return false };
        let hint = self.read_hint(start_offset, &segment);
        let interval = usize::try_from(self.config().index_interval_bytes).unwrap_or(0);
        if hint.is_none()
            && (segment.index_would_block(&self.place)
                || segment.search_would_block(&self.place, start_offset, interval))
        {
            return true;
        }
        let position = match hint {
            Some(position) => position,
            None => match segment.find_offset(&self.place, start_offset) {
                Ok(Some(batch)) => batch.position,
                _ => return false,
            },
        };
        let length = max_bytes.min(segment.size().saturating_sub(position) as usize);
        let file = segment.file(&self.place, LogFileKind::Log);
        file.is_ok_and(|file| file.read_would_block(u64::from(position), length))
    }

    fn read_once(
        &self,
        form: Form,
        start_offset: i64,
        max_bytes: usize,
        upper_bound_offset: i64,
        at_least_one_batch: bool,
    ) -> Result<ReadResult, ReadError> {
        let truncations = self.truncations.load(Ordering::Acquire);
        let (log_start_offset, log_end_offset) = (self.log_start_offset(), self.log_end_offset());
        if start_offset < log_start_offset || start_offset > log_end_offset {
            return Err(ReadError::OffsetOutOfRange {
                offset: start_offset,
                log_start_offset,
                log_end_offset,
            });
        }
        let mut result = ReadResult {
            records: Records::default(),
            end_offset: start_offset,
            log_start_offset,
            log_end_offset,
            high_watermark: self.high_watermark(),
            last_stable_offset: self.last_stable_offset(),
        };
        let upper_bound_offset = upper_bound_offset.min(log_end_offset);
        if start_offset >= upper_bound_offset || (max_bytes == 0 && !at_least_one_batch) {
            return Ok(result);
        }
        let Some(start) = self.find_start(start_offset)? else {
            self.check_gap(start_offset)?;
            return Ok(result);
        };
        let available = start.segment.size().saturating_sub(start.position) as usize;
        let file = start
            .segment
            .file(&self.place, LogFileKind::Log)
            .map_err(|error| start.segment.io_error(&self.place, LogFileKind::Log, error))?;
        let wanted = max_bytes.min(available);
        let is_region = form == Form::Any && wanted >= REGION_BYTES_MIN;
        let system_file = if is_region { file.system_file() } else { None };
        if let Some(file) = system_file {
            let (end, end_offset) = self.region_end(&start, start_offset, wanted, upper_bound_offset)?;
            if end > start.position {
                let length = (end - start.position) as usize;
                result.records = FileRegion { file, position: u64::from(start.position), length }.into();
                result.end_offset = end_offset;
                self.remember(end_offset, &start.segment, end, truncations);
                return Ok(result);
            }
        }
        let read_error = |error| start.segment.io_error(&self.place, LogFileKind::Log, error);
        let mut bytes = read_range(file.as_ref(), start.position, wanted).map_err(read_error)?;
        let (mut length, mut end_offset) =
            self.whole_batches(&start, &bytes, start_offset, upper_bound_offset)?;
        if length == 0 && at_least_one_batch {
            let first = self.first_batch_size(&start)?;
            bytes = read_range(file.as_ref(), start.position, first).map_err(read_error)?;
            (length, end_offset) = self.whole_batches(&start, &bytes, start_offset, upper_bound_offset)?;
        }
        if length > 0 {
            bytes.truncate(length);
            result.records = Records::from(bytes);
            result.end_offset = end_offset;
            self.remember(end_offset, &start.segment, start.position + length as u32, truncations);
        }
        Ok(result)
    }

    /// The segment and position of the batch that holds `offset`, or of the next one.
    fn find_start(&self, offset: i64) -> Result<Option<Start>, StorageError> {
        let segments = self.segments();
        let first = segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        for segment in &segments[first.min(segments.len())..] {
            // In a damaged segment the batch that follows need not be the next one.
            if let Some(position) = self.read_hint(offset, segment)
                && position < segment.size()
                && !segment.has_damage()
            {
                return Ok(Some(Start { segment: Arc::clone(segment), position }));
            }
            if segment.next_offset() <= offset {
                continue;
            }
            if let Some(batch) = segment.find_offset(&self.place, offset)? {
                if batch.header.base_offset > offset {
                    self.check_gap(offset)?;
                    segment.check_passed_over(&self.place, offset)?;
                }
                return Ok(Some(Start { segment: Arc::clone(segment), position: batch.position }));
            }
        }
        Ok(None)
    }

    fn region_end(
        &self,
        start: &Start,
        start_offset: i64,
        wanted: usize,
        upper_bound_offset: i64,
    ) -> Result<(u32, i64), StorageError> {
        let segment = &start.segment;
        let limit = start.position + wanted as u32;
        if !segment.is_proven(start.position, limit) {
            let start = (start.position, start_offset);
            return self.with_rules(|rules| {
                segment.checked_end(&self.place, start, limit, upper_bound_offset, &rules)
            });
        }
        // The end offset is read before the size: it may be too low then, never too high.
        let (next_offset, size) = (segment.next_offset(), segment.size());
        if limit == size && next_offset <= upper_bound_offset && next_offset == segment.next_offset() {
            return Ok((limit, next_offset));
        }
        segment.batches_before(&self.place, (start.position, start_offset), limit, upper_bound_offset)
    }

    fn first_batch_size(&self, start: &Start) -> Result<usize, StorageError> {
        let segment = &start.segment;
        let file = segment
            .file(&self.place, LogFileKind::Log)
            .map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?;
        let mut scan =
            crate::segment::header_scan::HeaderScan::new(file.as_ref(), start.position, segment.size());
        let first = scan.next().map_err(|error| segment.scan_error(&self.place, error))?;
        Ok(first.map_or(0, |batch| batch.header.size_in_bytes()))
    }

    /// How many of the bytes at `start` are whole batches below the bound, and the offset after the last of them. What
    /// this process has neither written nor checked before is checked now; damage of the first batch is an error.
    fn whole_batches(
        &self,
        start: &Start,
        bytes: &Bytes,
        start_offset: i64,
        upper_bound_offset: i64,
    ) -> Result<(usize, i64), StorageError> {
        let segment = &start.segment;
        let is_proven = segment.is_proven(start.position, start.position + bytes.len() as u32);
        let in_file = segment.size().saturating_sub(start.position) as usize;
        // Read after the size: it may be too high then, never too low.
        let end_offset = segment.next_offset();
        let whole = self.with_rules(|rules| {
            BatchWalk { bytes, in_file, end_offset, upper_bound_offset, is_proven, rules }.walk(start_offset)
        });
        match whole.damage {
            Some(reason) if whole.length == 0 => {
                let position = start.position;
                Err(segment.scan_error(&self.place, ScanError::Damaged { position, reason }))
            }
            _ => {
                if !is_proven {
                    segment.note_proven(start.position, start.position + whole.length as u32);
                }
                Ok((whole.length, whole.end_offset))
            }
        }
    }

    /// Runs `check` with what this log says of its batches.
    pub(super) fn with_rules<T>(&self, check: impl FnOnce(LogRules<'_>) -> T) -> T {
        let admits_gap = |offset| self.admits_gap(offset);
        let epoch_of = |offset| self.epoch_for_offset(offset);
        check(LogRules { admits_gap: &admits_gap, epoch_of: &epoch_of })
    }

    /// Whether `offset` may be missing: only compaction takes records out of the middle of a log.
    pub(super) fn admits_gap(&self, offset: i64) -> bool {
        self.config().compacts()
            || self
                .directory()
                .cleaner_offset(&self.topic, self.partition)
                .is_some_and(|cleaned| offset < cleaned)
    }

    /// An offset of the log that no batch holds is damage where none may be missing.
    fn check_gap(&self, offset: i64) -> Result<(), StorageError> {
        if self.admits_gap(offset) {
            return Ok(());
        }
        let path = match self.segment_of(offset) {
            Some(segment) => segment.path(&self.place, LogFileKind::Log),
            None => self.place.path(),
        };
        Err(StorageError::damaged(&path, format!("offset {offset} is missing")))
    }

    /// One line for people about each damaged segment.
    fn report_damage(&self, offset: i64, error: &StorageError) {
        if self.segment_of(offset).is_none_or(|segment| segment.report_damage()) {
            tracing::error!(
                topic = %self.topic,
                partition = self.partition,
                offset,
                %error,
                "damage is met: nothing is served from there, the files are left as they are"
            );
        }
    }

    /// The segment whose range holds `offset`.
    pub(super) fn segment_of(&self, offset: i64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let index = segments.partition_point(|segment| segment.base_offset <= offset).checked_sub(1)?;
        segments.get(index).cloned()
    }

    fn read_hint(&self, offset: i64, segment: &Segment) -> Option<u32> {
        let hints = self.read_hints.lock();
        let found = hints.iter().find(|hint| {
            hint.position > 0
                && hint.offset == offset
                && hint.segment_base_offset == segment.base_offset
                && hint.segment_generation == segment.generation
        });
        found.map(|hint| hint.position)
    }

    /// Remembers where the batch at `offset` begins, the newest first.
    fn remember(&self, offset: i64, segment: &Segment, position: u32, truncations: u64) {
        let mut hints = self.read_hints.lock();
        if truncations == self.truncations.load(Ordering::Acquire) {
            hints.rotate_right(1);
            hints[0] = ReadHint {
                offset,
                segment_base_offset: segment.base_offset,
                position,
                segment_generation: segment.generation,
            };
        }
    }
}
