//! Snappy in xerial's framing: a 16-byte header, then blocks with their compressed length in front.
//!
//! Input without that header is read as one raw block, as xerial's reader does.

use super::{Codec, failed};
use crate::error::RecordsError;

/// Magic, version 1, compatible with version 1.
pub(super) const XERIAL_HEADER: [u8; 16] =
    [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const MAGIC_BYTES: usize = 8;
/// Uncompressed bytes of a block, xerial's default.
pub(super) const BLOCK_BYTES: usize = 32 * 1024;
/// Snappy's densest element copies 64 bytes and takes 3: no honest block claims more per byte than this.
const MAX_RATIO: usize = 22;

/// Reads snappy data block by block.
pub(super) struct SnappySource<'a> {
    input: &'a [u8],
    framed: Option<bool>,
}

impl<'a> SnappySource<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, framed: None }
    }

    pub(super) fn fill(&mut self, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        let framed = match self.framed {
            Some(framed) => framed,
            None => self.start()?,
        };
        piece.clear();
        while piece.is_empty() {
            if self.input.is_empty() {
                return Ok(false);
            }
            let block = if framed { self.next_block()? } else { std::mem::take(&mut self.input) };
            if let Some(block) = block_of(block) {
                decompress_block(block, piece)?;
            }
        }
        Ok(true)
    }

    fn start(&mut self) -> Result<bool, RecordsError> {
        let framed = self.input.starts_with(&XERIAL_HEADER[..MAGIC_BYTES]);
        if framed {
            self.skip_header()?;
        }
        self.framed = Some(framed);
        Ok(framed)
    }

    fn skip_header(&mut self) -> Result<(), RecordsError> {
        let (header, rest) = self
            .input
            .split_first_chunk::<{ XERIAL_HEADER.len() }>()
            .ok_or_else(|| failed(Codec::Snappy, "the stream header is cut off"))?;
        let version = i32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        if version < 1 {
            return Err(failed(Codec::Snappy, "the stream is of an incompatible version"));
        }
        self.input = rest;
        Ok(())
    }

    /// The next block's bytes; empty where a stream header stands between blocks.
    fn next_block(&mut self) -> Result<&'a [u8], RecordsError> {
        let (length, rest) = self
            .input
            .split_first_chunk::<4>()
            .ok_or_else(|| failed(Codec::Snappy, "a block length is cut off"))?;
        if *length == XERIAL_HEADER[..4] {
            self.skip_header()?;
            return Ok(&[]);
        }
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| failed(Codec::Snappy, "a block length is negative"))?;
        let (block, rest) =
            rest.split_at_checked(length).ok_or_else(|| failed(Codec::Snappy, "a block is cut off"))?;
        self.input = rest;
        Ok(block)
    }
}

fn block_of(block: &[u8]) -> Option<&[u8]> {
    (!block.is_empty()).then_some(block)
}

fn decompress_block(block: &[u8], piece: &mut Vec<u8>) -> Result<(), RecordsError> {
    let claimed = snap::raw::decompress_len(block).map_err(|error| failed(Codec::Snappy, error))?;
    if claimed > block.len().saturating_mul(MAX_RATIO) {
        return Err(failed(Codec::Snappy, "a block claims more than its bytes can hold"));
    }
    piece.resize(claimed, 0);
    snap::raw::Decoder::new().decompress(block, piece).map_err(|error| failed(Codec::Snappy, error))?;
    Ok(())
}
