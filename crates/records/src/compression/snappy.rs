//! Snappy in xerial's framing: a 16-byte header, then blocks with their compressed length in front.
//!
//! Input without that header is read as one raw block, as xerial's reader does.

use super::{Codec, failed};
use crate::error::RecordsError;

/// Magic, version 1, compatible with version 1.
pub(super) const XERIAL_HEADER: [u8; 16] =
    [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const MAGIC: &[u8] = XERIAL_HEADER.split_at(8).0;
/// A block's compressed length, big-endian.
const LENGTH_BYTES: usize = 4;
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
        loop {
            let block = if framed { self.next_block()? } else { Some(std::mem::take(&mut self.input)) };
            match block {
                Some(block) if !block.is_empty() => decompress_block(block, piece)?,
                _ => {
                    piece.clear();
                    return Ok(false);
                }
            }
            if !piece.is_empty() {
                return Ok(true);
            }
        }
    }

    // KAFKA: xerial looks at the version of headers between blocks only.
    fn start(&mut self) -> Result<bool, RecordsError> {
        if self.input.is_empty() {
            return Err(failed(Codec::Snappy, "there is no data"));
        }
        let header = self.input.split_first_chunk::<{ XERIAL_HEADER.len() }>();
        let after = header.filter(|(header, _)| header.starts_with(MAGIC)).map(|(_, rest)| rest);
        self.input = after.unwrap_or(self.input);
        Ok(*self.framed.insert(after.is_some()))
    }

    /// The next block's bytes. Fewer bytes than a length has, or what only looks like a header, end the data.
    fn next_block(&mut self) -> Result<Option<&'a [u8]>, RecordsError> {
        while self.input.starts_with(&MAGIC[..LENGTH_BYTES]) {
            let (header, rest) = self
                .input
                .split_first_chunk::<{ XERIAL_HEADER.len() }>()
                .ok_or_else(|| failed(Codec::Snappy, "a stream header is cut off"))?;
            if !header.starts_with(MAGIC) {
                self.input = &[];
                return Ok(None);
            }
            if i32::from_be_bytes([header[8], header[9], header[10], header[11]]) < 1 {
                return Err(failed(Codec::Snappy, "the stream is of an incompatible version"));
            }
            self.input = rest;
        }
        let Some((length, rest)) = self.input.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| failed(Codec::Snappy, "a block length is negative"))?;
        let (block, rest) =
            rest.split_at_checked(length).ok_or_else(|| failed(Codec::Snappy, "a block is cut off"))?;
        if block.is_empty() {
            return Err(failed(Codec::Snappy, "a block is empty"));
        }
        self.input = rest;
        Ok(Some(block))
    }
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
