//! Whatever administrators, brokers and failures do in whatever order, the image stays sound.

use std::collections::{BTreeMap, BTreeSet};

use controller::DeleteAccess;
use metadata::{MetadataImage, MetadataLoader, NO_LEADER, PartitionRegistration};
use proptest::prelude::*;
use protocol::Uuid;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteTopicsRequest, ElectLeadersRequest, UnregisterBrokerRequest,
};
use protocol::metadata_records::MetadataRecord;

use crate::cluster::{Cluster, topic};

const TOPICS: &[&str] = &["a", "b.c", "b_c", "d"];

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    StartBroker { broker: i32, clean: bool },
    ExpireBroker { broker: i32 },
    Heartbeat { broker: i32, want_shut_down: bool, want_fence: bool },
    Unregister { broker: i32 },
    CreateTopic { topic: usize, partitions: i32, factor: i16 },
    DeleteTopic { topic: usize },
    Grow { topic: usize, by: i32 },
    MinIsr { topic: usize, min_isr: u8, unclean: bool },
    Elect { topic: usize, partition: i32, unclean: bool },
    Reassign { topic: usize, partition: i32, replicas: Option<Vec<i32>> },
    AlterIsr { topic: usize, partition: i32, members: u8 },
    Balance,
}

fn event() -> impl Strategy<Value = Event> {
    let (broker, topic, partition) = (1..6i32, 0..TOPICS.len(), 0..3i32);
    let replicas = proptest::option::weighted(
        0.7,
        proptest::collection::btree_set(1..6i32, 1..4).prop_map(Vec::from_iter).prop_shuffle(),
    );
    prop_oneof![
        3 => (broker.clone(), any::<bool>()).prop_map(|(broker, clean)| Event::StartBroker { broker, clean }),
        2 => broker.clone().prop_map(|broker| Event::ExpireBroker { broker }),
        3 => (broker.clone(), any::<bool>(), any::<bool>()).prop_map(|(broker, want_shut_down, want_fence)| {
            Event::Heartbeat { broker, want_shut_down, want_fence }
        }),
        1 => broker.prop_map(|broker| Event::Unregister { broker }),
        4 => (topic.clone(), -1..4i32, -1..4i16)
            .prop_map(|(topic, partitions, factor)| Event::CreateTopic { topic, partitions, factor }),
        1 => topic.clone().prop_map(|topic| Event::DeleteTopic { topic }),
        1 => (topic.clone(), 0..3i32).prop_map(|(topic, by)| Event::Grow { topic, by }),
        2 => (topic.clone(), 1..4u8, any::<bool>())
            .prop_map(|(topic, min_isr, unclean)| Event::MinIsr { topic, min_isr, unclean }),
        2 => (topic.clone(), partition.clone(), any::<bool>())
            .prop_map(|(topic, partition, unclean)| Event::Elect { topic, partition, unclean }),
        3 => (topic.clone(), partition.clone(), replicas)
            .prop_map(|(topic, partition, replicas)| Event::Reassign { topic, partition, replicas }),
        5 => (topic, partition, any::<u8>())
            .prop_map(|(topic, partition, members)| Event::AlterIsr { topic, partition, members }),
        1 => Just(Event::Balance),
    ]
}

struct World {
    cluster: Cluster,
    log: Vec<MetadataRecord>,
    epochs: BTreeMap<(Uuid, i32), (i32, i32)>,
}

impl World {
    fn append(&mut self, records: Vec<MetadataRecord>) {
        self.log.extend(records.iter().cloned());
        self.cluster.append(records);
    }

    fn start_broker(&mut self, broker: i32, clean: bool) {
        let known = self.cluster.image().cluster.broker(broker).map_or(-1, |broker| broker.epoch);
        let request = self.cluster.registration(broker, if clean { known } else { -1 });
        let image = self.cluster.image().clone();
        let Cluster { controller, heartbeats, next_offset, now_ms, .. } = &mut self.cluster;
        let at = (*next_offset, 0);
        // Refused while the last incarnation's session lasts.
        if let Ok(result) = controller.register_broker(&image, heartbeats, &request, 4, at, *now_ms) {
            self.append(result.records);
        }
    }

    fn heartbeat(&mut self, broker: i32, want_shut_down: bool, want_fence: bool) {
        let mut request = self.cluster.heartbeat_request(broker);
        request.want_shut_down = want_shut_down;
        request.want_fence = want_fence;
        let image = self.cluster.image().clone();
        let Cluster { controller, heartbeats, now_ms, .. } = &mut self.cluster;
        if let Ok(result) = controller.broker_heartbeat(&image, heartbeats, &request, *now_ms) {
            self.append(result.records);
        }
    }

