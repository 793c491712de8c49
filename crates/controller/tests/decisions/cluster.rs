//! A cluster without a network: an image that every decision's records are replayed into.

use config::{BrokerConfig, Properties};
use controller::{
    ApiError, BrokerHeartbeats, Controller, ControllerResult, ControllerSettings, Randomness, TopicAccess,
    features,
};
use metadata::{MetadataBatch, MetadataImage, MetadataLoader, PartitionRegistration};
use protocol::Uuid;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::create_topics_response::CreatableTopicResult;
use protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, CreateTopicsRequest,
    broker_registration_request,
};
use protocol::metadata_records::MetadataRecord;

pub const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";
/// The latest BrokerRegistration version, the first that says how the broker stopped.
const REGISTRATION_VERSION: i16 = 4;

pub struct Cluster {
    pub controller: Controller,
    pub loader: MetadataLoader,
    pub heartbeats: BrokerHeartbeats,
    pub randomness: Randomness,
    pub next_offset: i64,
    pub now_ms: i64,
    incarnations: u128,
}

pub fn broker_config(settings: &[(&str, &str)]) -> BrokerConfig {
    let mut properties: Properties = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    properties.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    BrokerConfig::from_properties(&properties).unwrap()
}

pub fn directory(broker_id: i32) -> Uuid {
    Uuid::from_u128((u128::try_from(broker_id).unwrap() + 1) << 70)
}

impl Cluster {
    /// Bootstrapped, with `broker_count` brokers 1, 2, … that are registered and unfenced.
    pub fn new(broker_count: i32) -> Self {
        Self::with_settings(broker_count, &[])
    }

    pub fn with_settings(broker_count: i32, settings: &[(&str, &str)]) -> Self {
        let settings = ControllerSettings {
            node_id: 1,
            cluster_id: CLUSTER_ID.to_owned(),
            quorum_node_ids: vec![1],
            supported_features: features::SUPPORTED,
            config: broker_config(settings),
        };
        let mut cluster = Self {
            controller: Controller::new(settings),
            loader: MetadataLoader::new(MetadataImage::empty()),
            heartbeats: BrokerHeartbeats::new(&MetadataImage::empty(), 9000, Some(1), 0),
            randomness: Randomness::new(11),
            next_offset: 0,
            now_ms: 1_000_000,
            incarnations: 0,
        };
        let bootstrap = cluster.controller.activation_records(cluster.image(), None);
        cluster.append(bootstrap);
        for broker_id in 1..=broker_count {
            cluster.start_broker(broker_id, -1);
        }
        cluster
    }

    pub fn image(&self) -> &MetadataImage {
        self.loader.image()
    }

    pub fn append(&mut self, records: Vec<MetadataRecord>) {
        let batch = MetadataBatch {
            base_offset: self.next_offset,
            epoch: 1,
            append_timestamp_ms: self.now_ms,
            records: &records,
        };
        self.loader.replay(batch).expect("the controller's own records fit the image");
        self.next_offset += i64::try_from(records.len()).unwrap();
    }

    pub fn commit<R>(&mut self, result: ControllerResult<R>) -> R {
        self.append(result.records);
        result.response
    }

    pub fn registration(&mut self, broker_id: i32, previous_broker_epoch: i64) -> BrokerRegistrationRequest {
        self.incarnations += 1;
        let features = self.controller.supported_features();
        BrokerRegistrationRequest {
            broker_id,
            cluster_id: CLUSTER_ID.to_owned(),
            incarnation_id: Uuid::from_u128((1 << 100) + self.incarnations),
            features: features
                .into_iter()
                .map(|(name, range)| broker_registration_request::Feature {
                    name: name.to_owned(),
                    min_supported_version: range.min,
                    max_supported_version: range.max,
                    ..Default::default()
                })
                .collect(),
            rack: None,
            log_dirs: vec![directory(broker_id)],
            previous_broker_epoch,
            ..Default::default()
        }
    }

    /// Registers and returns the broker epoch.
    pub fn register(&mut self, request: &BrokerRegistrationRequest) -> Result<i64, ApiError> {
        let image = self.loader.image().clone();
        let result = self.controller.register_broker(
            &image,
            &mut self.heartbeats,
            request,
            REGISTRATION_VERSION,
            (self.next_offset, 0),
            self.now_ms,
        )?;
        Ok(self.commit(result).broker_epoch)
    }

