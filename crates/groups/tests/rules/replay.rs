//! A shard from its records, and a shard that goes away.

use bytes::Bytes;
use groups::{Event, GroupCoordinatorConfig, GroupShard, RecordPosition, ReplayWarning, Reply};
use protocol::ErrorCode;
use protocol::coordinator_records::group_metadata_value::MemberMetadata;
use protocol::coordinator_records::{
    GroupCoordinatorRecord, GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey,
    LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue,
};

use crate::bench::*;

fn replay(bench: &mut Bench, record: &GroupCoordinatorRecord, version: i16) -> Result<(), ReplayWarning> {
    let (key, value) = record.encode(version).expect("an encodable record");
    bench.shard.replay(RecordPosition { offset: 3, producer_id: -1 }, Some(key), value)
}

#[test]
fn members_go_on_after_a_restart() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    bench.commit_as(9, commit(&members[0], 1, "topic"));
    bench.restart();
    assert_eq!((bench.state().as_str(), bench.fetch("topic")), ("Stable", 7));
    bench.advance(9_999);
    for member_id in &members {
        assert_eq!(bench.heartbeat(member_id, 1), ErrorCode::None, "sessions begin with the restart");
    }
    let id = bench.send(5, sync(&members[1], 1, &[]));
    assert_eq!(bench.synced(id).assignment, members[1]);
    assert_eq!(bench.commit_as(9, commit(&members[1], 1, "topic")), ErrorCode::None);
    let id = bench.send(9, join(&members[1], None));
    assert_eq!(bench.joined(id).generation_id, 1, "the protocol it joined with is known");
    let leader = bench.send(9, join(&members[0], None));
    let follower = bench.send(9, join(&members[1], None));
    assert_eq!(bench.joined(leader).members.len(), 2);
    assert_eq!(bench.joined(follower).generation_id, 2);
}

#[test]
fn a_generation_that_was_never_assigned_is_not_remembered() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    let id = bench.send(9, join(&members[0], None));
    assert_eq!(bench.joined(id).generation_id, 2);
    bench.restart();
    assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::IllegalGeneration);
    let id = bench.send(9, join(&members[0], None));
    assert_eq!(bench.joined(id).generation_id, 2);
}

#[test]
fn silent_members_of_a_replayed_group_are_given_up() {
    let mut bench = Bench::new();
    bench.stable_group(2);
    bench.restart();
    bench.advance(i64::from(SESSION_TIMEOUT_MS));
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn a_group_above_a_lowered_limit_rebalances() {
    let mut bench = Bench::new();
    let members = bench.stable_group(3);
    bench.config = GroupCoordinatorConfig { group_max_size: 2, ..bench.config.clone() };
    bench.restart();
    assert_eq!(bench.state(), "PreparingRebalance");
    let ids: Vec<_> = members.iter().map(|member_id| bench.send(9, join(member_id, None))).collect();
    assert_eq!(error(bench.joined(ids[2]).error_code), ErrorCode::GroupMaxSizeReached);
    bench.advance(i64::from(REBALANCE_TIMEOUT_MS));
    assert_eq!(bench.joined(ids[0]).members.len(), 2);
}

#[test]
fn every_version_of_a_group_record_is_read() {
    for version in 0..=4 {
        let mut bench = Bench::new();
        let member = MemberMetadata {
            member_id: "m".to_owned(),
            session_timeout: 10_000,
            rebalance_timeout: if version == 0 { -1 } else { 5_000 },
            subscription: Bytes::from(subscription(&["read"])),
            assignment: Bytes::from_static(b"mine"),
            ..MemberMetadata::default()
        };
        let value = GroupMetadataValue {
            protocol_type: "consumer".to_owned(),
            generation: 4,
            protocol: Some("range".to_owned()),
            leader: Some("m".to_owned()),
            members: vec![member],
            ..GroupMetadataValue::default()
        };
        let key = GroupMetadataKey { group: GROUP.to_owned() };
        let record = GroupCoordinatorRecord::GroupMetadata(key.clone(), Some(value));
        assert_eq!(replay(&mut bench, &record, version), Ok(()));
        bench.step(Event::Loaded);
        assert_eq!(bench.heartbeat("m", 4), ErrorCode::None);
        assert_eq!(bench.describe().members[0].member_assignment, &b"mine"[..]);
        assert_eq!(replay(&mut bench, &GroupCoordinatorRecord::GroupMetadata(key, None), version), Ok(()));
        assert_eq!(bench.state(), "Dead");
        bench.advance(20_000);
    }
}

#[test]
fn every_version_of_an_offset_record_is_read() {
    let key = OffsetCommitKey { group: GROUP.to_owned(), topic: "topic".to_owned(), partition: 0 };
    for version in 0..=4 {
        let mut bench = Bench::new();
        let value =
            OffsetCommitValue { offset: 9, commit_timestamp: bench.now_ms, ..OffsetCommitValue::default() };
        let record = GroupCoordinatorRecord::OffsetCommit(key.clone(), Some(value));
        assert_eq!(replay(&mut bench, &record, version), Ok(()));
        assert_eq!((bench.fetch("topic"), bench.state().as_str()), (9, "Empty"));
        assert_eq!(
            replay(&mut bench, &GroupCoordinatorRecord::OffsetCommit(key.clone(), None), version),
            Ok(())
        );
        assert_eq!(bench.fetch("topic"), -1);
    }
    let mut bench = Bench::new();
    let legacy = LegacyOffsetCommitKey { group: GROUP.to_owned(), topic: "topic".to_owned(), partition: 0 };
    let value = LegacyOffsetCommitValue { offset: 11, ..LegacyOffsetCommitValue::default() };
    assert_eq!(
        replay(&mut bench, &GroupCoordinatorRecord::LegacyOffsetCommit(legacy, Some(value)), 0),
        Ok(())
    );
    assert_eq!(bench.fetch("topic"), 11);
}

#[test]
fn what_cannot_be_kept_is_named_and_left_out() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let mut replay = |key: Option<&'static [u8]>, value: Option<&'static [u8]>| {
        let position = RecordPosition { offset: 42, producer_id: -1 };
        bench.shard.replay(position, key.map(Bytes::from_static), value.map(Bytes::from_static))
    };
    assert_eq!(replay(None, None), Err(ReplayWarning::NoKey { offset: 42 }));
    assert_eq!(replay(Some(b"\x00"), None), Err(ReplayWarning::NoKey { offset: 42 }));
    let unknown = Err(ReplayWarning::UnknownRecordType { offset: 42, record_type: 99 });
    assert_eq!(replay(Some(b"\x00\x63group"), Some(b"?")), unknown);
    for (key, value) in [
        (&b"\x00\x02\x00\x09g"[..], None),
        (b"\x00\x02\x00\x01g", Some(&b"\x00\x63"[..])),
        (b"\x00\x02\x00\x01g", Some(b"\x00\x03\xff")),
        (b"\x00\x03\x00\x01g", Some(b"\x00\x00\x01")),
        (b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x00", Some(b"")),
    ] {
        let warning = replay(Some(key), value);
        assert!(matches!(warning, Err(ReplayWarning::Undecodable { offset: 42, .. })), "{warning:?}");
    }
    assert_eq!(bench.fetch("topic"), 7);
    assert_eq!(bench.shard.group_count(), 1);
}

#[test]
fn offsets_left_behind_by_a_deleted_group_are_not_shown() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let key = GroupMetadataKey { group: GROUP.to_owned() };
    assert_eq!(replay(&mut bench, &GroupCoordinatorRecord::GroupMetadata(key, None), 3), Ok(()));
    assert_eq!((bench.fetch("topic"), bench.state().as_str()), (-1, "Dead"));
}

