//! Which partition a record goes to: Java's choices, and the caller's own.

use std::fmt;
use std::sync::Arc;

use crate::backoff::Jitter;
use crate::metadata::TopicMetadata;
use crate::producer::record::ProducerRecord;

/// Chooses partitions in the caller's own way.
pub trait Partitioner: Send + Sync + fmt::Debug + 'static {
    /// A partition of the topic for a record that names none.
    fn partition(&self, record: &ProducerRecord, topic: &TopicMetadata) -> i32;
}

/// How partitions are chosen for records that name none.
#[derive(Clone, Debug)]
pub enum Partitioning {
    /// By key, as Java does; records without a key fill one partition's batch after another, the less loaded the
    /// more often (KIP-480, KIP-794).
    Default {
        /// Treat all records as if they had no key (`partitioner.ignore.keys`).
        ignore_keys: bool,
    },
    /// One partition after another, whatever the key.
    RoundRobin,
    /// The caller's own way.
    Custom(Arc<dyn Partitioner>),
}

/// The partition that Java's default partitioner chooses for a key.
///
/// # Panics
/// If `partitions` is 0.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions
}

/// MurmurHash2, 32 bits, with the seed and the signedness of Kafka's clients.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    // Keys beyond 4 GiB do not exist: a record is smaller.
    let mut hash = SEED ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut mixed = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        mixed = mixed.wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        mixed = mixed.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    for (index, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^= hash >> 15;
    hash.cast_signed()
}

/// Where the records of one topic that have no key go at present.
#[derive(Clone, Debug, Default)]
pub(crate) struct StickyPartition {
    current: Option<i32>,
    produced_bytes: usize,
    next_round_robin: i32,
}

/// What a choice may look at.
pub(crate) struct Choice<'a> {
    pub(crate) topic: &'a TopicMetadata,
    /// Batches that wait, by partition index.
    pub(crate) queue_lengths: &'a dyn Fn(i32) -> usize,
    pub(crate) is_adaptive: bool,
    pub(crate) batch_size: usize,
}

impl StickyPartition {
    /// The partition for the next record without a key, whose size in bytes counts toward the next change.
    pub(crate) fn next(&mut self, choice: &Choice<'_>, size: usize, jitter: &mut Jitter) -> i32 {
        let known = self.current.filter(|current| *current < choice.topic.partitions.len() as i32);
        let partition = match known {
            Some(current) if self.produced_bytes < choice.batch_size => current,
            _ => {
                self.produced_bytes = 0;
                choose(choice, jitter)
            }
        };
        self.current = Some(partition);
        self.produced_bytes += size;
        partition
    }

    /// The next partition in turn, of those that have a leader if there are any.
    pub(crate) fn next_in_turn(&mut self, topic: &TopicMetadata) -> i32 {
        let turn = self.next_round_robin;
        self.next_round_robin = turn.wrapping_add(1) & i32::MAX;
        let available = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        let available: Vec<i32> = available.map(|partition| partition.partition).collect();
        match available.as_slice() {
            [] => turn % (topic.partitions.len().max(1) as i32),
            some => some[turn as usize % some.len()],
        }
    }
}

/// Draws a partition: the fewer batches wait in it, the likelier.
fn choose(choice: &Choice<'_>, jitter: &mut Jitter) -> i32 {
    let with_leader = choice.topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let mut candidates: Vec<i32> = with_leader.map(|partition| partition.partition).collect();
    if candidates.is_empty() {
        candidates = choice.topic.partitions.iter().map(|partition| partition.partition).collect();
    }
    let lengths: Vec<usize> = candidates.iter().map(|partition| (choice.queue_lengths)(*partition)).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let weight = |length: usize| if choice.is_adaptive { (longest + 1 - length) as u64 } else { 1 };
    let mut drawn = jitter.below(lengths.iter().map(|length| weight(*length)).sum());
    for (partition, length) in candidates.iter().zip(&lengths) {
        match drawn.checked_sub(weight(*length)) {
            Some(rest) => drawn = rest,
            None => return *partition,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::PartitionMetadata;
    use protocol::{ErrorCode, Uuid};

    fn topic(leaders: &[Option<i32>]) -> TopicMetadata {
        let partitions = leaders.iter().zip(0..).map(|(leader, partition)| PartitionMetadata {
            partition,
            leader: *leader,
            leader_epoch: 0,
            replicas: Vec::new(),
            isr: Vec::new(),
            offline_replicas: Vec::new(),
        });
        TopicMetadata {
            name: "t".into(),
            id: Uuid::ZERO,
            is_internal: false,
            error: ErrorCode::None,
            partitions: partitions.collect(),
        }
    }

    #[test]
    fn hashes_are_those_of_kafkas_own_test() {
        // The values that Kafka's clients are tested with.
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn ten_thousand_keys_go_where_java_sends_them() {
        // The digest of partitions and hashes that kafka-clients 4.4.0 gave for these keys.
        let mut digest = 0_i64;
        let mut add = |number: i32| digest = digest.wrapping_mul(31).wrapping_add(i64::from(number));
        for index in 0..10_000 {
            let key = format!("key-{index}-{}", "x".repeat(index % 37));
            add(partition_for_key(key.as_bytes(), 97));
            add(murmur2(key.as_bytes()));
        }
        assert_eq!(digest, -6_796_577_720_033_312_985);
    }

    #[test]
    fn a_partition_is_kept_until_a_batch_is_full() {
        let topic = topic(&[Some(1), Some(1), Some(1)]);
        let choice = Choice { topic: &topic, queue_lengths: &|_| 0, is_adaptive: true, batch_size: 100 };
        let mut sticky = StickyPartition::default();
        let mut jitter = Jitter::new(1);
        let mut counts = [0; 3];
        for _ in 0..300 {
            let first = sticky.next(&choice, 50, &mut jitter);
            assert_eq!(sticky.next(&choice, 50, &mut jitter), first);
            counts[first as usize] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }

    #[test]
    fn loaded_partitions_are_drawn_less_and_those_without_leader_never() {
        let topic = topic(&[Some(1), Some(1), None]);
        let lengths = |partition| if partition == 0 { 9 } else { 0 };
        let choice = Choice { topic: &topic, queue_lengths: &lengths, is_adaptive: true, batch_size: 1 };
        let mut jitter = Jitter::new(1);
        let mut counts = [0; 3];
        for _ in 0..1100 {
            counts[choose(&choice, &mut jitter) as usize] += 1;
        }
        assert!((50..200).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
        let mut turns = StickyPartition::default();
        let seen: Vec<i32> = (0..4).map(|_| turns.next_in_turn(&topic)).collect();
        assert_eq!(seen, [0, 1, 0, 1]);
    }
}
