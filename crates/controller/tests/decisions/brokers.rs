//! Brokers register, report, stop, fail and go.

use controller::{ApiError, BrokerHeartbeats};
use metadata::{LeaderRecoveryState, NO_LEADER};
use protocol::messages::{
    AllocateProducerIdsRequest, ControllerRegistrationRequest, UnregisterBrokerRequest,
    UnregisterControllerRequest,
};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};
use protocol::{ErrorCode, Uuid};

use crate::cluster::{Cluster, directory, topic};

fn refused(code: ErrorCode, message: &str) -> ApiError {
    ApiError::new(code, message)
}

#[test]
fn a_registration_is_checked() {
    let mut cluster = Cluster::new(1);
    let good = cluster.registration(2, -1);
    let mut bad = good.clone();
    bad.cluster_id = "other".into();
    let message = "Expected cluster ID 4L6g3nShT-eMCtK--X86sw, but got cluster ID other";
    assert_eq!(cluster.register(&bad), Err(refused(ErrorCode::InconsistentClusterId, message)));

    let invalid = |message| Err(refused(ErrorCode::InvalidRegistration, message));
    let mut bad = good.clone();
    bad.log_dirs = vec![];
    assert_eq!(cluster.register(&bad), invalid("No directories specified in request"));
    bad.log_dirs = vec![Uuid::from_u128(5)];
    assert_eq!(cluster.register(&bad), invalid("Reserved directory ID in request"));
    bad.log_dirs = vec![directory(2), directory(2)];
    assert_eq!(cluster.register(&bad), invalid("Duplicate directory ID in request"));
    bad.log_dirs = vec![directory(1)];
    let taken = format!("Broker 1 is already registered with directory {}", directory(1));
    assert_eq!(cluster.register(&bad), invalid(&taken));

    let mut bad = good.clone();
    bad.features.retain(|feature| feature.name != "metadata.version");
    assert_eq!(cluster.register(&bad), invalid("Request features do not contain 'metadata.version'"));
    let mut bad = good.clone();
    for feature in bad.features.iter_mut().filter(|feature| feature.name == "metadata.version") {
        feature.max_supported_version = 30;
    }
    let message = "Unable to register because the broker does not support finalized version 33 of metadata.version. \
                   The broker wants a version between 7 and 30, inclusive.";
    assert_eq!(cluster.register(&bad), Err(refused(ErrorCode::UnsupportedVersion, message)));
    let mut bad = good.clone();
    bad.features.retain(|feature| feature.name == "metadata.version");
    let message = "Unable to register because the broker does not support finalized version 1 of \
                   eligible.leader.replicas.version. The broker wants a version between 0 and 0, inclusive.";
    assert_eq!(cluster.register(&bad), Err(refused(ErrorCode::UnsupportedVersion, message)));

    let epoch = cluster.next_offset;
    assert_eq!(cluster.register(&good), Ok(epoch));
    // The same incarnation again: its epoch stays.
    assert_eq!(cluster.register(&good), Ok(epoch));
}

#[test]
fn another_process_cannot_take_the_id_of_a_living_broker() {
    let mut cluster = Cluster::new(2);
    let other = cluster.registration(2, -1);
    assert_eq!(cluster.register(&other).unwrap_err().code, ErrorCode::DuplicateBrokerRegistration);
    cluster.now_ms += 9001;
    assert!(cluster.register(&other).is_ok());
}

