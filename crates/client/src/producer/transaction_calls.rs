//! The requests of transactions, to their coordinator and to that of a group.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest,
    InitProducerIdResponse, TxnOffsetCommitRequest,
};
use protocol::{ApiKey, CoordinatorType, ErrorCode, Request};

use crate::client::{Client, Lane, SendOptions};
use crate::error::ClientError;
use crate::group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::producer::batch::ProducerIdentity;
use crate::producer::outbox::Outbox;
use crate::producer::produce_call::ADDS_PARTITIONS_SINCE;
use crate::producer::transaction::Phase;
use crate::producer::{Flushing, Shared};
use crate::topic_partition::TopicPartition;

/// Of the feature `transaction.version`: brokers add partitions themselves, epochs grow with each transaction.
const TRANSACTION_V2: i16 = 2;
/// The last versions that mean the older protocol.
const END_TXN_V1_MAX: i16 = 4;
const OFFSET_COMMIT_V1_MAX: i16 = 4;
/// Later versions of AddPartitionsToTxn are for brokers.
const ADD_PARTITIONS_MAX: i16 = 3;

impl Shared {
    /// A producer id for idempotence without transactions: any broker gives one.
    pub(super) async fn new_identity(&self) -> Result<ProducerIdentity, ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            producer_id: records::NO_PRODUCER_ID,
            producer_epoch: records::NO_PRODUCER_EPOCH,
            ..InitProducerIdRequest::default()
        };
        self.client
            .with_retries("InitProducerId", || async {
                let connection = self.client.any_connection(Lane::Main).await?;
                let response = self.client.exchange(&connection, &request, SendOptions::default()).await?;
                ClientError::check(ApiKey::InitProducerId, response.error_code, None)
                    .map_err(|error| error.by(&connection.endpoint()))?;
                Ok(identity(&response))
            })
            .await
    }

    pub(super) async fn init_transactions(&self) -> Result<(), ClientError> {
        let (id, limit_ms) = (self.transactional_id()?, self.config.max_block_ms);
        let versions = self.client.with_retries_for("ApiVersions", limit_ms, "max.block.ms", || async {
            let kind = CoordinatorType::Transaction;
            let coordinator = self.client.coordinator(kind, id).await?;
            self.client
                .api_versions(coordinator)
                .await
                .inspect_err(|_| self.client.forget_coordinator(kind, id))
        });
        let versions = versions.await?;
        let produces_v2 =
            versions.served(ApiKey::Produce).is_some_and(|range| *range.end() >= ADDS_PARTITIONS_SINCE);
        let is_v2 = produces_v2 && versions.feature("transaction.version") >= TRANSACTION_V2;
        self.transaction.is_v2.store(is_v2, Ordering::Release);
        self.init_epoch(ProducerIdentity::NONE).await
    }

    /// A new epoch, for a new producer or for this one after a failure (KIP-360).
    async fn init_epoch(&self, known: ProducerIdentity) -> Result<(), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: Some(self.transactional_id()?.to_owned()),
            transaction_timeout_ms: self.config.transaction_timeout_ms,
            producer_id: known.id,
            producer_epoch: known.epoch,
            ..InitProducerIdRequest::default()
        };
        let response = self.to_coordinator(
            CoordinatorType::Transaction,
            self.transactional_id()?,
            &request,
            i16::MAX,
            |r| r.error_code,
        );
        let identity = identity(&response.await?);
        self.assembly.lock().outbox.set_identity(identity);
        Ok(())
    }

    /// Makes partitions part of the transaction, where brokers do not do so themselves.
    pub(super) async fn add_partitions(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for named in partitions {
            topics.entry(&named.topic).or_default().push(named.partition);
        }
        let topics = topics.into_iter().map(|(name, partitions)| AddPartitionsToTxnTopic {
            name: name.to_owned(),
            partitions,
            ..AddPartitionsToTxnTopic::default()
        });
        let identity = self.identity();
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.transactional_id()?.to_owned(),
            v3_and_below_producer_id: identity.id,
            v3_and_below_producer_epoch: identity.epoch,
            v3_and_below_topics: topics.collect(),
            ..AddPartitionsToTxnRequest::default()
        };
        self.transaction.note_started();
        let id = self.transactional_id()?;
        self.to_coordinator(CoordinatorType::Transaction, id, &request, ADD_PARTITIONS_MAX, |response| {
            let topics = response.results_by_topic_v3_and_below.iter();
            let codes = topics.flat_map(|topic| &topic.results_by_partition);
            first_failure(codes.map(|partition| partition.partition_error_code))
        })
        .await?;
        Ok(())
    }

    pub(super) async fn send_offsets(
        &self,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        let sent = self.commit_offsets(offsets, group).await;
        sent.map_err(|error| {
            let error = self.transaction.judge(error);
            self.assembly.lock().outbox.fail_waiting(&error);
            error
        })
    }

    async fn commit_offsets(
        &self,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        let (id, identity) = (self.transactional_id()?, self.identity());
        self.transaction.note_started();
        let is_v1 = self.transaction.is_v1();
        if is_v1 {
            let request = AddOffsetsToTxnRequest {
                transactional_id: id.to_owned(),
                producer_id: identity.id,
                producer_epoch: identity.epoch,
                group_id: group.group_id.to_string(),
                ..AddOffsetsToTxnRequest::default()
            };
            self.to_coordinator(CoordinatorType::Transaction, id, &request, i16::MAX, |r| r.error_code)
                .await?;
        }
        let request = TxnOffsetCommitRequest {
            transactional_id: id.to_owned(),
            group_id: group.group_id.to_string(),
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            generation_id_or_member_epoch: group.generation_id,
            member_id: group.member_id.to_string(),
            group_instance_id: group.group_instance_id.as_deref().map(str::to_owned),
            topics: offset_topics(offsets),
            ..TxnOffsetCommitRequest::default()
        };
        let version_max = if is_v1 { OFFSET_COMMIT_V1_MAX } else { OFFSET_COMMIT_V1_MAX + 1 };
        self.to_coordinator(CoordinatorType::Group, &group.group_id, &request, version_max, |response| {
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            first_failure(partitions.map(|partition| partition.error_code))
        })
        .await?;
        Ok(())
    }

    /// Ends the open transaction. Whoever calls holds the turn.
    pub(super) async fn end(&self, is_commit: bool) -> Result<(), ClientError> {
        self.begin_end(is_commit)?;
        self.flush_transaction().await;
        let abort_reason = self.assembly.lock().outbox.abort_reason().cloned();
        let is_started = {
            let mut progress = self.transaction.progress.lock();
            match (&progress.phase, abort_reason.clone()) {
                (Phase::Fatal(error), _) => return Err(error.clone()),
                (_, Some(reason)) if is_commit => {
                    progress.phase = Phase::Open;
                    return Err(ClientError::AbortNeeded { source: Box::new(reason) });
                }
                _ => {}
            }
            progress.is_started
        };
        // If this fails the coordinator may have ended the transaction all the same: nothing more goes into it.
        if is_started {
            self.end_at_coordinator(is_commit, abort_reason.is_some()).await?;
        }
        self.assembly.lock().outbox.clear_abort_reason();
        let mut progress = self.transaction.progress.lock();
        (progress.phase, progress.is_abandoned) = (Phase::Ready, false);
        Ok(())
    }

    /// From now on the transaction takes no records.
    fn begin_end(&self, is_commit: bool) -> Result<(), ClientError> {
        let mut assembly = self.assembly.lock();
        let mut progress = self.transaction.progress.lock();
        if let Phase::Fatal(error) = &progress.phase {
            return Err(error.clone());
        }
        progress.phase = Phase::Ending;
        if !is_commit {
            assembly.outbox.fail_waiting(&ClientError::IllegalState("the transaction was aborted"));
        }
        Ok(())
    }

    /// Waits until nothing of the transaction is on its way, not even what took too long: it would come into the next.
    async fn flush_transaction(&self) {
        let _flushing = Flushing::begin(self);
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.assembly.lock().outbox.is_empty() {
                return;
            }
            idle.await;
        }
    }

    async fn end_at_coordinator(&self, is_commit: bool, has_failed: bool) -> Result<(), ClientError> {
        let (id, known) = (self.transactional_id()?, self.identity());
        let request = EndTxnRequest {
            transactional_id: id.to_owned(),
            producer_id: known.id,
            producer_epoch: known.epoch,
            committed: is_commit,
            ..EndTxnRequest::default()
        };
        let is_v1 = self.transaction.is_v1();
        let version_max = if is_v1 { END_TXN_V1_MAX } else { i16::MAX };
        let response =
            self.to_coordinator(CoordinatorType::Transaction, id, &request, version_max, |r| r.error_code);
        let response = response.await.map_err(|error| self.transaction.judge(error))?;
        if !is_v1 && response.producer_id >= 0 {
            let next = ProducerIdentity { id: response.producer_id, epoch: response.producer_epoch };
            self.assembly.lock().outbox.set_identity(next);
        } else if has_failed {
            self.init_epoch(known).await.map_err(|error| self.transaction.judge(error))?;
        }
        Ok(())
    }

    /// Sends until the coordinator answers with success or something that no waiting changes.
    async fn to_coordinator<R: Request>(
        &self,
        kind: CoordinatorType,
        key: &str,
        request: &R,
        version_max: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let options =
            SendOptions { lane: Lane::Coordinator, version_max: Some(version_max), ..SendOptions::default() };
        let limit_ms = self.config.max_block_ms;
        self.client
            .with_retries_for(R::API_KEY.name(), limit_ms, "max.block.ms", || async {
                let response = self.client.send_to_coordinator_with(kind, key, request, options).await?;
                match ClientError::check(R::API_KEY, code(&response), None) {
                    Ok(()) => Ok(response),
                    Err(error) => {
                        let error = self.client.said_by_coordinator(kind, key, error);
                        if Client::is_coordinator_moved(&error) {
                            self.client.forget_coordinator(kind, key);
                        }
                        Err(error)
                    }
                }
            })
            .await
    }

    fn identity(&self) -> ProducerIdentity {
        let assembly = self.assembly.lock();
        let outbox: &Outbox = &assembly.outbox;
        outbox.identity()
    }

    fn transactional_id(&self) -> Result<&str, ClientError> {
        let id = self.transaction.transactional_id.as_deref();
        id.ok_or(ClientError::IllegalState("transactions need transactional.id"))
    }
}

