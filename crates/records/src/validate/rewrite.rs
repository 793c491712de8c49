//! Storing a batch in another codec, or with offsets that count up: records stream from one form into the other.

use protocol::ErrorCode;

use super::walk::{Sink, walk};
use super::{InvalidBatch, ValidBatch, ValidationRules, check_size};
use crate::batch::Batch;
use crate::builder::seal_header;
use crate::compression::{Codec, Compression, Compressor};
use crate::header::{BatchHeader, TimestampType, attributes};
use crate::varint::{size_of_varlong, write_varlong};
use crate::{BATCH_OVERHEAD, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_TIMESTAMP};

/// Validates a batch while building its replacement.
pub(super) fn rewrite(
    batch: &Batch,
    source: Codec,
    target: Compression,
    rules: &ValidationRules,
) -> Result<ValidBatch, InvalidBatch> {
    let mut rewriter = Rewriter {
        compressor: Compressor::new(target)?,
        rules,
        base_timestamp: None,
        record_count: 0,
        has_negative_timestamp: false,
        too_large: None,
        prefix: Vec::new(),
    };
    let found = walk(batch, source, rules, &mut rewriter)?;
    check_writable(&batch.header, rewriter.has_negative_timestamp)?;
    if let Some(too_large) = rewriter.too_large {
        return Err(too_large);
    }
    let tail = rewriter.compressor.finish()?;
    check_size(BATCH_OVERHEAD + tail.len(), rules)?;
    let mut header = batch.header;
    header.base_offset = 0;
    header.attributes =
        attributes(target.codec, rules.timestamp_type, header.is_transactional(), header.is_control(), false);
    header.last_offset_delta = rewriter.record_count - 1;
    header.base_timestamp = rewriter.base_timestamp.unwrap_or(NO_TIMESTAMP);
    header.max_timestamp = match rules.timestamp_type {
        TimestampType::CreateTime => found.max_timestamp,
        TimestampType::LogAppendTime => rules.now_ms,
    };
    header.record_count = rewriter.record_count;
    seal_header(&mut header, &tail);
    Ok(ValidBatch { head: header.to_bytes(), tail: tail.into(), header })
}

// KAFKA: a batch that is stored as it came may carry these, its builder takes none of them. The exception it throws
// has no error code of its own.
fn check_writable(header: &BatchHeader, has_negative_timestamp: bool) -> Result<(), InvalidBatch> {
    let complaint = if has_negative_timestamp {
        "a record with a negative timestamp cannot be stored anew"
    } else if header.is_transactional() && header.producer_id == NO_PRODUCER_ID {
        "a transactional batch without a producer id cannot be stored anew"
    } else if header.producer_id != NO_PRODUCER_ID
        && (header.producer_epoch == NO_PRODUCER_EPOCH || (header.base_sequence < 0 && !header.is_control()))
    {
        "a batch with a producer id but without epoch or sequence cannot be stored anew"
    } else {
        return Ok(());
    };
    Err(InvalidBatch::new(ErrorCode::UnknownServerError, complaint))
}

struct Rewriter<'a> {
    compressor: Compressor,
    rules: &'a ValidationRules,
    base_timestamp: Option<i64>,
    record_count: i32,
    has_negative_timestamp: bool,
    too_large: Option<InvalidBatch>,
    prefix: Vec<u8>,
}

impl Sink for Rewriter<'_> {
    const COPIES: bool = true;

    fn begin(&mut self, timestamp: i64, tail_bytes: usize) -> Result<(), InvalidBatch> {
        self.has_negative_timestamp |= timestamp < NO_TIMESTAMP;
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let offset_delta = i64::from(self.record_count);
        let size = 1 + size_of_varlong(timestamp_delta) + size_of_varlong(offset_delta) + tail_bytes;
        self.prefix.clear();
        write_varlong(&mut self.prefix, size as i64);
        self.prefix.push(0);
        write_varlong(&mut self.prefix, timestamp_delta);
        write_varlong(&mut self.prefix, offset_delta);
        self.record_count += 1;
        let prefix = std::mem::take(&mut self.prefix);
        let written = self.tail(&prefix);
        self.prefix = prefix;
        written
    }

    fn tail(&mut self, bytes: &[u8]) -> Result<(), InvalidBatch> {
        if self.too_large.is_none() {
            self.compressor.write(bytes)?;
            // What is already too large cannot shrink again. From here on records are only judged, for their errors
            // come first; this bounds the memory a hostile batch takes.
            self.too_large = check_size(BATCH_OVERHEAD + self.compressor.written(), self.rules).err();
        }
        Ok(())
    }
}
