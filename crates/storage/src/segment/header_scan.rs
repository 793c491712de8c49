//! Walking the batch headers of a segment file without touching the records.

use std::io;

use records::{BATCH_OVERHEAD, BatchHeader};

use crate::disk::{DiskFile, read_full_at};

/// Bytes fetched at once while batches are small.
const WINDOW_BYTES: usize = 4096;

/// One batch met on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScannedBatch {
    /// Where the batch begins in the file.
    pub(crate) position: u32,
    pub(crate) header: BatchHeader,
}

impl ScannedBatch {
    /// Where the next batch begins.
    pub(crate) fn end(&self) -> u32 {
        self.position + self.header.size_in_bytes() as u32
    }
}

/// Why a scan stopped early.
#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    /// What stands at this position is no batch.
    Damaged {
        position: u32,
        reason: String,
    },
}

/// A walk from one batch to the next inside `..end` of a file.
pub(crate) struct HeaderScan<'a> {
    file: &'a dyn DiskFile,
    position: u32,
    end: u32,
    window: [u8; WINDOW_BYTES],
    window_start: u32,
    window_length: usize,
    last_size: usize,
}

impl<'a> HeaderScan<'a> {
    /// A walk from the batch at `position` to the end of the readable part.
    pub(crate) fn new(file: &'a dyn DiskFile, position: u32, end: u32) -> HeaderScan<'a> {
        HeaderScan {
            file,
            position,
            end,
            window: [0; WINDOW_BYTES],
            window_start: position,
            window_length: 0,
            last_size: 0,
        }
    }

    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<ScannedBatch>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let damaged = |reason: String| ScanError::Damaged { position, reason };
        let header = self.header_bytes().map_err(ScanError::Io)?;
        let header = header.ok_or_else(|| damaged("the file ends inside a batch header".to_owned()))?;
        let header = BatchHeader::parse(&header).map_err(|error| damaged(error.to_string()))?;
        check_shape(&header, self.end - position).map_err(damaged)?;
        self.last_size = header.size_in_bytes();
        self.position += self.last_size as u32;
        Ok(Some(ScannedBatch { position, header }))
    }

    fn header_bytes(&mut self) -> io::Result<Option<[u8; BATCH_OVERHEAD]>> {
        let mut start = (self.position - self.window_start) as usize;
        if start + BATCH_OVERHEAD > self.window_length {
            let left = (self.end - self.position) as usize;
            // Large batches lie far apart: reading more than a header would be waste.
            let wanted = if self.last_size > WINDOW_BYTES { BATCH_OVERHEAD } else { WINDOW_BYTES };
            let into = &mut self.window[..wanted.min(left)];
            self.window_length = read_full_at(self.file, u64::from(self.position), into)?;
            self.window_start = self.position;
            start = 0;
        }
        let bytes = &self.window[..self.window_length];
        Ok(bytes.get(start..).and_then(|rest| rest.first_chunk()).copied())
    }
}

/// Whether a header can be that of a batch with `available` bytes from its start to the end of the data.
pub(crate) fn check_shape(header: &BatchHeader, available: u32) -> Result<(), String> {
    let size = header.size_in_bytes();
    if size < BATCH_OVERHEAD {
        return Err(format!("a batch of {size} bytes is shorter than its header"));
    }
    if size > available as usize {
        return Err(format!("a batch of {size} bytes, but only {available} are left"));
    }
    if header.base_offset < 0 || header.last_offset_delta < 0 || header.last_offset() < header.base_offset {
        return Err(format!("impossible offsets {}+{}", header.base_offset, header.last_offset_delta));
    }
    Ok(())
}
