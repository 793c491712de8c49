//! Offsets in transactions: pending until the end, refused to those who ask for stable ones.

use groups::{Event, GroupShard, RecordPosition, Reply, Request, TransactionalWrite};
use protocol::ErrorCode;
use protocol::messages::TxnOffsetCommitRequest;
use protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

use crate::bench::*;

fn request(member_id: &str, generation_id: i32, offset: i64) -> TxnOffsetCommitRequest {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        ..TxnOffsetCommitRequestPartition::default()
    };
    TxnOffsetCommitRequest {
        group_id: GROUP.to_owned(),
        producer_id: 5,
        producer_epoch: 1,
        generation_id_or_member_epoch: generation_id,
        member_id: member_id.to_owned(),
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "topic".to_owned(),
            topic_id: TOPIC_ID,
            partitions: vec![partition],
            ..TxnOffsetCommitRequestTopic::default()
        }],
        ..TxnOffsetCommitRequest::default()
    }
}

fn commit_in_transaction(bench: &mut Bench, api_version: i16, request: TxnOffsetCommitRequest) -> ErrorCode {
    let id = bench.send(api_version, Request::TxnOffsetCommit(request));
    match bench.take(id) {
        Some(Reply::TxnOffsetCommit(response)) => error(response.topics[0].partitions[0].error_code),
        other => panic!("{other:?}"),
    }
}

fn stable_fetch(bench: &mut Bench) -> (ErrorCode, i64) {
    let topic = OffsetFetchRequestTopics {
        name: "topic".to_owned(),
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    };
    let group = bench.fetch_of(Some(vec![topic]), true);
    let partition = &group.topics[0].partitions[0];
    (error(partition.error_code), partition.committed_offset)
}

fn end(bench: &mut Bench, committed: bool) {
    bench.step(Event::TransactionCompleted { producer_id: 5, committed });
}

#[test]
fn offsets_wait_for_the_end_of_their_transaction() {
    let mut bench = Bench::new();
    bench.commit("topic");
    assert_eq!(commit_in_transaction(&mut bench, 5, request("", -1, 20)), ErrorCode::None);
    assert_eq!(bench.last.transaction, Some(TransactionalWrite { producer_id: 5, producer_epoch: 1 }));
    assert_eq!(bench.fetch("topic"), 7);
    assert_eq!(stable_fetch(&mut bench), (ErrorCode::UnstableOffsetCommit, -1));
    assert_eq!(
        error(bench.fetch_of(None, true).topics[0].partitions[0].error_code),
        ErrorCode::UnstableOffsetCommit
    );
    end(&mut bench, true);
    assert_eq!(stable_fetch(&mut bench), (ErrorCode::None, 20));
    assert_eq!(commit_in_transaction(&mut bench, 5, request("", -1, 30)), ErrorCode::None);
    end(&mut bench, false);
    assert_eq!(stable_fetch(&mut bench), (ErrorCode::None, 20));
}

#[test]
fn a_later_plain_commit_wins_over_the_transaction() {
    let mut bench = Bench::new();
    commit_in_transaction(&mut bench, 5, request("", -1, 20));
    bench.commit("topic");
    end(&mut bench, true);
    assert_eq!(bench.fetch("topic"), 7);
}

#[test]
fn members_are_checked_but_not_the_state_of_the_group() {
    let mut bench = Bench::new();
    let unnamed = TxnOffsetCommitRequest { group_id: String::new(), ..request("", -1, 1) };
    assert_eq!(commit_in_transaction(&mut bench, 5, unnamed), ErrorCode::InvalidGroupId);
    assert_eq!(commit_in_transaction(&mut bench, 5, request("m", 1, 1)), ErrorCode::IllegalGeneration);
    assert_eq!(commit_in_transaction(&mut bench, 6, request("m", 1, 1)), ErrorCode::GroupIdNotFound);
    let members = bench.stable_group(1);
    assert_eq!(commit_in_transaction(&mut bench, 5, request("m", 1, 1)), ErrorCode::UnknownMemberId);
    assert_eq!(
        commit_in_transaction(&mut bench, 5, request(&members[0], 3, 1)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(
        commit_in_transaction(&mut bench, 2, request("", -1, 1)),
        ErrorCode::None,
        "older clients show nothing"
    );
    let rejoined = bench.send(9, join(&members[0], None));
    bench.joined(rejoined);
    assert_eq!(bench.state(), "CompletingRebalance");
    assert_eq!(commit_in_transaction(&mut bench, 5, request(&members[0], 2, 1)), ErrorCode::None);
}

#[test]
fn deleting_a_group_or_its_topic_forgets_pending_offsets_too() {
    for delete in [
        Event::TopicsDeleted(vec![groups::DeletedTopic { name: "topic".to_owned(), id: TOPIC_ID }]),
        Event::Tick,
    ] {
        let mut bench = Bench::new();
        commit_in_transaction(&mut bench, 5, request("", -1, 20));
        if delete == Event::Tick {
            let id = bench.send(2, Request::DeleteGroups(vec![GROUP.to_owned()]));
            assert!(bench.take(id).is_some());
            assert_eq!(bench.last.records.len(), 2, "the offset and the group");
        } else {
            bench.step(delete);
            assert_eq!(bench.last.records.len(), 1);
        }
        assert_eq!(stable_fetch(&mut bench), (ErrorCode::None, -1));
        end(&mut bench, true);
        assert_eq!(bench.fetch("topic"), -1);
    }
}

#[test]
fn replay_knows_which_offsets_are_pending_and_which_came_later() {
    let mut bench = Bench::new();
    commit_in_transaction(&mut bench, 5, request("", -1, 20));
    bench.commit("topic");
    let [transactional, plain] = &bench.log[..] else { panic!("{:?}", bench.log) };
    let (transactional, plain) = (transactional.clone(), plain.clone());
    for (first_is_plain, expected) in [(false, 7), (true, 20)] {
        bench.shard = GroupShard::new(bench.config.clone());
        let mut replay = |offset, producer_id, record: &groups::CoordinatorRecord| {
            let position = RecordPosition { offset, producer_id };
            bench.shard.replay(position, Some(record.key.clone()), record.value.clone()).expect("a record");
        };
        let (of_plain, of_transaction) = if first_is_plain { (1, 2) } else { (2, 1) };
        replay(of_plain, -1, &plain);
        replay(of_transaction, 5, &transactional);
        assert_eq!(stable_fetch(&mut bench), (ErrorCode::UnstableOffsetCommit, -1));
        bench.shard.replay_end_transaction(5, true);
        assert_eq!(stable_fetch(&mut bench), (ErrorCode::None, expected));
    }
}

#[test]
fn an_offset_does_not_expire_under_an_open_transaction() {
    let mut bench = Bench::new();
    bench.commit("topic");
    commit_in_transaction(&mut bench, 5, request("", -1, 20));
    bench.advance(10_080 * 60_000 * 2);
    assert_eq!(bench.fetch("topic"), 7);
    end(&mut bench, false);
    bench.advance(600_000);
    assert_eq!((bench.fetch("topic"), bench.shard.group_count()), (-1, 0));
}

#[test]
fn an_open_transaction_keeps_an_empty_group() {
    let mut bench = Bench::new();
    commit_in_transaction(&mut bench, 5, request("", -1, 20));
    bench.advance(10_080 * 60_000 * 2);
    assert_eq!(bench.shard.group_count(), 1);
    end(&mut bench, false);
    bench.advance(600_000);
    assert_eq!(bench.shard.group_count(), 0);
}