#[test]
fn a_new_controller_waits_for_other_brokers_but_not_for_the_one_it_runs_in() {
    let mut cluster = Cluster::new(2);
    cluster.heartbeats = BrokerHeartbeats::new(cluster.image(), 9000, Some(1), cluster.now_ms);
    let own = cluster.registration(1, -1);
    assert!(cluster.register(&own).is_ok());
    let other = cluster.registration(2, -1);
    assert_eq!(cluster.register(&other).unwrap_err().code, ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(cluster.heartbeats.next_deadline_ms(), Some(cluster.now_ms + 9001));
}

#[test]
fn a_broker_is_unfenced_once_it_has_caught_up() {
    let mut cluster = Cluster::new(0);
    let request = cluster.registration(1, -1);
    let epoch = cluster.register(&request).unwrap();
    let mut heartbeat = cluster.heartbeat_request(1);
    heartbeat.current_metadata_offset = epoch - 1;
    let response = cluster.heartbeat(&heartbeat).unwrap();
    assert_eq!((response.is_caught_up, response.is_fenced), (false, true));
    heartbeat.current_metadata_offset = epoch;
    heartbeat.want_fence = true;
    assert!(cluster.heartbeat(&heartbeat).unwrap().is_fenced);
    heartbeat.want_fence = false;
    let response = cluster.heartbeat(&heartbeat).unwrap();
    assert_eq!((response.is_caught_up, response.is_fenced), (true, false));
    assert!(cluster.image().cluster.is_active(1));

    heartbeat.broker_epoch -= 1;
    let stale = format!("Expected broker epoch {epoch}, but got broker epoch {}", epoch - 1);
    assert_eq!(cluster.heartbeat(&heartbeat), Err(refused(ErrorCode::StaleBrokerEpoch, &stale)));
    heartbeat.broker_id = 7;
    let unknown = "No broker registration found for broker id 7";
    assert_eq!(cluster.heartbeat(&heartbeat), Err(refused(ErrorCode::StaleBrokerEpoch, unknown)));
}

#[test]
fn the_only_replica_comes_back_by_itself_with_a_new_leader_epoch_after_an_unclean_stop() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1)]);
    let before = cluster.partition("a", 0);
    cluster.now_ms += 9001;
    let request = cluster.registration(1, -1);
    cluster.register(&request).unwrap();
    let between = cluster.partition("a", 0);
    assert_eq!((between.leader, &*between.isr, &*between.last_known_elr), (NO_LEADER, &[][..], &[1][..]));
    let heartbeat = cluster.heartbeat_request(1);
    assert!(!cluster.heartbeat(&heartbeat).unwrap().is_fenced);
    let after = cluster.partition("a", 0);
    assert_eq!((after.leader, &*after.isr), (1, &[1][..]));
    assert!(after.leader_epoch > before.leader_epoch);
    assert_eq!(after.leader_recovery_state, LeaderRecoveryState::Recovering);
    assert!(after.last_known_elr.is_empty() && after.elr.is_empty());
}

/// The records that Apache Kafka 4.4.0 wrote for the partition of a single node that was killed and started again,
/// and then stopped in good order.
#[test]
fn a_killed_node_writes_what_kafka_writes() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1)]);
    let topic_id = cluster.image().topics.by_name("a").unwrap().id();
    let nothing = PartitionChangeRecord { partition_id: 0, topic_id, ..Default::default() };
    let lost = PartitionChangeRecord {
        isr: Some(vec![]),
        leader: NO_LEADER,
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        ..nothing.clone()
    };
    let ineligible = PartitionChangeRecord { eligible_leader_replicas: Some(vec![]), ..nothing.clone() };
    let back = PartitionChangeRecord {
        isr: Some(vec![1]),
        leader: 1,
        leader_recovery_state: 1,
        last_known_elr: Some(vec![]),
        ..nothing
    };
    cluster.now_ms += 9001;
    let mut seen = Vec::new();
    let mut note = |cluster: &mut Cluster, records: Vec<MetadataRecord>| {
        seen.extend(records.iter().filter_map(|record| match record {
            MetadataRecord::PartitionChange(change) => Some(change.clone()),
            _ => None,
        }));
        cluster.append(records);
    };
    let image = cluster.image().clone();
    let fenced = cluster.controller.fence_stale_broker(&image, &mut cluster.heartbeats, cluster.now_ms);
    note(&mut cluster, fenced.unwrap().records);
    let request = cluster.registration(1, -1);
    let image = cluster.image().clone();
    let at = (cluster.next_offset, 0);
    let registered = cluster
        .controller
        .register_broker(&image, &mut cluster.heartbeats, &request, 4, at, cluster.now_ms)
        .unwrap();
    note(&mut cluster, registered.records);
    for want_shut_down in [false, true] {
        let mut request = cluster.heartbeat_request(1);
        request.want_shut_down = want_shut_down;
        let image = cluster.image().clone();
        let result = cluster
            .controller
            .broker_heartbeat(&image, &mut cluster.heartbeats, &request, cluster.now_ms)
            .unwrap();
        note(&mut cluster, result.records);
    }
    assert_eq!(seen, [lost.clone(), ineligible, back, lost]);
}

