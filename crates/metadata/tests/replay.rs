//! Each record type changes the image as Kafka says, and what does not fit is an error.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use metadata::{
    ConfigResource, LeaderRecoveryState, MetadataDelta, MetadataError, MetadataImage, MetadataVersion,
    NO_LEADER, NO_LEADER_CHANGE, Provenance, directory_id, scram::ScramMechanism,
};
use protocol::Uuid;
use protocol::metadata_records::*;

const TOPIC: Uuid = Uuid::from_u128(1 << 100);
const OTHER: Uuid = Uuid::from_u128(2 << 100);

fn topic(name: &str, topic_id: Uuid) -> MetadataRecord {
    MetadataRecord::Topic(TopicRecord { name: name.into(), topic_id, ..Default::default() })
}

fn partition_record(topic_id: Uuid, partition_id: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id,
        topic_id,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid::from_u128(1 << 90); 3],
        ..Default::default()
    }
}

fn partition(topic_id: Uuid, partition_id: i32) -> MetadataRecord {
    MetadataRecord::Partition(partition_record(topic_id, partition_id))
}

fn change(topic_id: Uuid, partition_id: i32) -> PartitionChangeRecord {
    PartitionChangeRecord { partition_id, topic_id, ..Default::default() }
}

fn remove(topic_id: Uuid) -> MetadataRecord {
    MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id, ..Default::default() })
}

fn broker(broker_id: i32, broker_epoch: i64) -> MetadataRecord {
    MetadataRecord::RegisterBroker(RegisterBrokerRecord { broker_id, broker_epoch, ..Default::default() })
}

fn config(resource_type: i8, resource_name: &str, name: &str, value: Option<&str>) -> MetadataRecord {
    MetadataRecord::Config(ConfigRecord {
        resource_type,
        resource_name: resource_name.into(),
        name: name.into(),
        value: value.map(str::to_owned),
        ..Default::default()
    })
}

fn try_replay(base: &MetadataImage, records: &[MetadataRecord]) -> Result<MetadataDelta, MetadataError> {
    let mut delta = MetadataDelta::new(base);
    for record in records {
        delta.replay(record)?;
    }
    Ok(delta)
}

fn replay(base: &MetadataImage, records: &[MetadataRecord]) -> MetadataImage {
    try_replay(base, records).unwrap().apply(Provenance { last_contained_offset: 1, ..Provenance::EMPTY })
}

fn error(base: &MetadataImage, record: MetadataRecord) -> MetadataError {
    try_replay(base, &[record]).unwrap_err()
}

#[test]
fn topics_are_found_by_name_and_id_until_they_are_removed() {
    let image = replay(
        &MetadataImage::empty(),
        &[topic("a", TOPIC), partition(TOPIC, 0), partition(TOPIC, 1), topic("b", OTHER)],
    );
    assert_eq!(image.topics.by_name("a").unwrap().id(), TOPIC);
    assert_eq!(image.topics.by_id(TOPIC).unwrap().partition_count(), 2);
    assert_eq!(image.topics.partition(TOPIC, 1).unwrap().leader, 1);
    assert!(image.topics.partition(TOPIC, 2).is_none() && image.topics.partition(TOPIC, -1).is_none());
    let names = |from| image.topics.iter_from(from).map(|t| t.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names("aa"), ["b"]);

    let delta = try_replay(&image, &[remove(TOPIC)]).unwrap();
    let after = delta.apply(image.provenance);
    assert!(after.topics.by_name("a").is_none() && after.topics.by_id(TOPIC).is_none());
    assert_eq!(delta.topics().unwrap().deleted().keys().collect::<Vec<_>>(), [&TOPIC]);
    assert_eq!(after.topics.len(), 1);
}

#[test]
fn a_topic_can_be_replaced_by_one_of_its_name_in_one_delta() {
    let image = replay(&MetadataImage::empty(), &[topic("a", TOPIC), partition(TOPIC, 0)]);
    let delta = try_replay(&image, &[remove(TOPIC), topic("a", OTHER), partition(OTHER, 0)]).unwrap();
    let after = delta.apply(image.provenance);
    assert_eq!(after.topics.by_name("a").unwrap().id(), OTHER);
    assert!(after.topics.by_id(TOPIC).is_none());
    let local = delta.topics().unwrap().local_changes(1);
    assert_eq!(local.deletes, [("a".to_owned(), TOPIC, 0)]);
    assert_eq!(local.leaders.len(), 1);
    // Created and removed within the delta: nothing happened.
    let delta = try_replay(&image, &[topic("c", OTHER), remove(OTHER)]).unwrap();
    assert_eq!(delta.apply(image.provenance), image);
}

