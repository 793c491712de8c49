//! Kafka's rules of validation (`LogValidator`, `UnifiedLog`, `ProduceRequest`).

use super::*;

fn rules() -> ValidationRules {
    ValidationRules::defaults(AppendOrigin::Client, 1_000_000)
}

fn keyed(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(0).compression(Compression::of(codec));
    builder.append(999_000, Some(b"a"), Some(b"1"), &[]);
    builder.append(999_500, None, Some(b"2"), &[]);
    builder.build()
}

#[test]
fn a_good_batch_passes_without_a_copy() {
    for codec in Codec::ALL {
        let bytes = keyed(codec);
        let mut valid = validate(&bytes, &rules()).expect("valid");
        assert_eq!(valid.len(), 1);
        assert_eq!(&valid[0].head[..], &bytes[..61]);
        assert_eq!(valid[0].tail.as_ptr(), bytes[61..].as_ptr());
        valid[0].assign(77, 5);
        let stored = Bytes::from([&valid[0].head[..], &valid[0].tail].concat());
        let batch = batches(&stored).next().expect("one").expect("readable");
        batch.verify_crc().expect("offset and epoch lie outside the checksum");
        assert_eq!((batch.header.base_offset, batch.header.partition_leader_epoch), (77, 5));
    }
}

#[test]
fn recompression_keeps_the_records() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let compression = TargetCompression::Fixed(Compression::of(target));
            let valid = validate(&keyed(source), &ValidationRules { compression, ..rules() }).expect("valid");
            assert_eq!(valid[0].header.compression(), Ok(target));
            let stored = Bytes::from([&valid[0].head[..], &valid[0].tail].concat());
            let batch = batches(&stored).next().expect("one").expect("readable");
            batch.verify_crc().expect("sealed");
            let records: Vec<_> =
                batch.records(LIMIT).expect("readable").map(|r| r.expect("readable")).collect();
            assert_eq!(records[0].key.as_deref(), Some(&b"a"[..]));
            assert_eq!((records[1].offset, records[1].timestamp), (1, 999_500));
            assert_eq!(records[1].value.as_deref(), Some(&b"2"[..]));
        }
    }
}

#[test]
fn log_append_time_is_set_in_the_header_alone() {
    for codec in Codec::ALL {
        let bytes = keyed(codec);
        let timestamp_type = TimestampType::LogAppendTime;
        let valid = validate(&bytes, &ValidationRules { timestamp_type, ..rules() }).expect("valid");
        assert_eq!(valid[0].header.timestamp_type(), timestamp_type);
        assert_eq!(valid[0].header.max_timestamp, 1_000_000);
        assert_eq!(valid[0].tail.as_ptr(), bytes[61..].as_ptr());
        let stored = Bytes::from([&valid[0].head[..], &valid[0].tail].concat());
        batches(&stored).next().expect("one").expect("readable").verify_crc().expect("renewed");
    }
}

#[test]
fn compacted_topics_need_keys() {
    for codec in Codec::ALL {
        let error =
            validate(&keyed(codec), &ValidationRules { compacted: true, ..rules() }).expect_err("no key");
        assert_eq!(error.error_code, ErrorCode::InvalidRecord);
        assert_eq!(error.record_errors.iter().map(|e| e.batch_index).collect::<Vec<_>>(), [1]);
    }
}
