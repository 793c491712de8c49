//! Replicas move, and moves are taken back.

use protocol::ErrorCode;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::{AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest};

use crate::cluster::Cluster;
use crate::elections::alter_isr;

fn reassign_with(
    cluster: &mut Cluster,
    (name, partition_index): (&str, i32),
    replicas: Option<&[i32]>,
    allow_replication_factor_change: bool,
) -> (i16, String) {
    let partition = ReassignablePartition {
        partition_index,
        replicas: replicas.map(<[i32]>::to_vec),
        ..Default::default()
    };
    let topic = ReassignableTopic { name: name.into(), partitions: vec![partition], ..Default::default() };
    let request = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change,
        topics: vec![topic],
        ..Default::default()
    };
    let image = cluster.image().clone();
    let result = cluster.controller.alter_partition_reassignments(&image, &request);
    let response = cluster.commit(result);
    assert_eq!((response.error_code, response.error_message.clone()), (0, None));
    let partition = &response.responses[0].partitions[0];
    (partition.error_code, partition.error_message.clone().unwrap_or_default())
}

fn reassign(cluster: &mut Cluster, partition: (&str, i32), replicas: Option<&[i32]>) -> (i16, String) {
    reassign_with(cluster, partition, replicas, true)
}

fn ok() -> (i16, String) {
    (0, String::new())
}

#[test]
fn a_move_is_done_when_the_new_replicas_are_in_sync() {
    let mut cluster = Cluster::new(4);
    cluster.topic("a", &[&[1, 2]]);
    assert_eq!(reassign(&mut cluster, ("a", 0), Some(&[3, 4])), ok());
    let moving = cluster.partition("a", 0);
    assert_eq!(*moving.replicas, [3, 4, 1, 2]);
    assert_eq!((&*moving.adding_replicas, &*moving.removing_replicas), (&[3, 4][..], &[1, 2][..]));
    assert_eq!((moving.leader, moving.leader_epoch), (1, 0));

    let listed = |cluster: &Cluster, topics| {
        let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
        let response = cluster.controller.list_partition_reassignments(cluster.image(), &request);
        assert_eq!((response.error_code, response.error_message), (0, None));
        response.topics.into_iter().map(|t| (t.name, t.partitions.len())).collect::<Vec<_>>()
    };
    let named = |name: &str| {
        let partition_indexes = vec![0, 5];
        let topic =
            ListPartitionReassignmentsTopics { name: name.into(), partition_indexes, ..Default::default() };
        Some(vec![topic])
    };
    assert_eq!(listed(&cluster, None), [("a".to_owned(), 1)]);
    assert_eq!(listed(&cluster, named("a")), [("a".to_owned(), 1)]);
    assert_eq!(listed(&cluster, named("nope")), []);

    alter_isr(&mut cluster, 1, 0, &[1, 2, 3]);
    assert!(cluster.partition("a", 0).is_reassigning());
    // The last one in sync ends it; the leader that said so is no replica any more, and is told.
    let before = cluster.partition("a", 0);
    use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
    let isr = [1, 2, 3, 4].map(|broker_id| BrokerState { broker_id, broker_epoch: -1, ..Default::default() });
    let wish = PartitionData {
        leader_epoch: before.leader_epoch,
        partition_epoch: before.partition_epoch,
        new_isr_with_epochs: isr.to_vec(),
        ..Default::default()
    };
    let request = protocol::messages::AlterPartitionRequest {
        broker_id: 1,
        broker_epoch: cluster.image().cluster.broker(1).unwrap().epoch,
        topics: vec![TopicData {
            topic_id: cluster.image().topics.by_name("a").unwrap().id(),
            partitions: vec![wish],
            ..Default::default()
        }],
        ..Default::default()
    };
    let image = cluster.image().clone();
    let result = cluster.controller.alter_partition(&image, &request, 3).unwrap();
    let code = cluster.commit(result).topics[0].partitions[0].error_code;
    assert_eq!(code, i16::from(ErrorCode::NewLeaderElected));
    let done = cluster.partition("a", 0);
    assert_eq!((&*done.replicas, &*done.isr, done.leader), (&[3, 4][..], &[3, 4][..], 3));
    assert!(!done.is_reassigning() && done.leader_epoch == 1);
    assert_eq!(done.directories.len(), 2);
    assert_eq!(listed(&cluster, None), []);
}

#[test]
fn a_move_is_taken_back() {
    let mut cluster = Cluster::new(3);
    cluster.topic("a", &[&[1, 2]]);
    reassign(&mut cluster, ("a", 0), Some(&[1, 3]));
    alter_isr(&mut cluster, 1, 0, &[1]);
    assert_eq!(reassign(&mut cluster, ("a", 0), None), ok());
    let back = cluster.partition("a", 0);
    assert_eq!((&*back.replicas, back.leader, back.is_reassigning()), (&[1, 2][..], 1, false));
    let nothing = ErrorCode::NoReassignmentInProgress;
    let expected = (nothing.into(), String::new());
    assert_eq!(reassign(&mut cluster, ("a", 0), None), expected);
}

#[test]
fn taking_back_may_need_an_unclean_election() {
    let mut cluster = Cluster::new(3);
    cluster.topic("a", &[&[1, 2]]);
    reassign(&mut cluster, ("a", 0), Some(&[3, 2]));
    alter_isr(&mut cluster, 1, 0, &[1, 3]);
    cluster.expire_broker(1);
    assert_eq!(cluster.partition("a", 0).leader, 3);
    let message =
        "Unable to revert partition assignment for a:0 because it would require an unclean leader election.";
    let refused = (i16::from(ErrorCode::InvalidReplicaAssignment), message.to_owned());
    assert_eq!(reassign(&mut cluster, ("a", 0), None), refused);
    cluster.set_topic_config("a", "unclean.leader.election.enable", "true");
    assert_eq!(reassign(&mut cluster, ("a", 0), None), ok());
}

#[test]
fn what_cannot_be_moved_is_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1]]);
    let mut refused = |partition, replicas: &[i32], factor_may_change, code: ErrorCode, message: &str| {
        let outcome = reassign_with(&mut cluster, partition, Some(replicas), factor_may_change);
        assert_eq!(outcome, (code.into(), message.to_owned()));
    };
    use ErrorCode as E;
    refused(("nope", 0), &[1], true, E::UnknownTopicOrPartition, "Unable to find a topic named nope.");
    refused(("a", 9), &[1], true, E::UnknownTopicOrPartition, "Unable to find partition a:9.");
    let message = "The manual partition assignment includes broker 7, but no such broker is registered.";
    refused(("a", 0), &[7], true, E::InvalidReplicaAssignment, message);
    let message = "The replication factor is changed from 1 to 2";
    refused(("a", 0), &[1, 2], false, E::InvalidReplicationFactor, message);
    let before = cluster.partition("a", 0);
    assert_eq!(reassign(&mut cluster, ("a", 0), Some(&[1])), ok());
    assert_eq!(cluster.partition("a", 0), before);
}
