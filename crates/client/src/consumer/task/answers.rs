//! What the consumer's task does with what it waited for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol::messages::FetchResponse;
use protocol::messages::fetch_response::{NodeEndpoint, PartitionData};
use protocol::{ApiKey, ErrorCode, Uuid};

use super::{Event, Task};
use crate::consumer::config::{IsolationLevel, OffsetReset};
use crate::consumer::fetch_session::FetchSession;
use crate::consumer::fetched::visible;
use crate::consumer::subscriptions::{Assigned, Lookup, Phase, Seek, Want};
use crate::endpoint::Endpoint;
use crate::error::{ClientError, is_stale_metadata};
use crate::group_offsets::OffsetAndMetadata;
use crate::topic_partition::TopicPartition;

type Answers<T> = Result<Vec<(TopicPartition, Result<T, ClientError>)>, ClientError>;

impl Task {
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Committed(lookups, found) => self.committed(lookups, found),
            Event::Found(lookups, found) => {
                self.each(lookups, found, |task, lookup, offset| match (offset, lookup.what) {
                    (Some(offset), _) => {
                        task.with(&lookup, |one| one.set_position(offset.offset, offset.leader_epoch));
                    }
                    // No record is as new as that: reading begins at the end.
                    (None, _) => task.with(&lookup, |one| {
                        (one.phase, one.is_looked_up) = (Phase::NeedsReset(OffsetReset::Latest), false);
                    }),
                });
            }
            Event::Validated(lookups, ends) => {
                self.each(lookups, ends, |task, lookup, (epoch, end)| task.validated(&lookup, epoch, end));
            }
            Event::Fetched(broker, session, wants, answer) => self.fetched(broker, session, &wants, answer),
            Event::Refreshed => self.is_refreshing = false,
            Event::AutoCommitted => self.is_committing = false,
        }
        self.shared.data.notify_waiters();
    }

    fn with<T>(&self, lookup: &Lookup<T>, change: impl FnOnce(&mut Assigned)) {
        let mut subscriptions = self.shared.subscriptions.lock();
        if let Some(one) = subscriptions.current_mut(&lookup.topic_partition, lookup.stamp) {
            change(one);
        }
    }

    /// Gives each lookup its answer; failures are tried again or told to the application.
    fn each<T: Clone, A>(
        &mut self,
        lookups: Vec<Lookup<T>>,
        answers: Answers<A>,
        found: impl Fn(&Self, Lookup<T>, A),
    ) {
        let (mut answers, failure) = match answers {
            Ok(answers) => (answers.into_iter().collect::<HashMap<_, _>>(), None),
            Err(error) => (HashMap::new(), Some(error)),
        };
        for lookup in lookups {
            match answers.remove(&lookup.topic_partition) {
                Some(Ok(answer)) => found(self, lookup, answer),
                Some(Err(error)) => self.failed(&lookup.topic_partition, lookup.stamp, error),
                None => {
                    let missing =
                        ClientError::refused(ApiKey::ListOffsets, ErrorCode::UnknownTopicOrPartition);
                    let error = failure.clone().unwrap_or(missing);
                    self.failed(&lookup.topic_partition, lookup.stamp, error);
                }
            }
        }
    }

    fn committed(
        &mut self,
        lookups: Vec<Lookup<()>>,
        found: Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>, ClientError>,
    ) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                for lookup in lookups {
                    self.failed(&lookup.topic_partition, lookup.stamp, error.clone());
                }
                return;
            }
        };
        let reset = self.shared.config.auto_offset_reset;
        for lookup in lookups {
            let committed = found.get(&lookup.topic_partition).cloned().flatten();
            self.with(&lookup, |one| match committed {
                Some(committed) => {
                    one.set_position(committed.offset, committed.leader_epoch);
                    one.committed = committed.offset;
                    if committed.leader_epoch.is_some() {
                        one.phase = Phase::NeedsValidation;
                    }
                }
                None if reset == OffsetReset::None => {
                    let topic_partition = lookup.topic_partition.clone();
                    one.failure = Some(ClientError::NoOffset { topic_partition, offset: -1 });
                    // Told again and again until a position is set.
                    one.is_looked_up = false;
                }
                None => (one.phase, one.is_looked_up) = (Phase::NeedsReset(reset), false),
            });
        }
    }

    /// Compares the position with the end of its epoch: behind that the log was cut.
    fn validated(&self, lookup: &Lookup<(i64, i32)>, epoch: i32, end: i64) {
        let (offset, named) = (lookup.what.0, &lookup.topic_partition);
        let leader_epoch = self.shared.client.metadata().leader(named).map_or(-1, |(_, epoch)| epoch);
        if epoch >= 0 && end >= offset {
            return self.with(lookup, |one| {
                (one.phase, one.is_looked_up, one.failures) = (Phase::Ready, false, 0);
                one.validated_epoch = leader_epoch;
            });
        }
        let reset = self.shared.config.auto_offset_reset;
        tracing::warn!(partition = %named, offset, end, "the log was truncated below the position");
        if reset == OffsetReset::None {
            let topic_partition = named.clone();
            let error = ClientError::LogTruncated { topic_partition, offset, diverging_offset: end };
            return self.with(lookup, |one| (one.failure, one.is_looked_up) = (Some(error), false));
        }
        let mut subscriptions = self.shared.subscriptions.lock();
        if epoch >= 0 {
            subscriptions.cut(named, lookup.stamp, end);
        } else if subscriptions.current_mut(named, lookup.stamp).is_some() {
            subscriptions.seek(named, Seek::Reset(reset));
        }
    }

    /// Tries again later what may succeed then, and tells the application of the rest.
    fn failed(&mut self, named: &TopicPartition, stamp: u64, error: ClientError) {
        let now_ms = self.shared.client.now_ms();
        let is_member_late = matches!(
            error.code(),
            Some(ErrorCode::StaleMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)
        );
        let is_again = error.is_retriable() || is_member_late;
        let is_stale = error.is_stale_metadata();
        let mut subscriptions = self.shared.subscriptions.lock();
        if let Some(one) = subscriptions.current_mut(named, stamp) {
            one.is_looked_up = false;
            one.failures = one.failures.saturating_add(1);
            let backoff = self.shared.client.config().retry_backoff();
            one.retry_at_ms = now_ms + backoff.wait_ms(one.failures, &mut self.shared.client.jitter());
            if !is_again {
                one.failure = Some(error);
            }
        }
        drop(subscriptions);
        if is_stale {
            self.refresh(BTreeSet::from([Arc::clone(&named.topic)]));
        }
    }

    fn fetched(
        &mut self,
        broker: i32,
        mut session: FetchSession,
        wants: &[Want],
        answer: Result<FetchResponse, ClientError>,
    ) {
        self.fetching.remove(&broker);
        match answer {
            Ok(response) => {
                let is_alive = session.answered(response.error_code, response.session_id);
                if is_alive {
                    self.failures = 0;
                    self.partitions_fetched(broker, &session, response);
                } else if let Err(error) = ClientError::check(ApiKey::Fetch, response.error_code, None) {
                    tracing::debug!(%error, broker, "the fetch session begins anew");
                    let is_stale = error.is_stale_metadata()
                        || error.code() == Some(ErrorCode::FetchSessionTopicIdError);
                    if is_stale {
                        self.refresh(
                            wants.iter().map(|want| Arc::clone(&want.topic_partition.topic)).collect(),
                        );
                    }
                    if !error.is_retriable() {
                        wants
                            .iter()
                            .for_each(|want| self.failed(&want.topic_partition, want.stamp, error.clone()));
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, broker, "no answer to a fetch");
                session.lost();
                for want in wants {
                    self.failed(&want.topic_partition, want.stamp, error.clone());
                }
            }
        }
        self.sessions.insert(broker, session);
    }

    fn partitions_fetched(&mut self, broker: i32, session: &FetchSession, response: FetchResponse) {
        let metadata = self.shared.client.metadata();
        let mut stale = BTreeSet::new();
        for topic in response.responses {
            let name: Option<Arc<str>> = match topic.topic_id {
                Uuid::ZERO => Some(topic.topic.as_str().into()),
                id => metadata.topic_name(id).cloned(),
            };
            let Some(name) = name else { continue };
            for data in topic.partitions {
                let named = TopicPartition { topic: Arc::clone(&name), partition: data.partition_index };
                if let Some(want) = session.asked(&named)
                    && self.partition_fetched(broker, want, data, &response.node_endpoints)
                {
                    stale.insert(named.topic);
                }
            }
        }
        if !stale.is_empty() {
            self.refresh(stale);
        }
    }

    /// Takes a partition's records, or notes why there are none; true if metadata is to be asked for.
    fn partition_fetched(
        &self,
        broker: i32,
        want: &Want,
        mut data: PartitionData,
        endpoints: &[NodeEndpoint],
    ) -> bool {
        let named = &want.topic_partition;
        let (now_ms, config) = (self.shared.client.now_ms(), &self.shared.config);
        let checked = ClientError::check(ApiKey::Fetch, data.error_code, None);
        let mut subscriptions = self.shared.subscriptions.lock();
        let Some(one) = subscriptions.current_mut(named, want.stamp) else { return false };
        if one.fetch_offset != want.offset {
            return false;
        }
        if let Err(error) = checked {
            let error = self.shared.client.said_by(broker, error.about(named));
            drop(subscriptions);
            return self.partition_failed(want, error, &data, endpoints);
        }
        (one.high_watermark, one.last_stable_offset) = (data.high_watermark, data.last_stable_offset);
        one.failures = 0;
        if data.preferred_read_replica >= 0 {
            let until_ms = now_ms + self.shared.client.config().metadata_max_age_ms;
            one.preferred_replica = Some((data.preferred_read_replica, until_ms));
            return false;
        }
        let Some(bytes) = data.records.take().and_then(|records| records.to_bytes()) else { return false };
        let is_committed = config.isolation_level == IsolationLevel::ReadCommitted;
        let aborted = is_committed.then(|| data.aborted_transactions.take().unwrap_or_default());
        let (fetched, error) = visible(&bytes, want.offset, aborted);
        fetched.into_iter().for_each(|fetched| one.push(fetched));
        if let Some(source) = error {
            let offset = one.fetch_offset;
            one.failure = Some(ClientError::Corrupt { topic_partition: named.clone(), offset, source });
        }
        false
    }

    fn partition_failed(
        &self,
        want: &Want,
        error: ClientError,
        data: &PartitionData,
        endpoints: &[NodeEndpoint],
    ) -> bool {
        let (named, reset) = (&want.topic_partition, self.shared.config.auto_offset_reset);
        let code = error.code().unwrap_or(ErrorCode::UnknownServerError);
        tracing::debug!(%error, "a partition cannot be fetched");
        let hint = &data.current_leader;
        let endpoint = endpoints.iter().find(|node| node.node_id == hint.leader_id).and_then(|node| {
            let port = u16::try_from(node.port).ok()?;
            Some(Endpoint { id: node.node_id, host: node.host.clone(), port, rack: node.rack.clone() })
        });
        let is_hinted = self.shared.client.note_leader(named, hint.leader_id, hint.leader_epoch, endpoint);
        let mut subscriptions = self.shared.subscriptions.lock();
        let Some(one) = subscriptions.current_mut(named, want.stamp) else { return false };
        // Whatever a follower says, the leader is asked next.
        let was_preferred = one.preferred_replica.take().is_some();
        if code == ErrorCode::OffsetOutOfRange && !was_preferred {
            if reset == OffsetReset::None {
                let topic_partition = named.clone();
                one.failure = Some(ClientError::NoOffset { topic_partition, offset: want.offset });
            } else {
                tracing::info!(partition = %named, offset = want.offset, "the offset is out of range");
                (one.phase, one.is_looked_up) = (Phase::NeedsReset(reset), false);
            }
            return false;
        }
        let is_again = code.is_retriable() || code == ErrorCode::OffsetOutOfRange || is_stale_metadata(code);
        if is_again && !is_hinted {
            one.failures = one.failures.saturating_add(1);
            let backoff = self.shared.client.config().retry_backoff();
            let now_ms = self.shared.client.now_ms();
            one.retry_at_ms = now_ms + backoff.wait_ms(one.failures, &mut self.shared.client.jitter());
        }
        if !is_again {
            one.failure = Some(error);
        }
        is_stale_metadata(code) && !is_hinted
    }
}