#[test]
fn a_removed_topic_takes_its_settings_along() {
    let image = replay(
        &MetadataImage::empty(),
        &[topic("a", TOPIC), config(2, "a", "retention.ms", Some("5")), config(4, "", "x", Some("1"))],
    );
    let delta = try_replay(&image, &[remove(TOPIC)]).unwrap();
    let after = delta.apply(image.provenance);
    assert!(after.configs.of_topic("a").is_empty());
    assert_eq!(after.configs.of(&ConfigResource::default_broker()).len(), 1);
    assert!(delta.configs().unwrap().changed().contains(&ConfigResource::topic("a")));
}

#[test]
fn the_leader_epoch_grows_when_a_leader_is_named_and_the_partition_epoch_always() {
    let image = replay(&MetadataImage::empty(), &[topic("a", TOPIC), partition(TOPIC, 0)]);
    let shrink = PartitionChangeRecord { isr: Some(vec![1]), ..change(TOPIC, 0) };
    assert_eq!(shrink.leader, NO_LEADER_CHANGE);
    let again = PartitionChangeRecord { leader: 1, ..change(TOPIC, 0) };
    let lost = PartitionChangeRecord { leader: NO_LEADER, leader_recovery_state: 1, ..change(TOPIC, 0) };
    let mut seen = Vec::new();
    let mut image = image;
    for record in [shrink, again, lost] {
        image = replay(&image, &[MetadataRecord::PartitionChange(record)]);
        let now = image.topics.partition(TOPIC, 0).unwrap();
        seen.push((now.leader, now.leader_epoch, now.partition_epoch, now.isr.to_vec()));
    }
    assert_eq!(seen, [(1, 0, 1, vec![1]), (1, 1, 2, vec![1]), (-1, 2, 3, vec![1])]);
    let now = image.topics.partition(TOPIC, 0).unwrap();
    assert_eq!(now.leader_recovery_state, LeaderRecoveryState::Recovering);
    assert_eq!(now.directories.len(), 3);
}

#[test]
fn records_from_before_directories_say_that_they_are_not_known() {
    let old = PartitionRecord { directories: Vec::new(), ..partition_record(TOPIC, 0) };
    let image = replay(&MetadataImage::empty(), &[topic("a", TOPIC), MetadataRecord::Partition(old)]);
    assert_eq!(*image.topics.partition(TOPIC, 0).unwrap().directories, [directory_id::MIGRATING; 3]);
    let wrong = PartitionRecord { directories: vec![Uuid::ZERO; 2], ..partition_record(TOPIC, 1) };
    let wrong = error(&image, MetadataRecord::Partition(wrong));
    assert!(matches!(wrong, MetadataError::InvalidField { field: "Directories (count)", value: 2, .. }));
}

#[test]
fn eligible_leader_replicas_are_cleared_for_one_topic_or_all() {
    let with_elr = |topic_id| {
        MetadataRecord::Partition(PartitionRecord {
            eligible_leader_replicas: Some(vec![3]),
            ..partition_record(topic_id, 0)
        })
    };
    let image = replay(
        &MetadataImage::empty(),
        &[topic("a", TOPIC), with_elr(TOPIC), topic("b", OTHER), with_elr(OTHER)],
    );
    let clear = |name: &str| {
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: name.into(), ..Default::default() })
    };
    let elr = |image: &MetadataImage, id| image.topics.partition(id, 0).unwrap().elr.to_vec();
    let one = replay(&image, &[clear("a")]);
    assert_eq!((elr(&one, TOPIC), elr(&one, OTHER)), (vec![], vec![3]));
    let delta = try_replay(&one, &[clear("")]).unwrap();
    assert_eq!(delta.topics().unwrap().changed().keys().collect::<Vec<_>>(), [&OTHER]);
    assert_eq!(elr(&delta.apply(one.provenance), OTHER), []);
    assert_eq!(error(&image, clear("c")), MetadataError::UnknownTopicName("c".into()));
}

