//! What a shard knows of the cluster: topics, racks, settings of groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::{ConfigResource, ConfigResourceType, MetadataImage, TopicImage};
use protocol::Uuid;
use twox_hash::XxHash3_64;

/// The cluster's metadata has changed: what a shard is to go by from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataUpdate {
    /// The metadata as it is now.
    pub image: Arc<MetadataImage>,
    /// Names of topics that were created, changed or deleted since the last update.
    pub changed_topics: BTreeSet<String>,
    /// Whether there are topics that were not there before: regular expressions may match them.
    pub has_new_topics: bool,
}

/// The metadata a shard goes by.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) image: Arc<MetadataImage>,
    /// Grows whenever some topic changes: who has seen this number has seen all of them.
    pub(crate) topics_version: u64,
    /// Offset in the metadata log of the last image with a new topic; absent before the first image.
    pub(crate) last_new_topics_offset: Option<i64>,
    topic_hashes: BTreeMap<String, i64>,
}

impl Cluster {
    pub(crate) fn update(&mut self, update: MetadataUpdate) {
        self.image = update.image;
        if update.has_new_topics || self.last_new_topics_offset.is_none() {
            self.last_new_topics_offset = Some(self.offset());
        }
        if !update.changed_topics.is_empty() {
            self.topics_version += 1;
            for topic in &update.changed_topics {
                self.topic_hashes.remove(topic);
            }
        }
    }

    /// Where in the metadata log the image stands.
    pub(crate) fn offset(&self) -> i64 {
        self.image.provenance.last_contained_offset
    }

    pub(crate) fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.image.topics.by_name(name).map(|topic| topic.id())
    }

    pub(crate) fn topic_name(&self, id: Uuid) -> Option<&str> {
        self.image.topics.by_id(id).map(|topic| topic.name())
    }

    pub(crate) fn partition_count(&self, id: Uuid) -> Option<i32> {
        self.image.topics.by_id(id).and_then(|topic| i32::try_from(topic.partition_count()).ok())
    }

    /// The ids of those of these topics that exist.
    pub(crate) fn topic_ids<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<Uuid> {
        names.into_iter().filter_map(|name| self.topic_id(name)).collect()
    }

    /// A setting of a group; none where the group has no value of its own, or none that can be read.
    pub(crate) fn group_setting(&self, group_id: &str, key: &str) -> Option<&str> {
        let resource = ConfigResource::new(ConfigResourceType::Group, group_id);
        self.image.configs.of(&resource).get(key).map(String::as_str)
    }

    pub(crate) fn group_number<T: std::str::FromStr>(&self, group_id: &str, key: &str) -> Option<T> {
        self.group_setting(group_id, key).and_then(|text| text.trim().parse().ok())
    }

    /// One number for all that a group's assignment depends on in these topics. Zero where none of them exists.
    pub(crate) fn metadata_hash<'a>(&mut self, topics: impl IntoIterator<Item = &'a str>) -> i64 {
        let sorted: BTreeSet<&str> = topics.into_iter().collect();
        let hashes = sorted.into_iter().filter_map(|name| self.topic_hash(name));
        let bytes: Vec<u8> = hashes.flat_map(i64::to_le_bytes).collect();
        if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes).cast_signed() }
    }

    fn topic_hash(&mut self, name: &str) -> Option<i64> {
        if let Some(hash) = self.topic_hashes.get(name) {
            return Some(*hash);
        }
        let hash = topic_hash(&self.image, self.image.topics.by_name(name)?);
        self.topic_hashes.insert(name.to_owned(), hash);
        Some(hash)
    }
}

/// Kafka's hash of a topic: its id, name, partitions and the racks of their replicas, little-endian, strings as UTF-16
/// units with their number behind them.
fn topic_hash(image: &MetadataImage, topic: &TopicImage) -> i64 {
    let mut bytes = vec![0_u8];
    let id = topic.id().as_u128();
    bytes.extend_from_slice(&u64::try_from(id >> 64).unwrap_or_default().to_le_bytes());
    bytes.extend_from_slice(&u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default().to_le_bytes());
    put_string(&mut bytes, topic.name());
    bytes.extend_from_slice(&i32::try_from(topic.partition_count()).unwrap_or(i32::MAX).to_le_bytes());
    for (index, registration) in topic.partitions() {
        bytes.extend_from_slice(&index.to_le_bytes());
        let mut racks: Vec<&str> = registration
            .replicas
            .iter()
            .filter_map(|broker| image.cluster.broker(*broker).and_then(|broker| broker.rack.as_deref()))
            .collect();
        racks.sort_unstable();
        for rack in racks {
            bytes.extend_from_slice(&utf16_length(rack).to_le_bytes());
            put_string(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes).cast_signed()
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
    bytes.extend_from_slice(&utf16_length(text).to_le_bytes());
}

fn utf16_length(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from hash4j, which Kafka uses.
    #[test]
    fn hashes_are_kafkas() {
        let mut bytes = vec![0_u8];
        bytes.extend_from_slice(&1_i64.to_le_bytes());
        bytes.extend_from_slice(&2_i64.to_le_bytes());
        put_string(&mut bytes, "foo");
        bytes.extend_from_slice(&2_i32.to_le_bytes());
        bytes.extend_from_slice(&0_i32.to_le_bytes());
        bytes.extend_from_slice(&1_i32.to_le_bytes());
        assert_eq!(XxHash3_64::oneshot(&bytes).cast_signed(), -5159372484819424185);
        let mut bytes = vec![0_u8];
        bytes.extend_from_slice(&0x1234_5678_9abc_def0_i64.to_le_bytes());
        bytes.extend_from_slice(&(-2_i64).to_le_bytes());
        put_string(&mut bytes, "bar-topic");
        bytes.extend_from_slice(&200_i32.to_le_bytes());
        for partition in 0..200_i32 {
            bytes.extend_from_slice(&partition.to_le_bytes());
            for rack in ["rack0", "rack1"] {
                bytes.extend_from_slice(&5_i32.to_le_bytes());
                put_string(&mut bytes, rack);
            }
        }
        assert_eq!(XxHash3_64::oneshot(&bytes).cast_signed(), -2942621459742417681);
        let hashes = [5_i64.to_le_bytes(), 6_i64.to_le_bytes()].concat();
        assert_eq!(XxHash3_64::oneshot(&hashes).cast_signed(), 4703856340681081523);
    }
}