#[test]
fn members_without_a_protocol_are_not_taken_over() {
    let mut bench = Bench::new();
    let value = GroupMetadataValue {
        protocol: None,
        members: vec![MemberMetadata::default()],
        ..GroupMetadataValue::default()
    };
    let key = GroupMetadataKey { group: GROUP.to_owned() };
    let warning = replay(&mut bench, &GroupCoordinatorRecord::GroupMetadata(key, Some(value)), 3);
    assert!(matches!(warning, Err(ReplayWarning::MembersWithoutProtocol { offset: 3, .. })), "{warning:?}");
    assert_eq!(bench.shard.group_count(), 0);
}

#[test]
fn an_unloaded_shard_sends_everybody_elsewhere() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let ids: Vec<_> = members.iter().map(|member_id| bench.send(9, join(member_id, None))).collect();
    ids.iter().for_each(|id| assert!(!bench.is_parked(*id)));
    let waiting_sync = bench.send(5, sync(&members[1], 2, &[]));
    let mut other = join_request("", None);
    other.group_id = "other".to_owned();
    let waiting_join = bench.send(3, groups::Request::JoinGroup(other));
    bench.step(Event::Unload);
    assert!(bench.last.records.is_empty());
    let response = bench.joined(waiting_join);
    assert_eq!(error(response.error_code), ErrorCode::NotCoordinator);
    assert!(response.member_id.starts_with("client-") && response.protocol_name.as_deref() == Some(""));
    assert_eq!(error(bench.synced(waiting_sync).error_code), ErrorCode::NotCoordinator);
    assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::NotCoordinator);
    assert_eq!(bench.commit("topic"), ErrorCode::NotCoordinator);
    let id = bench.send(9, join("", None));
    assert_eq!(error(bench.joined(id).error_code), ErrorCode::NotCoordinator);
    assert_eq!((bench.shard.next_deadline(), bench.shard.group_count()), (None, 0));
    bench.step(Event::Tick);
    bench.step(Event::Unload);
    assert!(bench.last.replies.is_empty());
}

#[test]
fn answers_whose_records_were_not_written_become_refusals() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    let id = bench.send(9, groups::Request::OffsetCommit(commit(&members[0], 1, "topic")));
    let reply = bench.take(id).expect("an answer");
    let Reply::OffsetCommit(response) = reply.clone().refused(ErrorCode::NotEnoughReplicas) else { panic!() };
    assert_eq!(error(response.topics[0].partitions[0].error_code), ErrorCode::CoordinatorNotAvailable);
    let Reply::OffsetCommit(response) = reply.refused(ErrorCode::KafkaStorageError) else { panic!() };
    assert_eq!(error(response.topics[0].partitions[0].error_code), ErrorCode::NotCoordinator);
    let id = bench.send(4, join("", None));
    let reply = bench.take(id).expect("an answer");
    let Reply::JoinGroup(response) = reply.refused(ErrorCode::NotLeaderOrFollower) else { panic!() };
    assert_eq!((error(response.error_code), response.member_id.as_str()), (ErrorCode::NotCoordinator, ""));
    assert_eq!(response.protocol_name.as_deref(), Some(""));
    let position = RecordPosition { offset: 0, producer_id: -1 };
    let record = bench.log[0].clone();
    let mut empty = GroupShard::new(bench.config.clone());
    assert_eq!(empty.replay(position, Some(record.key), record.value), Ok(()));
}
