//! Leaders are elected on request, from time to time, and when in-sync replicas change.

use controller::PeriodicTasks;
use metadata::{LeaderRecoveryState, NO_LEADER};
use protocol::ErrorCode;
use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::{AlterPartitionRequest, ElectLeadersRequest};
use protocol::metadata_records::MetadataRecord;

use crate::cluster::{Cluster, topic};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

fn elect(
    cluster: &mut Cluster,
    election_type: i8,
    partitions: Option<&[(&str, i32)]>,
) -> Vec<(i32, i16, String)> {
    let topic_partitions = partitions.map(|partitions| {
        let of = |(topic, partition): &(&str, i32)| TopicPartitions {
            topic: (*topic).into(),
            partitions: vec![*partition],
            ..Default::default()
        };
        partitions.iter().map(of).collect()
    });
    let request = ElectLeadersRequest { election_type, topic_partitions, ..Default::default() };
    let image = cluster.image().clone();
    let result = cluster.controller.elect_leaders(&image, &request).unwrap();
    let response = cluster.commit(result);
    let results = response.replica_election_results.into_iter().flat_map(|r| r.partition_result);
    results.map(|r| (r.partition_id, r.error_code, r.error_message.unwrap_or_default())).collect()
}

/// Brokers 1 and 2 with a partition that 2 leads although 1 is preferred, and both in sync.
fn imbalanced() -> Cluster {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2], &[2, 1]]);
    cluster.expire_broker(1);
    let heartbeat = cluster.heartbeat_request(1);
    cluster.heartbeat(&heartbeat).unwrap();
    for number in 0..2 {
        alter_isr(&mut cluster, 2, number, &[1, 2]);
    }
    cluster
}

fn wish(cluster: &Cluster, number: i32, isr: &[i32]) -> PartitionData {
    let partition = cluster.partition("a", number);
    let member = |broker_id: &i32| BrokerState {
        broker_id: *broker_id,
        broker_epoch: cluster.image().cluster.broker(*broker_id).map_or(-1, |broker| broker.epoch),
        ..Default::default()
    };
    PartitionData {
        partition_index: number,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        new_isr_with_epochs: isr.iter().map(member).collect(),
        leader_recovery_state: LeaderRecoveryState::Recovered.code(),
        ..Default::default()
    }
}

fn send_wish(cluster: &mut Cluster, broker_id: i32, wish: PartitionData) -> i16 {
    let topic_id = cluster.image().topics.by_name("a").unwrap().id();
    let topic = TopicData { topic_id, partitions: vec![wish], ..Default::default() };
    let broker_epoch = cluster.image().cluster.broker(broker_id).unwrap().epoch;
    let request =
        AlterPartitionRequest { broker_id, broker_epoch, topics: vec![topic], ..Default::default() };
    let image = cluster.image().clone();
    let result = cluster.controller.alter_partition(&image, &request, 3).unwrap();
    cluster.commit(result).topics[0].partitions[0].error_code
}

pub fn alter_isr(cluster: &mut Cluster, broker_id: i32, number: i32, isr: &[i32]) {
    let wish = wish(cluster, number, isr);
    assert_eq!(send_wish(cluster, broker_id, wish), 0);
}

#[test]
fn a_preferred_leader_is_elected_on_request() {
    let mut cluster = imbalanced();
    assert_eq!(cluster.partition("a", 0).leader, 2);
    let results = elect(&mut cluster, PREFERRED, Some(&[("a", 0), ("a", 1), ("nope", 0), ("a", 7)]));
    let not_needed = ErrorCode::ElectionNotNeeded;
    assert_eq!(results[0], (0, 0, String::new()));
    assert_eq!(results[1], (1, not_needed.into(), not_needed.message().to_owned()));
    assert_eq!(results[2], (0, 3, "No such topic as nope".to_owned()));
    assert_eq!(results[3], (7, 3, "No such partition as a-7".to_owned()));
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr), (1, &[1, 2][..]));
    // All partitions: those that need nothing are not listed.
    assert_eq!(elect(&mut cluster, PREFERRED, None), []);

    cluster.expire_broker(1);
    let unavailable = i16::from(ErrorCode::PreferredLeaderNotAvailable);
    assert_eq!(elect(&mut cluster, PREFERRED, Some(&[("a", 0)]))[0].1, unavailable);
    let image = cluster.image().clone();
    let unknown = ElectLeadersRequest { election_type: 7, ..Default::default() };
    let refused = cluster.controller.elect_leaders(&image, &unknown).unwrap_err();
    assert_eq!(refused.message.as_deref(), Some("Unknown election type 7"));
}

#[test]
fn an_unclean_election_needs_to_be_asked_for() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    cluster.expire_broker(2);
    cluster.expire_broker(1);
    // Broker 2 left the ISR while 1 was there: it may lack records.
    let heartbeat = cluster.heartbeat_request(2);
    cluster.heartbeat(&heartbeat).unwrap();
    assert_eq!(cluster.partition("a", 0).leader, NO_LEADER);
    let unneeded = elect(&mut cluster, UNCLEAN, Some(&[("a", 0)]));
    assert_eq!(unneeded, [(0, 0, String::new())]);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr), (2, &[2][..]));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
    let again = elect(&mut cluster, UNCLEAN, Some(&[("a", 0)]));
    assert_eq!(again[0].1, i16::from(ErrorCode::ElectionNotNeeded));
    cluster.expire_broker(2);
    let nobody = elect(&mut cluster, UNCLEAN, Some(&[("a", 0)]));
    assert_eq!(nobody[0].1, i16::from(ErrorCode::EligibleLeadersNotAvailable));
}