#[test]
fn brokers_register_change_and_go() {
    let image = replay(&MetadataImage::empty(), &[broker(1, 10)]);
    assert!(image.cluster.broker(1).unwrap().fenced && !image.cluster.is_active(1));
    let change = |fenced, in_controlled_shutdown, dirs: &[u128]| {
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: 10,
            fenced,
            in_controlled_shutdown,
            log_dirs: dirs.iter().map(|id| Uuid::from_u128(*id)).collect(),
            ..Default::default()
        })
    };
    let image = replay(&image, &[change(-1, 0, &[500, 400])]);
    assert!(image.cluster.is_active(1));
    let now = image.cluster.broker(1).unwrap();
    assert!(
        now.has_online_directory(Uuid::from_u128(400)) && !now.has_online_directory(Uuid::from_u128(300))
    );
    assert!(
        now.has_online_directory(directory_id::UNASSIGNED) && !now.has_online_directory(directory_id::LOST)
    );
    assert!(!replay(&image, &[change(0, 1, &[])]).cluster.is_active(1));
    let legacy = FenceBrokerRecord { id: 1, epoch: 10, ..Default::default() };
    let image = replay(&image, &[MetadataRecord::FenceBroker(legacy)]);
    assert!(image.cluster.broker(1).unwrap().fenced);
    let legacy = UnfenceBrokerRecord { id: 1, epoch: 10, ..Default::default() };
    assert!(replay(&image, &[MetadataRecord::UnfenceBroker(legacy)]).cluster.is_active(1));

    let gone = |broker_id, broker_epoch| {
        MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
            broker_id,
            broker_epoch,
            ..Default::default()
        })
    };
    let stale = MetadataError::WrongBrokerEpoch { broker_id: 1, epoch: 9, registered: 10 };
    assert_eq!(error(&image, gone(1, 9)), stale);
    assert_eq!(error(&image, gone(2, 9)), MetadataError::UnknownBroker(2));
    assert!(replay(&image, &[gone(1, 10)]).cluster.brokers().is_empty());
    assert!(matches!(error(&image, change(3, 0, &[])), MetadataError::InvalidField { field: "Fenced", .. }));
}

