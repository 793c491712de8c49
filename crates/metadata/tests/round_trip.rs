//! An image written as records and read again is the same, and a change shares what it left alone.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use metadata::{MetadataDelta, MetadataError, MetadataImage, MetadataLoader, MetadataVersion, Provenance};
use proptest::prelude::*;
use protocol::Uuid;
use protocol::metadata_records::*;

const HERE: Provenance =
    Provenance { last_contained_offset: 5, last_contained_epoch: 1, last_contained_log_time_ms: 9 };

fn id(number: u8) -> Uuid {
    Uuid::from_u128((u128::from(number) + 1) << 80)
}

fn feature(name: &str, feature_level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.into(),
        feature_level,
        ..Default::default()
    })
}

fn brokers() -> impl Strategy<Value = Vec<MetadataRecord>> {
    type Parts = ([bool; 2], Option<String>, i64, usize, usize);
    let broker = (any::<[bool; 2]>(), proptest::option::of("[a-c]"), 0..1000i64, 0..4usize, 0..3usize);
    proptest::collection::btree_map(0..5i32, broker, 0..4).prop_map(|brokers| {
        let register =
            |(broker_id, ([fenced, stopping], rack, broker_epoch, dirs, cordoned)): (i32, Parts)| {
                let log_dirs: Vec<Uuid> = (0..dirs).map(|dir| id(broker_id as u8 * 10 + dir as u8)).collect();
                let cordoned: Vec<Uuid> = log_dirs.iter().copied().take(cordoned).collect();
                MetadataRecord::RegisterBroker(RegisterBrokerRecord {
                    broker_id,
                    broker_epoch,
                    incarnation_id: id(broker_id as u8),
                    rack,
                    fenced,
                    in_controlled_shutdown: stopping,
                    end_points: vec![register_broker_record::BrokerEndpoint {
                        name: "PLAINTEXT".into(),
                        host: format!("h{broker_id}"),
                        port: 9092,
                        security_protocol: 0,
                        ..Default::default()
                    }],
                    features: vec![register_broker_record::BrokerFeature {
                        name: "metadata.version".into(),
                        min_supported_version: 7,
                        max_supported_version: 33,
                        ..Default::default()
                    }],
                    log_dirs,
                    cordoned_log_dirs: (!cordoned.is_empty()).then_some(cordoned),
                    ..Default::default()
                })
            };
        brokers.into_iter().map(register).collect()
    })
}

fn topics() -> impl Strategy<Value = Vec<MetadataRecord>> {
    let ids = || proptest::collection::btree_set(0..5i32, 0..4).prop_map(Vec::from_iter);
    let partition = (
        [ids(), ids(), ids(), ids(), ids()],
        (-1..5i32, 0..9i32, 0..9i32, 0..2i8),
        proptest::collection::btree_set(0..5i32, 1..4).prop_map(Vec::from_iter),
    );
    let partitions = proptest::collection::vec(partition, 1..4);
    proptest::collection::btree_map("[a-z]{1,3}", partitions, 0..5).prop_map(|topics| {
        let mut records = Vec::new();
        for (name, partitions) in topics {
            // A topic keeps its name and loses no partition as long as it has its id.
            let number = name.bytes().fold(partitions.len(), |number, byte| number * 256 + usize::from(byte));
            let topic_id = Uuid::from_u128((number as u128) << 64);
            records.push(MetadataRecord::Topic(TopicRecord { name, topic_id, ..Default::default() }));
            for (partition_id, (lists, numbers, replicas)) in (0..).zip(partitions) {
                let [isr, removing_replicas, adding_replicas, elr, last_known] = lists;
                let (leader, leader_epoch, partition_epoch, leader_recovery_state) = numbers;
                let directories = vec![id(200); replicas.len()];
                records.push(MetadataRecord::Partition(PartitionRecord {
                    partition_id,
                    topic_id,
                    replicas,
                    isr,
                    removing_replicas,
                    adding_replicas,
                    leader,
                    leader_recovery_state,
                    leader_epoch,
                    partition_epoch,
                    directories,
                    eligible_leader_replicas: (!elr.is_empty()).then_some(elr),
                    last_known_elr: (!last_known.is_empty()).then_some(last_known),
                    ..Default::default()
                }));
            }
        }
        records
    })
}