#[test]
fn a_topic_can_allow_unclean_elections() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    cluster.expire_broker(2);
    cluster.expire_broker(1);
    let heartbeat = cluster.heartbeat_request(2);
    cluster.heartbeat(&heartbeat).unwrap();
    let image = cluster.image().clone();
    assert!(cluster.controller.elect_unclean_leaders(&image).records.is_empty());
    cluster.set_topic_config("a", "unclean.leader.election.enable", "true");
    let image = cluster.image().clone();
    let result = cluster.controller.elect_unclean_leaders(&image);
    assert!(!cluster.commit(result));
    assert_eq!(cluster.partition("a", 0).leader, 2);
}

#[test]
fn in_sync_replicas_change_only_by_the_leader_that_is() {
    let mut cluster = Cluster::new(3);
    cluster.topic("a", &[&[1, 2]]);
    let good = wish(&cluster, 0, &[1]);
    let mut refused = |broker_id, change: &dyn Fn(&mut PartitionData), code: ErrorCode| {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(send_wish(&mut cluster, broker_id, bad), i16::from(code));
    };
    use ErrorCode as E;
    let member = |broker_id, broker_epoch| BrokerState { broker_id, broker_epoch, ..Default::default() };
    refused(1, &|w| w.partition_index = 5, E::UnknownTopicOrPartition);
    refused(1, &|w| w.leader_epoch += 1, E::NotController);
    refused(1, &|w| w.partition_epoch += 1, E::NotController);
    refused(1, &|w| w.leader_epoch -= 1, E::FencedLeaderEpoch);
    refused(2, &|_| {}, E::InvalidRequest);
    refused(1, &|w| w.partition_epoch -= 1, E::InvalidUpdateVersion);
    refused(1, &|w| w.new_isr_with_epochs = vec![member(2, -1)], E::InvalidRequest);
    refused(1, &|w| w.new_isr_with_epochs = vec![member(1, -1), member(3, -1)], E::InvalidRequest);
    refused(1, &|w| w.new_isr_with_epochs = vec![member(1, -1), member(1, -1)], E::InvalidRequest);
    refused(1, &|w| w.leader_recovery_state = 1, E::InvalidRequest);
    refused(1, &|w| w.new_isr_with_epochs = vec![member(1, -1), member(2, 5)], E::IneligibleReplica);
    assert_eq!(send_wish(&mut cluster, 1, good), 0);
    let partition = cluster.partition("a", 0);
    assert_eq!((&*partition.isr, partition.leader_epoch, partition.partition_epoch), (&[1][..], 0, 1));
    cluster.expire_broker(2);
    let fenced = wish(&cluster, 0, &[1, 2]);
    assert_eq!(send_wish(&mut cluster, 1, fenced), i16::from(E::IneligibleReplica));
}

#[test]
fn tasks_are_done_when_they_are_due() {
    let mut cluster = imbalanced();
    let mut tasks = PeriodicTasks::new(&cluster.controller, cluster.now_ms);
    let mut step = |cluster: &mut Cluster, later_ms: i64| {
        cluster.now_ms += later_ms;
        let image = cluster.image().clone();
        let records = tasks.step(&cluster.controller, &image, &mut cluster.heartbeats, cluster.now_ms);
        let is_no_op = matches!(records.as_slice(), [MetadataRecord::NoOp(_)]);
        let count = records.len();
        cluster.append(records);
        (count, is_no_op, tasks.next_deadline_ms() - cluster.now_ms)
    };
    assert_eq!(step(&mut cluster, 499), (0, false, 1));
    assert_eq!(step(&mut cluster, 1), (1, true, 500));
    // Sessions first: both brokers have been silent for longer than a session.
    assert!(!step(&mut cluster, 10_000).1);
    assert!(cluster.image().cluster.broker(1).unwrap().fenced);
    assert!(!cluster.image().cluster.broker(2).unwrap().fenced);
    step(&mut cluster, 0);
    assert!(cluster.image().cluster.broker(2).unwrap().fenced);
    assert_eq!(step(&mut cluster, 0), (1, true, 500));
}

#[test]
fn leaders_are_balanced_every_five_minutes() {
    let mut cluster = imbalanced();
    let mut tasks = PeriodicTasks::new(&cluster.controller, cluster.now_ms);
    for _ in 0..60 {
        cluster.now_ms += 5000;
        for broker_id in 1..=2 {
            let heartbeat = cluster.heartbeat_request(broker_id);
            cluster.heartbeat(&heartbeat).unwrap();
        }
        for _ in 0..4 {
            let image = cluster.image().clone();
            let records = tasks.step(&cluster.controller, &image, &mut cluster.heartbeats, cluster.now_ms);
            cluster.append(records);
        }
        if cluster.now_ms < 1_000_000 + 18_002 + 290_000 {
            assert_eq!(cluster.partition("a", 0).leader, 2);
        }
    }
    assert_eq!(cluster.partition("a", 0).leader, 1);
}

#[test]
fn an_appended_record_spares_the_next_no_op() {
    let mut cluster = Cluster::new(1);
    let mut tasks = PeriodicTasks::new(&cluster.controller, cluster.now_ms);
    cluster.now_ms += 400;
    cluster.create(vec![topic("a", 1, 1)]);
    tasks.appended(&cluster.controller, cluster.now_ms);
    cluster.now_ms += 400;
    let image = cluster.image().clone();
    let records = tasks.step(&cluster.controller, &image, &mut cluster.heartbeats, cluster.now_ms);
    assert_eq!(records, []);
}
