//! How answers and leader hints change what is known.

use std::sync::Arc;

use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{ErrorCode, Uuid};

use super::{ClusterMetadata, PartitionMetadata, TopicMetadata};
use crate::endpoint::Endpoint;
use crate::topic_partition::TopicPartition;

impl ClusterMetadata {
    /// This state with an answer to Metadata in it. With `is_complete` topics that the answer lacks are gone.
    pub(crate) fn with_response(&self, response: MetadataResponse, is_complete: bool, now_ms: i64) -> Self {
        let mut next = Self { generation: self.generation + 1, updated_ms: now_ms, ..self.clone() };
        next.cluster_id = response.cluster_id.map(Arc::from).or(next.cluster_id);
        next.controller_id = Some(response.controller_id).filter(|id| *id >= 0);
        if !response.brokers.is_empty() {
            next.brokers = response.brokers.into_iter().filter_map(broker).collect();
        }
        if is_complete {
            next.topics.clear();
        }
        for topic in response.topics {
            self.put_topic(&mut next, topic);
        }
        next.names = next
            .topics
            .values()
            .filter(|topic| !topic.id.is_zero())
            .map(|topic| (topic.id, Arc::clone(&topic.name)))
            .collect();
        next
    }

    fn put_topic(&self, next: &mut Self, topic: MetadataResponseTopic) {
        let Some(name) = topic.name.as_deref().or_else(|| Some(self.topic_name(topic.topic_id)?.as_ref()))
        else {
            return;
        };
        let known = self.topics.get(name);
        let name = known.map_or_else(|| Arc::from(name), |known| Arc::clone(&known.name));
        let same = known.filter(|known| known.id == topic.topic_id || topic.topic_id.is_zero());
        let error = ErrorCode::from_i16(topic.error_code).unwrap_or(ErrorCode::UnknownServerError);
        let mut partitions: Vec<PartitionMetadata> = topic.partitions.into_iter().map(partition).collect();
        partitions.sort_by_key(|partition| partition.partition);
        for (index, partition) in partitions.iter_mut().enumerate() {
            // An answer may come from a broker that lags behind: what has an older epoch is older (KIP-320).
            let newer = same
                .and_then(|known| known.partitions.get(index))
                .filter(|known| known.leader_epoch > partition.leader_epoch && partition.leader_epoch >= 0);
            if let Some(newer) = newer {
                *partition = newer.clone();
            }
        }
        let topic = TopicMetadata {
            name: Arc::clone(&name),
            id: topic.topic_id,
            is_internal: topic.is_internal,
            error,
            partitions,
        };
        next.topics.insert(name, Arc::new(topic));
    }

    /// This state with a newer leader, as Produce and Fetch tell it (KIP-951); none if the hint is no news.
    pub(crate) fn with_leader(
        &self,
        topic_partition: &TopicPartition,
        leader: i32,
        leader_epoch: i32,
        endpoint: Option<Endpoint>,
    ) -> Option<Self> {
        let known = self.partition(&topic_partition.topic, topic_partition.partition)?;
        let is_reachable = endpoint.is_some() || self.brokers.contains_key(&leader);
        if leader < 0 || known.leader_epoch >= leader_epoch || !is_reachable {
            return None;
        }
        let mut next = self.clone();
        let topic = Arc::make_mut(next.topics.get_mut(&topic_partition.topic)?);
        let partition = topic.partitions.get_mut(usize::try_from(topic_partition.partition).ok()?)?;
        (partition.leader, partition.leader_epoch) = (Some(leader), leader_epoch);
        if let Some(endpoint) = endpoint {
            next.brokers.insert(leader, Arc::new(endpoint));
        }
        Some(next)
    }

    /// This state without brokers: what begins again at the bootstrap addresses. Topics stay, their leaders unreachable.
    pub(crate) fn without_brokers(&self) -> Self {
        Self { brokers: std::collections::BTreeMap::new(), controller_id: None, ..self.clone() }
    }
}

fn broker(broker: MetadataResponseBroker) -> Option<(i32, Arc<Endpoint>)> {
    let endpoint = Endpoint {
        id: broker.node_id,
        host: broker.host,
        port: u16::try_from(broker.port).ok()?,
        rack: broker.rack,
    };
    Some((endpoint.id, Arc::new(endpoint)))
}

fn partition(partition: MetadataResponsePartition) -> PartitionMetadata {
    PartitionMetadata {
        partition: partition.partition_index,
        leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        offline_replicas: partition.offline_replicas,
    }
}

impl TopicMetadata {
    /// Whether the topic can be used now: it exists and each partition's leader is known.
    pub fn is_available(&self) -> bool {
        self.error.is_none() && !self.partitions.is_empty()
    }

    /// Whether brokers gave an id.
    pub fn known_id(&self) -> Option<Uuid> {
        Some(self.id).filter(|id| !id.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(id: u128, leader_id: i32, leader_epoch: i32) -> MetadataResponse {
        let partition =
            MetadataResponsePartition { leader_id, leader_epoch, ..MetadataResponsePartition::default() };
        let topic = MetadataResponseTopic {
            name: Some("t".to_owned()),
            topic_id: Uuid::from_u128(id),
            partitions: vec![partition],
            ..MetadataResponseTopic::default()
        };
        let brokers = (1..=2).map(|node_id| MetadataResponseBroker {
            node_id,
            host: "h".to_owned(),
            port: 9092,
            ..MetadataResponseBroker::default()
        });
        MetadataResponse { brokers: brokers.collect(), topics: vec![topic], ..MetadataResponse::default() }
    }

    #[test]
    fn older_epochs_do_not_undo_newer_ones() {
        let topic_partition = TopicPartition::new("t", 0);
        let leader = |metadata: &ClusterMetadata| metadata.leader(&topic_partition).map(|(e, n)| (e.id, n));
        let first = ClusterMetadata::default().with_response(response(1, 1, 5), true, 0);
        assert_eq!(leader(&first), Some((1, 5)));
        assert_eq!(leader(&first.with_response(response(1, 2, 4), true, 1)), Some((1, 5)));
        assert_eq!(leader(&first.with_response(response(1, 2, 6), true, 1)), Some((2, 6)));
        // The topic was made anew: epochs begin again.
        assert_eq!(leader(&first.with_response(response(2, 2, 0), true, 1)), Some((2, 0)));
        assert!(first.with_leader(&topic_partition, 2, 5, None).is_none());
        assert!(first.with_leader(&topic_partition, 3, 6, None).is_none());
        assert_eq!(leader(&first.with_leader(&topic_partition, 2, 6, None).unwrap()), Some((2, 6)));
        assert_eq!(first.topic_name(Uuid::from_u128(1)).map(|name| &**name), Some("t"));
        assert!(first.without_brokers().leader(&topic_partition).is_none());
    }
}
