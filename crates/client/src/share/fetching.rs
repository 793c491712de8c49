//! ShareFetch and ShareAcknowledge: one session per leader, acknowledgements travel with the next fetch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::messages::share_acknowledge_request as acknowledge;
use protocol::messages::share_fetch_request as fetch;
use protocol::messages::share_fetch_response::PartitionData;
use protocol::messages::{ShareAcknowledgeRequest, ShareFetchRequest};
use protocol::{ApiKey, ErrorCode};

use super::Shared;
use super::acknowledgements::{Acknowledgements, Run, SharePartition};
use crate::client::SendOptions;
use crate::consumer::{ConsumerBatch, ConsumerRecord};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// The epoch that opens a session, and the one that closes it.
const OPEN_EPOCH: i32 = 0;
const CLOSE_EPOCH: i32 = -1;

/// One leader's session.
#[derive(Debug, Default)]
pub(crate) struct ShareSession {
    epoch: i32,
    known: BTreeSet<SharePartition>,
    pub(crate) acknowledgements: Acknowledgements,
}

/// An acquired record with the partition to acknowledge it to.
#[derive(Debug)]
pub(crate) struct Acquired {
    pub(crate) record: ConsumerRecord,
    pub(crate) partition: SharePartition,
}

/// How acknowledgements of partitions went.
pub(crate) type Outcomes = Vec<(TopicPartition, Result<(), ClientError>)>;

/// What one exchange with a leader brought.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) records: Vec<Acquired>,
    pub(crate) outcomes: Outcomes,
    pub(crate) failures: Vec<ClientError>,
    pub(crate) is_stale: bool,
    is_refused: bool,
}

fn name(shared: &Shared, partition: SharePartition) -> TopicPartition {
    let metadata = shared.client.metadata();
    let topic = metadata.topic_name(partition.0).cloned();
    TopicPartition {
        topic: topic.unwrap_or_else(|| Arc::from(partition.0.to_string())),
        partition: partition.1,
    }
}

fn fetch_batches(runs: &[Run]) -> Vec<fetch::AcknowledgementBatch> {
    let batches = runs.iter().map(|(first_offset, last_offset, what)| fetch::AcknowledgementBatch {
        first_offset: *first_offset,
        last_offset: *last_offset,
        acknowledge_types: vec![*what],
        ..fetch::AcknowledgementBatch::default()
    });
    batches.collect()
}

impl ShareSession {
    fn next(&mut self, is_alive: bool) {
        self.epoch = match (is_alive, self.epoch) {
            (false, _) => OPEN_EPOCH,
            (true, i32::MAX) => 1,
            (true, epoch) => epoch + 1,
        };
    }

    fn fetch_request(
        &mut self,
        shared: &Shared,
        wanted: &BTreeSet<SharePartition>,
    ) -> (ShareFetchRequest, BTreeMap<SharePartition, Vec<Run>>) {
        let config = &shared.config;
        if self.epoch == OPEN_EPOCH {
            self.known.clear();
        }
        // A session that is opened has acquired nothing yet.
        let is_renewal = self.acknowledgements.has_renewals();
        let said = if self.epoch == OPEN_EPOCH { BTreeMap::new() } else { self.acknowledgements.take() };
        let told: BTreeSet<SharePartition> =
            wanted.difference(&self.known).chain(said.keys()).copied().collect();
        let mut request = ShareFetchRequest {
            group_id: Some(config.group_id.clone()),
            member_id: Some(shared.member_id.clone()),
            share_session_epoch: self.epoch,
            max_wait_ms: config.fetch_max_wait_ms,
            min_bytes: config.fetch_min_bytes,
            max_bytes: config.fetch_max_bytes,
            max_records: config.max_poll_records,
            batch_size: config.max_poll_records,
            ..ShareFetchRequest::default()
        };
        if is_renewal {
            // A request that renews locks acquires nothing.
            (request.is_renew_ack, request.max_wait_ms, request.min_bytes) = (true, 0, 0);
            (request.max_bytes, request.max_records) = (0, 0);
        }
        for partition in told {
            let one = fetch::FetchPartition {
                partition_index: partition.1,
                acknowledgement_batches: said
                    .get(&partition)
                    .map(|runs| fetch_batches(runs))
                    .unwrap_or_default(),
                ..fetch::FetchPartition::default()
            };
            match request.topics.last_mut().filter(|last| last.topic_id == partition.0) {
                Some(last) => last.partitions.push(one),
                None => request.topics.push(fetch::FetchTopic {
                    topic_id: partition.0,
                    partitions: vec![one],
                    ..fetch::FetchTopic::default()
                }),
            }
        }
        for gone in self.known.difference(wanted).filter(|gone| !said.contains_key(gone)) {
            request.forgotten_topics_data.push(fetch::ForgottenTopic {
                topic_id: gone.0,
                partitions: vec![gone.1],
                ..fetch::ForgottenTopic::default()
            });
        }
        self.known.clone_from(wanted);
        (request, said)
    }

