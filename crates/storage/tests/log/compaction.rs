//! Compaction as users see it: the newest record of each key stays, nothing else changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use config::TopicConfig;
use records::{BatchBuilder, batches};
use storage::disk::{Disk, SimDisk};
use storage::{AppendOrigin, CleanedLog, LogManager, PartitionLog};

use crate::harness::*;

const TOPIC: &str = "t";

/// A topic that is cleaned whenever there is anything to clean.
pub fn compacted(more: &[(&str, &str)]) -> Arc<TopicConfig> {
    let mut pairs = vec![
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        ("internal.segment.bytes", "1000"),
        ("index.interval.bytes", "200"),
    ];
    pairs.extend_from_slice(more);
    topic_config(&pairs)
}

pub fn keyed(timestamp: i64, pairs: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for (key, value) in pairs {
        builder.append(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder.build()
}

pub fn put(log: &Arc<PartitionLog>, pairs: &[(&str, Option<&str>)]) -> i64 {
    let info = log.append_as_leader(&keyed(NOW_MS, pairs), 0, AppendOrigin::Client, NOW_MS);
    info.expect("appends").first_offset
}

/// Everything that was appended is replicated, and the active segment ends.
pub fn settle(manager: &LogManager, log: &Arc<PartitionLog>) {
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(log.log_end_offset());
    log.roll(NOW_MS).expect("rolls");
}

/// Every record: offset, key, value.
pub fn records_of(log: &PartitionLog) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    let (mut found, mut next) = (Vec::new(), log.log_start_offset());
    while next < log.log_end_offset() {
        let read = log.read(next, 600, i64::MAX, true).expect("reads");
        let bytes = read.records.to_bytes().expect("a simulated disk gives bytes");
        if bytes.is_empty() {
            break;
        }
        for batch in batches(&bytes) {
            let batch = batch.expect("well formed");
            batch.verify_crc().expect("no wrong bytes are served");
            for record in batch.records(1 << 20).expect("readable") {
                let record = record.expect("well formed");
                if record.offset >= next {
                    let key = record.key.map(text).unwrap_or_default();
                    found.push((record.offset, key, record.value.map(text)));
                }
            }
        }
        assert!(read.end_offset > next, "the reader gets on");
        next = read.end_offset;
    }
    found
}

fn offsets(log: &PartitionLog) -> Vec<i64> {
    records_of(log).into_iter().map(|(offset, ..)| offset).collect()
}

fn clean(manager: &LogManager, now_ms: i64) -> Option<CleanedLog> {
    manager.clean_filthiest(now_ms)
}

fn new_compacted(more: &[(&str, &str)]) -> (SimDisk, LogManager, Arc<PartitionLog>) {
    new_log(compacted(more))
}

#[test]
fn the_example_of_the_classic_documentation() {
    let (_disk, manager, log) = new_compacted(&[]);
    let keys = ["K1", "K2", "K1", "K1", "K3", "K2", "K4", "K5", "K5", "K2", "K6"];
    for (index, key) in keys.iter().enumerate() {
        put(&log, &[(key, Some(&format!("V{}", index + 1)))]);
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(11);
    assert_eq!(clean(&manager, NOW_MS), None, "the active segment is never cleaned");
    settle(&manager, &log);
    let cleaned = clean(&manager, NOW_MS).expect("is due");
    assert_eq!((cleaned.topic.as_str(), cleaned.partition, cleaned.cleaned_offset), (TOPIC, 0, 11));
    assert!(cleaned.bytes_after < cleaned.bytes_before);
    let expected = [
        (3, "K1", "V4"),
        (4, "K3", "V5"),
        (6, "K4", "V7"),
        (8, "K5", "V9"),
        (9, "K2", "V10"),
        (10, "K6", "V11"),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(offset, key, value)| (offset, key.to_owned(), Some(value.to_owned())))
        .collect();
    assert_eq!(records_of(&log), expected);
    assert_eq!(clean(&manager, NOW_MS), None, "all is clean");
}

/// First guarantee: whoever reads from the beginning sees at least the final state of every key, in order.
#[test]
fn the_final_state_of_each_key_is_seen_in_order() {
    let (_disk, manager, log) = new_compacted(&[]);
    let mut newest = BTreeMap::new();
    for number in 0..400 {
        let key = format!("key {}", number * 7 % 60);
        let value = format!("value {number}");
        put(&log, &[(&key, Some(&value))]);
        newest.insert(key, value);
        if number % 90 == 89 {
            settle(&manager, &log);
            clean(&manager, NOW_MS).expect("is due");
        }
    }
    let found = records_of(&log);
    assert!(found.is_sorted_by_key(|(offset, ..)| *offset));
    let last: BTreeMap<_, _> =
        found.iter().map(|(_, key, value)| (key.clone(), value.clone().expect("set"))).collect();
    assert_eq!(last, newest);
    assert!(found.len() < 150, "{} records are left", found.len());
}

/// Second guarantee: a consumer that stays within `delete.retention.ms` of the head sees every tombstone.
#[test]
fn tombstones_stay_for_their_time_and_then_go() {
    let (_disk, manager, log) = new_compacted(&[("delete.retention.ms", "5000")]);
    put(&log, &[("a", Some("1")), ("b", Some("1"))]);
    put(&log, &[("a", None)]);
    settle(&manager, &log);
    clean(&manager, NOW_MS).expect("is due");
    assert_eq!(records_of(&log), [(1, "b".to_owned(), Some("1".to_owned())), (2, "a".to_owned(), None)]);
    put(&log, &[("c", Some("1"))]);
    settle(&manager, &log);
    clean(&manager, NOW_MS + 4999).expect("is due");
    assert_eq!(offsets(&log), [1, 2, 3], "its time is counted from the first cleaning");
    put(&log, &[("d", Some("1"))]);
    settle(&manager, &log);
    clean(&manager, NOW_MS + 5000).expect("is due");
    assert_eq!(offsets(&log), [1, 3, 4]);
}

/// Third guarantee: order and offsets never change; every offset is valid to begin at, forever.
#[test]
fn offsets_never_change_and_every_one_can_be_read_from() {
    let (_disk, manager, log) = new_compacted(&[]);
    for number in 0..120 {
        put(&log, &[(&format!("{}", number % 10), Some(&format!("{number}"))), ("x", Some("y"))]);
    }
    settle(&manager, &log);
    clean(&manager, NOW_MS).expect("is due");
    let found = records_of(&log);
    for (offset, key, value) in &found {
        if key != "x" {
            let number: i64 = value.as_ref().expect("set").parse().expect("a number");
            assert_eq!(*offset, number * 2, "the offset it got when it was written");
        }
    }
    for from in 0..log.log_end_offset() {
        let next = found.iter().map(|(offset, ..)| *offset).find(|offset| *offset >= from);
        let read = log.read(from, 1, i64::MAX, true).expect("every offset is valid");
        let bytes = read.records.to_bytes().expect("bytes");
        let mut records =
            batches(&bytes).flat_map(|batch| batch.expect("well formed").records(1 << 20).expect("plain"));
        let first = records
            .find_map(|record| Some(record.expect("well formed").offset).filter(|offset| *offset >= from));
        assert!(
            first == next || (first.is_none() && read.end_offset > from),
            "from {from}: {first:?}, not {next:?}"
        );
    }
    assert_eq!(log.log_end_offset(), 240);
    assert_eq!(put(&log, &[("z", None)]), 240);
}

/// Fourth guarantee: within `min.compaction.lag.ms` nothing is touched, and after `max.compaction.lag.ms` all was.
#[test]
fn lags_bound_when_a_record_is_compacted() {
    let (_disk, manager, log) = new_compacted(&[
        ("min.compaction.lag.ms", "1000"),
        ("max.compaction.lag.ms", "60000"),
        ("min.cleanable.dirty.ratio", "1"),
    ]);
    for value in ["1", "2", "3"] {
        put(&log, &[("a", Some(value))]);
    }
    settle(&manager, &log);
    put(&log, &[("b", Some("1"))]);
    settle(&manager, &log);
    assert_eq!(clean(&manager, NOW_MS + 999), None, "all of it is too young");
    assert_eq!(clean(&manager, NOW_MS + 60_000), None, "a ratio of 1 is never exceeded");
    assert_eq!(offsets(&log), [0, 1, 2, 3]);
    clean(&manager, NOW_MS + 60_001).expect("is overdue");
    assert_eq!(offsets(&log), [2, 3]);
}

#[test]
fn a_young_segment_bounds_what_is_cleaned() {
    let (_disk, manager, log) = new_compacted(&[("min.compaction.lag.ms", "1000")]);
    let append = |timestamp, key| {
        log.append_as_leader(&keyed(timestamp, &[(key, Some("v"))]), 0, AppendOrigin::Client, NOW_MS)
            .expect("appends");
        manager.sync_pending().expect("syncs");
        log.set_high_watermark(log.log_end_offset());
    };
    append(NOW_MS - 5000, "a");
    append(NOW_MS - 5000, "a");
    log.roll(NOW_MS).expect("rolls");
    append(NOW_MS, "a");
    log.roll(NOW_MS).expect("rolls");
    assert_eq!(clean(&manager, NOW_MS + 500).expect("is due").cleaned_offset, 2);
    assert_eq!(offsets(&log), [1, 2], "what lies in the young segment supersedes nothing yet");
    clean(&manager, NOW_MS + 1000).expect("is due");
    assert_eq!(offsets(&log), [2]);
}

#[test]
fn small_segments_become_one() {
    let (disk, manager, log) = new_compacted(&[]);
    for number in 0..60 {
        put(&log, &[(&format!("{}", number % 4), Some(&"v".repeat(100)))]);
    }
    settle(&manager, &log);
    let before = log.segment_count();
    clean(&manager, NOW_MS).expect("is due");
    assert!(before > 8, "{before} segments");
    assert_eq!(log.segment_count(), before, "full ones stand alone, whatever remains of them");
    put(&log, &[("0", Some("v"))]);
    settle(&manager, &log);
    clean(&manager, NOW_MS).expect("is due");
    assert_eq!(log.segment_count(), 2, "what is left fits into one, and the active one");
    assert_eq!(offsets(&log), [57, 58, 59, 60]);
    manager.housekeep(NOW_MS + 120_000);
    manager.housekeep(NOW_MS + 120_000);
    let names = names(&disk, "/data/t-0");
    let logs: Vec<_> = names.iter().filter(|name| name.contains(".log")).collect();
    assert_eq!(logs, ["00000000000000000000.log", "00000000000000000061.log"], "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".cleaned") || name.ends_with(".swap")));
}

#[test]
fn a_full_map_takes_several_rounds() {
    let disk = SimDisk::new();
    let config = compacted(&[]);
    let mut settings = manager_config(&["/data"]);
    settings.cleaner.dedupe_buffer_bytes = 24 * 40;
    let manager = LogManager::open(Arc::new(disk.clone()), settings, &mut random_ids()).expect("opens");
    let create = || manager.get_or_create(TOPIC, 0, None, Arc::clone(&config), NOW_MS);
    let log = create().expect("creates");
    for number in 0..300 {
        put(&log, &[(&format!("key {}", number % 100), Some(&format!("{number}")))]);
    }
    settle(&manager, &log);
    let mut rounds = 0;
    let mut cleaned = 0;
    while let Some(round) = clean(&manager, NOW_MS) {
        assert!(round.cleaned_offset > cleaned, "every round gets on");
        cleaned = round.cleaned_offset;
        rounds += 1;
    }
    assert!(rounds >= 8, "{rounds} rounds for 300 records of 100 keys, 33 at a time");
    assert_eq!(offsets(&log), (200..300).collect::<Vec<_>>());
}

#[test]
fn policies_together_and_changed_at_run_time() {
    let (_disk, manager, log) =
        new_log(topic_config(&[("cleanup.policy", ""), ("internal.segment.bytes", "1000")]));
    for number in 0..40 {
        put(&log, &[("a", Some(&format!("{number} {}", "v".repeat(40))))]);
    }
    settle(&manager, &log);
    assert_eq!(clean(&manager, NOW_MS), None);
    assert_eq!(manager.delete_old_segments(i64::MAX), 0, "without a policy all stays");
    log.set_config(compacted(&[("cleanup.policy", "compact,delete"), ("retention.ms", "1000")]));
    clean(&manager, NOW_MS).expect("is due");
    assert_eq!(offsets(&log), [39]);
    assert!(manager.delete_old_segments(NOW_MS + 1001) > 0);
    assert_eq!((log.log_start_offset(), offsets(&log)), (40, vec![]));
    put(&log, &[("a", Some("1"))]);
    put(&log, &[("a", Some("2"))]);
    settle(&manager, &log);
    log.set_config(topic_config(&[("cleanup.policy", "delete")]));
    assert_eq!(clean(&manager, NOW_MS), None);
    assert_eq!(offsets(&log), [40, 41]);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let (_disk, _manager, log) = new_compacted(&[]);
    let refused = log.append_as_leader(&batch(NOW_MS, &[b"v"]), 0, AppendOrigin::Client, NOW_MS);
    assert_eq!(refused.expect_err("is refused").error_code, protocol::ErrorCode::InvalidRecord);
}

#[test]
fn what_was_cleaned_is_known_after_a_restart_and_forgotten_with_the_log() {
    let config = compacted(&[]);
    let (disk, manager, log) = new_log(Arc::clone(&config));
    for _ in 0..9 {
        put(&log, &[("a", Some("1"))]);
    }
    settle(&manager, &log);
    clean(&manager, NOW_MS).expect("is due");
    let checkpoint = || String::from_utf8(contents(&disk, "/data/cleaner-offset-checkpoint")).expect("text");
    assert_eq!(checkpoint(), "0\n1\nt 0 9\n", "as Kafka writes it");
    drop(log);
    manager.shutdown(1).expect("stops");
    let (manager, report) = start(&disk, Arc::clone(&config)).expect("starts");
    assert!(report.failed.is_empty());
    assert_eq!(clean(&manager, NOW_MS), None, "nothing is dirty");
    let log = manager.log(TOPIC, 0).expect("is there");
    assert_eq!(offsets(&log), [8]);
    // Nothing is left before the cut, and the log ends where the next start would look for its end.
    log.truncate_to(4, NOW_MS).expect("cuts");
    assert_eq!((log.log_end_offset(), checkpoint().as_str()), (0, "0\n1\nt 0 0\n"));
    drop(log);
    assert!(manager.delete(TOPIC, 0, 1, NOW_MS).expect("deletes"));
    manager.get_or_create(TOPIC, 0, None, config, NOW_MS).expect("creates");
    assert_eq!(checkpoint(), "0\n0\n", "a log of the same name begins dirty");
}

#[test]
fn a_damaged_log_is_left_alone_and_reported() {
    let (disk, manager, log) = new_compacted(&[]);
    for _ in 0..9 {
        put(&log, &[("a", Some("1"))]);
    }
    settle(&manager, &log);
    let path = std::path::Path::new("/data/t-0/00000000000000000000.log");
    let file = disk.open(path, storage::disk::OpenMode::ReadWrite).expect("opens");
    storage::disk::write_all_at(file.as_ref(), 100, &[b"damage"]).expect("writes");
    assert_eq!(clean(&manager, NOW_MS), None);
    let uncleanable = manager.uncleanable_logs();
    assert_eq!(uncleanable.len(), 1);
    assert!(uncleanable[0].reason.contains("00000000000000000000.log"), "{}", uncleanable[0].reason);
    assert_eq!(clean(&manager, NOW_MS), None, "not tried again");
    assert!(!names(&disk, "/data/t-0").iter().any(|name| name.ends_with(".cleaned")));
}
