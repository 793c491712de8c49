//! Subscriptions by regular expression.

use protocol::ErrorCode;

use super::*;

fn join_regex(member_id: &str, regex: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some(regex.to_owned()),
        ..join(member_id, &[])
    }
}

#[test]
fn topics_that_match_are_given_out_at_once() {
    let (mut bench, _) = bench();
    let response = accepted(&mut bench, join_regex("a", "fo+|nothing"));
    assert_eq!(assigned(&response), Some(vec![(1, vec![0, 1, 2, 3, 4, 5])]));
    let records = bench.last_records();
    assert!(records.iter().any(|record| matches!(
        record,
        protocol::coordinator_records::GroupCoordinatorRecord::ConsumerGroupRegularExpression(key, Some(value))
            if key.regular_expression == "fo+|nothing" && value.topics == ["foo"]
    )));
}

#[test]
fn names_and_expressions_add_up() {
    let (mut bench, _) = bench();
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some("b.*".to_owned()),
        ..join("a", &["foo"])
    };
    let response = accepted(&mut bench, request);
    assert_eq!(assigned(&response).map(|owned| owned.len()), Some(2));
}

#[test]
fn new_topics_are_found_after_a_pause() {
    let (mut bench, mut cluster) = bench();
    let response = accepted(&mut bench, join_regex("a", "f.*"));
    let mut members = [Follower {
        member_id: "a".to_owned(),
        epoch: response.member_epoch,
        owned: assigned(&response).unwrap(),
    }];
    bench.step(cluster.topic("fresh", 3, 0..2));
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 6);
    bench.advance(10_000);
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 8);
}

#[test]
fn expressions_nobody_uses_are_forgotten() {
    let (mut bench, _) = bench();
    let response = accepted(&mut bench, join_regex("a", "f.*"));
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some(String::new()),
        subscribed_topic_names: Some(vec!["bar".to_owned()]),
        ..beat("a", response.member_epoch)
    };
    accepted(&mut bench, request);
    let is_forgotten = |record: &protocol::coordinator_records::GroupCoordinatorRecord| {
        matches!(
            record,
            protocol::coordinator_records::GroupCoordinatorRecord::ConsumerGroupRegularExpression(_, None)
        )
    };
    assert!(bench.last_records().iter().any(is_forgotten));
}

#[test]
fn expressions_that_cannot_be_read_are_refused() {
    let (mut bench, _) = bench();
    let refusal = refused(&mut bench, join_regex("a", "[0"));
    let message =
        "SubscribedTopicRegex `[0` is not a valid regular expression: missing closing ].".to_owned();
    assert_eq!(refusal, (ErrorCode::InvalidRegularExpression, message));
    assert_eq!(described(&mut bench).error_code, ErrorCode::GroupIdNotFound.as_i16());
    let bomb = refused(&mut bench, join_regex("a", "((a{1,1000}){1,1000}){1,1000}"));
    assert_eq!(bomb.0, ErrorCode::InvalidRegularExpression);
}