#[test]
fn the_smaller_subjects_follow_their_records() {
    let feature = |name: &str, feature_level| {
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.into(),
            feature_level,
            ..Default::default()
        })
    };
    let quota = |value, remove| {
        MetadataRecord::ClientQuota(ClientQuotaRecord {
            entity: vec![client_quota_record::EntityData {
                entity_type: "user".into(),
                entity_name: None,
                ..Default::default()
            }],
            key: "producer_byte_rate".into(),
            value,
            remove,
            ..Default::default()
        })
    };
    let ids = |next_producer_id| {
        MetadataRecord::ProducerIds(ProducerIdsRecord { next_producer_id, ..Default::default() })
    };
    let scram = MetadataRecord::UserScramCredential(UserScramCredentialRecord {
        name: "alice".into(),
        mechanism: 2,
        iterations: 4096,
        ..Default::default()
    });
    let acl = AccessControlEntryRecord { id: OTHER, principal: "User:a".into(), ..Default::default() };
    let token = DelegationTokenRecord { token_id: "t".into(), owner: "o".into(), ..Default::default() };
    let controller = RegisterControllerRecord { controller_id: 7, ..Default::default() };
    let image = replay(
        &MetadataImage::empty(),
        &[
            feature("metadata.version", 33),
            feature("kraft.version", 1),
            feature("group.version", 1),
            quota(5.0, false),
            ids(1000),
            scram,
            MetadataRecord::AccessControlEntry(acl),
            MetadataRecord::DelegationToken(token),
            MetadataRecord::RegisterController(controller),
            MetadataRecord::NoOp(NoOpRecord::default()),
            MetadataRecord::ZkMigrationState(ZkMigrationStateRecord::default()),
        ],
    );
    assert_eq!(image.features.metadata_version(), Some(MetadataVersion::LATEST));
    assert_eq!((image.features.level("group.version"), image.features.level("kraft.version")), (1, 0));
    assert_eq!(image.client_quotas.iter().count(), 1);
    assert_eq!(image.producer_ids.next_producer_id(), 1000);
    assert_eq!(image.scram.credential(ScramMechanism::Sha512, "alice").unwrap().iterations, 4096);
    assert!(image.scram.credential(ScramMechanism::Sha256, "alice").is_none());
    assert_eq!(image.acls.get(OTHER).unwrap().principal, "User:a");
    assert_eq!(image.delegation_tokens.tokens().len(), 1);
    assert!(image.cluster.controllers().contains_key(&7));

    let remove_acl = RemoveAccessControlEntryRecord { id: OTHER, ..Default::default() };
    let remove_token = RemoveDelegationTokenRecord { token_id: "t".into(), ..Default::default() };
    let remove_scram =
        RemoveUserScramCredentialRecord { name: "alice".into(), mechanism: 2, ..Default::default() };
    let remove_controller = UnregisterControllerRecord { controller_id: 7, ..Default::default() };
    let removals = [
        MetadataRecord::RemoveAccessControlEntry(remove_acl),
        MetadataRecord::RemoveDelegationToken(remove_token),
        MetadataRecord::RemoveUserScramCredential(remove_scram),
        MetadataRecord::UnregisterController(remove_controller),
    ];
    let all = [&removals[..], &[quota(0.0, true), feature("group.version", 0)]].concat();
    let after = replay(&image, &all);
    assert_eq!(after.features.level("group.version"), 0);
    assert_eq!(after.client_quotas, MetadataImage::empty().client_quotas);
    assert_eq!(after.acls, MetadataImage::empty().acls);
    assert_eq!(after.scram, MetadataImage::empty().scram);
    assert_eq!(after.delegation_tokens, MetadataImage::empty().delegation_tokens);
    for removal in removals {
        assert!(try_replay(&after, &[removal]).is_err(), "nothing is left to remove");
    }
    assert!(try_replay(&image, &[ids(999)]).is_err(), "ids must not be handed out twice");
    let unknown = error(&image, feature("metadata.version", 34));
    assert_eq!(unknown, MetadataError::UnsupportedMetadataVersion(34, 7, 33));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let image = replay(&MetadataImage::empty(), &[topic("a", TOPIC), partition(TOPIC, 0)]);
    let duplicate = |name: &str, id| MetadataError::DuplicateTopic { name: name.into(), id };
    assert_eq!(error(&image, topic("a", OTHER)), duplicate("a", OTHER));
    assert_eq!(error(&image, topic("b", TOPIC)), duplicate("b", TOPIC));
    assert_eq!(error(&image, partition(OTHER, 0)), MetadataError::UnknownTopicId(OTHER));
    assert_eq!(error(&image, remove(OTHER)), MetadataError::UnknownTopicId(OTHER));
    let unknown = MetadataError::UnknownPartition { topic_id: TOPIC, partition: 1 };
    assert_eq!(error(&image, MetadataRecord::PartitionChange(change(TOPIC, 1))), unknown);
    assert!(try_replay(&image, &[remove(TOPIC), partition(TOPIC, 1)]).is_err());
    assert!(matches!(error(&image, config(3, "x", "y", None)), MetadataError::InvalidField { value: 3, .. }));
    assert!(matches!(error(&image, partition(TOPIC, -1)), MetadataError::InvalidField { value: -1, .. }));
}

#[test]
fn a_broker_learns_what_to_lead_follow_and_drop() {
    let image = replay(
        &MetadataImage::empty(),
        &[topic("a", TOPIC), partition(TOPIC, 0), partition(TOPIC, 1), partition(TOPIC, 2)],
    );
    let change = |record| MetadataRecord::PartitionChange(record);
    let delta = try_replay(
        &image,
        &[
            change(PartitionChangeRecord { leader: 2, ..change_of(0) }),
            change(PartitionChangeRecord { isr: Some(vec![1]), ..change_of(1) }),
            change(PartitionChangeRecord { replicas: Some(vec![2, 3]), leader: 2, ..change_of(2) }),
        ],
    )
    .unwrap();
    let topics = delta.topics().unwrap();
    let one = topics.local_changes(1);
    assert_eq!(one.deletes, [("a".to_owned(), TOPIC, 2)]);
    let brief = |replicas: &[metadata::LocalReplica]| {
        replicas.iter().map(|r| (r.partition, r.is_new, r.new_leader_epoch)).collect::<Vec<_>>()
    };
    assert_eq!(brief(&one.leaders), [(1, false, false)]);
    assert_eq!(brief(&one.followers), [(0, false, true)]);
    let two = topics.local_changes(2);
    assert_eq!(brief(&two.leaders), [(0, false, true), (2, false, true)]);
    assert_eq!(topics.local_changes(9), metadata::LocalReplicaChanges::default());
}

fn change_of(partition_id: i32) -> PartitionChangeRecord {
    change(TOPIC, partition_id)
}
