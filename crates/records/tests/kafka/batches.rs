//! Batches written on one side and read on the other.

use std::collections::BTreeMap;

use bytes::Bytes;
use records::{
    BatchBuilder, BatchHeader, Codec, Compression, ControlRecordType, EndTransactionMarker, RecordHeader,
};

use crate::description::describe;
use crate::prepared;

#[test]
fn ours_reads_what_kafka_writes() {
    let Some(folder) = prepared::folder() else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join("written")).expect("the set-up wrote it") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "batch") {
            continue;
        }
        let bytes = Bytes::from(std::fs::read(&path).expect("readable"));
        let expected = std::fs::read_to_string(path.with_extension("txt")).expect("beside it");
        assert!(describe(&bytes).expect("readable") == expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 50, "only {count} batches");
    println!("note: {count} batches of Kafka's read");
}

#[test]
fn kafka_reads_what_ours_writes() {
    let Some(folder) = prepared::folder() else { return };
    let written = tempfile::tempdir().expect("a folder");
    let mut expected = BTreeMap::new();
    for (name, bytes) in ours() {
        let name = format!("{name}.batch");
        std::fs::write(written.path().join(&name), &bytes).expect("writable");
        expected.insert(name, describe(&bytes).expect("ours reads its own"));
    }
    let expected: String = expected.iter().map(|(name, text)| format!("file {name}\n{text}")).collect();
    let described = prepared::java(&folder, "describe", written.path());
    let mut lines = described.lines().zip(expected.lines());
    if let Some((theirs, ours)) = lines.find(|(theirs, ours)| theirs != ours) {
        panic!("Kafka reads {theirs:.300}\nours wrote {ours:.300}");
    }
    assert_eq!(described.len(), expected.len());
}

#[test]
fn markers_and_empty_batches_are_kafkas_bytes() {
    let Some(folder) = prepared::folder() else { return };
    let kafkas = |name: &str| std::fs::read(folder.join(format!("written/{name}.batch"))).expect("written");
    for (name, offset, committed, coordinator_epoch) in
        [("control-commit", 11, true, 15), ("control-abort", 12, false, 0)]
    {
        let marker = EndTransactionMarker { committed, coordinator_epoch };
        let mut builder = BatchBuilder::new(offset)
            .partition_leader_epoch(4)
            .producer(9, 2, records::NO_SEQUENCE)
            .transactional()
            .control();
        let control_type = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        builder.append_control(1_600_000_000_000, control_type, &marker.value());
        let bytes = builder.build();
        assert_eq!(bytes, kafkas(name), "{name}");
        let batch = records::batches(&bytes).next().expect("one").expect("readable");
        assert_eq!(batch.end_transaction_marker(), Ok(Some((marker, 1_600_000_000_000))));
    }
    let empty = kafkas("empty");
    let header = BatchHeader::parse(&empty).expect("readable");
    assert_eq!(header.without_records(), empty);
    for (name, control_type) in [
        ("leader-change", ControlRecordType::LeaderChange),
        ("snapshot-header", ControlRecordType::SnapshotHeader),
        ("snapshot-footer", ControlRecordType::SnapshotFooter),
        ("kraft-version", ControlRecordType::KraftVersion),
        ("voters", ControlRecordType::KraftVoters),
    ] {
        let bytes = Bytes::from(kafkas(&format!("control-{name}")));
        let batch = records::batches(&bytes).next().expect("one").expect("readable");
        let record = batch.records(1_000).expect("readable").next().expect("one").expect("readable");
        let key = record.key.expect("control records have keys");
        assert_eq!(ControlRecordType::parse_key(&key), Ok(control_type));
        assert_eq!(records::control_record_key(control_type), key);
        assert_eq!(batch.end_transaction_marker(), Ok(None));
    }
}

/// Batches of every codec, of sizes around the codecs' blocks.
fn ours() -> Vec<(String, Bytes)> {
    let mut all = Vec::new();
    for (name, compression) in [
        ("none", Compression::of(Codec::None)),
        ("gzip", Compression::of(Codec::Gzip)),
        ("gzip-9", Compression { codec: Codec::Gzip, level: 9 }),
        ("snappy", Compression::of(Codec::Snappy)),
        ("lz4", Compression::of(Codec::Lz4)),
        ("zstd", Compression::of(Codec::Zstd)),
        ("zstd-fast", Compression { codec: Codec::Zstd, level: -5 }),
        ("zstd-22", Compression { codec: Codec::Zstd, level: 22 }),
    ] {
        for size in [0, 1, 32_700, 32_768, 65_500, 65_536, 400_000] {
            let mut builder = BatchBuilder::new(7).compression(compression).partition_leader_epoch(3);
            if size == 1 {
                builder = builder.producer(5, 1, i32::MAX).transactional().log_append_time(1_234);
            }
            let value: Vec<u8> =
                (0..size).map(|at| if at % 5 == 0 { (at >> 8) as u8 } else { b'x' }).collect();
            builder.append(1_000, Some(b"key"), Some(&value), &[]);
            let header = RecordHeader { key: Bytes::from_static(b"name"), value: None };
            builder.append(-1, None, None, &[header]);
            builder.append_with_offset(100, i64::MAX, Some(b""), Some(b""), &[]);
            all.push((format!("{name}-{size}"), builder.build()));
        }
        let noise: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut builder = BatchBuilder::new(0).compression(compression).delete_horizon(77);
        builder.append(50, None, Some(&noise), &[]);
        all.push((format!("{name}-noise"), builder.build()));
    }
    all
}
