//! Records and batches as streams.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;

use crate::consumer::{Consumer, ConsumerBatch, ConsumerRecord, Giving, Shared};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// Records of a consumer; see [`Consumer::stream`].
pub struct RecordStream<'a>(Pin<Box<dyn Stream<Item = Result<ConsumerRecord, ClientError>> + Send + 'a>>);

impl Stream for RecordStream<'_> {
    type Item = Result<ConsumerRecord, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for RecordStream<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RecordStream")
    }
}

impl Consumer {
    /// All records, one after another, without end.
    pub fn stream(&mut self) -> RecordStream<'_> {
        RecordStream(Box::pin(futures_util::stream::unfold(self, |consumer| async move {
            let next = consumer.next().await;
            (!matches!(next, Err(ClientError::Closed))).then_some((next, consumer))
        })))
    }
}

type NextBatch = BoxFuture<'static, Result<(ConsumerBatch, u64), ClientError>>;

/// One partition's batches; see [`ConsumerHandle::partition_stream`](crate::ConsumerHandle::partition_stream). Asking
/// for the next batch means that the one before is processed.
pub struct PartitionStream {
    shared: Arc<Shared>,
    partition: TopicPartition,
    next: Option<NextBatch>,
    ended: BoxFuture<'static, ()>,
}

impl std::fmt::Debug for PartitionStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PartitionStream({})", self.partition)
    }
}

impl PartitionStream {
    pub(super) fn new(shared: &Arc<Shared>, partition: &TopicPartition) -> Result<Self, ClientError> {
        let mut subscriptions = shared.subscriptions.lock();
        let one = subscriptions.get_mut(partition);
        one.ok_or(ClientError::IllegalState("the partition is not assigned"))?.is_streamed = true;
        drop(subscriptions);
        let (shared, partition) = (Arc::clone(shared), partition.clone());
        let ended = Box::pin(until_taken_away(Arc::clone(&shared), partition.clone()));
        Ok(Self { shared, partition, next: None, ended })
    }

    /// The partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }
}

/// Resolves when the partition is not read any more.
async fn until_taken_away(shared: Arc<Shared>, partition: TopicPartition) {
    loop {
        let data = shared.data.notified();
        tokio::pin!(data);
        data.as_mut().enable();
        if shared.is_closing() || shared.subscriptions.lock().get(&partition).is_none() {
            return;
        }
        data.await;
    }
}

impl Stream for PartitionStream {
    type Item = Result<ConsumerBatch, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (shared, partition) = (Arc::clone(&self.shared), self.partition.clone());
        let next = self.next.get_or_insert_with(|| {
            Box::pin(async move { shared.next_batch(Some(&partition), Giving::Batches).await })
        });
        match next.as_mut().poll(context) {
            Poll::Ready(Err(ClientError::Closed)) => Poll::Ready(None),
            Poll::Ready(next) => {
                self.next = None;
                Poll::Ready(Some(next.map(|(batch, _)| batch)))
            }
            Poll::Pending => self.ended.as_mut().poll(context).map(|()| None),
        }
    }
}

impl Drop for PartitionStream {
    fn drop(&mut self) {
        if let Some(one) = self.shared.subscriptions.lock().get_mut(&self.partition) {
            one.is_streamed = false;
        }
        self.shared.data.notify_waiters();
    }
}
