//! How request handlers reach the active controller.
//!
//! A decision is a function of the controller's state and image; the controller's own thread runs it, writes its records and
//! answers when they are committed, so that whoever asked finds them in the broker's image.

use std::ops::Range;

use controller::topics::TopicAccess;
use controller::{ApiError, BrokerHeartbeats, Controller, ControllerResult, Randomness};
use metadata::MetadataImage;
use protocol::ErrorCode;
use protocol::messages::{AllocateProducerIdsRequest, CreateTopicsRequest, CreateTopicsResponse};
use protocol::metadata_records::MetadataRecord;
use tokio::sync::{mpsc, oneshot};

/// What a decision can look at.
pub struct Deciding<'a> {
    /// The engine.
    pub controller: &'a Controller,
    /// The cluster as of the last record written.
    pub image: &'a MetadataImage,
    /// When brokers were last heard of.
    pub heartbeats: &'a mut BrokerHeartbeats,
    /// For ids and placement.
    pub randomness: &'a mut Randomness,
    /// The offset that the first record of this decision will get.
    pub next_offset: i64,
    /// The level of `kraft.version`.
    pub kraft_version: i16,
    /// Wall-clock time, in ms since the epoch.
    pub now_ms: i64,
}

/// What a decision asks for, and what to do when its records are committed or cannot be.
pub(crate) struct Decided {
    /// To be written as one batch.
    pub records: Vec<MetadataRecord>,
    /// Tells whoever asked.
    pub answer: Box<dyn FnOnce(Result<(), ErrorCode>) + Send>,
}

/// A decision on its way to the controller's thread.
pub(crate) type Decision = Box<dyn FnOnce(Deciding<'_>) -> Decided + Send>;

/// A decision that may refuse, as one that answers with the refusal.
pub fn settle<T>(outcome: Result<ControllerResult<T>, ApiError>) -> ControllerResult<Result<T, ApiError>> {
    match outcome {
        Ok(ControllerResult { records, response }) => ControllerResult { records, response: Ok(response) },
        Err(refusal) => ControllerResult::unchanged(Err(refusal)),
    }
}

/// Sends decisions to the controller of this node.
#[derive(Clone)]
pub struct ControllerClient {
    decisions: mpsc::UnboundedSender<Decision>,
}

impl ControllerClient {
    /// A client, and the end that the controller's thread reads.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Decision>) {
        let (decisions, received) = mpsc::unbounded_channel();
        (ControllerClient { decisions }, received)
    }

    /// Runs `decide` on the controller and waits until its records are committed.
    ///
    /// # Errors
    /// NOT_CONTROLLER when this node's controller is not active or stopping, or what the write failed with.
    pub async fn decide<T, F>(&self, decide: F) -> Result<T, ErrorCode>
    where
        T: Send + 'static,
        F: FnOnce(Deciding<'_>) -> ControllerResult<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let decision: Decision = Box::new(move |deciding| {
            let ControllerResult { records, response } = decide(deciding);
            Decided {
                records,
                // Whoever asked may have gone; the records stand all the same.
                answer: Box::new(move |outcome| drop(sender.send(outcome.map(|()| response)))),
            }
        });
        self.decisions.send(decision).map_err(|_| ErrorCode::NotController)?;
        receiver.await.unwrap_or(Err(ErrorCode::NotController))
    }

    /// As [`Self::decide`], but refuses what the controller does not get to before `deadline_ms`.
    ///
    /// # Errors
    /// As [`Self::decide`], or REQUEST_TIMED_OUT.
    pub async fn decide_before<T, F>(&self, deadline_ms: i64, decide: F) -> Result<T, ErrorCode>
    where
        T: Send + 'static,
        F: FnOnce(Deciding<'_>) -> ControllerResult<T> + Send + 'static,
    {
        let decided = self.decide(move |deciding| {
            if deciding.now_ms >= deadline_ms {
                return ControllerResult::unchanged(Err(ErrorCode::RequestTimedOut));
            }
            let ControllerResult { records, response } = decide(deciding);
            ControllerResult { records, response: Ok(response) }
        });
        decided.await?
    }

    /// Creates topics for whoever may do everything.
    ///
    /// # Errors
    /// As [`Self::decide`]; each topic's own error is in the response.
    pub async fn create_topics(
        &self,
        request: CreateTopicsRequest,
    ) -> Result<CreateTopicsResponse, ErrorCode> {
        self.decide(move |deciding| {
            deciding.controller.create_topics(deciding.image, &request, TopicAccess::ALL, deciding.randomness)
        })
        .await
    }

    /// A block of producer ids that nobody else has, for the broker of `node_id` in its present epoch.
    ///
    /// # Errors
    /// As [`Self::decide`], or STALE_BROKER_EPOCH.
    pub async fn allocate_producer_ids(&self, node_id: i32) -> Result<Range<i64>, ErrorCode> {
        let allocated = self.decide(move |deciding| {
            let broker_epoch = deciding.image.cluster.broker(node_id).map_or(-1, |broker| broker.epoch);
            let request =
                AllocateProducerIdsRequest { broker_id: node_id, broker_epoch, ..Default::default() };
            settle(deciding.controller.allocate_producer_ids(deciding.image, &request))
        });
        let block = allocated.await?.map_err(|refusal| refusal.code)?;
        Ok(block.producer_id_start..block.producer_id_start + i64::from(block.producer_id_len))
    }
}
