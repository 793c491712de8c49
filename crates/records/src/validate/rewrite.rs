//! Storing a batch in another codec, or with offsets that count up: records stream from one form into the other.

use super::walk::{Sink, walk};
use super::{InvalidBatch, ValidBatch, ValidationRules, check_size};
use crate::batch::Batch;
use crate::builder::seal_header;
use crate::compression::{Codec, Compression, Compressor};
use crate::header::{TimestampType, attributes};
use crate::varint::{size_of_varlong, write_varlong};
use crate::{BATCH_OVERHEAD, NO_TIMESTAMP};

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
        prefix: Vec::new(),
    };
    let found = walk(batch, source, rules, &mut rewriter)?;
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

struct Rewriter<'a> {
    compressor: Compressor,
    rules: &'a ValidationRules,
    base_timestamp: Option<i64>,
    record_count: i32,
    prefix: Vec<u8>,
}

impl Sink for Rewriter<'_> {
    const COPIES: bool = true;

    fn begin(&mut self, timestamp: i64, tail_bytes: usize) -> Result<(), InvalidBatch> {
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
        Ok(self.compressor.write(&self.prefix)?)
    }

    fn tail(&mut self, bytes: &[u8]) -> Result<(), InvalidBatch> {
        self.compressor.write(bytes)?;
        // What is already too large cannot shrink again; stopping here bounds the memory a hostile batch takes.
        check_size(BATCH_OVERHEAD + self.compressor.written(), self.rules)
    }
}
