//! LZ4 frames as Kafka reads and writes them: independent blocks of at most 64 KiB, no checksums when writing.

use super::{Codec, failed};
use crate::error::RecordsError;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION: u8 = 1;
const FLAG_INDEPENDENT_BLOCKS: u8 = 0x20;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_RESERVED: u8 = 0x03;
const BLOCK_SIZE_64_KIB: u8 = 4;
const UNCOMPRESSED_BIT: u32 = 0x8000_0000;
/// Uncompressed bytes of a block when writing.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;
/// An LZ4 sequence yields at most 255 bytes per byte of input.
const MAX_RATIO: usize = 255;

/// Reads one LZ4 frame block by block; what follows the frame is ignored, as Kafka does.
pub(super) struct Lz4Source<'a> {
    input: &'a [u8],
    frame: Option<Frame>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    max_block_bytes: usize,
    has_block_checksums: bool,
    has_content_checksum: bool,
}

impl<'a> Lz4Source<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, frame: None, ended: false }
    }

    pub(super) fn fill(&mut self, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        let frame = match self.frame {
            Some(frame) => frame,
            None => *self.frame.insert(read_frame_header(&mut self.input)?),
        };
        loop {
            if self.ended || !self.read_block(frame, piece)? {
                self.ended = true;
                piece.clear();
                return Ok(false);
            }
            if !piece.is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_block(&mut self, frame: Frame, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        let word = u32::from_le_bytes(take(&mut self.input)?);
        let length = (word & !UNCOMPRESSED_BIT) as usize;
        if length == 0 {
            if frame.has_content_checksum {
                take::<4>(&mut self.input)?;
            }
            return Ok(false);
        }
        if length > frame.max_block_bytes {
            return Err(failed(Codec::Lz4, "a block is larger than its frame allows"));
        }
        let (block, rest) = self.input.split_at_checked(length).ok_or_else(cut_off)?;
        self.input = rest;
        if word & UNCOMPRESSED_BIT == 0 {
            // What the piece holds already need not be zeroed again.
            piece.resize(frame.max_block_bytes.min(length.saturating_mul(MAX_RATIO)), 0);
            let written =
                lz4_flex::block::decompress_into(block, piece).map_err(|error| failed(Codec::Lz4, error))?;
            piece.truncate(written);
        } else {
            piece.clear();
            piece.extend_from_slice(block);
        }
        if frame.has_block_checksums && u32::from_le_bytes(take(&mut self.input)?) != xxh32(block) {
            return Err(failed(Codec::Lz4, "a block's checksum does not match"));
        }
        Ok(true)
    }
}

fn read_frame_header(input: &mut &[u8]) -> Result<Frame, RecordsError> {
    if take::<4>(input)? != MAGIC {
        return Err(failed(Codec::Lz4, "not an LZ4 frame"));
    }
    let descriptor = *input;
    let [flags, sizes] = take(input)?;
    if flags >> 6 != VERSION || flags & FLAG_RESERVED != 0 {
        return Err(failed(Codec::Lz4, "the frame is of an unsupported version"));
    }
    if flags & FLAG_INDEPENDENT_BLOCKS == 0 {
        return Err(failed(Codec::Lz4, "linked blocks are not supported"));
    }
    let size_id = (sizes >> 4) & 0x07;
    if sizes & 0x8f != 0 || size_id < BLOCK_SIZE_64_KIB {
        return Err(failed(Codec::Lz4, "the block size is invalid"));
    }
    let mut described = 2;
    if flags & FLAG_CONTENT_SIZE != 0 {
        take::<8>(input)?;
        described += 8;
    }
    let [header_checksum] = take(input)?;
    if header_checksum != (xxh32(&descriptor[..described]) >> 8) as u8 {
        return Err(failed(Codec::Lz4, "the frame header's checksum does not match"));
    }
    Ok(Frame {
        max_block_bytes: 1 << (2 * u32::from(size_id) + 8),
        has_block_checksums: flags & FLAG_BLOCK_CHECKSUM != 0,
        has_content_checksum: flags & FLAG_CONTENT_CHECKSUM != 0,
    })
}

/// The frame header Kafka writes.
pub(super) fn write_frame_header(out: &mut Vec<u8>) {
    let descriptor = [VERSION << 6 | FLAG_INDEPENDENT_BLOCKS, BLOCK_SIZE_64_KIB << 4];
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&descriptor);
    out.push((xxh32(&descriptor) >> 8) as u8);
}

/// One block, stored as it is where compression does not help.
pub(super) fn write_block(out: &mut Vec<u8>, block: &[u8]) {
    let compressed = lz4_flex::block::compress(block);
    if compressed.len() < block.len() {
        out.extend_from_slice(&(compressed.len() as u32).to_le_bytes());
        out.extend_from_slice(&compressed);
    } else {
        out.extend_from_slice(&(block.len() as u32 | UNCOMPRESSED_BIT).to_le_bytes());
        out.extend_from_slice(block);
    }
}

/// The mark behind the last block.
pub(super) fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], RecordsError> {
    let (taken, rest) = input.split_first_chunk::<N>().ok_or_else(cut_off)?;
    *input = rest;
    Ok(*taken)
}

fn cut_off() -> RecordsError {
    failed(Codec::Lz4, "the data is cut off")
}

const PRIME_1: u32 = 0x9e37_79b1;
const PRIME_2: u32 = 0x85eb_ca77;
const PRIME_3: u32 = 0xc2b2_ae3d;
const PRIME_4: u32 = 0x27d4_eb2f;
const PRIME_5: u32 = 0x1656_67b1;

/// xxHash, 32 bits, seed 0: the checksum of LZ4 frames.
fn xxh32(bytes: &[u8]) -> u32 {
    let (stripes, mut rest) = bytes.as_chunks::<16>();
    let mut hash = if stripes.is_empty() {
        PRIME_5
    } else {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, 0u32.wrapping_sub(PRIME_1)];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<4>().0) {
                let mixed = lane.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIME_2));
                *lane = mixed.rotate_left(13).wrapping_mul(PRIME_1);
            }
        }
        let [a, b, c, d] = lanes;
        a.rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18))
    };
    hash = hash.wrapping_add(bytes.len() as u32);
    while let Some((word, after)) = rest.split_first_chunk::<4>() {
        hash = hash.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIME_3));
        hash = hash.rotate_left(17).wrapping_mul(PRIME_4);
        rest = after;
    }
    for byte in rest {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(PRIME_5));
        hash = hash.rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 13)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh32_matches_published_vectors() {
        assert_eq!(xxh32(b""), 0x02cc_5d05);
        assert_eq!(xxh32(b"abc"), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }
}
