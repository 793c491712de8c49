//! What the leader of a partition knows of its replicas: high watermark, minimum ISR, who joins and leaves the ISR.
//!
//! Rules of Kafka's `Partition` and `Replica`. One differs on purpose: of the leader's own log only what is durable
//! counts for the high watermark, so that no consumer sees what a power cut can take back.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;

use crate::isr::{IsrChange, IsrState};

/// A partition's leadership as the metadata log gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// This broker.
    pub local_broker_id: i32,
    /// Epoch of this leadership.
    pub leader_epoch: i32,
    /// All assigned replicas, this broker included.
    pub replicas: Vec<i32>,
    /// The in-sync replicas.
    pub isr: Vec<i32>,
    /// Version of the partition's registration, for conditional changes of the ISR.
    pub partition_epoch: i32,
}

/// The local log when leadership begins or is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalLog {
    /// End of the log.
    pub log_end_offset: i64,
    /// End of what has been synced.
    pub durable_end_offset: i64,
    /// High watermark known so far.
    pub high_watermark: i64,
}

/// A follower's fetch, as the leader takes note of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetch {
    /// The follower.
    pub replica_id: i32,
    /// Where it fetched: everything below is durable there.
    pub fetch_offset: i64,
    /// Where its log begins.
    pub log_start_offset: i64,
    /// Its broker epoch, -1 if it sent none.
    pub broker_epoch: i64,
}

/// What an event changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The high watermark, if it rose.
    pub high_watermark: Option<i64>,
    /// A change of the ISR to propose to the controller.
    pub isr_change: Option<IsrChange>,
}

/// How far an append with acks=all has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicated {
    /// Not every in-sync replica has it.
    NotYet,
    /// Acknowledge it.
    Yes,
    /// It is as replicated as it gets, but the ISR has shrunk below the minimum meanwhile.
    NotEnoughReplicas,
}

/// One follower as the leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerState {
    /// Where it last fetched, or -1.
    pub log_end_offset: i64,
    /// Where its log begins, or -1.
    pub log_start_offset: i64,
    /// The latest time at which it had all the leader had then, ms.
    pub last_caught_up_ms: i64,
    /// Broker epoch of its last fetch.
    pub broker_epoch: Option<i64>,
    last_fetch_ms: i64,
    leader_end_offset_at_last_fetch: i64,
}

impl FollowerState {
    fn new(is_in_sync: bool, now_ms: i64) -> Self {
        Self {
            log_end_offset: -1,
            log_start_offset: -1,
            // A follower outside of the ISR must not hold the high watermark back, so it counts as never caught up.
            last_caught_up_ms: if is_in_sync { now_ms } else { 0 },
            broker_epoch: None,
            last_fetch_ms: 0,
            leader_end_offset_at_last_fetch: -1,
        }
    }

    fn is_caught_up(&self, leader_end_offset: i64, now_ms: i64, lag_max_ms: i64) -> bool {
        leader_end_offset == self.log_end_offset
            || now_ms.saturating_sub(self.last_caught_up_ms) <= lag_max_ms
    }

    fn fetched(&mut self, fetch: FollowerFetch, leader_end_offset: i64, now_ms: i64) {
        if fetch.fetch_offset >= leader_end_offset {
            self.last_caught_up_ms = self.last_caught_up_ms.max(now_ms);
        } else if fetch.fetch_offset >= self.leader_end_offset_at_last_fetch {
            self.last_caught_up_ms = self.last_caught_up_ms.max(self.last_fetch_ms);
        }
        self.log_start_offset = fetch.log_start_offset;
        self.log_end_offset = fetch.fetch_offset;
        self.leader_end_offset_at_last_fetch = self.leader_end_offset_at_last_fetch.max(leader_end_offset);
        self.last_fetch_ms = now_ms;
        self.broker_epoch = Some(fetch.broker_epoch);
    }
}

/// The leader's view of one partition.
#[derive(Clone, Debug)]
pub struct Leader {
    local_broker_id: i32,
    leader_epoch: i32,
    epoch_start_offset: i64,
    followers: BTreeMap<i32, FollowerState>,
    isr: IsrState,
    log: LocalLog,
    min_insync_replicas: usize,
    lag_max_ms: i64,
}

impl Leader {
    /// Takes office. `min_insync_replicas` is the topic's, `lag_max_ms` is `replica.lag.time.max.ms`.
    pub fn new(
        leadership: Leadership,
        log: LocalLog,
        min_insync_replicas: usize,
        lag_max_ms: i64,
        now_ms: i64,
    ) -> Self {
        let isr: BTreeSet<i32> = leadership.isr.into_iter().collect();
        let followers = leadership
            .replicas
            .into_iter()
            .filter(|id| *id != leadership.local_broker_id)
            .map(|id| (id, FollowerState::new(isr.contains(&id), now_ms)))
            .collect();
        Self {
            local_broker_id: leadership.local_broker_id,
            leader_epoch: leadership.leader_epoch,
            epoch_start_offset: log.log_end_offset,
            followers,
            isr: IsrState::new(isr, leadership.partition_epoch),
            log,
            min_insync_replicas,
            lag_max_ms,
        }
    }

    /// Epoch of this leadership.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The high watermark.
    pub fn high_watermark(&self) -> i64 {
        self.log.high_watermark
    }

