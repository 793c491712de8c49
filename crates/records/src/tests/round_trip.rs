//! What the builder writes, the reader gives back.

use super::*;

fn header(key: &'static str, value: Option<&'static [u8]>) -> RecordHeader {
    RecordHeader { key: Bytes::from_static(key.as_bytes()), value: value.map(Bytes::from_static) }
}

#[test]
fn every_codec_gives_records_back() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(40)
            .compression(Compression::of(codec))
            .producer(7, 1, i32::MAX)
            .partition_leader_epoch(3)
            .transactional();
        let large = vec![b'x'; 200_000];
        builder.append(1_000, Some(b"key"), Some(&large), &[header("name", Some(b"v")), header("", None)]);
        builder.append(900, None, None, &[]);
        let bytes = builder.build();
        let batch = batches(&bytes).next().expect("one batch").expect("readable");
        batch.verify_crc().expect("sealed");
        assert_eq!(batch.header.compression(), Ok(codec));
        assert_eq!((batch.header.base_offset, batch.header.last_offset()), (40, 41));
        assert_eq!((batch.header.base_sequence, batch.header.last_sequence()), (i32::MAX, 0));
        assert_eq!((batch.header.base_timestamp, batch.header.max_timestamp), (1_000, 1_000));
        assert!(batch.header.is_transactional() && !batch.header.is_control());
        let records: Vec<_> = batch.records(LIMIT).expect("readable").map(|r| r.expect("readable")).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].value.as_deref(), Some(&large[..]));
        assert_eq!(records[0].headers, [header("name", Some(b"v")), header("", None)]);
        assert_eq!((records[1].offset, records[1].timestamp, records[1].sequence), (41, 900, 0));
        assert_eq!((&records[1].key, &records[1].value), (&None, &None));
        assert_eq!(codec != Codec::None, batch.records(1_000).is_err(), "{codec:?} keeps the limit");
    }
}
