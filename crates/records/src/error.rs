//! What can be wrong with the bytes of a batch, and the error code a client sees for it.

use protocol::ErrorCode;

/// Why bytes are not a readable batch or record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The frame of a batch cannot be right: size, magic or checksum.
    #[error("corrupt batch: {0}")]
    Corrupt(&'static str),
    /// The batch is of a format older than magic 2.
    #[error("record format with magic {0} is not supported")]
    UnsupportedMagic(i8),
    /// The content of a batch breaks the record format.
    #[error("invalid record: {0}")]
    InvalidRecord(&'static str),
    /// The attributes name a codec that does not exist.
    #[error("unknown compression type {0}")]
    UnknownCompression(u8),
    /// The codec could not read its input.
    #[error("{codec} data cannot be decompressed: {reason}")]
    Decompression {
        /// Name of the codec.
        codec: &'static str,
        /// What the codec said.
        reason: String,
    },
    /// Decompressing would yield more than the caller allows.
    #[error("decompressed data exceeds the limit of {limit} bytes")]
    DecompressedTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

impl RecordsError {
    /// The code Kafka's broker answers when a produced batch fails this way.
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::UnsupportedMagic(_) | Self::InvalidRecord(_) | Self::DecompressedTooLarge { .. } => {
                ErrorCode::InvalidRecord
            }
            Self::UnknownCompression(_) | Self::Decompression { .. } => ErrorCode::UnknownServerError,
        }
    }
}
