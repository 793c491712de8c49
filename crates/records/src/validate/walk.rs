//! The pass over a batch's records: structure, keys, timestamps and offsets, nothing kept.

use protocol::ErrorCode;

use super::{InvalidBatch, RecordError, ValidationRules};
use crate::batch::Batch;
use crate::compression::{Codec, Decompressor};
use crate::error::RecordsError;
use crate::header::TimestampType;
use crate::varint::{MAX_VARINT_BYTES, MAX_VARLONG_BYTES, read_varint, read_varlong, size_of_varlong};
use crate::{BATCH_OVERHEAD, NO_TIMESTAMP};

/// Record errors kept for the answer; a hostile batch can hold far more faulty records than its bytes suggest.
const RECORD_ERRORS_MAX: usize = 1_000;
/// Bytes one batch may decompress to while it is walked. Nothing of them is kept: this bounds the time spent.
const DECOMPRESSED_BATCH_BYTES_MAX: u64 = 1 << 30;

const ENDS_EARLY: RecordsError = RecordsError::InvalidRecord("the records end early");

/// What a walk learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Largest timestamp of a record, or -1.
    pub(super) max_timestamp: i64,
    /// Whether the records' offset deltas count 0, 1, 2 …
    pub(super) offsets_are_dense: bool,
}

/// Receives the records during a walk, field by field.
pub(super) trait Sink {
    /// A record begins; `tail_bytes` of key, value and headers follow through [`tail`](Self::tail).
    fn begin(&mut self, timestamp: i64, tail_bytes: usize) -> Result<(), InvalidBatch>;
    /// The next bytes of key, value and headers as they stand in the input.
    fn tail(&mut self, bytes: &[u8]) -> Result<(), InvalidBatch>;
    /// Whether the walk should pass bytes on at all.
    const COPIES: bool;
}

/// The sink of a walk that only judges.
pub(super) struct Discard;

impl Sink for Discard {
    const COPIES: bool = false;

    fn begin(&mut self, _timestamp: i64, _tail_bytes: usize) -> Result<(), InvalidBatch> {
        Ok(())
    }

    fn tail(&mut self, _bytes: &[u8]) -> Result<(), InvalidBatch> {
        Ok(())
    }
}

/// Walks all records of a batch.
pub(super) fn walk<S: Sink>(
    batch: &Batch,
    codec: Codec,
    rules: &ValidationRules,
    sink: &mut S,
) -> Result<Found, InvalidBatch> {
    if batch.header.record_count < 0 {
        return Err(InvalidBatch::record("the number of records is negative"));
    }
    let tail = batch.bytes.get(BATCH_OVERHEAD..).unwrap_or_default();
    if codec == Codec::None {
        Walk::new(batch, rules, usize::MAX).run(&mut Slice(tail), sink)
    } else {
        let mut pieces =
            Pieces { decompressor: Decompressor::new(codec, tail), piece: Vec::new(), position: 0, total: 0 };
        Walk::new(batch, rules, rules.max_decompressed_message_bytes).run(&mut pieces, sink)
    }
}

struct Walk<'a> {
    batch: &'a Batch,
    rules: &'a ValidationRules,
    max_record_bytes: usize,
    record_errors: Vec<RecordError>,
    error_code: ErrorCode,
}

impl<'a> Walk<'a> {
    fn new(batch: &'a Batch, rules: &'a ValidationRules, max_record_bytes: usize) -> Self {
        Self {
            batch,
            rules,
            max_record_bytes,
            record_errors: Vec::new(),
            error_code: ErrorCode::InvalidRecord,
        }
    }

    fn run<I: Input, S: Sink>(mut self, input: &mut I, sink: &mut S) -> Result<Found, InvalidBatch> {
        let mut found = Found { max_timestamp: NO_TIMESTAMP, offsets_are_dense: true };
        for index in 0..self.batch.header.record_count {
            let record = self.read_record(input, sink)?;
            self.judge(index, &record);
            found.max_timestamp = found.max_timestamp.max(record.timestamp);
            found.offsets_are_dense &= record.offset_delta == index;
        }
        if self.batch.header.record_count > 0 && !input.is_at_end()? {
            return Err(InvalidBatch::record("bytes are left after the last record"));
        }
        if self.record_errors.is_empty() {
            return Ok(found);
        }
        Err(InvalidBatch {
            error_code: self.error_code,
            message: match self.error_code {
                ErrorCode::InvalidTimestamp => {
                    "One or more records have been rejected due to invalid timestamp".into()
                }
                _ => "records were refused".into(),
            },
            record_errors: self.record_errors,
        })
    }