    fn expire(&mut self, broker: i32) {
        self.cluster.now_ms += 9001;
        let others: Vec<i32> = self.cluster.image().cluster.brokers().keys().copied().collect();
        for other in others.into_iter().filter(|id| *id != broker) {
            self.heartbeat(other, false, false);
        }
        loop {
            let image = self.cluster.image().clone();
            let Cluster { controller, heartbeats, now_ms, .. } = &mut self.cluster;
            let Some(fenced) = controller.fence_stale_broker(&image, heartbeats, *now_ms) else { break };
            self.append(fenced.records);
        }
    }

    fn alter_isr(&mut self, topic: &str, partition: i32, members: u8) {
        let image = self.cluster.image().clone();
        let Some(topic) = image.topics.by_name(topic) else { return };
        let Some(now) = topic.partition(partition) else { return };
        let chosen = now.replicas.iter().enumerate().filter(|(at, id)| {
            **id == now.leader || (members >> at & 1 == 1 && image.cluster.is_active(**id))
        });
        let member =
            |(_, id): (usize, &i32)| BrokerState { broker_id: *id, broker_epoch: -1, ..Default::default() };
        let wish = PartitionData {
            partition_index: partition,
            leader_epoch: now.leader_epoch,
            partition_epoch: now.partition_epoch,
            new_isr_with_epochs: chosen.map(member).collect(),
            ..Default::default()
        };
        let request = AlterPartitionRequest {
            broker_id: now.leader,
            broker_epoch: image.cluster.broker(now.leader).map_or(-1, |broker| broker.epoch),
            topics: vec![TopicData { topic_id: topic.id(), partitions: vec![wish], ..Default::default() }],
            ..Default::default()
        };
        if let Ok(result) = self.cluster.controller.alter_partition(&image, &request, 3) {
            self.append(result.records);
        }
    }

    fn set(&mut self, topic: &str, key: &str, value: &str) {
        let record = MetadataRecord::Config(protocol::metadata_records::ConfigRecord {
            resource_type: 2,
            resource_name: topic.to_owned(),
            name: key.to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        });
        self.append(vec![record]);
    }