    /// The in-sync replicas and a change of them under way.
    pub fn isr(&self) -> &IsrState {
        &self.isr
    }

    /// The followers, by broker id.
    pub fn followers(&self) -> impl Iterator<Item = (i32, &FollowerState)> {
        self.followers.iter().map(|(id, state)| (*id, state))
    }

    /// The topic's minimum has changed.
    pub fn set_min_insync_replicas(&mut self, min_insync_replicas: usize) {
        self.min_insync_replicas = min_insync_replicas;
    }

    /// Whether fewer replicas are in sync than the topic asks for, or than there are.
    pub fn is_under_min_isr(&self) -> bool {
        self.isr.committed().len() < self.effective_min_isr()
    }

    /// Whether a produce with these acks may be appended.
    pub fn check_append(&self, acks: i16) -> Result<(), ErrorCode> {
        if acks == -1 && self.is_under_min_isr() { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) }
    }

    /// How far the log up to `required_offset` is replicated.
    pub fn replicated(&self, required_offset: i64) -> Replicated {
        if self.log.high_watermark < required_offset {
            Replicated::NotYet
        } else if self.effective_min_isr() <= self.isr.maximal_len() {
            Replicated::Yes
        } else {
            Replicated::NotEnoughReplicas
        }
    }

    /// The local log has grown or become durable. The new high watermark, if it rose.
    ///
    /// `is_eligible` tells whether a broker with this epoch may be in the ISR: neither fenced nor shutting down.
    pub fn on_local_log(
        &mut self,
        log_end_offset: i64,
        durable_end_offset: i64,
        now_ms: i64,
        is_eligible: impl Fn(i32, Option<i64>) -> bool,
    ) -> Option<i64> {
        self.log.log_end_offset = log_end_offset;
        self.log.durable_end_offset = durable_end_offset;
        self.maybe_increment_high_watermark(now_ms, is_eligible)
    }

    /// A follower has fetched. Its place in the ISR is judged after its new end offset counts.
    pub fn on_follower_fetch(
        &mut self,
        fetch: FollowerFetch,
        now_ms: i64,
        is_eligible: impl Fn(i32, Option<i64>) -> bool,
    ) -> Result<Outcome, ErrorCode> {
        let follower = self.followers.get_mut(&fetch.replica_id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        follower.fetched(fetch, self.log.log_end_offset, now_ms);
        let follower = *follower;
        let high_watermark = self.maybe_increment_high_watermark(now_ms, &is_eligible);
        let joins = !self.isr.is_pending()
            && !self.isr.committed().contains(&fetch.replica_id)
            && is_eligible(fetch.replica_id, follower.broker_epoch)
            && follower.log_end_offset >= self.log.high_watermark
            && follower.log_end_offset >= self.epoch_start_offset;
        let isr_change = joins.then(|| self.isr.propose_joining(fetch.replica_id));
        Ok(Outcome { high_watermark, isr_change })
    }

    /// Looks for followers that have fallen behind; run every half of the allowed lag. The change to propose, if any.
    pub fn maybe_shrink_isr(&mut self, now_ms: i64) -> Option<IsrChange> {
        if self.isr.is_pending() {
            return None;
        }
        let leader_end_offset = self.log.log_end_offset;
        let lost: BTreeSet<i32> = self
            .isr
            .committed()
            .iter()
            .filter(|id| **id != self.local_broker_id)
            .filter(|id| {
                let state = self.followers.get(id);
                !state.is_some_and(|state| state.is_caught_up(leader_end_offset, now_ms, self.lag_max_ms))
            })
            .copied()
            .collect();
        (!lost.is_empty()).then(|| self.isr.propose_leaving(&lost))
    }

    /// The ISR now is this one, by the controller's answer or the metadata log; older news are ignored. The new high
    /// watermark, if it rose.
    pub fn on_isr_committed(
        &mut self,
        isr: BTreeSet<i32>,
        partition_epoch: i32,
        now_ms: i64,
        is_eligible: impl Fn(i32, Option<i64>) -> bool,
    ) -> Option<i64> {
        self.isr.commit(isr, partition_epoch);
        self.maybe_increment_high_watermark(now_ms, is_eligible)
    }

    /// The controller refused the proposed ISR.
    pub fn on_isr_rejected(&mut self) {
        self.isr.reject();
    }

    fn effective_min_isr(&self) -> usize {
        self.min_insync_replicas.min(self.followers.len() + 1)
    }

    fn maybe_increment_high_watermark(
        &mut self,
        now_ms: i64,
        is_eligible: impl Fn(i32, Option<i64>) -> bool,
    ) -> Option<i64> {
        // KIP-966: below the minimum nothing more becomes visible.
        if self.is_under_min_isr() {
            return None;
        }
        let log_end_offset = self.log.log_end_offset;
        let slowest = self
            .followers
            .iter()
            .filter(|(id, state)| {
                self.isr.maximal_contains(**id)
                    || (state.is_caught_up(log_end_offset, now_ms, self.lag_max_ms)
                        && is_eligible(**id, state.broker_epoch))
            })
            .map(|(_, state)| state.log_end_offset)
            .fold(self.log.durable_end_offset, i64::min);
        if slowest <= self.log.high_watermark {
            return None;
        }
        self.log.high_watermark = slowest;
        Some(slowest)
    }
}

#[cfg(test)]
mod tests;
