//! Heartbeats that are wrong whatever their group is like. Texts are Kafka's.

use protocol::ErrorCode;

use super::*;

#[test]
fn what_cannot_be_meant_is_refused() {
    let (mut bench, _) = bench();
    let mut check = |request: ConsumerGroupHeartbeatRequest, message: &str| {
        assert_eq!(refused(&mut bench, request), (ErrorCode::InvalidRequest, message.to_owned()));
    };
    check(join("", &["foo"]), "MemberId can't be empty.");
    check(
        ConsumerGroupHeartbeatRequest { group_id: " ".to_owned(), ..join("a", &[]) },
        "GroupId can't be empty.",
    );
    let instance_id = Some(String::new());
    check(ConsumerGroupHeartbeatRequest { instance_id, ..join("a", &[]) }, "InstanceId can't be empty.");
    let rack_id = Some(String::new());
    check(ConsumerGroupHeartbeatRequest { rack_id, ..join("a", &[]) }, "RackId can't be empty.");
    let without_timeout = ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..join("a", &[]) };
    check(without_timeout, "RebalanceTimeoutMs must be provided in first request.");
    let owning_something = ConsumerGroupHeartbeatRequest { topic_partitions: None, ..join("a", &[]) };
    check(owning_something, "TopicPartitions must be empty when (re-)joining.");
    check(
        ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..join("a", &[]) },
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    );
    check(beat("a", -2), "InstanceId can't be null.");
    check(beat("a", -3), "MemberEpoch is invalid.");
}

#[test]
fn assignors_that_are_not_there_are_refused() {
    let (mut bench, _) = bench();
    let request =
        ConsumerGroupHeartbeatRequest { server_assignor: Some("mine".to_owned()), ..join("a", &["foo"]) };
    let message = "ServerAssignor mine is not supported. Supported assignors: uniform, range.".to_owned();
    assert_eq!(refused(&mut bench, request), (ErrorCode::UnsupportedAssignor, message));
}

#[test]
fn before_version_1_the_coordinator_makes_up_the_member_id() {
    let (mut bench, _) = bench();
    let id = bench.send(0, Request::ConsumerGroupHeartbeat(join("", &["foo"])));
    let Some(Reply::ConsumerGroupHeartbeat(response)) = bench.take(id) else { panic!("no answer") };
    assert_eq!((response.error_code, response.member_id.map(|id| id.len())), (0, Some(22)));
}
