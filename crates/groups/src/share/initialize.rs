//! Setting the state of partitions up with the share coordinator before members are assigned them.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::{
    InitializeShareState, Partitions, ShareGroup, ShareTopicPartitions, StartOffset, TopicState, record,
};
use crate::cluster::Cluster;
use crate::effects::Action;
use crate::group::Step;

/// No state yet: `share.auto.offset.reset` says where the group begins.
const UNINITIALIZED_START_OFFSET: i64 = -1;

impl ShareGroup {
    /// Whether states are being set up, and not for too long.
    pub(super) fn is_initializing_now(&self, step: &Step<'_>) -> bool {
        let retry_ms = step.config.share.initialize_retry_interval_ms;
        self.initializing.values().any(|state| step.now_ms.saturating_sub(state.since_ms) < retry_ms)
    }

    /// Asks for states of partitions that members read and that have none.
    pub(super) fn maybe_initialize(&mut self, step: &mut Step<'_>) {
        let missing = self.uninitialized(step);
        if missing.is_empty() {
            return;
        }
        let starts = missing.iter().flat_map(|(topic_id, state)| {
            state.partitions.iter().map(|partition| StartOffset {
                topic_id: *topic_id,
                partition: *partition,
                start_offset: UNINITIALIZED_START_OFFSET,
            })
        });
        let initialize = InitializeShareState {
            group_id: self.group_id.to_string(),
            state_epoch: self.group_epoch,
            partitions: starts.collect(),
        };
        self.begin_initializing(step, missing);
        step.effects.actions.push(Action::InitializeShareState(initialize));
    }

    fn uninitialized(&self, step: &Step<'_>) -> BTreeMap<Uuid, TopicState> {
        let retry_ms = step.config.share.initialize_retry_interval_ms;
        let mut missing = BTreeMap::new();
        for name in self.subscribed_topics.keys() {
            let Some(topic_id) = step.cluster.topic_id(name) else { continue };
            let mut partitions: BTreeSet<i32> =
                (0..step.cluster.partition_count(topic_id).unwrap_or(0)).collect();
            let begun = self.initializing.get(&topic_id);
            let begun = begun.filter(|state| step.now_ms.saturating_sub(state.since_ms) < retry_ms);
            for state in self.initialized.get(&topic_id).into_iter().chain(begun) {
                partitions.retain(|partition| !state.partitions.contains(partition));
            }
            if !partitions.is_empty() {
                missing
                    .insert(topic_id, TopicState { name: name.clone(), partitions, since_ms: step.now_ms });
            }
        }
        missing
    }

    /// Writes down that states are being set up; if they were to be deleted, that is off.
    pub(super) fn begin_initializing(&mut self, step: &mut Step<'_>, topics: BTreeMap<Uuid, TopicState>) {
        let mut initializing = self.initializing.clone();
        let mut deleting = self.deleting.clone();
        for (topic_id, state) in topics {
            deleting.remove(&topic_id);
            add(&mut initializing, topic_id, state);
        }
        let initialized = self.initialized.clone();
        self.write_states(step, &initializing, &initialized, &deleting);
        // What is tried again is as young as what is new.
        self.initializing.values_mut().for_each(|state| state.since_ms = step.now_ms);
    }

    /// The share coordinator has set states up, or could not.
    pub(crate) fn state_initialized(
        &mut self,
        step: &mut Step<'_>,
        topics: &[ShareTopicPartitions],
        is_done: bool,
    ) {
        let mut initializing = self.initializing.clone();
        let mut initialized = self.initialized.clone();
        for topic in topics {
            let name = match initializing.get(&topic.topic_id) {
                Some(state) => state.name.clone(),
                None => step.cluster.topic_name(topic.topic_id).unwrap_or("<UNKNOWN>").to_owned(),
            };
            if let Some(state) = initializing.get_mut(&topic.topic_id) {
                state.partitions.retain(|partition| !topic.partitions.contains(partition));
            }
            if is_done {
                let partitions = topic.partitions.iter().copied().collect();
                add(&mut initialized, topic.topic_id, TopicState { name, partitions, since_ms: step.now_ms });
            }
        }
        initializing.retain(|_, state| !state.partitions.is_empty());
        if initializing != self.initializing || initialized != self.initialized {
            let deleting = self.deleting.clone();
            self.write_states(step, &initializing, &initialized, &deleting);
        }
    }

    pub(super) fn write_states(
        &mut self,
        step: &mut Step<'_>,
        initializing: &BTreeMap<Uuid, TopicState>,
        initialized: &BTreeMap<Uuid, TopicState>,
        deleting: &BTreeMap<Uuid, String>,
    ) {
        let record = record::state_partition_metadata(&self.group_id, initializing, initialized, deleting);
        self.write(step, record);
    }

    /// Forgets the states of topics that are gone; the share coordinator does so by itself.
    pub(crate) fn topics_deleted(&mut self, step: &mut Step<'_>, is_deleted: impl Fn(&Uuid) -> bool) {
        let (mut initializing, mut initialized) = (self.initializing.clone(), self.initialized.clone());
        let mut deleting = self.deleting.clone();
        initializing.retain(|topic_id, _| !is_deleted(topic_id));
        initialized.retain(|topic_id, _| !is_deleted(topic_id));
        deleting.retain(|topic_id, _| !is_deleted(topic_id));
        if initializing != self.initializing || initialized != self.initialized || deleting != self.deleting {
            self.write_states(step, &initializing, &initialized, &deleting);
        }
    }

    /// Partitions with a state.
    pub(crate) fn initialized_partitions(&self) -> Vec<ShareTopicPartitions> {
        let topics = self.initialized.iter().map(|(topic_id, state)| ShareTopicPartitions {
            topic_id: *topic_id,
            partitions: state.partitions.iter().copied().collect(),
        });
        topics.collect()
    }

    /// All partitions of topics whose states are to be deleted, as far as the topics exist.
    pub(super) fn deleting_partitions(&self, cluster: &Cluster) -> Partitions {
        let count = |topic_id: &Uuid| cluster.partition_count(*topic_id).unwrap_or(0);
        self.deleting.keys().map(|topic_id| (*topic_id, (0..count(topic_id)).collect())).collect()
    }
}

fn add(topics: &mut BTreeMap<Uuid, TopicState>, topic_id: Uuid, state: TopicState) {
    match topics.get_mut(&topic_id) {
        Some(existing) => existing.partitions.extend(state.partitions),
        None => {
            topics.insert(topic_id, state);
        }
    }
}
