//! A cluster's metadata for shards on the bench.

use std::collections::BTreeSet;
use std::sync::Arc;

use groups::{Event, MetadataUpdate};
use metadata::{MetadataDelta, MetadataImage, Provenance};
use protocol::Uuid;
use protocol::metadata_records::{ConfigRecord, MetadataRecord, PartitionRecord, TopicRecord};

#[derive(Default)]
pub struct Cluster {
    image: Arc<MetadataImage>,
    offset: i64,
}

pub fn topic_id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

impl Cluster {
    fn replay(&mut self, records: &[MetadataRecord]) {
        let mut delta = MetadataDelta::new(&self.image);
        records.iter().for_each(|record| delta.replay(record).expect("a valid record"));
        self.offset += 1;
        let provenance = Provenance { last_contained_offset: self.offset, ..Provenance::EMPTY };
        self.image = Arc::new(delta.apply(provenance));
    }

    /// A topic with its first partitions, or more partitions of one that is there.
    pub fn topic(&mut self, name: &str, number: u128, partitions: std::ops::Range<i32>) -> Event {
        let is_new = partitions.start == 0;
        let partition = |partition_id| {
            MetadataRecord::Partition(PartitionRecord {
                partition_id,
                topic_id: topic_id(number),
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                directories: vec![Uuid::from_u128(9)],
                ..PartitionRecord::default()
            })
        };
        let topic = MetadataRecord::Topic(TopicRecord {
            name: name.to_owned(),
            topic_id: topic_id(number),
            ..TopicRecord::default()
        });
        let topic = is_new.then_some(topic);
        let records: Vec<MetadataRecord> = topic.into_iter().chain(partitions.map(partition)).collect();
        self.replay(&records);
        self.update(&[name], is_new)
    }

    /// A group's own value of a setting.
    pub fn group_config(&mut self, group_id: &str, name: &str, value: &str) -> Event {
        self.replay(&[MetadataRecord::Config(ConfigRecord {
            resource_type: 32,
            resource_name: group_id.to_owned(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..ConfigRecord::default()
        })]);
        self.update(&[], false)
    }

    /// All there is, for a shard that knows nothing yet.
    pub fn everything(&self) -> Event {
        self.update(&[], true)
    }

    fn update(&self, changed: &[&str], has_new_topics: bool) -> Event {
        let changed_topics: BTreeSet<String> = changed.iter().map(|name| (*name).to_owned()).collect();
        Event::MetadataChanged(MetadataUpdate { image: self.image.clone(), changed_topics, has_new_topics })
    }
}