fn identity(response: &InitProducerIdResponse) -> ProducerIdentity {
    ProducerIdentity { id: response.producer_id, epoch: response.producer_epoch }
}

fn first_failure(codes: impl Iterator<Item = i16>) -> i16 {
    let none = ErrorCode::None.as_i16();
    // One that was not tried because of another says less than the other.
    let not_tried = ErrorCode::OperationNotAttempted.as_i16();
    let mut failures: Vec<i16> = codes.filter(|code| *code != none).collect();
    failures.sort_by_key(|code| *code == not_tried);
    failures.first().copied().unwrap_or(none)
}

fn offset_topics(offsets: Vec<(TopicPartition, OffsetAndMetadata)>) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut topics: BTreeMap<String, Vec<TxnOffsetCommitRequestPartition>> = BTreeMap::new();
    for (named, offset) in offsets {
        topics.entry(named.topic.to_string()).or_default().push(TxnOffsetCommitRequestPartition {
            partition_index: named.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata),
            ..TxnOffsetCommitRequestPartition::default()
        });
    }
    let topics = topics.into_iter();
    topics
        .map(|(name, partitions)| TxnOffsetCommitRequestTopic {
            name,
            partitions,
            ..TxnOffsetCommitRequestTopic::default()
        })
        .collect()
}