#[test]
fn the_only_replica_comes_back_recovered_after_a_clean_stop() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1)]);
    let before = cluster.partition("a", 0);
    let epoch = cluster.image().cluster.broker(1).unwrap().epoch;
    cluster.shut_down_broker(1);
    let stopped = cluster.partition("a", 0);
    assert_eq!((stopped.leader, &*stopped.isr, &*stopped.elr), (NO_LEADER, &[][..], &[1][..]));
    cluster.now_ms += 9001;
    cluster.start_broker(1, epoch);
    let after = cluster.partition("a", 0);
    assert_eq!((after.leader, &*after.isr, &*after.elr), (1, &[1][..], &[][..]));
    assert!(after.leader_epoch > before.leader_epoch);
    assert_eq!(after.leader_recovery_state, LeaderRecoveryState::Recovered);
}

#[test]
fn a_clean_stop_needs_the_epoch_of_the_last_incarnation() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1)]);
    let epoch = cluster.image().cluster.broker(1).unwrap().epoch;
    cluster.now_ms += 9001;
    cluster.start_broker(1, epoch - 1);
    assert_eq!(cluster.partition("a", 0).leader_recovery_state, LeaderRecoveryState::Recovering);
    let epoch = cluster.image().cluster.broker(1).unwrap().epoch;
    cluster.now_ms += 9001;
    cluster.start_broker(1, epoch);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr), (1, &[1][..]));
}

#[test]
fn a_lost_broker_leaves_leadership_and_isr_to_the_others() {
    let mut cluster = Cluster::new(3);
    cluster.topic("a", &[&[1, 2, 3], &[2, 3, 1]]);
    cluster.set_topic_config("a", "min.insync.replicas", "2");
    cluster.expire_broker(1);
    let first = cluster.partition("a", 0);
    assert_eq!((first.leader, &*first.isr, first.leader_epoch), (2, &[2, 3][..], 1));
    let second = cluster.partition("a", 1);
    assert_eq!((second.leader, &*second.isr, second.leader_epoch), (2, &[2, 3][..], 0));
    assert!(first.elr.is_empty(), "enough replicas are in sync");

    cluster.expire_broker(2);
    let first = cluster.partition("a", 0);
    assert_eq!((first.leader, &*first.isr, &*first.elr), (3, &[3][..], &[2][..]));
    cluster.expire_broker(3);
    let first = cluster.partition("a", 0);
    assert_eq!((first.leader, &*first.isr, &*first.elr), (NO_LEADER, &[][..], &[2, 3][..]));
    assert_eq!(*first.last_known_elr, [3]);

    // Broker 1 was not eligible: it waits. Broker 2 was: it leads.
    let heartbeat = cluster.heartbeat_request(1);
    cluster.heartbeat(&heartbeat).unwrap();
    assert_eq!(cluster.partition("a", 0).leader, NO_LEADER);
    let heartbeat = cluster.heartbeat_request(2);
    cluster.heartbeat(&heartbeat).unwrap();
    let first = cluster.partition("a", 0);
    assert_eq!((first.leader, &*first.isr, &*first.elr), (2, &[2][..], &[3][..]));
    assert_eq!(first.leader_recovery_state, LeaderRecoveryState::Recovered);
}

