//! Joining, leaving, dying, static places.

use groups::{ConsumerGroupConfig, GroupCoordinatorConfig};
use protocol::ErrorCode;
use protocol::messages::ConsumerGroupHeartbeatRequest;

use super::*;

fn static_join(member_id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some("i".to_owned()), ..join(member_id, &["foo"]) }
}

fn static_leave(member_id: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some("i".to_owned()), ..beat(member_id, epoch) }
}

#[test]
fn a_first_member_has_everything_at_once() {
    let (mut bench, _) = bench();
    let response = accepted(&mut bench, join("a", &["foo", "bar"]));
    assert_eq!((response.member_epoch, response.member_id.as_deref()), (2, Some("a")));
    assert_eq!(assigned(&response), Some(vec![(1, vec![0, 1, 2, 3, 4, 5]), (2, vec![0, 1, 2])]));
    assert_eq!(described(&mut bench).group_state, "Stable");
}

#[test]
fn a_member_that_left_leaves_its_partitions_to_others() {
    let (mut bench, _) = bench();
    let mut members =
        vec![Follower::join(&mut bench, "a", &["foo"]), Follower::join(&mut bench, "b", &["foo"])];
    settle(&mut bench, &mut members);
    assert_eq!(members.iter().map(Follower::partition_count).collect::<Vec<_>>(), [3, 3]);
    let left = accepted(&mut bench, beat("b", -1));
    assert_eq!((left.member_epoch, left.heartbeat_interval_ms), (-1, 0));
    members.pop();
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 6);
    accepted(&mut bench, beat("a", -1));
    assert_eq!(described(&mut bench).group_state, "Empty");
}

#[test]
fn a_silent_member_is_given_up() {
    let (mut bench, _) = bench();
    let mut members =
        vec![Follower::join(&mut bench, "a", &["foo"]), Follower::join(&mut bench, "b", &["foo"])];
    settle(&mut bench, &mut members);
    bench.advance(44_000);
    let mut members = vec![members.remove(0)];
    members[0].beat(&mut bench);
    bench.advance(1_000);
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 6);
    assert_eq!(refused(&mut bench, beat("b", 3)).0, ErrorCode::UnknownMemberId);
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_given_up() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    bench.advance(1_000);
    b.beat(&mut bench);
    let told = accepted(&mut bench, beat("a", a.epoch));
    assert_eq!(assigned(&told), Some(vec![(1, vec![0, 1, 2])]));
    for _ in 0..12 {
        bench.advance(5_000);
        b.beat(&mut bench);
        send(&mut bench, beat("a", a.epoch));
    }
    assert_eq!(refused(&mut bench, beat("a", a.epoch)).0, ErrorCode::UnknownMemberId);
    let mut members = [b];
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 6);
}

#[test]
fn a_static_member_comes_back_to_its_own_partitions() {
    let (mut bench, _) = bench();
    let joined = accepted(&mut bench, static_join("a"));
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    let taken = refused(&mut bench, static_join("a2"));
    assert_eq!(
        taken,
        (
            ErrorCode::UnreleasedInstanceId,
            "Static member a2 with instance id i cannot join the group because the instance id is owned by a member."
                .to_owned()
        )
    );
    let epoch_before = described(&mut bench).group_epoch;
    let left = accepted(&mut bench, static_leave("a", -2));
    assert_eq!(left.member_epoch, -2);
    b.beat(&mut bench);
    let back = accepted(&mut bench, static_join("a2"));
    assert_eq!(assigned(&back), assigned(&joined));
    assert_eq!(described(&mut bench).group_epoch, epoch_before);
    assert_eq!(
        refused(&mut bench, static_leave("a", joined.member_epoch)),
        (
            ErrorCode::FencedInstanceId,
            "Static member a with instance id i was fenced by member a2.".to_owned()
        )
    );
    assert_eq!(refused(&mut bench, beat("a", joined.member_epoch)).0, ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_that_does_not_come_back_is_given_up() {
    let (mut bench, _) = bench();
    accepted(&mut bench, static_join("a"));
    accepted(&mut bench, static_leave("a", -2));
    bench.advance(45_000);
    assert_eq!(described(&mut bench).members.len(), 0);
    let unknown = refused(&mut bench, static_leave("a", -2));
    assert_eq!(unknown, (ErrorCode::UnknownMemberId, "Instance id i is unknown.".to_owned()));
}

#[test]
fn a_full_group_takes_nobody_in() {
    let consumer = ConsumerGroupConfig { max_size: 1, ..ConsumerGroupConfig::default() };
    let (mut bench, _) = bench_with(GroupCoordinatorConfig { consumer, ..GroupCoordinatorConfig::default() });
    accepted(&mut bench, join("a", &["foo"]));
    let full = refused(&mut bench, join("b", &["foo"]));
    let message = "The consumer group has reached its maximum capacity of 1 members.".to_owned();
    assert_eq!(full, (ErrorCode::GroupMaxSizeReached, message));
    accepted(&mut bench, join("a", &["foo"]));
}

#[test]
fn a_groups_own_settings_count_within_bounds() {
    let (mut bench, mut cluster) = bench();
    bench.step(cluster.group_config(GROUP, "consumer.heartbeat.interval.ms", "7000"));
    bench.step(cluster.group_config(GROUP, "consumer.session.timeout.ms", "90000"));
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    bench.advance(10_000);
    assert_eq!(a.beat(&mut bench).heartbeat_interval_ms, 7_000);
    bench.advance(59_999);
    assert_eq!(described(&mut bench).members.len(), 1);
    bench.advance(1);
    assert_eq!(described(&mut bench).members.len(), 0);
}