    fn happen(&mut self, event: Event) {
        let image = self.cluster.image().clone();
        let name = |topic: usize| TOPICS[topic].to_owned();
        match event {
            Event::StartBroker { broker, clean } => {
                self.start_broker(broker, clean);
                self.heartbeat(broker, false, false);
            }
            Event::ExpireBroker { broker } => self.expire(broker),
            Event::Heartbeat { broker, want_shut_down, want_fence } => {
                self.heartbeat(broker, want_shut_down, want_fence);
            }
            Event::Unregister { broker } => {
                let request = UnregisterBrokerRequest { broker_id: broker, ..Default::default() };
                let result = self.cluster.controller.unregister_broker(&image, &request);
                self.append(result.records);
            }
            Event::CreateTopic { topic: which, partitions, factor } => {
                let topics = vec![topic(TOPICS[which], partitions, factor)];
                let request = CreateTopicsRequest { topics, ..Default::default() };
                let access = controller::TopicAccess::ALL;
                let Cluster { controller, randomness, .. } = &mut self.cluster;
                let result = controller.create_topics(&image, &request, access, randomness);
                self.append(result.records);
            }
            Event::DeleteTopic { topic } => {
                let request = DeleteTopicsRequest { topic_names: vec![name(topic)], ..Default::default() };
                let result = self.cluster.controller.delete_topics(&image, &request, 5, DeleteAccess::ALL);
                self.append(result.records);
            }
            Event::Grow { topic, by } => {
                let now = image.topics.by_name(TOPICS[topic]).map_or(0, |t| t.partition_count());
                let count = i32::try_from(now).unwrap() + by;
                let wanted = CreatePartitionsTopic {
                    name: name(topic),
                    count,
                    assignments: None,
                    ..Default::default()
                };
                let request = CreatePartitionsRequest { topics: vec![wanted], ..Default::default() };
                let Cluster { controller, randomness, .. } = &mut self.cluster;
                let result = controller.create_partitions(&image, &request, &|_| true, randomness);
                self.append(result.records);
            }
            Event::MinIsr { topic, min_isr, unclean } => {
                if image.topics.by_name(TOPICS[topic]).is_some() {
                    self.set(TOPICS[topic], "min.insync.replicas", &min_isr.to_string());
                    self.set(TOPICS[topic], "unclean.leader.election.enable", &unclean.to_string());
                }
            }
            Event::Elect { topic, partition, unclean } => {
                let partitions =
                    TopicPartitions { topic: name(topic), partitions: vec![partition], ..Default::default() };
                let request = ElectLeadersRequest {
                    election_type: unclean.into(),
                    topic_partitions: Some(vec![partitions]),
                    ..Default::default()
                };
                let result = self.cluster.controller.elect_leaders(&image, &request).unwrap();
                self.append(result.records);
            }
            Event::Reassign { topic, partition, replicas } => {
                let partition =
                    ReassignablePartition { partition_index: partition, replicas, ..Default::default() };
                let topic = ReassignableTopic {
                    name: name(topic),
                    partitions: vec![partition],
                    ..Default::default()
                };
                let request =
                    AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() };
                let result = self.cluster.controller.alter_partition_reassignments(&image, &request);
                self.append(result.records);
            }
            Event::AlterIsr { topic, partition, members } => {
                self.alter_isr(TOPICS[topic], partition, members);
            }
            Event::Balance => {
                let result = self.cluster.controller.balance_partition_leaders(&image);
                self.append(result.records);
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let image = self.cluster.image().clone();
        let ids: BTreeSet<Uuid> = image.topics.iter().map(|topic| topic.id()).collect();
        prop_assert_eq!(ids.len(), image.topics.len());
        for topic in image.topics.iter() {
            prop_assert_eq!(image.topics.by_id(topic.id()), Some(topic));
            let numbers: Vec<i32> = topic.partitions().map(|(number, _)| number).collect();
            let expected: Vec<i32> = (0..i32::try_from(numbers.len()).unwrap()).collect();
            prop_assert_eq!(numbers, expected);
            for (number, partition) in topic.partitions() {
                check_partition(&image, partition)?;
                let now = (partition.leader_epoch, partition.partition_epoch);
                let before = self.epochs.insert((topic.id(), number), now).unwrap_or((0, 0));
                prop_assert!(before.0 <= now.0 && before.1 <= now.1, "{:?} after {:?}", now, before);
            }
        }
        Ok(())
    }
}

fn check_partition(image: &MetadataImage, partition: &PartitionRegistration) -> Result<(), TestCaseError> {
    let set = |ids: &[i32]| ids.iter().copied().collect::<BTreeSet<i32>>();
    let (replicas, isr, elr) = (set(&partition.replicas), set(&partition.isr), set(&partition.elr));
    let distinct = replicas.len() == partition.replicas.len() && isr.len() == partition.isr.len();
    let sound = !partition.replicas.is_empty()
        && distinct
        && partition.directories.len() == partition.replicas.len()
        && isr.is_subset(&replicas)
        && elr.is_subset(&replicas)
        && elr.is_disjoint(&isr)
        && set(&partition.adding_replicas).is_subset(&replicas)
        && set(&partition.removing_replicas).is_subset(&replicas)
        && partition.last_known_elr.iter().all(|id| *id >= 0);
    prop_assert!(sound, "{:?}", partition);
    if partition.leader == NO_LEADER {
        prop_assert!(isr.iter().all(|id| !image.cluster.is_active(*id)), "{:?}", partition);
    } else {
        prop_assert!(isr.contains(&partition.leader), "{:?}", partition);
        prop_assert!(image.cluster.is_active(partition.leader), "{:?}", partition);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_image_stays_sound_and_equals_its_log(
        brokers in 1..6i32,
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut world = World { cluster: Cluster::new(0), log: Vec::new(), epochs: BTreeMap::new() };
        world.log = world.cluster.controller.activation_records(&MetadataImage::empty(), None);
        for broker in 1..=brokers {
            world.happen(Event::StartBroker { broker, clean: false });
        }
        for event in events {
            world.happen(event);
            world.check()?;
        }
        let image = world.cluster.image();
        let replayed = MetadataLoader::load_snapshot(&world.log, image.provenance).unwrap();
        prop_assert_eq!(&replayed, image);
        let version = image.features.metadata_version().unwrap();
        let snapshot = image.to_records(version).unwrap();
        prop_assert_eq!(&MetadataLoader::load_snapshot(&snapshot, image.provenance).unwrap(), image);
    }
}
