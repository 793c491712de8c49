//! The rules of Kafka's `Partition` and `Replica`.

use super::*;

const LAG_MAX_MS: i64 = 30_000;

fn leader(isr: &[i32], replicas: &[i32], min_insync_replicas: usize) -> Leader {
    let leadership = Leadership {
        local_broker_id: 1,
        leader_epoch: 5,
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        partition_epoch: 9,
    };
    let log = LocalLog { log_end_offset: 10, durable_end_offset: 10, high_watermark: 4 };
    Leader::new(leadership, log, min_insync_replicas, LAG_MAX_MS, 100_000)
}

fn fetch(replica_id: i32, fetch_offset: i64) -> FollowerFetch {
    FollowerFetch { replica_id, fetch_offset, log_start_offset: 0, broker_epoch: 1 }
}

fn anyone(_: i32, _: Option<i64>) -> bool {
    true
}

#[test]
fn alone_only_the_durable_end_counts() {
    let mut leader = leader(&[1], &[1], 1);
    assert_eq!(leader.on_local_log(20, 10, 100_000, anyone), Some(10));
    assert_eq!(leader.replicated(11), Replicated::NotYet);
    assert_eq!(leader.on_local_log(20, 10, 100_000, anyone), None);
    assert_eq!(leader.on_local_log(20, 15, 100_000, anyone), Some(15));
    assert_eq!(leader.replicated(15), Replicated::Yes);
}

#[test]
fn the_high_watermark_is_the_slowest_of_the_isr_and_never_falls() {
    let mut leader = leader(&[1, 2, 3], &[1, 2, 3], 1);
    assert_eq!(leader.on_local_log(10, 10, 100_000, anyone), None, "followers have not fetched yet");
    assert_eq!(leader.on_follower_fetch(fetch(2, 10), 100_000, anyone), Ok(Outcome::default()));
    let risen = leader.on_follower_fetch(fetch(3, 7), 100_000, anyone).expect("a replica");
    assert_eq!(risen.high_watermark, Some(7));
    assert_eq!(leader.on_follower_fetch(fetch(3, 5), 100_000, anyone), Ok(Outcome::default()));
    assert_eq!(leader.high_watermark(), 7);
    assert_eq!(leader.on_follower_fetch(fetch(9, 5), 100_000, anyone), Err(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn below_the_minimum_nothing_is_appended_or_becomes_visible() {
    let mut leader = leader(&[1], &[1, 2, 3], 2);
    assert_eq!(leader.check_append(-1), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(leader.check_append(1), Ok(()));
    assert_eq!(leader.on_local_log(20, 20, 100_000, anyone), None);
    assert_eq!(leader.replicated(4), Replicated::NotEnoughReplicas);
    assert_eq!(leader.replicated(5), Replicated::NotYet);
    leader.set_min_insync_replicas(1);
    assert_eq!((leader.check_append(-1), leader.replicated(4)), (Ok(()), Replicated::Yes));
}

#[test]
fn the_minimum_is_at_most_the_number_of_replicas() {
    assert_eq!(leader(&[1], &[1], 3).check_append(-1), Ok(()));
}

#[test]
fn a_follower_joins_when_it_has_reached_high_watermark_and_epoch_start() {
    let mut leader = leader(&[1], &[1, 2], 1);
    leader.on_local_log(12, 12, 100_000, anyone);
    let early = leader.on_follower_fetch(fetch(2, 11), 100_001, anyone).expect("a replica");
    assert_eq!(early.isr_change, None, "below the high watermark of 12");
    let fenced = leader.on_follower_fetch(fetch(2, 12), 100_001, |_, _| false).expect("a replica");
    assert_eq!(fenced.isr_change, None);
    let joins = leader.on_follower_fetch(fetch(2, 12), 100_002, anyone).expect("a replica");
    assert_eq!(joins.isr_change, Some(IsrChange { isr: [1, 2].into(), partition_epoch: 9 }));
    leader.on_local_log(14, 14, 100_003, anyone);
    assert_eq!(leader.high_watermark(), 12, "while it may be joining it counts");
    let again = leader.on_follower_fetch(fetch(2, 13), 100_004, anyone).expect("a replica");
    assert_eq!((again.high_watermark, again.isr_change), (Some(13), None));
    leader.on_isr_committed([1, 2].into(), 10, 100_005, anyone);
    assert_eq!((leader.isr().committed().len(), leader.isr().partition_epoch()), (2, 10));
}

#[test]
fn a_slow_follower_leaves_but_counts_until_the_controller_agrees() {
    let mut leader = leader(&[1, 2], &[1, 2], 1);
    leader.on_local_log(12, 12, 100_000, anyone);
    leader.on_follower_fetch(fetch(2, 8), 100_000, anyone).expect("a replica");
    assert_eq!(leader.maybe_shrink_isr(100_000 + LAG_MAX_MS), None, "caught up when leadership began");
    let change = leader.maybe_shrink_isr(100_001 + LAG_MAX_MS).expect("it lags");
    assert_eq!(change, IsrChange { isr: [1].into(), partition_epoch: 9 });
    assert_eq!(leader.maybe_shrink_isr(200_000), None, "one change at a time");
    assert_eq!(leader.on_local_log(13, 13, 200_000, anyone), None);
    leader.on_isr_rejected();
    assert_eq!(leader.on_isr_committed([1].into(), 8, 200_000, anyone), None, "old news");
    assert_eq!(leader.on_isr_committed([1].into(), 10, 200_000, anyone), Some(13));
}

#[test]
fn catching_up_is_measured_at_the_previous_fetch() {
    let mut leader = leader(&[1, 2], &[1, 2], 1);
    leader.on_local_log(20, 20, 100_000, anyone);
    leader.on_follower_fetch(fetch(2, 10), 110_000, anyone).expect("a replica");
    leader.on_local_log(30, 30, 120_000, anyone);
    leader.on_follower_fetch(fetch(2, 20), 125_000, anyone).expect("a replica");
    let (_, state) = leader.followers().next().expect("one follower");
    assert_eq!(state.last_caught_up_ms, 110_000, "it now has what the leader had when it fetched before");
    leader.on_follower_fetch(fetch(2, 30), 130_000, anyone).expect("a replica");
    let (_, state) = leader.followers().next().expect("one follower");
    assert_eq!(state.last_caught_up_ms, 130_000);
}