#[test]
fn an_unclean_stop_costs_eligibility() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    cluster.set_topic_config("a", "min.insync.replicas", "2");
    cluster.expire_broker(1);
    let partition = cluster.partition("a", 0);
    assert_eq!((&*partition.isr, &*partition.elr), (&[2][..], &[1][..]));
    cluster.start_broker(1, -1);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr, &*partition.elr), (2, &[2][..], &[][..]));
}

#[test]
fn without_eligible_replicas_the_last_in_sync_replica_stays_in_the_isr() {
    let mut cluster = Cluster::new(1);
    cluster.append(vec![MetadataRecord::FeatureLevel(protocol::metadata_records::FeatureLevelRecord {
        name: "eligible.leader.replicas.version".into(),
        feature_level: 0,
        ..Default::default()
    })]);
    cluster.create(vec![topic("a", 1, 1)]);
    cluster.expire_broker(1);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr), (NO_LEADER, &[1][..]));
    cluster.start_broker(1, -1);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr, partition.leader_epoch), (1, &[1][..], 2));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovered);
}

#[test]
fn a_controlled_shutdown_hands_over_first_and_waits_for_the_others_to_know() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    let mut stop = cluster.heartbeat_request(1);
    stop.want_shut_down = true;
    let response = cluster.heartbeat(&stop).unwrap();
    assert!(!response.should_shut_down && !response.is_fenced);
    let partition = cluster.partition("a", 0);
    assert_eq!((partition.leader, &*partition.isr), (2, &[2][..]));
    assert!(cluster.image().cluster.broker(1).unwrap().in_controlled_shutdown);
    // Broker 2 has not replayed the handing over.
    assert!(!cluster.heartbeat(&stop).unwrap().should_shut_down);
    let other = cluster.heartbeat_request(2);
    cluster.heartbeat(&other).unwrap();
    let response = cluster.heartbeat(&stop).unwrap();
    assert!(response.should_shut_down && response.is_fenced);
    assert!(cluster.image().cluster.broker(1).unwrap().fenced);
}

