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

/// A batch of two records, its header changed, length and checksum right.
fn changed(codec: Codec, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let bytes = keyed(codec);
    let mut header = BatchHeader::parse(&bytes).expect("built");
    change(&mut header);
    header.crc = header.compute_crc(&bytes[61..]);
    [&header.to_bytes()[..], &bytes[61..]].concat().into()
}

fn code(bytes: &Bytes, rules: &ValidationRules) -> ErrorCode {
    validate(bytes, rules).map_or_else(|error| error.error_code, |_| ErrorCode::None)
}

#[test]
fn a_produce_holds_one_batch_of_magic_2() {
    let one = keyed(Codec::None);
    let two = Bytes::from(one.repeat(2));
    for bytes in [Bytes::new(), two.clone()] {
        assert_eq!(check_produced(&bytes, 9).expect_err("not one").error_code, ErrorCode::InvalidRecord);
        assert_eq!(code(&bytes, &rules()), ErrorCode::InvalidRecord);
    }
    let coordinator = ValidationRules { origin: AppendOrigin::Coordinator, ..rules() };
    assert_eq!(validate(&two, &coordinator).map(|batches| batches.len()), Ok(2));
    for magic in [0, 1] {
        let mut old = one.to_vec();
        old[16] = magic;
        assert_eq!(code(&old.into(), &rules()), ErrorCode::InvalidRecord);
    }
    let mut newer = one.to_vec();
    newer[16] = 3;
    assert_eq!(code(&newer.into(), &rules()), ErrorCode::CorruptMessage);
}

#[test]
fn zstd_needs_produce_version_7() {
    let zstd = keyed(Codec::Zstd);
    let refused = check_produced(&zstd, 6).expect_err("too old").error_code;
    assert_eq!(refused, ErrorCode::UnsupportedCompressionType);
    check_produced(&zstd, 7).expect("new enough");
    check_produced(&keyed(Codec::Lz4), 3).expect("not zstd");
}

#[test]
fn frames_are_checked_before_their_content() {
    let bytes = keyed(Codec::None);
    let mut damaged = bytes.to_vec();
    damaged[70] ^= 1;
    assert_eq!(code(&damaged.into(), &rules()), ErrorCode::CorruptMessage);
    let small = ValidationRules { max_message_bytes: bytes.len() - 1, ..rules() };
    assert_eq!(code(&bytes, &small), ErrorCode::MessageTooLarge);
    assert_eq!(code(&bytes, &ValidationRules { origin: AppendOrigin::Controller, ..small }), ErrorCode::None);
    assert_eq!(code(&bytes.slice(..40), &rules()), ErrorCode::InvalidRecord, "no whole batch");
    let mut short = bytes.to_vec();
    short[8..12].copy_from_slice(&20_i32.to_be_bytes());
    assert_eq!(code(&short.into(), &rules()), ErrorCode::CorruptMessage);
}

#[test]
fn clients_headers_are_checked() {
    type Change = fn(&mut BatchHeader);
    let changes: [Change; 7] = [
        |header| header.base_offset = 1,
        |header| header.last_offset_delta = -1,
        |header| (header.record_count, header.last_offset_delta) = (0, 0),
        |header| header.record_count = 3,
        |header| (header.record_count, header.last_offset_delta) = (3, 2),
        |header| (header.record_count, header.last_offset_delta) = (1, 0),
        |header| header.producer_id = 4,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        for codec in Codec::ALL {
            let bytes = changed(codec, change);
            assert_eq!(code(&bytes, &rules()), ErrorCode::InvalidRecord, "change {index}, {codec:?}");
        }
    }
    let control = changed(Codec::None, |header| header.attributes |= 0x20);
    assert_eq!(code(&control, &rules()), ErrorCode::InvalidRecord);
    let coordinator = ValidationRules { origin: AppendOrigin::Coordinator, ..rules() };
    assert_eq!(code(&control, &coordinator), ErrorCode::None);
    let unknown = changed(Codec::None, |header| header.attributes |= 7);
    assert_eq!(code(&unknown, &rules()), ErrorCode::UnknownServerError);
}

#[test]
fn timestamps_keep_to_their_bounds() {
    for codec in Codec::ALL {
        let bytes = keyed(codec);
        let late = ValidationRules { timestamp_before_max_ms: 900, ..rules() };
        let error = validate(&bytes, &late).expect_err("the first is 1000 ms old");
        assert_eq!(error.error_code, ErrorCode::InvalidTimestamp);
        assert_eq!(error.record_errors.iter().map(|e| e.batch_index).collect::<Vec<_>>(), [0]);
        let early = ValidationRules { timestamp_after_max_ms: 400, now_ms: 999_000, ..rules() };
        let error = validate(&bytes, &early).expect_err("the second is 500 ms ahead");
        assert_eq!(error.record_errors.iter().map(|e| e.batch_index).collect::<Vec<_>>(), [1]);
        let ignored = ValidationRules { timestamp_type: TimestampType::LogAppendTime, ..late };
        assert_eq!(code(&bytes, &ignored), ErrorCode::None);
    }
}

