//! KIP-211: which offsets expire, from when on, and when the group goes.

use groups::{GroupCoordinatorConfig, Request};
use protocol::coordinator_records::GroupCoordinatorRecord;

use crate::bench::*;

const RETENTION_MS: i64 = 10_000_000;
const CHECK_MS: i64 = 1_000_000;

fn bench() -> Bench {
    Bench::with(GroupCoordinatorConfig {
        offsets_retention_ms: RETENTION_MS,
        offsets_retention_check_interval_ms: CHECK_MS,
        ..Default::default()
    })
}

#[test]
fn offsets_of_a_group_without_members_expire_by_their_own_age() {
    let mut bench = bench();
    bench.commit("old");
    bench.advance(2 * CHECK_MS);
    bench.commit("young");
    bench.advance(RETENTION_MS - 2 * CHECK_MS - 1);
    assert_eq!(bench.fetch("old"), 7);
    bench.advance(1);
    assert_eq!((bench.fetch("old"), bench.fetch("young")), (-1, 7));
    bench.advance(2 * CHECK_MS);
    assert_eq!(bench.fetch("young"), -1);
    assert_eq!(bench.shard.group_count(), 0);
    let tombstones = bench.log.iter().rev().take_while(|record| record.value.is_none()).count();
    assert_eq!(tombstones, 3, "two offsets and their group");
    bench.restart();
    assert_eq!(bench.shard.group_count(), 0);
}

#[test]
fn offsets_of_a_group_that_has_become_empty_expire_by_its_age() {
    let mut bench = bench();
    let members = bench.stable_group(1);
    bench.commit_as(9, commit(&members[0], 1, "read"));
    bench.leave(&[(&members[0], None)]);
    let empty_since_ms = bench.now_ms;
    bench.advance(RETENTION_MS / 2);
    bench.commit("later");
    bench.restart();
    // Checks come at whole intervals after the restart.
    bench.advance(RETENTION_MS / 2);
    assert!(bench.now_ms - empty_since_ms >= RETENTION_MS);
    assert_eq!((bench.fetch("read"), bench.fetch("later")), (-1, -1));
    assert_eq!(bench.shard.group_count(), 0);
}

#[test]
fn a_stable_group_loses_offsets_of_topics_nobody_reads() {
    let mut bench = bench();
    let members = bench.stable_group(1);
    bench.commit_as(9, commit(&members[0], 1, "read"));
    bench.commit_as(9, commit(&members[0], 1, "unread"));
    while bench.now_ms < 1_000_000 + RETENTION_MS + 2 * CHECK_MS {
        bench.advance(9_000);
        bench.heartbeat(&members[0], 1);
    }
    assert_eq!((bench.fetch("read"), bench.fetch("unread")), (7, -1));
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn while_members_rejoin_nothing_expires() {
    let mut bench = bench();
    bench.commit("unread");
    bench.advance(RETENTION_MS - CHECK_MS / 2);
    let members = bench.stable_group(2);
    bench.send(9, join(&members[0], None));
    // The group stays in its join phase: one member keeps its session but does not rejoin.
    let until_ms = bench.now_ms + 50_000;
    bench.shard.set_config(GroupCoordinatorConfig {
        offsets_retention_ms: 0,
        offsets_retention_check_interval_ms: 1,
        ..bench.config.clone()
    });
    bench.now_ms += CHECK_MS;
    bench.step(groups::Event::Request {
        id: groups::RequestId(u64::MAX),
        context: groups::RequestContext {
            api_version: 4,
            client_id: String::new(),
            client_host: String::new(),
            member_id_entropy: 0,
        },
        request: Request::Heartbeat(protocol::messages::HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: 1,
            member_id: members[1].clone(),
            ..Default::default()
        }),
    });
    assert!(bench.now_ms > until_ms);
    assert_eq!(bench.state(), "PreparingRebalance");
    bench.step(groups::Event::Tick);
    assert_eq!(bench.fetch("unread"), 7);
}

#[test]
fn an_empty_group_without_offsets_goes_at_the_next_check() {
    let mut bench = bench();
    let members = bench.stable_group(1);
    bench.leave(&[(&members[0], None)]);
    bench.advance(CHECK_MS);
    assert_eq!(bench.shard.group_count(), 0);
    let last = bench.log.last().expect("a tombstone");
    let record = GroupCoordinatorRecord::decode(last.key.clone(), last.value.clone());
    assert!(matches!(record, Ok(GroupCoordinatorRecord::GroupMetadata(_, None))));
}

#[test]
fn a_group_with_members_stays_without_offsets() {
    let mut bench = bench();
    let members = bench.stable_group(1);
    while bench.now_ms < 1_000_000 + 2 * CHECK_MS {
        bench.advance(9_000);
        assert_eq!(bench.heartbeat(&members[0], 1), protocol::ErrorCode::None);
    }
    assert_eq!(bench.state(), "Stable");
}