#[test]
fn a_failed_log_directory_costs_the_leadership_of_what_lies_there() {
    let mut cluster = Cluster::new(2);
    let second = Uuid::from_u128(9 << 110);
    let mut two_directories = cluster.registration(1, -1);
    two_directories.log_dirs.push(second);
    cluster.now_ms += 9001;
    let heartbeat = cluster.heartbeat_request(2);
    cluster.heartbeat(&heartbeat).unwrap();
    cluster.register(&two_directories).unwrap();
    let heartbeat = cluster.heartbeat_request(1);
    cluster.heartbeat(&heartbeat).unwrap();
    cluster.topic("a", &[&[1, 2], &[1, 2]]);
    // With two directories the broker chooses; it chose one for each partition.
    use protocol::messages::{AssignReplicasToDirsRequest, assign_replicas_to_dirs_request as assign};
    let topic_id = cluster.image().topics.by_name("a").unwrap().id();
    let place = |id: Uuid, partition_index| assign::DirectoryData {
        id,
        topics: vec![assign::TopicData {
            topic_id,
            partitions: vec![assign::PartitionData { partition_index, ..Default::default() }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let broker_epoch = cluster.image().cluster.broker(1).unwrap().epoch;
    let request = AssignReplicasToDirsRequest {
        broker_id: 1,
        broker_epoch,
        directories: vec![place(directory(1), 0), place(second, 1), place(second, 9)],
        ..Default::default()
    };
    let image = cluster.image().clone();
    let result = cluster.controller.assign_replicas_to_dirs(&image, &request).unwrap();
    let response = cluster.commit(result);
    let codes: Vec<i16> = response.directories.iter().map(|d| d.topics[0].partitions[0].error_code).collect();
    assert_eq!(codes, [0, 0, i16::from(ErrorCode::UnknownTopicOrPartition)]);
    assert_eq!(cluster.partition("a", 1).directory(1), Some(second));

    let mut heartbeat = cluster.heartbeat_request(1);
    heartbeat.offline_log_dirs = vec![second];
    cluster.heartbeat(&heartbeat).unwrap();
    let leaders = [cluster.partition("a", 0).leader, cluster.partition("a", 1).leader];
    assert_eq!(leaders, [1, 2]);
    assert_eq!(*cluster.partition("a", 1).isr, [2]);
    assert_eq!(cluster.image().cluster.broker(1).unwrap().directories, [directory(1)]);
}

#[test]
fn a_cordoned_broker_gets_no_new_replicas() {
    let mut cluster = Cluster::new(2);
    let mut heartbeat = cluster.heartbeat_request(2);
    heartbeat.cordoned_log_dirs = Some(vec![directory(2)]);
    cluster.heartbeat(&heartbeat).unwrap();
    cluster.create(vec![topic("a", 8, 1)]);
    for number in 0..8 {
        assert_eq!(cluster.partition("a", number).leader, 1);
    }
    let refused = cluster.create(vec![crate::cluster::assigned("b", &[&[2]])]).remove(0);
    assert_eq!(
        refused.error_message.unwrap(),
        "The manual partition assignment includes broker 2, but all its log directories are cordoned."
    );
}

#[test]
fn a_broker_that_will_not_come_back_is_removed() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[2, 1]]);
    let image = cluster.image().clone();
    let unregister = |broker_id| UnregisterBrokerRequest { broker_id, ..Default::default() };
    let result = cluster.controller.unregister_broker(&image, &unregister(9));
    assert_eq!(result.response.error_code, i16::from(ErrorCode::BrokerIdNotRegistered));
    assert_eq!(result.response.error_message.as_deref(), Some("Broker ID 9 is not currently registered"));
    let result = cluster.controller.unregister_broker(&image, &unregister(2));
    assert_eq!(cluster.commit(result).error_code, 0);
    assert!(cluster.image().cluster.broker(2).is_none());
    assert_eq!((cluster.partition("a", 0).leader, &*cluster.partition("a", 0).isr), (1, &[1][..]));
}

#[test]
fn controllers_register_and_are_removed() {
    let mut cluster = Cluster::new(0);
    let image = cluster.image().clone();
    let request = ControllerRegistrationRequest { controller_id: 2, ..Default::default() };
    let result = cluster.controller.register_controller(&image, &request);
    assert_eq!(cluster.commit(result).error_code, 0);
    let mut unregister = |controller_id| {
        let request = UnregisterControllerRequest { controller_id, ..Default::default() };
        let image = cluster.image().clone();
        let result = cluster.controller.unregister_controller(&image, &request);
        let response = cluster.commit(result);
        (response.error_code, response.error_message)
    };
    let message = "Controller cannot unregister itself while it is active.";
    assert_eq!(unregister(1), (42, Some(message.to_owned())));
    assert_eq!(unregister(2), (0, None));
    let message = "Controller ID 2 is not currently registered.";
    assert_eq!(unregister(2), (136, Some(message.to_owned())));
}

#[test]
fn no_producer_id_is_handed_out_twice() {
    let mut cluster = Cluster::new(1);
    let broker_epoch = cluster.image().cluster.broker(1).unwrap().epoch;
    let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch, ..Default::default() };
    let mut starts = Vec::new();
    for _ in 0..3 {
        let image = cluster.image().clone();
        let result = cluster.controller.allocate_producer_ids(&image, &request).unwrap();
        let response = cluster.commit(result);
        assert_eq!(response.producer_id_len, 1000);
        starts.push(response.producer_id_start);
    }
    assert_eq!(starts, [0, 1000, 2000]);
    let stale = AllocateProducerIdsRequest { broker_epoch: -1, ..request };
    let refused = cluster.controller.allocate_producer_ids(cluster.image(), &stale).unwrap_err();
    assert_eq!(refused.code, ErrorCode::StaleBrokerEpoch);
}