    fn read_record<I: Input, S: Sink>(&self, input: &mut I, sink: &mut S) -> Result<Shape, InvalidBatch> {
        let size = usize::try_from(input.record_size()?)
            .map_err(|_| InvalidBatch::record("a record has a negative size"))?;
        if size > self.max_record_bytes {
            return Err(InvalidBatch::record("a record is larger than the limit after decompression"));
        }
        input.byte()?;
        let (timestamp_delta, timestamp_bytes) = input.varlong()?;
        let (offset_delta, offset_bytes) = input.varint()?;
        let header = &self.batch.header;
        let timestamp = match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let tail_bytes = size
            .checked_sub(1 + timestamp_bytes + offset_bytes)
            .ok_or_else(|| InvalidBatch::record("a record's size differs from its content"))?;
        if S::COPIES {
            sink.begin(timestamp, tail_bytes)?;
        }
        let mut fields = Fields { input, sink, left: tail_bytes };
        let has_key = fields.nullable()?;
        fields.nullable()?;
        let headers =
            fields.length()?.ok_or_else(|| InvalidBatch::record("the number of headers is negative"))?;
        for _ in 0..headers {
            fields.named()?;
            fields.nullable()?;
        }
        if fields.left != 0 {
            return Err(InvalidBatch::record("a record's size differs from its content"));
        }
        Ok(Shape { timestamp, offset_delta, has_key })
    }

    fn judge(&mut self, index: i32, record: &Shape) {
        if self.rules.compacted && !record.has_key {
            self.refuse(index, || "Compacted topic cannot accept message without key".into());
        } else if self.rules.timestamp_type == TimestampType::CreateTime && record.timestamp != NO_TIMESTAMP {
            let age = self.rules.now_ms.wrapping_sub(record.timestamp);
            let before = self.rules.timestamp_before_max_ms;
            let after = self.rules.timestamp_after_max_ms;
            if age > before || age.wrapping_neg() > after {
                self.error_code = ErrorCode::InvalidTimestamp;
                let (timestamp, now_ms) = (record.timestamp, self.rules.now_ms);
                self.refuse(index, || {
                    let (first, last) = (now_ms.wrapping_sub(before), now_ms.wrapping_add(after));
                    let range = format!("[{first}, {last}]");
                    format!("Timestamp {timestamp} of message with offset {index} is out of range. The timestamp should be within {range}").into()
                });
            }
        } else if self.batch.header.timestamp_type() == TimestampType::LogAppendTime {
            self.error_code = ErrorCode::InvalidTimestamp;
            self.refuse(index, || "a producer may not set the timestamp type LogAppendTime".into());
        }
    }

    fn refuse(&mut self, batch_index: i32, message: impl FnOnce() -> std::borrow::Cow<'static, str>) {
        if self.record_errors.len() < RECORD_ERRORS_MAX {
            self.record_errors.push(RecordError { batch_index, message: message() });
        }
    }
}

/// What judging a record needs of it.
struct Shape {
    timestamp: i64,
    offset_delta: i32,
    has_key: bool,
}

/// Key, value and headers of one record.
struct Fields<'a, I, S> {
    input: &'a mut I,
    sink: &'a mut S,
    left: usize,
}

impl<I: Input, S: Sink> Fields<'_, I, S> {
    fn length(&mut self) -> Result<Option<usize>, InvalidBatch> {
        let (value, taken) = self.input.varint()?;
        self.take(taken)?;
        if S::COPIES {
            copy_varint(value, taken, self.sink)?;
        }
        Ok(usize::try_from(value).ok())
    }

    /// A length and as many bytes; whether it was not null.
    fn nullable(&mut self) -> Result<bool, InvalidBatch> {
        // KAFKA: every negative length means null, not only -1.
        let Some(length) = self.length()? else { return Ok(false) };
        self.take(length)?;
        self.input.pass(length, self.sink)?;
        Ok(true)
    }

    fn named(&mut self) -> Result<(), InvalidBatch> {
        if self.nullable()? {
            Ok(())
        } else {
            Err(InvalidBatch::record("a header's name has a negative length"))
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), InvalidBatch> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| InvalidBatch::record("a field is longer than its record"))?;
        Ok(())
    }
}

/// Passes a length on. An overlong form is refused: the record's size, already written, counts its bytes.
fn copy_varint<S: Sink>(value: i32, taken: usize, sink: &mut S) -> Result<(), InvalidBatch> {
    if size_of_varlong(i64::from(value)) != taken {
        return Err(InvalidBatch::record("a length takes more bytes than it needs"));
    }
    let mut bytes = Vec::with_capacity(MAX_VARINT_BYTES);
    crate::varint::write_varint(&mut bytes, value);
    sink.tail(&bytes)
}

