//! One session: its partitions, in the order in which they are read.

use std::collections::{BTreeMap, HashMap};

use super::{FetchAnswer, FetchParameters, FetchPartition};

/// A partition of a session: what was asked, what was last answered.
#[derive(Clone, Copy, Debug)]
struct CachedPartition {
    place: u64,
    parameters: FetchParameters,
    high_watermark: i64,
    log_start_offset: i64,
}

/// A fetcher's session.
#[derive(Debug)]
pub(super) struct Session {
    /// Epoch the next request must carry.
    pub(super) epoch: i32,
    pub(super) uses_topic_ids: bool,
    pub(super) is_privileged: bool,
    pub(super) created_ms: i64,
    partitions: HashMap<FetchPartition, CachedPartition>,
    order: BTreeMap<u64, FetchPartition>,
    next_place: u64,
}

impl Session {
    pub(super) fn new(epoch: i32, uses_topic_ids: bool, is_privileged: bool, created_ms: i64) -> Self {
        Self {
            epoch,
            uses_topic_ids,
            is_privileged,
            created_ms,
            partitions: HashMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Begins with what a full fetch asked for and was answered.
    pub(super) fn fill(
        &mut self,
        requested: &[(FetchPartition, FetchParameters)],
        answers: &[(FetchPartition, FetchAnswer)],
    ) {
        let requested: HashMap<_, _> =
            requested.iter().map(|(partition, asked)| (partition, asked)).collect();
        for (partition, answer) in answers {
            if let Some(parameters) = requested.get(partition) {
                self.add(partition.clone(), **parameters, answer.high_watermark, answer.log_start_offset);
            }
        }
    }

    /// Takes over what a request adds, changes and forgets.
    pub(super) fn update(
        &mut self,
        requested: &[(FetchPartition, FetchParameters)],
        forgotten: &[FetchPartition],
    ) {
        for (partition, parameters) in requested {
            match self.partitions.get_mut(partition) {
                Some(cached) => cached.parameters = *parameters,
                None => self.add(partition.clone(), *parameters, -1, -1),
            }
        }
        for partition in forgotten {
            if let Some(cached) = self.partitions.remove(partition) {
                self.order.remove(&cached.place);
            }
        }
    }

    /// All partitions in order, with what was last asked of them.
    pub(super) fn requested(&self) -> Vec<(FetchPartition, FetchParameters)> {
        self.order
            .values()
            .filter_map(|partition| Some((partition.clone(), self.partitions.get(partition)?.parameters)))
            .collect()
    }

    /// Notes an answer; whether it must be mentioned. A partition that gave records goes to the end of the order, so
    /// that the others get their turn.
    pub(super) fn answer(&mut self, partition: &FetchPartition, answer: FetchAnswer) -> bool {
        let Some(cached) = self.partitions.get_mut(partition) else { return false };
        let is_changed = cached.high_watermark != answer.high_watermark
            || cached.log_start_offset != answer.log_start_offset;
        // An error is told again as long as it lasts, and the recovery after it too.
        cached.high_watermark = if answer.is_error { -1 } else { answer.high_watermark };
        cached.log_start_offset = answer.log_start_offset;
        if answer.records_bytes > 0
            && let Some(moved) = self.order.remove(&cached.place)
        {
            cached.place = self.next_place;
            self.order.insert(cached.place, moved);
            self.next_place += 1;
        }
        is_changed
            || answer.records_bytes > 0
            || answer.has_preferred_read_replica
            || answer.has_diverging_epoch
            || answer.is_error
    }

    fn add(
        &mut self,
        partition: FetchPartition,
        parameters: FetchParameters,
        high_watermark: i64,
        log_start_offset: i64,
    ) {
        let place = self.next_place;
        self.next_place += 1;
        let cached = CachedPartition { place, parameters, high_watermark, log_start_offset };
        if let Some(before) = self.partitions.insert(partition.clone(), cached) {
            self.order.remove(&before.place);
        }
        self.order.insert(place, partition);
    }
}
