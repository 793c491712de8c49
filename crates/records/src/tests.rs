//! Round trips of batches, and Kafka's rules of validation one by one.

use bytes::Bytes;
use protocol::ErrorCode;

use crate::{
    AppendOrigin, BatchBuilder, BatchHeader, Codec, Compression, RecordHeader, TargetCompression,
    TimestampType, ValidationRules, batches, check_produced, validate,
};

mod round_trip;
mod rules;

/// Large enough for every batch in these tests.
const LIMIT: usize = 1 << 24;