/// Where a walk reads from.
trait Input {
    fn byte(&mut self) -> Result<u8, RecordsError>;
    fn varint(&mut self) -> Result<(i32, usize), RecordsError>;
    fn varlong(&mut self) -> Result<(i64, usize), RecordsError>;
    fn record_size(&mut self) -> Result<i32, InvalidBatch> {
        Ok(self.varint()?.0)
    }
    /// Moves over `length` bytes, handing them to the sink if it copies.
    fn pass<S: Sink>(&mut self, length: usize, sink: &mut S) -> Result<(), InvalidBatch>;
    fn is_at_end(&mut self) -> Result<bool, RecordsError>;
}

/// Uncompressed records.
struct Slice<'a>(&'a [u8]);

impl Input for Slice<'_> {
    fn byte(&mut self) -> Result<u8, RecordsError> {
        let (byte, rest) = self.0.split_first().ok_or(ENDS_EARLY)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<(i32, usize), RecordsError> {
        let (value, taken) = read_varint(self.0)?;
        self.0 = &self.0[taken..];
        Ok((value, taken))
    }

    fn varlong(&mut self) -> Result<(i64, usize), RecordsError> {
        let (value, taken) = read_varlong(self.0)?;
        self.0 = &self.0[taken..];
        Ok((value, taken))
    }

    // KAFKA: an overlong size of an uncompressed record escapes Kafka's reader as an exception without error code.
    fn record_size(&mut self) -> Result<i32, InvalidBatch> {
        self.varint().map(|(size, _)| size).map_err(|error| {
            if self.0.len() < MAX_VARINT_BYTES {
                return error.into();
            }
            InvalidBatch::new(ErrorCode::UnknownServerError, "the size of a record is malformed")
        })
    }

    fn pass<S: Sink>(&mut self, length: usize, sink: &mut S) -> Result<(), InvalidBatch> {
        let (passed, rest) = self.0.split_at_checked(length).ok_or(ENDS_EARLY)?;
        self.0 = rest;
        if S::COPIES { sink.tail(passed) } else { Ok(()) }
    }

    fn is_at_end(&mut self) -> Result<bool, RecordsError> {
        Ok(self.0.is_empty())
    }
}

/// Records coming out of a decompressor piece by piece.
struct Pieces<'a> {
    decompressor: Decompressor<'a>,
    piece: Vec<u8>,
    position: usize,
    total: u64,
}

impl Pieces<'_> {
    /// What is left of the piece; a new piece if nothing is; empty at the end of the data.
    fn rest(&mut self) -> Result<&[u8], RecordsError> {
        if self.position == self.piece.len() {
            self.position = 0;
            if !self.decompressor.fill(&mut self.piece)? {
                self.piece.clear();
            }
            self.total += self.piece.len() as u64;
            if self.total > DECOMPRESSED_BATCH_BYTES_MAX {
                return Err(RecordsError::DecompressedTooLarge {
                    limit: DECOMPRESSED_BATCH_BYTES_MAX as usize,
                });
            }
        }
        Ok(&self.piece[self.position..])
    }

    /// The bytes of an integer that may lie across two pieces.
    fn gather<const N: usize>(&mut self) -> Result<([u8; N], usize), RecordsError> {
        let mut gathered = [0; N];
        for count in 0..N {
            gathered[count] = match self.byte() {
                Err(RecordsError::InvalidRecord(_)) => return Ok((gathered, count)),
                byte => byte?,
            };
            if gathered[count] & 0x80 == 0 {
                return Ok((gathered, count + 1));
            }
        }
        Ok((gathered, N))
    }
}

impl Input for Pieces<'_> {
    fn byte(&mut self) -> Result<u8, RecordsError> {
        let byte = *self.rest()?.first().ok_or(ENDS_EARLY)?;
        self.position += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<(i32, usize), RecordsError> {
        if self.piece.len() - self.position >= MAX_VARINT_BYTES {
            let (value, taken) = read_varint(&self.piece[self.position..])?;
            self.position += taken;
            return Ok((value, taken));
        }
        let (gathered, count) = self.gather::<MAX_VARINT_BYTES>()?;
        read_varint(&gathered[..count])
    }

    fn varlong(&mut self) -> Result<(i64, usize), RecordsError> {
        if self.piece.len() - self.position >= MAX_VARLONG_BYTES {
            let (value, taken) = read_varlong(&self.piece[self.position..])?;
            self.position += taken;
            return Ok((value, taken));
        }
        let (gathered, count) = self.gather::<MAX_VARLONG_BYTES>()?;
        read_varlong(&gathered[..count])
    }

    fn pass<S: Sink>(&mut self, mut length: usize, sink: &mut S) -> Result<(), InvalidBatch> {
        while length > 0 {
            let rest = self.rest()?;
            if rest.is_empty() {
                return Err(ENDS_EARLY.into());
            }
            let passed = &rest[..length.min(rest.len())];
            if S::COPIES {
                sink.tail(passed)?;
            }
            let count = passed.len();
            self.position += count;
            length -= count;
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, RecordsError> {
        Ok(self.rest()?.is_empty())
    }
}
