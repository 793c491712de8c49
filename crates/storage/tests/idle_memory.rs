//! What an idle partition costs in memory: at most 1 KiB, as created and as loaded with records in it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Instant;

use config::{BrokerConfig, Properties, TopicConfig};
use protocol::Uuid;
use records::{AppendOrigin, BatchBuilder};
use storage::disk::RealDisk;
use storage::{LogManager, LogManagerConfig, SyncExecution};

const PARTITIONS: i32 = 500;
const BYTES_MAX: isize = 1024;
const NOW_MS: i64 = 1_700_000_000_000;

/// Bytes allocated now.
static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn topic_config() -> Arc<TopicConfig> {
    let node = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let properties: Properties =
        node.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let broker = BrokerConfig::from_properties(&properties).expect("valid");
    Arc::new(TopicConfig::resolve(&broker, &Properties::default()))
}

fn open(directory: &std::path::Path) -> LogManager {
    let config = LogManagerConfig {
        sync: SyncExecution::Manual,
        file_budget: 16,
        ..LogManagerConfig::new(vec![PathBuf::from(directory)], 1)
    };
    LogManager::open(Arc::new(RealDisk), config, &mut || Uuid::from_u128(9)).expect("opens")
}

fn assert_small(before: isize, what: &str) {
    let each = (LIVE.load(Ordering::Relaxed) - before) / PARTITIONS as isize;
    println!("{what}: {each} bytes for each partition");
    assert!(each <= BYTES_MAX, "{what}: {each} bytes for each partition");
}

#[test]
fn an_idle_partition_takes_at_most_a_kibibyte() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = topic_config();
    let manager = open(directory.path());
    let before = LIVE.load(Ordering::Relaxed);
    let began = Instant::now();
    for partition in 0..PARTITIONS {
        let id = Some(Uuid::from_u128(7));
        manager.get_or_create("topic", partition, id, Arc::clone(&config), NOW_MS).expect("creates");
    }
    println!("{:.0} partitions created per second", f64::from(PARTITIONS) / began.elapsed().as_secs_f64());
    assert_small(before, "created");
    for log in manager.logs() {
        let mut builder = BatchBuilder::new(0);
        builder.append(NOW_MS, Some(b"key"), Some(b"value"), &[]);
        log.append_as_leader(&builder.build(), 0, AppendOrigin::Client, NOW_MS).expect("appends");
    }
    manager.sync_pending().expect("syncs");
    manager.checkpoint_recovery_points().expect("writes");
    manager.shutdown(1).expect("stops");
    let before = LIVE.load(Ordering::Relaxed);
    let manager = open(directory.path());
    let began = Instant::now();
    let report = manager.load_logs(&|_| Arc::clone(&config), NOW_MS).expect("loads");
    assert_eq!((report.opened, report.failed.len()), (PARTITIONS as usize, 0));
    println!("{:.0} partitions loaded per second", f64::from(PARTITIONS) / began.elapsed().as_secs_f64());
    assert_small(before, "loaded, with a segment");
}
