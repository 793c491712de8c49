//! Record batches v2: headers, compression, control records, validation in one pass.
//!
//! Everything here is pure: bytes in, bytes out, time as a value. A batch stays the slice of the frame it came in;
//! only its 61 header bytes are ever copied, to be patched with offsets, epoch and checksum.
//! Formats older than magic 2 are recognised and refused.

mod batch;
mod builder;
mod compression;
mod control;
mod error;
mod header;
mod record;
mod validate;
mod varint;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Batches, batches};
pub use builder::BatchBuilder;
pub use compression::{Codec, Compression, Decompressor};
pub use control::{ControlRecordType, EndTransactionMarker, control_record_key};
pub use error::RecordsError;
pub use header::{BatchHeader, TimestampType, crc32c, decrement_sequence, increment_sequence};
pub use record::{Record, RecordHeader, Records};
pub use validate::{
    AppendOrigin, InvalidBatch, RecordError, TargetCompression, ValidBatch, ValidationRules, check_produced,
    validate,
};

/// Bytes of a batch before its records.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes of a batch that its length field does not count: base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The only record format written or accepted here.
pub const MAGIC: i8 = 2;
/// A timestamp that was never set.
pub const NO_TIMESTAMP: i64 = -1;
/// A batch without a producer id.
pub const NO_PRODUCER_ID: i64 = -1;
/// A batch without a producer epoch.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// A batch without a sequence number.
pub const NO_SEQUENCE: i32 = -1;
/// A batch whose leader epoch is not known.
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;
