//! The topics of a live run, and their partitions as keys.

use anyhow::{Context, Result, bail};
use klamm_client::TopicPartition;

use crate::history::Key;

/// Everybody writes here.
pub const INPUT: &str = "input";
/// Relays write here what they read there.
pub const OUTPUT: &str = "output";
/// Partitions of the input.
pub const INPUT_PARTITIONS: u32 = 6;
/// Partitions of the output.
pub const OUTPUT_PARTITIONS: u32 = 3;

/// The topic partition of a key.
pub fn topic_partition(key: Key) -> TopicPartition {
    match key.checked_sub(INPUT_PARTITIONS) {
        None => TopicPartition::new(INPUT, key as i32),
        Some(partition) => TopicPartition::new(OUTPUT, partition as i32),
    }
}

/// The key of a topic partition.
///
/// # Errors
/// It is no part of a run.
pub fn key(partition: &TopicPartition) -> Result<Key> {
    let index = u32::try_from(partition.partition).context("a negative partition")?;
    match &*partition.topic {
        INPUT => Ok(index),
        OUTPUT => Ok(INPUT_PARTITIONS + index),
        other => bail!("{other} is no topic of the run"),
    }
}

/// All of them.
pub fn keys() -> impl Iterator<Item = Key> {
    0..INPUT_PARTITIONS + OUTPUT_PARTITIONS
}