fn smaller_subjects() -> impl Strategy<Value = Vec<MetadataRecord>> {
    let settings = proptest::collection::btree_map(
        (prop_oneof![Just(2i8), Just(4), Just(16), Just(32)], "[a-c]?", "[x-z]"),
        "[0-9]{0,3}",
        0..6,
    );
    let entity = proptest::collection::btree_map(
        prop_oneof![Just("user"), Just("client-id")],
        proptest::option::of("[a-b]"),
        1..3,
    );
    let quotas = proptest::collection::btree_map((entity, "[k-m]"), 1u32..99, 0..5);
    let users = proptest::collection::btree_map(("[a-c]", 1..3i8), 4096..9999i32, 0..4);
    let numbers = (0..9999i64, 0..4u8, 0..3u8);
    (settings, quotas, users, numbers).prop_map(
        |(settings, quotas, users, (next_producer_id, acls, tokens))| {
            let mut records = vec![MetadataRecord::ProducerIds(ProducerIdsRecord {
                next_producer_id,
                ..Default::default()
            })];
            records.extend(settings.into_iter().map(|((resource_type, resource_name, name), value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type,
                    resource_name,
                    name,
                    value: Some(value),
                    ..Default::default()
                })
            }));
            records.extend(quotas.into_iter().map(|((entity, key), value): ((BTreeMap<_, _>, _), _)| {
                let data =
                    |(entity_type, entity_name): (&str, Option<String>)| client_quota_record::EntityData {
                        entity_type: entity_type.into(),
                        entity_name,
                        ..Default::default()
                    };
                MetadataRecord::ClientQuota(ClientQuotaRecord {
                    entity: entity.into_iter().map(data).collect(),
                    key,
                    value: value.into(),
                    remove: false,
                    ..Default::default()
                })
            }));
            records.extend(users.into_iter().map(|((name, mechanism), iterations)| {
                MetadataRecord::UserScramCredential(UserScramCredentialRecord {
                    stored_key: Bytes::from(name.clone()),
                    name,
                    mechanism,
                    iterations,
                    ..Default::default()
                })
            }));
            records.extend((0..acls).map(|number| {
                let entry =
                    AccessControlEntryRecord { id: id(number), host: "*".into(), ..Default::default() };
                MetadataRecord::AccessControlEntry(entry)
            }));
            records.extend((0..tokens).map(|number| {
                let token = DelegationTokenRecord { token_id: number.to_string(), ..Default::default() };
                MetadataRecord::DelegationToken(token)
            }));
            records
        },
    )
}

fn image() -> impl Strategy<Value = MetadataImage> {
    (brokers(), topics(), smaller_subjects()).prop_map(|(brokers, topics, others)| {
        let mut records =
            vec![feature("metadata.version", 33), feature("eligible.leader.replicas.version", 1)];
        records.extend(brokers);
        records.extend(topics);
        records.extend(others);
        MetadataLoader::load_snapshot(&records, HERE).unwrap()
    })
}

proptest! {
    #[test]
    fn written_and_read_again_is_the_same(image in image()) {
        let records = image.to_records(MetadataVersion::LATEST).unwrap();
        let again = MetadataLoader::load_snapshot(&records, HERE).unwrap();
        prop_assert_eq!(&again, &image);
        // By way of Kafka's frames, too.
        let framed: Vec<MetadataRecord> = records
            .iter()
            .map(|record| MetadataRecord::decode_framed(record.encode_framed().unwrap()).unwrap())
            .collect();
        prop_assert_eq!(MetadataLoader::load_snapshot(&framed, HERE).unwrap(), image);
    }

    #[test]
    fn the_difference_of_two_images_leads_from_one_to_the_other(old in image(), new in image()) {
        let delta = MetadataDelta::between(&old, &new);
        prop_assert_eq!(&delta.apply(new.provenance), &new);
        prop_assert_eq!(MetadataDelta::between(&new, &new).is_empty(), true);
    }
}

#[test]
fn an_older_level_that_cannot_say_everything_is_refused() {
    let register = RegisterBrokerRecord { broker_id: 1, log_dirs: vec![id(1)], ..Default::default() };
    let records = [feature("metadata.version", 33), MetadataRecord::RegisterBroker(register)];
    let image = MetadataLoader::load_snapshot(&records, HERE).unwrap();
    let version = |level| MetadataVersion::from_feature_level(level).unwrap();
    assert!(image.to_records(version(17)).is_ok());
    let refused = image.to_records(version(16)).unwrap_err();
    assert!(matches!(refused, MetadataError::Unwritable { metadata_version: 16, .. }));
}

#[test]
fn one_topic_more_copies_none_of_the_others() {
    let mut records = Vec::new();
    for number in 0..2000u128 {
        let topic_id = Uuid::from_u128((number + 1) << 64);
        records.push(MetadataRecord::Topic(TopicRecord {
            name: format!("t{number}"),
            topic_id,
            ..Default::default()
        }));
        records.extend((0..50).map(|partition_id| {
            MetadataRecord::Partition(PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                ..Default::default()
            })
        }));
    }
    let before = MetadataLoader::load_snapshot(&records, HERE).unwrap();
    let mut delta = MetadataDelta::new(&before);
    delta
        .replay(&MetadataRecord::Topic(TopicRecord {
            name: "new".into(),
            topic_id: id(1),
            ..Default::default()
        }))
        .unwrap();
    let after = delta.apply(HERE);
    assert_eq!(after.topics.len(), 2001);
    for topic in before.topics.iter() {
        assert!(Arc::ptr_eq(topic, after.topics.by_id(topic.id()).unwrap()));
    }
    assert!(Arc::ptr_eq(&before.cluster, &after.cluster));
}
