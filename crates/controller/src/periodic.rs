//! What the quorum's leader does from time to time, as a function of time.

use metadata::MetadataImage;
use protocol::metadata_records::{MetadataRecord, NoOpRecord};

use crate::brokers::BrokerHeartbeats;
use crate::settings::Controller;

/// When each task is due next, milliseconds since 1970. Made anew when this node becomes the quorum's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodicTasks {
    no_op_due_ms: Option<i64>,
    fence_due_ms: i64,
    balance_due_ms: Option<i64>,
    unclean_election_due_ms: i64,
}

/// Sessions are looked at so often that a broker is fenced at most this part of a session late.
const FENCE_CHECKS_PER_SESSION: i64 = 8;

impl Controller {
    fn no_op_interval_ms(&self) -> Option<i64> {
        let interval = i64::from(self.settings.config.node.metadata_max_idle_interval_ms);
        (interval > 0).then_some(interval)
    }

    fn balance_interval_ms(&self) -> Option<i64> {
        let replication = &self.settings.config.replication;
        let interval = replication.leader_imbalance_check_interval_seconds.saturating_mul(1000);
        replication.auto_leader_rebalance_enable.then_some(interval.max(1))
    }

    fn fence_interval_ms(&self) -> i64 {
        (self.settings.session_timeout_ms() / FENCE_CHECKS_PER_SESSION).max(1)
    }

    fn unclean_election_interval_ms(&self) -> i64 {
        self.settings.config.log.unclean_leader_election_interval_ms.max(1)
    }
}

fn is_due(due_ms: &mut i64, interval_ms: i64, now_ms: i64) -> bool {
    let due = now_ms >= *due_ms;
    if due {
        *due_ms = now_ms.saturating_add(interval_ms);
    }
    due
}

impl PeriodicTasks {
    /// Every task is due one interval from now.
    pub fn new(controller: &Controller, now_ms: i64) -> Self {
        let after = |interval_ms: i64| now_ms.saturating_add(interval_ms);
        Self {
            no_op_due_ms: controller.no_op_interval_ms().map(after),
            fence_due_ms: after(controller.fence_interval_ms()),
            balance_due_ms: controller.balance_interval_ms().map(after),
            unclean_election_due_ms: after(controller.unclean_election_interval_ms()),
        }
    }

    /// When to call [`PeriodicTasks::step`] next.
    pub fn next_deadline_ms(&self) -> i64 {
        let optional = [self.no_op_due_ms, self.balance_due_ms].into_iter().flatten();
        optional.chain([self.fence_due_ms, self.unclean_election_due_ms]).min().unwrap_or(i64::MAX)
    }

    /// Something was appended: no NoOp record is needed for an interval (KIP-835).
    pub fn appended(&mut self, controller: &Controller, now_ms: i64) {
        self.no_op_due_ms = controller.no_op_interval_ms().map(|interval| now_ms.saturating_add(interval));
    }

    /// Does what is due. Returns batches to append in order; each builds on an image that holds those before it, so
    /// at most one is returned, and whatever else is due comes with the next call.
    pub fn step(
        &mut self,
        controller: &Controller,
        image: &MetadataImage,
        heartbeats: &mut BrokerHeartbeats,
        now_ms: i64,
    ) -> Vec<MetadataRecord> {
        if now_ms >= self.fence_due_ms {
            if let Some(fenced) = controller.fence_stale_broker(image, heartbeats, now_ms) {
                return fenced.records;
            }
            self.fence_due_ms = now_ms.saturating_add(controller.fence_interval_ms());
        }
        if is_due(&mut self.unclean_election_due_ms, controller.unclean_election_interval_ms(), now_ms) {
            let elected = controller.elect_unclean_leaders(image);
            if elected.response {
                self.unclean_election_due_ms = now_ms;
            }
            if !elected.records.is_empty() {
                return elected.records;
            }
        }
        if let (Some(due_ms), Some(interval)) = (&mut self.balance_due_ms, controller.balance_interval_ms())
            && is_due(due_ms, interval, now_ms)
        {
            let balanced = controller.balance_partition_leaders(image);
            if balanced.response {
                *due_ms = now_ms;
            }
            if !balanced.records.is_empty() {
                return balanced.records;
            }
        }
        if let (Some(due_ms), Some(interval)) = (&mut self.no_op_due_ms, controller.no_op_interval_ms())
            && is_due(due_ms, interval, now_ms)
        {
            return vec![MetadataRecord::NoOp(NoOpRecord::default())];
        }
        Vec::new()
    }
}
