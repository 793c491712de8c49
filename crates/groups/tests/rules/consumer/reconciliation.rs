//! From one assignment to the next without two owners.

use super::*;

#[test]
fn nobody_gets_what_another_still_has() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    assert_eq!((b.epoch, b.partition_count()), (2, 0), "the next assignment waits for its interval");
    bench.advance(1_000);
    b.beat(&mut bench);
    assert_eq!((b.epoch, b.partition_count()), (3, 0), "its partitions are not free yet");
    assert_eq!(described(&mut bench).group_state, "Reconciling");
    let told = accepted(&mut bench, owning("a", a.epoch, &a.owned));
    assert_eq!(told.member_epoch, 2, "the epoch stays until everything is given up");
    b.beat(&mut bench);
    assert_eq!(b.partition_count(), 0);
    a.owned = assigned(&told).expect("less than before");
    a.beat(&mut bench);
    assert_eq!((a.epoch, a.partition_count()), (3, 3));
    b.beat(&mut bench);
    assert_eq!(b.partition_count(), 3);
    assert_eq!(described(&mut bench).group_state, "Stable");
}

#[test]
fn a_topic_that_is_unsubscribed_is_given_up_at_once() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo", "bar"]);
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["bar".to_owned()]),
        ..owning("a", a.epoch, &a.owned)
    };
    let response = accepted(&mut bench, request);
    assert_eq!(assigned(&response), Some(vec![(2, vec![0, 1, 2])]), "although the next target has to wait");
    a.owned = assigned(&response).expect("given");
    let mut members = [a];
    settle(&mut bench, &mut members);
    assert_eq!((members[0].epoch, members[0].owned.clone()), (3, vec![(2, vec![0, 1, 2])]));
}

#[test]
fn new_partitions_are_given_out() {
    let (mut bench, mut cluster) = bench();
    let mut members = [Follower::join(&mut bench, "a", &["foo"])];
    settle(&mut bench, &mut members);
    bench.step(cluster.topic("foo", 1, 6..8));
    settle(&mut bench, &mut members);
    assert_eq!((members[0].epoch, members[0].partition_count()), (3, 8));
}

#[test]
fn a_topic_that_comes_later_is_given_out() {
    let (mut bench, mut cluster) = bench();
    let mut members = [Follower::join(&mut bench, "a", &["foo", "later"])];
    bench.step(cluster.topic("later", 7, 0..2));
    settle(&mut bench, &mut members);
    assert_eq!(members[0].owned, vec![(1, vec![0, 1, 2, 3, 4, 5]), (7, vec![0, 1])]);
}

#[test]
fn the_assignor_that_most_ask_for_is_used() {
    let (mut bench, _) = bench();
    let ask = |member_id: &str, assignor: &str| ConsumerGroupHeartbeatRequest {
        server_assignor: Some(assignor.to_owned()),
        ..join(member_id, &["foo", "bar"])
    };
    accepted(&mut bench, ask("a", "range"));
    assert_eq!(described(&mut bench).assignor_name, "range");
    accepted(&mut bench, ask("b", "uniform"));
    accepted(&mut bench, ask("c", "uniform"));
    assert_eq!(described(&mut bench).assignor_name, "uniform");
}

#[test]
fn the_second_assignment_of_a_group_that_forms_comes_soon_and_the_third_waits() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    bench.advance(99);
    b.beat(&mut bench);
    assert_eq!(b.epoch, 2);
    bench.advance(1);
    b.beat(&mut bench);
    assert_eq!(b.epoch, 3);
    a.beat(&mut bench);
    a.beat(&mut bench);
    let mut c = Follower::join(&mut bench, "c", &["foo"]);
    bench.advance(999);
    c.beat(&mut bench);
    assert_eq!(c.epoch, 3, "two members have something to do with it");
    bench.advance(1);
    c.beat(&mut bench);
    assert_eq!(c.epoch, 4);
}

#[test]
fn members_come_sooner_while_a_group_is_on_its_way() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    assert!(a.beat(&mut bench).heartbeat_interval_ms < 100);
    bench.advance(5_000);
    assert_eq!(a.beat(&mut bench).heartbeat_interval_ms, 5_000);
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    assert!(b.beat(&mut bench).heartbeat_interval_ms < 100);
    assert!(a.beat(&mut bench).heartbeat_interval_ms < 100);
    let mut members = [a, b];
    settle(&mut bench, &mut members);
    bench.advance(5_000);
    let [a, b] = &mut members;
    assert_eq!(a.beat(&mut bench).heartbeat_interval_ms, 5_000);
    b.beat(&mut bench);
    for _ in 0..8 {
        bench.advance(5_000);
        b.beat(&mut bench);
    }
    let interval_ms = b.beat(&mut bench).heartbeat_interval_ms;
    assert!(interval_ms <= 5_000, "others come when a silent member's session ends: {interval_ms}");
    bench.advance(4_000);
    let interval_ms = b.beat(&mut bench).heartbeat_interval_ms;
    assert!(interval_ms <= 1_050, "others come when a silent member's session ends: {interval_ms}");
}
