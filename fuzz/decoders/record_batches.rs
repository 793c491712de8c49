//! Decoders of record batches, fed with any bytes.

use bytes::Bytes;
use records::{AppendOrigin, Codec, ValidationRules};

/// Decompressed bytes that one input may yield here.
const LIMIT: usize = 1 << 20;

/// What a client sends as records: walked, read and validated.
pub fn record_batches(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for batch in records::batches(&bytes) {
        let Ok(batch) = batch else { break };
        assert!(batch.bytes.len() <= data.len());
        if let Ok(records) = batch.records(LIMIT) {
            for record in records {
                if record.is_err() {
                    break;
                }
            }
        }
        // The checksum keeps mutations away from what lies behind it: the same batch once more with the right one.
        validate(&with_right_checksum(&batch));
    }
    validate(&bytes);
}

fn with_right_checksum(batch: &records::Batch) -> Bytes {
    let mut header = batch.header;
    header.crc = header.compute_crc(&batch.tail());
    [&header.to_bytes()[..], &batch.tail()].concat().into()
}

fn validate(bytes: &Bytes) {
    let rules = ValidationRules {
        max_decompressed_message_bytes: LIMIT,
        ..ValidationRules::defaults(AppendOrigin::Client, 1_700_000_000_000)
    };
    if let Ok(batches) = records::validate(bytes, &rules) {
        let size: usize = batches.iter().map(records::ValidBatch::size_in_bytes).sum();
        assert!(size <= bytes.len());
    }
}

/// One byte that picks the codec, then compressed bytes.
pub fn decompression(data: &[u8]) {
    let Some((codec, compressed)) = data.split_first() else { return };
    let Ok(codec) = Codec::from_id(codec % 5) else { return };
    if let Ok(bytes) = codec.decompress(&Bytes::copy_from_slice(compressed), LIMIT) {
        assert!(bytes.len() <= LIMIT);
    }
}
