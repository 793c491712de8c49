//! Membership of a share group: heartbeats tell the topics and bring the partitions (KIP-932).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use protocol::{ApiKey, CoordinatorType, ErrorCode};
use tokio::time::Instant;

use super::Shared;
use super::acknowledgements::SharePartition;
use crate::client::{Client, SendOptions};
use crate::error::ClientError;

const JOIN_EPOCH: i32 = 0;
const LEAVE_EPOCH: i32 = -1;
const FIRST_INTERVAL_MS: i64 = 1_000;

struct ShareMember {
    shared: Arc<Shared>,
    epoch: i32,
    interval_ms: i64,
    told: Option<BTreeSet<String>>,
    failures: u32,
}

/// Runs until the consumer is closed; leaves the group then.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut member =
        ShareMember { shared, epoch: JOIN_EPOCH, interval_ms: FIRST_INTERVAL_MS, told: None, failures: 0 };
    let mut closing = member.shared.closing.subscribe();
    while !*closing.borrow() {
        let wait_ms = member.step().await;
        let until = Instant::now() + Duration::from_millis(wait_ms.max(1).unsigned_abs());
        let shared = Arc::clone(&member.shared);
        tokio::select! {
            biased;
            // The sender lives as long as `shared`.
            _ = closing.wait_for(|closing| *closing) => {}
            () = shared.group_wake.notified() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
    if member.epoch > JOIN_EPOCH
        && let Err(error) = member.call(LEAVE_EPOCH, None).await
    {
        tracing::debug!(%error, "the coordinator was not told that the member is gone");
    }
}

impl ShareMember {
    /// One heartbeat; how long to wait for the next, ms.
    async fn step(&mut self) -> i64 {
        let topics = self.shared.topics.lock().clone();
        if topics.is_empty() && self.epoch == JOIN_EPOCH {
            return i64::from(i32::MAX);
        }
        let news = (self.epoch == JOIN_EPOCH || self.told.as_ref() != Some(&topics)).then(|| topics.clone());
        match self.call(self.epoch, news).await {
            Ok(response) => {
                (self.epoch, self.interval_ms) =
                    (response.member_epoch, i64::from(response.heartbeat_interval_ms));
                (self.told, self.failures) = (Some(topics), 0);
                if let Some(assignment) = response.assignment {
                    let partitions = assignment.topic_partitions.into_iter().flat_map(|topic| {
                        topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
                    });
                    let partitions: BTreeSet<SharePartition> = partitions.collect();
                    self.name(&partitions).await;
                    tracing::info!(count = partitions.len(), "share partitions are assigned");
                    *self.shared.assigned.lock() = partitions;
                    self.shared.data.notify_waiters();
                }
                self.interval_ms
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Fetches need leaders, so topics are to be known by their ids.
    async fn name(&self, partitions: &BTreeSet<SharePartition>) {
        let client = &self.shared.client;
        let topics = self.shared.topics.lock().clone();
        let known = client.metadata();
        if partitions.iter().all(|(id, _)| known.topic_name(*id).is_some()) {
            return;
        }
        if let Err(error) = client.refresh_topics(topics.iter().map(String::as_str), false).await {
            tracing::warn!(%error, "assigned topics are not known");
        }
    }

    fn failed(&mut self, error: &ClientError) -> i64 {
        self.failures = self.failures.saturating_add(1);
        match error.code() {
            Some(ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch) => {
                (self.epoch, self.told) = (JOIN_EPOCH, None);
                self.shared.assigned.lock().clear();
                1
            }
            _ if error.is_retriable() => {
                // The answer may have had a new assignment: only who tells its topics hears it again.
                self.told = None;
                let backoff = self.shared.client.config().retry_backoff();
                backoff.wait_ms(self.failures, &mut self.shared.client.jitter())
            }
            _ => {
                *self.shared.failure.lock() = Some(error.clone());
                self.shared.data.notify_waiters();
                (self.epoch, self.told) = (JOIN_EPOCH, None);
                i64::from(i32::MAX)
            }
        }
    }

    async fn call(
        &self,
        member_epoch: i32,
        topics: Option<BTreeSet<String>>,
    ) -> Result<ShareGroupHeartbeatResponse, ClientError> {
        let (client, kind) = (&self.shared.client, CoordinatorType::Group);
        let group = &self.shared.config.group_id;
        let rack = client.config().client_rack.clone();
        let request = ShareGroupHeartbeatRequest {
            group_id: group.clone(),
            member_id: self.shared.member_id.clone(),
            member_epoch,
            rack_id: Some(rack).filter(|rack| member_epoch == JOIN_EPOCH && !rack.is_empty()),
            subscribed_topic_names: topics.map(|topics| topics.into_iter().collect()),
            ..ShareGroupHeartbeatRequest::default()
        };
        let options = SendOptions { lane: self.shared.group_lane, ..SendOptions::default() };
        let response = client.send_to_coordinator_with(kind, group, &request, options).await?;
        let checked = ClientError::check(
            ApiKey::ShareGroupHeartbeat,
            response.error_code,
            response.error_message.as_deref(),
        );
        checked.inspect_err(|error| {
            if Client::is_coordinator_moved(error) {
                client.forget_coordinator(kind, group);
            }
        })?;
        Ok(response)
    }
}
