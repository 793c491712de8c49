//! One voter: elects itself, commits, and comes back with everything.

use std::{sync::Arc, time::Instant};

use quorum::QuorumError;
use storage::disk::{Fault, FaultedCall, RealDisk, SimDisk};

use crate::fixture::{Setup, block_on, topic, voters};

#[test]
fn a_sole_voter_leads_at_once_and_commits() {
    let start = Instant::now();
    let node = Setup::sole(&SimDisk::new()).start().unwrap();
    // An election by timeout would take the configured second.
    assert!(start.elapsed().as_millis() < 900, "{:?}", start.elapsed());
    let leader = *node.handle.leadership().borrow();
    assert_eq!((leader.leader_id, leader.epoch, leader.is_active_here), (Some(1), 1, true));
    // Offset 0: voters and protocol version; offset 2: the leader.
    let at = node.propose(&["a", "b", "c"]).unwrap();
    assert_eq!((at.last_offset, at.epoch), (5, 1));
    assert_eq!(node.names(), ["a", "b", "c"]);
    let seen = node.seen.lock().unwrap();
    let shapes: Vec<_> =
        seen.batches.iter().map(|batch| (batch.base_offset, batch.last_offset, batch.epoch)).collect();
    assert_eq!(shapes, [(0, 1, 0), (2, 2, 1), (3, 5, 1)]);
    assert!(seen.batches.iter().all(|batch| batch.timestamp >= 1_000));
}

#[test]
fn the_status_is_what_describe_quorum_needs() {
    let node = Setup::sole(&SimDisk::new()).start().unwrap();
    node.propose(&["a"]).unwrap();
    let status = node.handle.status();
    assert_eq!((status.leader_id, status.leader_epoch, status.high_watermark), (Some(1), 1, 4));
    assert_eq!(status.voters.len(), 1);
    assert_eq!((status.voters[0].replica_id, status.voters[0].log_end_offset), (1, 4));
    assert!(status.voters[0].last_fetch_timestamp >= 1_000 && status.observers.is_empty());
    assert_eq!(status.nodes, voters(&[1]).into_iter().collect::<Vec<_>>());
}

#[test]
fn a_restart_replays_everything_in_a_new_epoch() {
    let setup = Setup::sole(&SimDisk::new());
    for run in 0..4_i32 {
        let node = setup.start().unwrap();
        assert_eq!(node.names(), (0..run).map(|run| format!("run{run}")).collect::<Vec<_>>());
        let at = node.propose(&[&format!("run{run}")]).unwrap();
        assert_eq!(at.epoch, run + 1);
        let seen = node.seen.lock().unwrap();
        assert!(seen.batches.is_sorted_by_key(|batch| batch.epoch));
        assert!(seen.loaded.is_empty());
    }
}

#[test]
fn proposals_from_many_threads_stay_whole() {
    let node = Setup::sole(&SimDisk::new()).start().unwrap();
    let committed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let node = &node;
                scope.spawn(move || {
                    let propose = |round| {
                        let names = [format!("{thread}/{round}/x"), format!("{thread}/{round}/y")];
                        (names.clone(), node.propose(&[&names[0], &names[1]]).unwrap().last_offset)
                    };
                    (0..50).map(propose).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let seen = node.seen.lock().unwrap();
    let mut by_offset = std::collections::BTreeMap::new();
    for batch in &seen.batches {
        for (offset, record) in (batch.base_offset..).zip(&batch.records) {
            by_offset.insert(offset, record.clone());
        }
    }
    assert_eq!(committed.len(), 400);
    for (names, last_offset) in committed {
        assert_eq!(by_offset[&(last_offset - 1)], topic(&names[0]));
        assert_eq!(by_offset[&last_offset], topic(&names[1]));
    }
}

#[test]
fn a_proposal_of_nothing_appends_nothing_and_one_too_large_is_refused() {
    let node = Setup::sole(&SimDisk::new()).start().unwrap();
    assert_eq!(node.propose(&[]).unwrap().last_offset, 2);
    assert_eq!(node.propose(&["a"]).unwrap().last_offset, 3);
    let large = "x".repeat(30_000);
    let records = (0..300).map(|_| topic(&large)).collect();
    assert!(matches!(block_on(node.handle.propose(records)), Err(QuorumError::TooLarge { .. })));
    assert_eq!(node.propose(&["b"]).unwrap().last_offset, 4);
}

#[test]
fn a_failed_sync_stops_the_quorum_and_acknowledges_nothing() {
    let disk = SimDisk::new();
    let setup = Setup::sole(&disk);
    let node = setup.start().unwrap();
    node.propose(&["kept"]).unwrap();
    disk.inject(Fault::errno(FaultedCall::Sync, "__cluster_metadata-0", 5));
    assert!(matches!(node.propose(&["lost"]), Err(QuorumError::Stopped)));
    assert!(matches!(node.propose(&["later"]), Err(QuorumError::Stopped)));
    assert_eq!(node.names(), ["kept"]);
}

#[test]
fn a_handle_outlives_its_quorum_without_harm() {
    let node = Setup::sole(&SimDisk::new()).start().unwrap();
    let handle = node.handle.clone();
    drop(node);
    assert!(matches!(block_on(handle.propose(vec![topic("a")])), Err(QuorumError::Stopped)));
    handle.shutdown();
}

#[test]
fn on_a_real_disk_the_log_is_read_back_from_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut setup = Setup::sole(&SimDisk::new());
    setup.disk = Arc::new(RealDisk);
    setup.directory = directory.path().to_owned();
    let names: Vec<String> = (0..60).map(|number| format!("{number}-{}", "x".repeat(4_000))).collect();
    let node = setup.start().unwrap();
    for name in &names {
        node.propose(&[name]).unwrap();
    }
    drop(node);
    let node = setup.start().unwrap();
    assert!(node.names() == names);
}
