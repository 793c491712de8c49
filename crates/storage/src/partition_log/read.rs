//! Reading: whole batches from one segment, as a region of its file or as bytes, without the append lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::{ErrorCode, FileRegion, Records};
use records::{BATCH_OVERHEAD, BatchHeader};

use super::{AbortedTransaction, PartitionLog, ReadHint};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::segment::Segment;
use crate::segment::lookup::read_range;

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
        let Some(start) = self.find_start(start_offset)? else { return Ok(result) };
        let available = (start.segment.size() - start.position) as usize;
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
        let (mut length, mut end_offset) = whole_batches(&bytes, upper_bound_offset);
        if length == 0 && at_least_one_batch {
            let Some(first) = self.first_batch_size(&start, upper_bound_offset)? else { return Ok(result) };
            bytes = read_range(file.as_ref(), start.position, first).map_err(read_error)?;
            (length, end_offset) = whole_batches(&bytes, upper_bound_offset);
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
            if let Some(position) = self.read_hint(offset, segment)
                && position < segment.size()
            {
                return Ok(Some(Start { segment: Arc::clone(segment), position }));
            }
            if segment.next_offset() <= offset {
                continue;
            }
            if let Some(batch) = segment.find_offset(&self.place, offset)? {
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
        // The end offset is read before the size: it may be too low then, never too high.
        let (next_offset, size) = (segment.next_offset(), segment.size());
        if limit == size && next_offset <= upper_bound_offset && next_offset == segment.next_offset() {
            return Ok((limit, next_offset));
        }
        segment.batches_before(&self.place, (start.position, start_offset), limit, upper_bound_offset)
    }

    fn first_batch_size(
        &self,
        start: &Start,
        upper_bound_offset: i64,
    ) -> Result<Option<usize>, StorageError> {
        let segment = &start.segment;
        let file = segment
            .file(&self.place, LogFileKind::Log)
            .map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?;
        let mut scan =
            crate::segment::header_scan::HeaderScan::new(file.as_ref(), start.position, segment.size());
        let first = scan.next().map_err(|error| segment.scan_error(&self.place, error))?;
        let first = first.filter(|batch| batch.header.last_offset() < upper_bound_offset);
        Ok(first.map(|batch| batch.header.size_in_bytes()))
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

/// How many of the bytes are whole batches below the bound, and the offset after the last of them.
fn whole_batches(bytes: &Bytes, upper_bound_offset: i64) -> (usize, i64) {
    let (mut length, mut end_offset) = (0, 0);
    while let Some(rest) = bytes.get(length..)
        && let Ok(header) = BatchHeader::parse(rest)
    {
        let size = header.size_in_bytes();
        if size < BATCH_OVERHEAD || size > rest.len() || header.last_offset() >= upper_bound_offset {
            break;
        }
        length += size;
        end_offset = header.next_offset();
    }
    (length, end_offset)
}
