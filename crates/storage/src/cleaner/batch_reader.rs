//! Reading a segment batch by batch in large pieces, every checksum verified.

use std::io;

use records::{Batch, Batches, batches};

use crate::disk::DiskFile;
use crate::segment::header_scan::check_shape;
use crate::segment::lookup::read_range;

/// Bytes in front of a batch's length, and of that length itself.
const LENGTH_AT: usize = 8;
const LENGTH_END: usize = 12;

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum WalkError {
    Io(io::Error),
    /// What stands at this position is no valid batch.
    Damaged {
        position: u32,
        reason: String,
    },
}

/// A walk over the batches in `..end` of a segment's file.
pub(crate) struct BatchReader<'a> {
    file: &'a dyn DiskFile,
    /// Where the next batch begins.
    position: u32,
    end: u32,
    piece_bytes: usize,
    piece: Batches,
}

impl<'a> BatchReader<'a> {
    /// A walk from the batch at `position` on, reading about `piece_bytes` at once.
    pub(crate) fn new(
        file: &'a dyn DiskFile,
        position: u32,
        end: u32,
        piece_bytes: usize,
    ) -> BatchReader<'a> {
        let piece = batches(&bytes::Bytes::new());
        BatchReader { file, position, end, piece_bytes: piece_bytes.max(4096), piece }
    }

    /// The next batch and the bytes that were read from the disk for it; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(Batch, usize)>, WalkError> {
        if let Some(batch) = self.take()? {
            return Ok(Some((batch, 0)));
        }
        let left = self.end.saturating_sub(self.position) as usize;
        if left == 0 {
            return Ok(None);
        }
        let mut read = self.read(left.min(self.piece_bytes))?;
        if let Some(batch) = self.take()? {
            return Ok(Some((batch, read)));
        }
        // One batch is longer than a piece.
        let size = self.size_ahead().filter(|size| *size <= left);
        let size = size.ok_or_else(|| self.damaged("the segment ends inside of a batch".to_owned()))?;
        read += self.read(size)?;
        match self.take()? {
            Some(batch) => Ok(Some((batch, read))),
            None => Err(self.damaged("the segment ends inside of a batch".to_owned())),
        }
    }

    fn take(&mut self) -> Result<Option<Batch>, WalkError> {
        let Some(batch) = self.piece.next() else { return Ok(None) };
        let batch = batch.map_err(|error| self.damaged(error.to_string()))?;
        check_shape(&batch.header, self.end - self.position).map_err(|reason| self.damaged(reason))?;
        batch.verify_crc().map_err(|error| self.damaged(error.to_string()))?;
        self.position += batch.bytes.len() as u32;
        Ok(Some(batch))
    }

    fn read(&mut self, length: usize) -> Result<usize, WalkError> {
        self.piece = batches(&read_range(self.file, self.position, length).map_err(WalkError::Io)?);
        Ok(length)
    }

    fn size_ahead(&self) -> Option<usize> {
        let length: [u8; 4] = self.piece.rest().get(LENGTH_AT..LENGTH_END)?.try_into().ok()?;
        usize::try_from(i32::from_be_bytes(length)).ok()?.checked_add(LENGTH_END)
    }

    fn damaged(&self, reason: String) -> WalkError {
        WalkError::Damaged { position: self.position, reason }
    }
}
