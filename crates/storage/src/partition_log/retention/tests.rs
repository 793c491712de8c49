//! What is appended between the judgement of the segments and their deletion.

use std::path::PathBuf;
use std::sync::Arc;

use config::{BrokerConfig, Properties, TopicConfig};
use protocol::Uuid;
use records::{AppendOrigin, BatchBuilder};

use crate::disk::SimDisk;
use crate::log_manager::{LogManager, LogManagerConfig, SyncExecution};
use crate::partition_log::PartitionLog;

const NOW_MS: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

fn topic_config() -> Arc<TopicConfig> {
    let properties = |pairs: &[(&str, &str)]| -> Properties {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let node = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let broker = BrokerConfig::from_properties(&properties(&node)).expect("valid");
    Arc::new(TopicConfig::resolve(&broker, &properties(&[("retention.ms", "3600000")])))
}

fn append(log: &Arc<PartitionLog>, timestamp: i64) -> i64 {
    let mut builder = BatchBuilder::new(0);
    builder.append(timestamp, None, Some(b"value"), &[]);
    log.append_as_leader(&builder.build(), 0, AppendOrigin::Client, NOW_MS).expect("appends").first_offset
}

/// A log whose only segment is two hours old.
fn old_log() -> (LogManager, Arc<PartitionLog>) {
    let config = LogManagerConfig {
        sync: SyncExecution::Manual,
        ..LogManagerConfig::new(vec![PathBuf::from("/data")], 1)
    };
    let manager =
        LogManager::open(Arc::new(SimDisk::new()), config, &mut || Uuid::from_u128(9)).expect("opens");
    let log = manager.get_or_create("t", 0, None, topic_config(), NOW_MS).expect("creates");
    (0..10).for_each(|offset| assert_eq!(append(&log, NOW_MS - 2 * HOUR_MS), offset));
    log.set_high_watermark(10);
    (manager, log)
}

#[test]
fn a_record_appended_after_its_segment_was_judged_stays() {
    let (_manager, log) = old_log();
    let _upkeep = log.upkeep.lock();
    let judged = log.judge_segments(true, NOW_MS).expect("judges");
    assert_eq!(judged.count, 1);
    assert_eq!(append(&log, NOW_MS), 10);
    assert_eq!(log.delete_oldest(judged, NOW_MS).expect("deletes"), 0);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.segment_count()), (0, 11, 1));
}

#[test]
fn nor_does_it_go_when_the_segment_has_ended_since() {
    let (_manager, log) = old_log();
    let _upkeep = log.upkeep.lock();
    let judged = log.judge_segments(true, NOW_MS).expect("judges");
    append(&log, NOW_MS);
    log.roll(NOW_MS).expect("rolls");
    assert_eq!(log.delete_oldest(judged, NOW_MS).expect("deletes"), 0);
    assert_eq!((log.log_start_offset(), log.segment_count()), (0, 2));
}

#[test]
fn segments_that_have_ended_before_go_all_the_same() {
    let (_manager, log) = old_log();
    log.roll(NOW_MS).expect("rolls");
    append(&log, NOW_MS - 2 * HOUR_MS);
    log.set_high_watermark(11);
    let _upkeep = log.upkeep.lock();
    let judged = log.judge_segments(true, NOW_MS).expect("judges");
    assert_eq!(judged.count, 2);
    append(&log, NOW_MS);
    assert_eq!(log.delete_oldest(judged, NOW_MS).expect("deletes"), 1);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.segment_count()), (10, 12, 1));
}
