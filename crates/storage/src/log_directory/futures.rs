//! Copies of logs that are on their way into a log directory.

use std::sync::Arc;

use super::{LogDirectory, remove_from};
use crate::partition_log::PartitionLog;

impl LogDirectory {
    /// The copies that are on their way here, by topic and partition.
    pub fn futures(&self) -> Vec<Arc<PartitionLog>> {
        self.futures.read().values().flat_map(|partitions| partitions.values().cloned()).collect()
    }

    pub(crate) fn future(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        self.futures.read().get(topic)?.get(&partition).cloned()
    }

    pub(crate) fn add_future(&self, log: Arc<PartitionLog>) {
        let topic = Arc::clone(log.shared_topic());
        self.futures.write().entry(topic).or_default().insert(log.partition(), log);
    }

    pub(crate) fn remove_future(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        remove_from(&mut self.futures.write(), topic, partition)
    }

    /// The names of their directories.
    pub(crate) fn future_names(&self) -> Vec<String> {
        let name = |log: Arc<PartitionLog>| Some(log.path().file_name()?.to_str()?.to_owned());
        self.futures().into_iter().filter_map(name).collect()
    }
}
