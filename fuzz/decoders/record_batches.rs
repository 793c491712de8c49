//! Decoders of record batches, fed with any bytes: no panic, bounded memory, and what is accepted can be read.

use bytes::Bytes;
use records::{
    AppendOrigin, Codec, Compression, EndTransactionMarker, TargetCompression, ValidationRules, batches,
    check_produced, validate,
};

/// Most bytes that reading one batch may decompress to here.
const LIMIT: usize = 1 << 20;

/// One byte that chooses the rules, then what a client sends as records: read, judged, and what was accepted read again.
pub fn record_batches(data: &[u8]) {
    let Some((options, bytes)) = data.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    for batch in batches(&bytes).map_while(Result::ok) {
        assert!(batch.bytes.len() <= bytes.len());
        let _ = batch.verify_crc();
        let _ = batch.end_transaction_marker();
        if let Ok(records) = batch.records(LIMIT) {
            for record in records.flatten() {
                let _ = EndTransactionMarker::parse(&record);
            }
        }
    }
    judge(*options, &bytes);
    // The checksum keeps mutations away from what lies behind it: the same batches once more with the right one.
    for batch in batches(&bytes).map_while(Result::ok) {
        let mut header = batch.header;
        header.crc = header.compute_crc(&batch.tail());
        judge(*options, &Bytes::from([&header.to_bytes()[..], &batch.tail()].concat()));
    }
}

fn judge(options: u8, bytes: &Bytes) {
    let origin = match options & 3 {
        0 | 1 => AppendOrigin::Client,
        2 => AppendOrigin::Coordinator,
        _ => AppendOrigin::Controller,
    };
    let compression = match Codec::from_id(options >> 5) {
        Ok(codec) => TargetCompression::Fixed(Compression::of(codec)),
        Err(_) => TargetCompression::Producer,
    };
    let rules = ValidationRules {
        compression,
        compacted: options & 4 != 0,
        max_decompressed_message_bytes: LIMIT,
        ..ValidationRules::defaults(origin, 1_700_000_000_000)
    };
    let _ = check_produced(bytes, i16::from(options & 15));
    for mut batch in validate(bytes, &rules).unwrap_or_default() {
        batch.assign(1 << 40, 3);
        let stored = Bytes::from([&batch.head[..], &batch.tail].concat());
        let stored = batches(&stored).next().expect("whole").expect("readable");
        stored.verify_crc().expect("sealed");
        assert_eq!(stored.header, batch.header);
        let records: Vec<_> = stored.records(usize::MAX).expect("readable").collect();
        assert_eq!(records.len(), batch.header.record_count as usize);
        for (delta, record) in records.into_iter().enumerate() {
            let record = record.expect("what was accepted can be read");
            if origin == AppendOrigin::Client {
                assert_eq!(record.offset, (1 << 40) + delta as i64);
            }
        }
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