    /// Acquires records, and says what became of earlier ones.
    pub(crate) async fn fetch(
        &mut self,
        shared: &Shared,
        leader: i32,
        wanted: &BTreeSet<SharePartition>,
    ) -> Result<Brought, ClientError> {
        let (request, said) = self.fetch_request(shared, wanted);
        let options = SendOptions { lane: shared.fetch_lane, ..SendOptions::default() };
        let sent = shared.client.send_with(leader, &request, options).await;
        let response = sent.and_then(|response| {
            let message = response.error_message.as_deref();
            ClientError::check(ApiKey::ShareFetch, response.error_code, message).map(|()| response)
        });
        self.next(response.is_ok());
        let mut brought = Brought::default();
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                brought.outcomes = said.keys().map(|one| (name(shared, *one), Err(error.clone()))).collect();
                let is_session_lost = matches!(
                    error.code(),
                    Some(ErrorCode::ShareSessionNotFound | ErrorCode::InvalidShareSessionEpoch)
                );
                if !is_session_lost && !error.is_retriable() {
                    brought.failures.push(error);
                } else {
                    brought.is_stale = error.is_stale_metadata();
                    shared.client.back_off(1).await;
                }
                return Ok(brought);
            }
        };
        for topic in response.responses {
            for data in topic.partitions {
                let partition = (topic.topic_id, data.partition_index);
                if said.contains_key(&partition) {
                    let message = data.acknowledge_error_message.as_deref();
                    let named = name(shared, partition);
                    let checked =
                        ClientError::check(ApiKey::ShareAcknowledge, data.acknowledge_error_code, message);
                    brought.outcomes.push((named.clone(), checked.map_err(|error| error.about(&named))));
                }
                self.take(shared, partition, data, &mut brought);
            }
        }
        if brought.is_refused {
            shared.client.back_off(1).await;
        }
        Ok(brought)
    }

    /// Keeps the acquired records of a partition.
    fn take(
        &mut self,
        shared: &Shared,
        partition: SharePartition,
        mut data: PartitionData,
        brought: &mut Brought,
    ) {
        let named = name(shared, partition);
        let message = data.error_message.as_deref();
        if let Err(error) = ClientError::check(ApiKey::ShareFetch, data.error_code, message) {
            brought.is_stale |= error.is_stale_metadata();
            // It is asked for anew: the broker may have dropped what it had of it.
            self.known.remove(&partition);
            brought.is_refused = true;
            if !error.is_retriable() && !error.is_stale_metadata() {
                brought.failures.push(error.about(&named));
            }
            return;
        }
        let bytes = data.records.take().and_then(|records| records.to_bytes()).unwrap_or_default();
        let mut records: BTreeMap<i64, ConsumerRecord> = BTreeMap::new();
        for batch in records::batches(&bytes) {
            let read = batch.map_err(|source| (0, source)).and_then(|batch| {
                if batch.header.is_control() {
                    return Ok(Vec::new());
                }
                let config = &shared.config;
                let limit = config.decompressed_bytes_max;
                let opened = ConsumerBatch::open(named.clone(), &batch, 0, config.check_crcs, limit);
                let read: Result<Vec<ConsumerRecord>, ClientError> =
                    opened.and_then(|open| open.records().collect());
                read.map_err(|_| {
                    (batch.header.base_offset, records::RecordsError::Corrupt("it cannot be read"))
                })
            });
            match read {
                Ok(read) => records.extend(read.into_iter().map(|record| (record.offset, record))),
                Err((offset, source)) => {
                    brought.failures.push(ClientError::Corrupt {
                        topic_partition: named.clone(),
                        offset,
                        source,
                    });
                }
            }
        }
        for acquired in data.acquired_records {
            for offset in acquired.first_offset..=acquired.last_offset {
                match records.remove(&offset) {
                    Some(mut record) => {
                        record.delivery_count = Some(acquired.delivery_count);
                        brought.records.push(Acquired { record, partition });
                    }
                    None => self.acknowledgements.note_gap(partition, offset),
                }
            }
        }
    }

    /// Says what became of records without acquiring more; closes the session if asked to.
    pub(crate) async fn acknowledge(
        &mut self,
        shared: &Shared,
        leader: i32,
        is_close: bool,
    ) -> Result<Outcomes, ClientError> {
        let is_renew_ack = self.acknowledgements.has_renewals();
        let said = self.acknowledgements.take();
        if self.epoch == OPEN_EPOCH || (said.is_empty() && !is_close) {
            return Ok(Vec::new());
        }
        let mut request = ShareAcknowledgeRequest {
            group_id: Some(shared.config.group_id.clone()),
            member_id: Some(shared.member_id.clone()),
            share_session_epoch: if is_close { CLOSE_EPOCH } else { self.epoch },
            is_renew_ack,
            ..ShareAcknowledgeRequest::default()
        };
        for (partition, runs) in &said {
            let batches =
                runs.iter().map(|(first_offset, last_offset, what)| acknowledge::AcknowledgementBatch {
                    first_offset: *first_offset,
                    last_offset: *last_offset,
                    acknowledge_types: vec![*what],
                    ..acknowledge::AcknowledgementBatch::default()
                });
            let one = acknowledge::AcknowledgePartition {
                partition_index: partition.1,
                acknowledgement_batches: batches.collect(),
                ..acknowledge::AcknowledgePartition::default()
            };
            match request.topics.last_mut().filter(|last| last.topic_id == partition.0) {
                Some(last) => last.partitions.push(one),
                None => request.topics.push(acknowledge::AcknowledgeTopic {
                    topic_id: partition.0,
                    partitions: vec![one],
                    ..acknowledge::AcknowledgeTopic::default()
                }),
            }
        }
        let options = SendOptions { lane: shared.fetch_lane, ..SendOptions::default() };
        let sent = shared.client.send_with(leader, &request, options).await;
        let response = sent.and_then(|response| {
            let message = response.error_message.as_deref();
            ClientError::check(ApiKey::ShareAcknowledge, response.error_code, message).map(|()| response)
        });
        self.next(response.is_ok() && !is_close);
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                return Ok(said.keys().map(|one| (name(shared, *one), Err(error.clone()))).collect());
            }
        };
        let mut outcomes = Vec::new();
        for topic in response.responses {
            for data in topic.partitions {
                let named = name(shared, (topic.topic_id, data.partition_index));
                let message = data.error_message.as_deref();
                let checked = ClientError::check(ApiKey::ShareAcknowledge, data.error_code, message);
                outcomes.push((named.clone(), checked.map_err(|error| error.about(&named))));
            }
        }
        Ok(outcomes)
    }
}
