//! Walking over batches that were read: where they end, and whether they are what the log must hold there.

use bytes::Bytes;
use records::{BATCH_OVERHEAD, BatchHeader};

use crate::segment::header_scan::check_shape;
use crate::segment::recover::LogRules;

/// Bytes from a segment that begin with a batch.
pub(super) struct BatchWalk<'a> {
    pub(super) bytes: &'a Bytes,
    /// Bytes from there to the end of the segment.
    pub(super) in_file: usize,
    /// Upper bound (exclusive) of the offsets in the segment.
    pub(super) end_offset: i64,
    pub(super) upper_bound_offset: i64,
    /// Whether checksums need not be verified.
    pub(super) is_proven: bool,
    /// What is known of the log, asked where the bytes are not proven.
    pub(super) rules: LogRules<'a>,
}

/// How far a walk has come.
pub(super) struct Whole {
    /// Bytes of whole batches.
    pub(super) length: usize,
    /// The offset after the last of them.
    pub(super) end_offset: i64,
    /// What is wrong with what follows.
    pub(super) damage: Option<String>,
}

impl BatchWalk<'_> {
    /// Walks on from the batch that holds `offset`.
    pub(super) fn walk(&self, offset: i64) -> Whole {
        let mut whole = Whole { length: 0, end_offset: offset, damage: None };
        loop {
            match self.next(whole.length, whole.end_offset) {
                Ok(Some(header)) => {
                    whole.length += header.size_in_bytes();
                    whole.end_offset = header.next_offset();
                }
                Ok(None) => return whole,
                Err(damage) => {
                    whole.damage = Some(damage);
                    return whole;
                }
            }
        }
    }

    fn next(&self, position: usize, due: i64) -> Result<Option<BatchHeader>, String> {
        let rest = self.bytes.get(position..).unwrap_or_default();
        let in_file = self.in_file.saturating_sub(position);
        if in_file == 0 || rest.len() < BATCH_OVERHEAD.min(in_file) {
            return Ok(None);
        }
        let header = BatchHeader::parse(rest).map_err(|error| error.to_string())?;
        check_shape(&header, u32::try_from(in_file).unwrap_or(u32::MAX))?;
        // Where a reader begins, offsets before the one asked for are part of the batch.
        let reached = if position == 0 { header.last_offset() } else { header.base_offset };
        if reached < due {
            return Err(format!("offset {} where at least {due} is due", header.base_offset));
        }
        if header.last_offset() >= self.end_offset {
            return Err(format!("offset {} is beyond the segment", header.last_offset()));
        }
        if !self.is_proven {
            self.rules.check(&header, due)?;
        }
        let size = header.size_in_bytes();
        let is_beyond = header.last_offset() >= self.upper_bound_offset;
        // Before a reader is left waiting for the bound to move, the batch must be what it says.
        if size > rest.len() || is_beyond && position > 0 {
            return Ok(None);
        }
        let tail = rest.get(BATCH_OVERHEAD..size).unwrap_or_default();
        if !self.is_proven && header.compute_crc(tail) != header.crc {
            return Err("the checksum does not match".to_owned());
        }
        Ok(Some(header).filter(|_| !is_beyond))
    }
}
