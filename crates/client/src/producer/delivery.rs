//! The fate of a batch, and of each record in it: one allocation for all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::error::ClientError;
use crate::producer::record::RecordMetadata;
use crate::topic_partition::TopicPartition;

/// What became of a batch.
#[derive(Clone, Debug)]
pub(crate) enum BatchOutcome {
    /// Written; the first record's offset (-1: not told) and the broker's time (-1: the records' own).
    Written { base_offset: i64, log_append_time_ms: i64 },
    /// Not written, or not known to be.
    Failed(ClientError),
    /// Went on as smaller batches, each with the index of its first record.
    Split(Vec<(u32, Arc<BatchFate>)>),
}

/// Shared by a batch and those who wait for it.
#[derive(Debug)]
pub(crate) struct BatchFate {
    topic_partition: TopicPartition,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(Vec<Waker>),
    Done(BatchOutcome),
}

impl BatchFate {
    pub(crate) fn new(topic_partition: TopicPartition) -> Arc<Self> {
        Arc::new(Self { topic_partition, state: Mutex::new(State::Open(Vec::new())) })
    }

    /// Tells everybody; the first outcome stays.
    pub(crate) fn resolve(&self, outcome: BatchOutcome) {
        let mut state = self.state.lock();
        if let State::Open(wakers) = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = State::Done(outcome);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The outcome; until there is one the waker has its place in `slot`.
    fn poll(&self, slot: &mut Option<usize>, context: &Context<'_>) -> Poll<BatchOutcome> {
        match &mut *self.state.lock() {
            State::Open(wakers) => {
                match slot.and_then(|index| wakers.get_mut(index)) {
                    Some(known) => known.clone_from(context.waker()),
                    None => {
                        *slot = Some(wakers.len());
                        wakers.push(context.waker().clone());
                    }
                }
                Poll::Pending
            }
            State::Done(outcome) => Poll::Ready(outcome.clone()),
        }
    }
}

/// Waits until these batches, and all that they were split into, are written or have failed.
pub(crate) async fn settled(mut fates: Vec<Arc<BatchFate>>) {
    while let Some(fate) = fates.pop() {
        let mut slot = None;
        let outcome = std::future::poll_fn(|context| fate.poll(&mut slot, context)).await;
        if let BatchOutcome::Split(parts) = outcome {
            fates.extend(parts.into_iter().map(|(_, part)| part));
        }
    }
}

/// Resolves when the record is written as `acks` asks, or has failed. Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "a failure is told here only"]
pub struct Delivery {
    fate: Arc<BatchFate>,
    index: u32,
    timestamp_ms: i64,
    waker: Option<usize>,
}

impl Delivery {
    pub(crate) fn new(fate: Arc<BatchFate>, index: u32, timestamp_ms: i64) -> Self {
        Self { fate, index, timestamp_ms, waker: None }
    }

    /// The partition that the record goes to.
    pub fn topic_partition(&self) -> &TopicPartition {
        self.fate.topic_partition()
    }

    fn metadata(&self, base_offset: i64, log_append_time_ms: i64) -> RecordMetadata {
        RecordMetadata {
            topic_partition: self.fate.topic_partition.clone(),
            offset: if base_offset < 0 { -1 } else { base_offset + i64::from(self.index) },
            timestamp_ms: if log_append_time_ms < 0 { self.timestamp_ms } else { log_append_time_ms },
        }
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            match std::task::ready!(this.fate.poll(&mut this.waker, context)) {
                BatchOutcome::Written { base_offset, log_append_time_ms } => {
                    return Poll::Ready(Ok(self.metadata(base_offset, log_append_time_ms)));
                }
                BatchOutcome::Failed(error) => return Poll::Ready(Err(error)),
                BatchOutcome::Split(parts) => {
                    let part = parts.into_iter().rev().find(|(first, _)| *first <= self.index);
                    let (first, part) = part.expect("the first part begins at index 0");
                    (self.index, self.fate, self.waker) = (self.index - first, part, None);
                }
            }
        }
    }
}