    pub fn heartbeat_request(&self, broker_id: i32) -> BrokerHeartbeatRequest {
        BrokerHeartbeatRequest {
            broker_id,
            broker_epoch: self.image().cluster.broker(broker_id).map_or(-1, |broker| broker.epoch),
            current_metadata_offset: self.next_offset - 1,
            ..Default::default()
        }
    }

    pub fn heartbeat(
        &mut self,
        request: &BrokerHeartbeatRequest,
    ) -> Result<BrokerHeartbeatResponse, ApiError> {
        let image = self.loader.image().clone();
        let result = self.controller.broker_heartbeat(&image, &mut self.heartbeats, request, self.now_ms)?;
        Ok(self.commit(result))
    }

    /// Registers a new incarnation and lets it serve. The last one stopped cleanly if it says its epoch.
    pub fn start_broker(&mut self, broker_id: i32, previous_broker_epoch: i64) {
        let request = self.registration(broker_id, previous_broker_epoch);
        self.register(&request).unwrap();
        let heartbeat = self.heartbeat_request(broker_id);
        assert!(!self.heartbeat(&heartbeat).unwrap().is_fenced);
    }

    /// Time goes by until the broker's session has ended; the others report.
    pub fn expire_broker(&mut self, broker_id: i32) {
        self.now_ms += 9001;
        let alive = |id: &i32| *id != broker_id && self.image().cluster.is_active(*id);
        let others: Vec<i32> = self.image().cluster.brokers().keys().copied().filter(alive).collect();
        for other in others {
            let heartbeat = self.heartbeat_request(other);
            self.heartbeat(&heartbeat).unwrap();
        }
        let image = self.loader.image().clone();
        let mut fenced = Vec::new();
        while let Some(result) = self.controller.fence_stale_broker(&image, &mut self.heartbeats, self.now_ms)
        {
            fenced.push(self.commit(result));
        }
        assert_eq!(fenced, [broker_id]);
    }

    /// Asks to stop until it may.
    pub fn shut_down_broker(&mut self, broker_id: i32) {
        for _ in 0..5 {
            let others: Vec<i32> = self.image().cluster.brokers().keys().copied().collect();
            for other in others.into_iter().filter(|id| *id != broker_id) {
                let heartbeat = self.heartbeat_request(other);
                self.heartbeat(&heartbeat).unwrap();
            }
            let mut request = self.heartbeat_request(broker_id);
            request.want_shut_down = true;
            if self.heartbeat(&request).unwrap().should_shut_down {
                return;
            }
        }
        panic!("broker {broker_id} was never allowed to stop");
    }

    pub fn create(&mut self, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
        let request = CreateTopicsRequest { topics, ..Default::default() };
        let image = self.loader.image().clone();
        let result = self.controller.create_topics(&image, &request, TopicAccess::ALL, &mut self.randomness);
        self.commit(result).topics
    }

    /// Creates a topic by a manual assignment and expects it to be there.
    pub fn topic(&mut self, name: &str, assignments: &[&[i32]]) {
        let results = self.create(vec![assigned(name, assignments)]);
        assert_eq!((results.len(), results[0].error_code), (1, 0), "{:?}", results[0].error_message);
    }

    pub fn set_topic_config(&mut self, name: &str, key: &str, value: &str) {
        self.append(vec![MetadataRecord::Config(protocol::metadata_records::ConfigRecord {
            resource_type: 2,
            resource_name: name.to_owned(),
            name: key.to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        })]);
    }

    pub fn partition(&self, topic: &str, partition: i32) -> PartitionRegistration {
        let topic = self.image().topics.by_name(topic).expect("the topic exists");
        topic.partition(partition).expect("the partition exists").as_ref().clone()
    }
}

pub fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions, replication_factor, ..Default::default() }
}

pub fn with_configs(mut topic: CreatableTopic, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    topic.configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
            ..Default::default()
        })
        .collect();
    topic
}

/// A topic whose partitions, counted from 0, have these replicas.
pub fn assigned(name: &str, assignments: &[&[i32]]) -> CreatableTopic {
    let mut topic = topic(name, -1, -1);
    topic.assignments = (0..)
        .zip(assignments)
        .map(|(partition_index, replicas)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: replicas.to_vec(),
            ..Default::default()
        })
        .collect();
    topic
}
