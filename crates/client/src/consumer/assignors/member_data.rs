//! What members tell each other through the coordinator: subscriptions and assignments, in Java's bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::embedded::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as Assigned,
};
use protocol::embedded::consumer_protocol_subscription::{
    ConsumerProtocolSubscription, TopicPartition as Owned,
};
use protocol::{DecodeError, EncodeError, Message, Reader, Writer};

use super::AssignorName;
use crate::topic_partition::TopicPartition;

/// The versions written; older ones are read too.
const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 3;

/// What a member says of itself when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberData {
    pub(crate) topics: Vec<String>,
    pub(crate) owned: Vec<TopicPartition>,
    /// -1 where it has not been in the group yet.
    pub(crate) generation: i32,
    pub(crate) rack: Option<String>,
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for named in partitions {
        topics.entry(named.topic.to_string()).or_default().push(named.partition);
    }
    topics
}

fn flattened(topics: impl Iterator<Item = (String, Vec<i32>)>) -> Vec<TopicPartition> {
    let partitions = topics.flat_map(|(topic, partitions)| {
        let topic: std::sync::Arc<str> = topic.into();
        partitions.into_iter().map(move |partition| TopicPartition { topic: topic.clone(), partition })
    });
    partitions.collect()
}

fn with_version<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes()?.unwrap_or_default())
}

/// Versions beyond those known are read as the last known one, as in Java.
fn known_version<M: Message>(reader: &mut Reader) -> Result<i16, DecodeError> {
    Ok(reader.i16()?.min(*M::VERSIONS.end()))
}

/// A subscription as an assignor of this name writes it.
pub(crate) fn encode_subscription(data: &MemberData, assignor: AssignorName) -> Result<Bytes, EncodeError> {
    let mut topics = data.topics.clone();
    topics.sort();
    let message = ConsumerProtocolSubscription {
        topics,
        user_data: user_data(data, assignor)?,
        owned_partitions: by_topic(&data.owned)
            .into_iter()
            .map(|(topic, partitions)| Owned { topic, partitions })
            .collect(),
        generation_id: data.generation,
        rack_id: data.rack.clone().filter(|rack| !rack.is_empty()),
    };
    with_version(&message, SUBSCRIPTION_VERSION)
}

/// The sticky assignor keeps its previous assignment there, the cooperative one only the generation.
fn user_data(data: &MemberData, assignor: AssignorName) -> Result<Option<Bytes>, EncodeError> {
    let mut writer = Writer::new();
    match assignor {
        AssignorName::Range | AssignorName::RoundRobin => return Ok(None),
        AssignorName::Sticky => {
            if data.owned.is_empty() {
                return Ok(None);
            }
            let topics = by_topic(&data.owned);
            writer.i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
            for (topic, partitions) in &topics {
                writer.string(topic, false)?;
                writer.i32(i32::try_from(partitions.len()).unwrap_or(i32::MAX));
                partitions.iter().for_each(|partition| writer.i32(*partition));
            }
            writer.i32(data.generation);
        }
        AssignorName::CooperativeSticky => writer.i32(data.generation),
    }
    writer.into_bytes()
}

impl MemberData {
    /// Reads another member's subscription for the assignor that was chosen.
    pub(crate) fn decode(bytes: Bytes, assignor: AssignorName) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = known_version::<ConsumerProtocolSubscription>(&mut reader)?;
        let message = ConsumerProtocolSubscription::decode(&mut reader, version)?;
        let owned = message.owned_partitions.into_iter().map(|owned| (owned.topic, owned.partitions));
        let mut data = Self {
            topics: message.topics,
            owned: flattened(owned),
            generation: message.generation_id,
            rack: message.rack_id,
        };
        if let Some(user_data) = message.user_data {
            data.read_user_data(user_data, assignor)?;
        }
        Ok(data)
    }

    fn read_user_data(&mut self, user_data: Bytes, assignor: AssignorName) -> Result<(), DecodeError> {
        let mut reader = Reader::new(user_data);
        match assignor {
            AssignorName::Range | AssignorName::RoundRobin => {}
            AssignorName::CooperativeSticky => self.generation = self.generation.max(reader.i32()?),
            AssignorName::Sticky => {
                let mut owned = Vec::new();
                for _ in 0..reader.i32()? {
                    let topic = reader.string(false)?;
                    for _ in 0..reader.i32()? {
                        owned.push(TopicPartition::new(topic.as_str(), reader.i32()?));
                    }
                }
                self.owned = owned;
                // Older members do not say their generation.
                self.generation = if reader.remaining() >= 4 { reader.i32()? } else { -1 };
            }
        }
        Ok(())
    }
}

/// One member's partitions.
pub(crate) fn encode_assignment(partitions: &[TopicPartition]) -> Result<Bytes, EncodeError> {
    let assigned = by_topic(partitions).into_iter();
    let message = ConsumerProtocolAssignment {
        assigned_partitions: assigned.map(|(topic, partitions)| Assigned { topic, partitions }).collect(),
        user_data: None,
    };
    with_version(&message, ASSIGNMENT_VERSION)
}

/// One member's partitions; none where the coordinator gave nothing.
pub(crate) fn decode_assignment(bytes: Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let version = known_version::<ConsumerProtocolAssignment>(&mut reader)?;
    let message = ConsumerProtocolAssignment::decode(&mut reader, version)?;
    Ok(flattened(message.assigned_partitions.into_iter().map(|one| (one.topic, one.partitions))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let owned =
            vec![TopicPartition::new("a", 1), TopicPartition::new("b", 0), TopicPartition::new("b", 2)];
        let data = MemberData {
            topics: vec!["a".to_owned(), "b".to_owned()],
            owned: owned.clone(),
            generation: 7,
            rack: Some("r".to_owned()),
        };
        for assignor in AssignorName::ALL {
            let bytes = encode_subscription(&data, assignor).unwrap();
            assert_eq!(MemberData::decode(bytes.clone(), assignor).unwrap(), data, "{assignor:?}");
            for end in 0..bytes.len() {
                // Cut bytes are refused, never a panic.
                let _ = MemberData::decode(bytes.slice(..end), assignor);
            }
        }
        assert_eq!(decode_assignment(encode_assignment(&owned).unwrap()).unwrap(), owned);
        assert_eq!(decode_assignment(Bytes::new()).unwrap(), []);
    }

    #[test]
    fn the_bytes_are_javas() {
        let data = MemberData { topics: vec!["t".to_owned()], generation: -1, ..MemberData::default() };
        let bytes = encode_subscription(&data, AssignorName::CooperativeSticky).unwrap();
        let expected: &[u8] = &[
            0, 3, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff,
        ];
        assert_eq!(bytes, expected);
    }
}
