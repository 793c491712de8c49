//! What both group protocols have in common: giving partitions up, taking them over, telling the application.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::consumer::Shared;
use crate::consumer::subscriptions::{Interest, Phase};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// Is told when a group gives partitions to this member or takes them away. The rebalance goes on when the returned
/// future is done, so it is the place to commit or to store what belongs to a partition. Use a
/// [`ConsumerHandle`](crate::ConsumerHandle) in it, never the consumer itself.
pub trait RebalanceListener: Send + Sync + 'static {
    /// These partitions are read from now on.
    fn assigned<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        let _ = partitions;
        Box::pin(std::future::ready(()))
    }

    /// These partitions are about to be read by somebody else; they may still be committed.
    fn revoked<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        let _ = partitions;
        Box::pin(std::future::ready(()))
    }

    /// These partitions may be read by somebody else already: the group went on without this member.
    fn lost<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.revoked(partitions)
    }
}

/// This member towards the coordinator.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: Arc<str>,
    /// Generation, or member epoch with KIP-848; -1 outside of the group.
    pub(crate) generation: i32,
}

impl Default for Member {
    fn default() -> Self {
        Self { id: "".into(), generation: -1 }
    }
}

impl Shared {
    /// Waits until the application asks for records: then it is done with those that it has. No longer than `limit_ms`.
    pub(super) async fn wait_for_poll(&self, limit_ms: i64) {
        let (mut pollers, mut closing) = (self.pollers.subscribe(), self.closing.subscribe());
        let limit = Duration::from_millis(limit_ms.max(0).unsigned_abs());
        let polled = async {
            tokio::select! {
                biased;
                // The senders live as long as `self`.
                _ = pollers.wait_for(|pollers| *pollers > 0) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        };
        if tokio::time::timeout(limit, polled).await.is_err() {
            tracing::warn!(limit_ms, "partitions are given up while their records may be in use");
        }
    }

    /// Gives partitions up in good order.
    pub(super) async fn revoke(&self, partitions: Vec<TopicPartition>) {
        if partitions.is_empty() {
            return;
        }
        self.subscriptions.lock().set_revoking(&partitions);
        self.wait_for_poll(i64::from(self.config.max_poll_interval_ms)).await;
        if self.config.enable_auto_commit
            && let Err(error) = self.commit_positions(false).await
        {
            tracing::warn!(%error, "positions were not committed before a rebalance");
        }
        tracing::info!(?partitions, "partitions are revoked");
        if let Some(listener) = &self.listener {
            listener.revoked(&partitions).await;
        }
        self.remove(&partitions);
    }

    /// Gives everything up that somebody else may have already.
    pub(super) async fn lose(&self) {
        let partitions = self.subscriptions.lock().assigned();
        if partitions.is_empty() {
            return;
        }
        tracing::warn!(?partitions, "partitions are lost");
        if let Some(listener) = &self.listener {
            listener.lost(&partitions).await;
        }
        self.remove(&partitions);
    }

    fn remove(&self, partitions: &[TopicPartition]) {
        let mut subscriptions = self.subscriptions.lock();
        let gone: BTreeSet<&TopicPartition> = partitions.iter().collect();
        let kept: Vec<TopicPartition> =
            subscriptions.assigned().into_iter().filter(|named| !gone.contains(named)).collect();
        subscriptions.assign(kept, &Phase::NeedsCommitted);
        drop(subscriptions);
        self.data.notify_waiters();
    }

    /// Reads exactly these from now on, and tells which of them are new.
    pub(super) async fn take_over(&self, partitions: Vec<TopicPartition>, is_told_anyway: bool) {
        let known = self.client.metadata();
        let unknown = partitions.iter().filter(|named| known.topic(&named.topic).is_none());
        let unknown: Vec<&str> = unknown.map(|named| &*named.topic).collect();
        if !unknown.is_empty()
            && let Err(error) = self.client.refresh_topics(unknown, false).await
        {
            tracing::warn!(%error, "leaders of assigned partitions are not known");
        }
        let added = self.subscriptions.lock().assign(partitions, &Phase::NeedsCommitted);
        if !added.is_empty() || is_told_anyway {
            tracing::info!(?added, "partitions are assigned");
            if let Some(listener) = &self.listener {
                listener.assigned(&added).await;
            }
        }
        self.wake.notify_one();
    }

    /// The topics that the application is interested in, as far as they are known.
    pub(super) async fn subscribed_topics(&self) -> Result<BTreeSet<Arc<str>>, ClientError> {
        let interest = self.subscriptions.lock().interest.clone();
        match interest {
            Interest::Nothing | Interest::Partitions => Ok(BTreeSet::new()),
            Interest::Topics(topics) => Ok(topics),
            Interest::Pattern(pattern) => {
                let metadata = self.client.refresh_all().await?;
                let topics = metadata.topics().filter(|topic| {
                    let is_hidden = topic.is_internal && self.config.exclude_internal_topics;
                    topic.is_available() && !is_hidden && matches_whole(&pattern, &topic.name)
                });
                Ok(topics.map(|topic| Arc::clone(&topic.name)).collect())
            }
        }
    }

    /// Tells the application of a failure that the group does not get over.
    pub(super) fn fail(&self, error: ClientError) {
        tracing::error!(%error, "the group cannot go on");
        *self.failure.lock() = Some(error);
        self.data.notify_waiters();
    }

    /// Waits before the next try, unless the consumer is closed meanwhile.
    pub(super) async fn back_off(&self, failures: u32) {
        tokio::select! {
            biased;
            () = self.closed() => {}
            () = self.client.back_off(failures) => {}
        }
    }

    /// The application was told; it may try again by asking for records, or go on with another interest.
    pub(super) async fn rest_after_failure(&self) {
        let rest = async {
            self.client.back_off(u32::MAX).await;
            self.wait_for_poll(i64::from(i32::MAX)).await;
        };
        tokio::select! {
            biased;
            () = self.group_wake.notified() => {}
            () = rest => {}
        }
    }

    /// Resolves when the consumer is being closed.
    pub(super) async fn closed(&self) {
        // The sender lives as long as `self`.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Whether the application has not asked for records for longer than it may.
    pub(super) fn is_poll_overdue(&self) -> bool {
        let last_ms = self.last_poll_ms.load(std::sync::atomic::Ordering::Acquire);
        let is_polling = *self.pollers.borrow() > 0;
        !is_polling && self.client.now_ms() - last_ms > i64::from(self.config.max_poll_interval_ms)
    }

    /// Sleeps until it is time, or something has changed.
    pub(super) async fn sleep_or_wake(&self, until: Instant) {
        tokio::select! {
            biased;
            () = self.group_wake.notified() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

/// Java's `matches`: the whole name, not a part of it.
fn matches_whole(pattern: &regex::Regex, name: &str) -> bool {
    pattern.find_iter(name).any(|found| found.start() == 0 && found.end() == name.len())
}
