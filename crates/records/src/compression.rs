//! The five codecs of record batches: names, levels, streaming in both directions.
//!
//! Decompression yields pieces of bounded size and never allocates by a size its input claims.

mod compressor;
mod gzip;
mod lz4;
mod snappy;
mod zstandard;

pub(crate) use compressor::Compressor;

use bytes::Bytes;

use crate::error::RecordsError;

/// A codec by its number in the attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Uncompressed.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy in the framing of the xerial library.
    Snappy,
    /// LZ4 frames with independent blocks.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl Codec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in a batch's attributes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The codec for a number in the attributes.
    pub const fn from_id(id: u8) -> Result<Self, RecordsError> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(RecordsError::UnknownCompression(other)),
        }
    }

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Decompresses all of `input` into at most `limit` bytes; uncompressed input is returned as it is.
    pub fn decompress(self, input: &Bytes, limit: usize) -> Result<Bytes, RecordsError> {
        if self == Self::None {
            return Ok(input.clone());
        }
        let mut decompressor = Decompressor::new(self, input);
        let (mut whole, mut piece) = (Vec::new(), Vec::new());
        while decompressor.fill(&mut piece)? {
            if whole.len() + piece.len() > limit {
                return Err(RecordsError::DecompressedTooLarge { limit });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

/// A codec with its level (KIP-390).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// Level in the codec's own range; without meaning for none and snappy.
    pub level: i32,
}

impl Compression {
    /// A codec at its default level: gzip -1, lz4 9, zstd 3.
    pub const fn of(codec: Codec) -> Self {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => -1,
            Codec::Lz4 => 9,
            Codec::Zstd => 3,
        };
        Self { codec, level }
    }

    /// A codec at a level, if the level is in Kafka's range: gzip 1 to 9 or -1, lz4 1 to 17, zstd -131072 to 22.
    pub const fn with_level(codec: Codec, level: i32) -> Option<Self> {
        let valid = match codec {
            Codec::None | Codec::Snappy => true,
            Codec::Gzip => level == -1 || (level >= 1 && level <= 9),
            Codec::Lz4 => level >= 1 && level <= 17,
            Codec::Zstd => level >= -131_072 && level <= 22,
        };
        if valid { Some(Self { codec, level }) } else { None }
    }

    /// Compresses `input` whole.
    pub fn compress(self, input: &[u8]) -> Result<Vec<u8>, RecordsError> {
        let mut compressor = Compressor::new(self)?;
        compressor.write(input)?;
        compressor.finish()
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::of(Codec::None)
    }
}

/// Streaming decompression: yields one piece after another.
pub struct Decompressor<'a>(Source<'a>);

enum Source<'a> {
    Plain(&'a [u8]),
    Gzip(Box<gzip::GzipSource<'a>>),
    Snappy(snappy::SnappySource<'a>),
    Lz4(lz4::Lz4Source<'a>),
    Zstd(zstandard::ZstdSource<'a>),
}

impl<'a> Decompressor<'a> {
    /// Nothing is read before the first [`fill`](Self::fill).
    pub fn new(codec: Codec, input: &'a [u8]) -> Self {
        Self(match codec {
            Codec::None => Source::Plain(input),
            Codec::Gzip => Source::Gzip(Box::new(gzip::GzipSource::new(input))),
            Codec::Snappy => Source::Snappy(snappy::SnappySource::new(input)),
            Codec::Lz4 => Source::Lz4(lz4::Lz4Source::new(input)),
            Codec::Zstd => Source::Zstd(zstandard::ZstdSource::new(input)),
        })
    }

    /// Replaces `piece` with the next bytes, at least one; false at the end of the data.
    pub fn fill(&mut self, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        match &mut self.0 {
            Source::Plain(input) => {
                piece.clear();
                piece.extend_from_slice(input);
                *input = &[];
                Ok(!piece.is_empty())
            }
            Source::Gzip(source) => source.fill(piece),
            Source::Snappy(source) => source.fill(piece),
            Source::Lz4(source) => source.fill(piece),
            Source::Zstd(source) => source.fill(piece),
        }
    }
}

impl std::fmt::Debug for Decompressor<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Decompressor")
    }
}

/// A codec's complaint about its input.
fn failed(codec: Codec, reason: impl ToString) -> RecordsError {
    RecordsError::Decompression { codec: codec.name(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
