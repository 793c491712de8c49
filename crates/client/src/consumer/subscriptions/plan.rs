//! What has to be asked of brokers next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Uuid;

use super::{Assigned, Phase, Subscriptions};
use crate::consumer::config::OffsetReset;
use crate::metadata::ClusterMetadata;
use crate::topic_partition::TopicPartition;

/// A partition to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) topic_partition: TopicPartition,
    pub(crate) topic_id: Uuid,
    pub(crate) stamp: u64,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

/// A position to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lookup<T> {
    pub(crate) topic_partition: TopicPartition,
    pub(crate) stamp: u64,
    pub(crate) what: T,
}

/// What is to be asked now.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Committed offsets to look up.
    pub(crate) committed: Vec<Lookup<()>>,
    /// Positions to find, by leader.
    pub(crate) resets: BTreeMap<i32, Vec<Lookup<OffsetReset>>>,
    /// Positions to compare with the log: offset and epoch, by leader.
    pub(crate) validations: BTreeMap<i32, Vec<Lookup<(i64, i32)>>>,
    /// Fetches by broker.
    pub(crate) fetches: BTreeMap<i32, Vec<Want>>,
    /// Topics whose leaders are not known.
    pub(crate) leaderless: BTreeSet<Arc<str>>,
    /// When something is due without another event, ms.
    pub(crate) next_ms: Option<i64>,
}

impl Subscriptions {
    /// What is to be asked now. Brokers in `fetching` have a fetch on its way. A partition that holds `buffer_bytes`
    /// or more is not fetched.
    pub(crate) fn plan(
        &mut self,
        now_ms: i64,
        metadata: &ClusterMetadata,
        fetching: &BTreeSet<i32>,
        buffer_bytes: usize,
    ) -> Plan {
        let mut plan = Plan::default();
        for (named, assigned) in &mut self.partitions {
            if assigned.is_revoking || assigned.is_looked_up || assigned.failure.is_some() {
                continue;
            }
            if assigned.retry_at_ms > now_ms {
                plan.next_ms =
                    Some(plan.next_ms.map_or(assigned.retry_at_ms, |at| at.min(assigned.retry_at_ms)));
                continue;
            }
            let lookup = |()| Lookup { topic_partition: named.clone(), stamp: assigned.stamp, what: () };
            if assigned.phase == Phase::NeedsCommitted {
                plan.committed.push(lookup(()));
                assigned.is_looked_up = true;
                continue;
            }
            let Some((leader, leader_epoch)) = metadata.leader(named) else {
                plan.leaderless.insert(Arc::clone(&named.topic));
                continue;
            };
            let leader = leader.id;
            assigned.follow_leader(leader_epoch);
            match assigned.phase {
                Phase::NeedsReset(reset) => {
                    assigned.is_looked_up = true;
                    let what = Lookup { topic_partition: named.clone(), stamp: assigned.stamp, what: reset };
                    plan.resets.entry(leader).or_default().push(what);
                }
                Phase::NeedsValidation => match assigned.fetch_epoch {
                    Some(epoch) => {
                        assigned.is_looked_up = true;
                        let what = (assigned.fetch_offset, epoch);
                        let lookup = Lookup { topic_partition: named.clone(), stamp: assigned.stamp, what };
                        plan.validations.entry(leader).or_default().push(lookup);
                    }
                    None => (assigned.phase, assigned.validated_epoch) = (Phase::Ready, leader_epoch),
                },
                Phase::Ready | Phase::NeedsCommitted => {}
            }
            if assigned.phase != Phase::Ready || assigned.is_paused || assigned.buffered_bytes >= buffer_bytes
            {
                continue;
            }
            let preferred = assigned
                .preferred_replica
                .filter(|(id, until_ms)| *until_ms > now_ms && metadata.broker(*id).is_some());
            let broker = preferred.map_or(leader, |(id, _)| id);
            if fetching.contains(&broker) {
                continue;
            }
            let topic_id = metadata.topic(&named.topic).and_then(|topic| topic.known_id());
            plan.fetches.entry(broker).or_default().push(Want {
                topic_partition: named.clone(),
                topic_id: topic_id.unwrap_or(Uuid::ZERO),
                stamp: assigned.stamp,
                offset: assigned.fetch_offset,
                leader_epoch,
            });
        }
        plan
    }
}

impl Assigned {
    /// Under a newer leader the position is to be compared first: what was read may have been cut off there.
    fn follow_leader(&mut self, leader_epoch: i32) {
        if self.phase != Phase::Ready || leader_epoch <= self.validated_epoch {
            return;
        }
        match self.fetch_epoch {
            Some(epoch) if epoch < leader_epoch && self.validated_epoch >= 0 => {
                self.phase = Phase::NeedsValidation
            }
            _ => self.validated_epoch = leader_epoch,
        }
    }
}