#[test]
fn records_without_timestamp_pass_every_bound() {
    let mut builder = BatchBuilder::new(0);
    builder.append(-1, None, None, &[]);
    let strict = ValidationRules { timestamp_before_max_ms: 0, timestamp_after_max_ms: 0, ..rules() };
    let valid = validate(&builder.build(), &strict).expect("no timestamp, no bound");
    assert_eq!(valid[0].header.max_timestamp, -1);
}

#[test]
fn producers_may_not_claim_log_append_time() {
    let claimed = changed(Codec::None, |header| header.attributes |= 8);
    let append_time = ValidationRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let error = validate(&claimed, &append_time).expect_err("claimed");
    assert_eq!((error.error_code, error.record_errors.len()), (ErrorCode::InvalidTimestamp, 2));
    let valid =
        validate(&claimed, &rules()).expect("Kafka lets it pass with CreateTime, and corrects the type");
    assert_eq!(valid[0].header.timestamp_type(), TimestampType::CreateTime);
}

#[test]
fn a_wrong_maximum_timestamp_is_corrected() {
    for codec in Codec::ALL {
        let valid = validate(&changed(codec, |header| header.max_timestamp = 5), &rules()).expect("valid");
        assert_eq!(valid[0].header.max_timestamp, 999_500);
        assert_eq!(valid[0].header.crc, valid[0].header.compute_crc(&valid[0].tail));
    }
}

#[test]
fn one_record_may_be_only_so_large_decompressed() {
    let mut builder = BatchBuilder::new(0).compression(Compression::of(Codec::Zstd));
    builder.append(999_000, None, Some(&[0; 5_000]), &[]);
    let bytes = builder.build();
    let strict = ValidationRules { max_decompressed_message_bytes: 5_000, ..rules() };
    assert_eq!(code(&bytes, &strict), ErrorCode::InvalidRecord);
    assert_eq!(
        code(&bytes, &ValidationRules { max_decompressed_message_bytes: 5_020, ..strict }),
        ErrorCode::None
    );
    let uncompressed = ValidationRules {
        compression: TargetCompression::Fixed(Compression::of(Codec::None)),
        max_message_bytes: 1_000,
        ..rules()
    };
    assert_eq!(code(&bytes, &uncompressed), ErrorCode::MessageTooLarge, "larger than allowed once rewritten");
}

#[test]
fn offsets_that_do_not_count_up_are_repaired_or_refused() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(0).compression(Compression::of(codec));
        builder.append(999_000, None, Some(b"first"), &[]);
        builder.append_with_offset(5, 999_000, None, Some(b"second"), &[]);
        let bytes = builder.build();
        let mut header = BatchHeader::parse(&bytes).expect("built");
        header.last_offset_delta = 1;
        header.crc = header.compute_crc(&bytes[61..]);
        let bytes = Bytes::from([&header.to_bytes()[..], &bytes[61..]].concat());
        if codec != Codec::None {
            assert_eq!(code(&bytes, &rules()), ErrorCode::UnknownServerError);
            continue;
        }
        let valid = validate(&bytes, &rules()).expect("repaired");
        let stored = Bytes::from([&valid[0].head[..], &valid[0].tail].concat());
        let batch = batches(&stored).next().expect("one").expect("readable");
        let offsets: Vec<_> =
            batch.records(LIMIT).expect("readable").map(|r| r.expect("readable").offset).collect();
        assert_eq!(offsets, [0, 1]);
    }
}

#[test]
fn the_list_of_record_errors_is_bounded() {
    let mut builder = BatchBuilder::new(0).compression(Compression::of(Codec::Zstd));
    for _ in 0..5_000 {
        builder.append(999_000, None, None, &[]);
    }
    let error =
        validate(&builder.build(), &ValidationRules { compacted: true, ..rules() }).expect_err("no keys");
    assert_eq!(error.record_errors.len(), 1_000);
}

#[test]
fn what_stands_behind_an_empty_batch_is_nobodys_record() {
    let lz4 = keyed(Codec::Lz4);
    let mut header = batches(&lz4).next().expect("one").expect("readable").header;
    let junk = b"not an LZ4 frame";
    header.record_count = 0;
    header.batch_length = 49 + junk.len() as i32;
    header.crc = header.compute_crc(junk);
    let bytes = Bytes::from([&header.to_bytes()[..], junk].concat());
    let batch = batches(&bytes).next().expect("one").expect("readable");
    assert_eq!(batch.verify_crc(), Ok(()));
    assert_eq!(batch.records(1_000).expect("readable").count(), 0);
    assert_eq!(code(&bytes, &rules()), ErrorCode::InvalidRecord);
}
