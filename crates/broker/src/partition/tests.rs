//! Leadership that changes while producers append.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use config::{BrokerConfig, Properties};
use records::BatchBuilder;
use storage::disk::SimDisk;
use storage::{LogManager, LogManagerConfig, SyncExecution};

use super::*;
use crate::clock::SystemClock;

const NOW_MS: i64 = 1_700_000_000_000;
const APPENDERS: usize = 3;
const EPOCHS: i32 = 400;

fn partition() -> (LogManager, Arc<Partition>) {
    let node = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let node: Properties = node.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let broker = BrokerConfig::from_properties(&node).expect("valid");
    let config = Arc::new(TopicConfig::resolve(&broker, &Properties::default()));
    let settings = LogManagerConfig {
        sync: SyncExecution::Manual,
        ..LogManagerConfig::new(vec![PathBuf::from("/data")], 1)
    };
    let disk = Arc::new(SimDisk::new());
    let manager = LogManager::open(disk, settings, &mut || Uuid::from_u128(1_000)).expect("opens");
    let id = Uuid::from_u128(7);
    let log = manager.get_or_create("t", 0, Some(id), config, NOW_MS).expect("creates");
    let name = TopicPartition { topic: Arc::from("t"), partition: 0 };
    let (metadata, clock) = (Arc::new(MetadataView::default()), Arc::new(SystemClock));
    (manager, Partition::new(name, id, log, metadata, clock))
}

fn leadership(leader_epoch: i32) -> Leadership {
    Leadership {
        local_broker_id: 1,
        leader_epoch,
        replicas: vec![1],
        isr: vec![1],
        partition_epoch: leader_epoch,
    }
}

/// Offset and epoch of each batch.
fn stored(partition: &Partition) -> Vec<(i64, i32)> {
    let end = partition.log.log_end_offset();
    let mut found: Vec<(i64, i32)> = Vec::new();
    let mut next = 0;
    while next < end {
        let read = partition.log.read(next, 1 << 20, end, true).expect("reads");
        let bytes = read.records.to_bytes().expect("a simulated disk gives bytes");
        for batch in records::batches(&bytes) {
            let header = batch.expect("whole").header;
            found.push((header.base_offset, header.partition_leader_epoch));
            next = header.last_offset() + 1;
        }
    }
    found
}

#[test]
fn no_append_lands_in_an_epoch_that_is_over() {
    let (_manager, partition) = partition();
    let mut builder = BatchBuilder::new(0);
    builder.append(NOW_MS, None, Some(b"a record"), &[]);
    let records = builder.build();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..APPENDERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    match partition.append_from_client(&records, 1, NOW_MS) {
                        Ok(_) => {}
                        Err(refusal) => assert_eq!(refusal.error_code, ErrorCode::NotLeaderOrFollower),
                    }
                }
            });
        }
        for epoch in 0..EPOCHS {
            if epoch % 5 == 4 {
                partition.resign();
                let resigned_at = partition.log.log_end_offset();
                thread::yield_now();
                assert_eq!(partition.log.log_end_offset(), resigned_at, "appended without a leader");
            }
            partition.lead(leadership(epoch), 30_000).expect("leads");
            let reached = partition.log.log_end_offset() + 2;
            while partition.log.log_end_offset() < reached {
                thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let stored = stored(&partition);
    assert!(stored.windows(2).all(|pair| pair[0].1 <= pair[1].1), "an epoch came back");
    for (offset, epoch) in stored {
        let end = partition.log.end_offset_for_epoch(epoch);
        assert!(end.epoch == epoch && offset < end.end_offset, "offset {offset} in epoch {epoch}: {end:?}");
    }
}

#[tokio::test]
async fn what_was_appended_before_a_stop_is_acknowledged_although_the_partition_is_given_up() {
    let (manager, partition) = partition();
    partition.lead(leadership(3), 30_000).expect("leads");
    let mut builder = BatchBuilder::new(0);
    builder.append(NOW_MS, None, Some(b"a record"), &[]);
    let records = builder.build();
    let appended = partition.append_from_client(&records, -1, NOW_MS).expect("appends");
    assert!(!partition.is_replicated(&appended), "nothing has synced yet");
    partition.end_appends();
    let refused = partition.append_from_client(&records, -1, NOW_MS).expect_err("the node stops");
    assert_eq!(refused.error_code, ErrorCode::NotLeaderOrFollower);
    manager.sync_pending().expect("syncs");
    partition.resign();
    assert_eq!(partition.replicated(&appended).await, Ok(()));
}
