//! Streaming compression into a growing buffer.

use std::io::Write;

use flate2::write::GzEncoder;

use super::{Codec, Compression, failed, lz4, snappy, zstandard};
use crate::error::RecordsError;

/// Takes bytes in any portions, gives the compressed whole.
pub(crate) struct Compressor(Sink);

enum Sink {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Snappy(Blocks),
    Lz4(Blocks),
    Zstd(zstandard::ZstdSink),
}

/// Collects whole blocks before they are compressed.
#[derive(Default)]
struct Blocks {
    out: Vec<u8>,
    pending: Vec<u8>,
}

impl Blocks {
    fn write(&mut self, mut bytes: &[u8], block_bytes: usize, write_block: fn(&mut Vec<u8>, &[u8])) {
        while !bytes.is_empty() {
            let taken = bytes.len().min(block_bytes - self.pending.len());
            let (now, later) = bytes.split_at(taken);
            if self.pending.is_empty() && taken == block_bytes {
                write_block(&mut self.out, now);
            } else {
                self.pending.extend_from_slice(now);
                if self.pending.len() == block_bytes {
                    write_block(&mut self.out, &self.pending);
                    self.pending.clear();
                }
            }
            bytes = later;
        }
    }

    fn finish(mut self, write_block: fn(&mut Vec<u8>, &[u8])) -> Vec<u8> {
        if !self.pending.is_empty() {
            write_block(&mut self.out, &self.pending);
        }
        self.out
    }
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Result<Self, RecordsError> {
        Ok(Self(match compression.codec {
            Codec::None => Sink::Plain(Vec::new()),
            Codec::Gzip => {
                let level = u32::try_from(compression.level)
                    .map_or_else(|_| Default::default(), flate2::Compression::new);
                Sink::Gzip(GzEncoder::new(Vec::new(), level))
            }
            Codec::Snappy => {
                Sink::Snappy(Blocks { out: snappy::XERIAL_HEADER.to_vec(), pending: Vec::new() })
            }
            Codec::Lz4 => {
                let mut blocks = Blocks::default();
                lz4::write_frame_header(&mut blocks.out);
                Sink::Lz4(blocks)
            }
            Codec::Zstd => Sink::Zstd(zstandard::ZstdSink::new(compression.level)?),
        }))
    }

    /// Compressed bytes so far; some may still be held back.
    pub(crate) fn written(&self) -> usize {
        match &self.0 {
            Sink::Plain(out) => out.len(),
            Sink::Gzip(encoder) => encoder.get_ref().len(),
            Sink::Snappy(blocks) | Sink::Lz4(blocks) => blocks.out.len(),
            Sink::Zstd(sink) => sink.written(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), RecordsError> {
        match &mut self.0 {
            Sink::Plain(out) => out.extend_from_slice(bytes),
            Sink::Gzip(encoder) => encoder.write_all(bytes).map_err(|error| failed(Codec::Gzip, error))?,
            Sink::Snappy(blocks) => blocks.write(bytes, snappy::BLOCK_BYTES, write_snappy_block),
            Sink::Lz4(blocks) => blocks.write(bytes, lz4::BLOCK_BYTES, lz4::write_block),
            Sink::Zstd(sink) => sink.write(bytes)?,
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, RecordsError> {
        match self.0 {
            Sink::Plain(out) => Ok(out),
            Sink::Gzip(encoder) => encoder.finish().map_err(|error| failed(Codec::Gzip, error)),
            Sink::Snappy(blocks) => Ok(blocks.finish(write_snappy_block)),
            Sink::Lz4(blocks) => {
                let mut out = blocks.finish(lz4::write_block);
                lz4::write_end(&mut out);
                Ok(out)
            }
            Sink::Zstd(sink) => sink.finish(),
        }
    }
}

fn write_snappy_block(out: &mut Vec<u8>, block: &[u8]) {
    let length_at = out.len();
    let body_at = length_at + 4;
    out.resize(body_at + snap::raw::max_compress_len(block.len()), 0);
    let written = snap::raw::Encoder::new()
        .compress(block, &mut out[body_at..])
        .expect("a block is small and its target holds the worst case");
    out.truncate(body_at + written);
    out[length_at..body_at].copy_from_slice(&(written as u32).to_be_bytes());
}
