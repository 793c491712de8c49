//! Membership by KIP-848: the coordinator decides, heartbeats carry what is assigned and what is owned.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::consumer_group_heartbeat_response::Assignment;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use protocol::{ApiKey, CoordinatorType, ErrorCode, Uuid};
use tokio::time::Instant;

use crate::client::{Client, SendOptions};
use crate::consumer::Shared;
use crate::consumer::membership::Member;
use crate::consumer::subscriptions::Interest;
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

const JOIN_EPOCH: i32 = 0;
const LEAVE_EPOCH: i32 = -1;
const STATIC_LEAVE_EPOCH: i32 = -2;

struct GroupMember {
    shared: Arc<Shared>,
    group: Arc<str>,
    member_id: String,
    epoch: i32,
    interval_ms: i64,
    told_interest: Option<u64>,
    /// What the coordinator wants this member to read, by topic id.
    target: Option<Vec<(Uuid, i32)>>,
    /// Whether what is owned is to be told with the next heartbeat.
    is_owned_news: bool,
    /// An answer is missing, with a new assignment perhaps: only a heartbeat that tells everything brings it again.
    is_answer_missing: bool,
    failures: u32,
}

/// Runs until the consumer is closed; leaves the group then.
pub(super) async fn run(shared: Arc<Shared>, group: Arc<str>) {
    let member_id = {
        let mut jitter = shared.client.jitter();
        Uuid::from_u128(u128::from(jitter.next_u64()) << 64 | u128::from(jitter.next_u64())).to_string()
    };
    let interval_ms = i64::from(shared.config.heartbeat_interval_ms);
    let mut member = GroupMember {
        shared,
        group,
        member_id,
        epoch: JOIN_EPOCH,
        interval_ms,
        told_interest: None,
        target: None,
        is_owned_news: true,
        is_answer_missing: false,
        failures: 0,
    };
    while !member.shared.is_closing() {
        member.step().await;
    }
    let assigned = member.shared.subscriptions.lock().assigned();
    member.shared.revoke(assigned).await;
    member.leave().await;
}

impl GroupMember {
    async fn step(&mut self) {
        let shared = Arc::clone(&self.shared);
        let interest = shared.subscriptions.lock().interest.clone();
        if !matches!(interest, Interest::Topics(_) | Interest::Pattern(_)) {
            if matches!(interest, Interest::Nothing) {
                let assigned = shared.subscriptions.lock().assigned();
                shared.revoke(assigned).await;
            }
            self.leave().await;
            return shared.sleep_or_wake(Instant::now() + Duration::from_secs(60)).await;
        }
        if shared.is_poll_overdue() {
            tracing::warn!("no call for records within max.poll.interval.ms: the group is left");
            shared.lose().await;
            self.leave().await;
            return shared.wait_for_poll(i64::from(i32::MAX)).await;
        }
        if let Err(error) = self.heartbeat(&interest).await {
            return self.failed(error).await;
        }
        self.failures = 0;
        match self.reconcile().await {
            // What has changed is told at once.
            Ok(true) => {}
            Ok(false) => {
                let interval = Duration::from_millis(self.interval_ms.max(1).unsigned_abs());
                shared.sleep_or_wake(Instant::now() + interval).await;
            }
            Err(error) => self.failed(error).await,
        }
    }

    /// Tells the coordinator what has changed, and hears what it wants.
    async fn heartbeat(&mut self, interest: &Interest) -> Result<(), ClientError> {
        let config = &self.shared.config;
        let version = self.shared.subscriptions.lock().interest_version;
        let is_joining = self.epoch == JOIN_EPOCH;
        let is_whole = is_joining || self.is_answer_missing;
        let mut request = self.request(self.epoch);
        if is_whole || self.told_interest != Some(version) {
            match interest {
                Interest::Pattern(pattern) => {
                    request.subscribed_topic_regex = Some(pattern.as_str().to_owned());
                    request.subscribed_topic_names = is_joining.then(Vec::new);
                }
                Interest::Topics(topics) => {
                    request.subscribed_topic_names =
                        Some(topics.iter().map(|topic| topic.to_string()).collect());
                    request.subscribed_topic_regex = (!is_joining).then(String::new);
                }
                Interest::Nothing | Interest::Partitions => {}
            }
        }
        if is_whole {
            request.rebalance_timeout_ms = config.max_poll_interval_ms;
            request.server_assignor.clone_from(&config.group_remote_assignor);
            request.rack_id =
                Some(self.shared.client.config().client_rack.clone()).filter(|rack| !rack.is_empty());
        }
        if is_whole || self.is_owned_news {
            request.topic_partitions = Some(self.owned());
        }
        // So it stays if the call fails or is dropped.
        self.is_answer_missing = true;
        let response = self.call(&request).await?;
        self.is_answer_missing = false;
        (self.told_interest, self.is_owned_news) = (Some(version), false);
        self.answered(response);
        Ok(())
    }

    fn answered(&mut self, response: ConsumerGroupHeartbeatResponse) {
        if let Some(member_id) = response.member_id.filter(|id| !id.is_empty()) {
            self.member_id = member_id;
        }
        self.epoch = response.member_epoch;
        self.interval_ms = i64::from(response.heartbeat_interval_ms);
        if let Some(Assignment { topic_partitions, .. }) = response.assignment {
            let partitions = topic_partitions.into_iter().flat_map(|topic| {
                topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
            });
            self.target = Some(partitions.collect());
        }
        self.publish();
    }

    /// Follows the coordinator's wish: gives up first, then takes over. True if anything has changed.
    async fn reconcile(&mut self) -> Result<bool, ClientError> {
        let Some(target) = self.target.clone() else { return Ok(false) };
        let shared = Arc::clone(&self.shared);
        let Some(wanted) = self.named(&target).await? else { return Ok(false) };
        let owned: BTreeSet<TopicPartition> = shared.subscriptions.lock().assigned().into_iter().collect();
        let gone: Vec<TopicPartition> = owned.difference(&wanted).cloned().collect();
        let is_same = owned == wanted;
        if !gone.is_empty() {
            let interest = shared.subscriptions.lock().interest.clone();
            let revoked = shared.revoke(gone);
            tokio::pin!(revoked);
            loop {
                let interval = Duration::from_millis(self.interval_ms.max(1).unsigned_abs());
                tokio::select! {
                    biased;
                    () = &mut revoked => break,
                    () = tokio::time::sleep(interval) => {}
                }
                // What is being given up is given up whole, even if the coordinator cannot be reached meanwhile.
                match self.heartbeat(&interest).await {
                    Err(error) if !error.is_retriable() => return Err(error),
                    Err(_) | Ok(()) => {}
                }
            }
        }
        // The wish may have changed meanwhile: the next heartbeat follows that one.
        if self.target.as_deref() == Some(&target) {
            self.target = None;
            if !is_same {
                shared.take_over(wanted.into_iter().collect(), false).await;
            }
        }
        self.is_owned_news |= !is_same;
        Ok(!is_same)
    }

    /// The wish by topic names; none while a topic is not known.
    async fn named(&self, target: &[(Uuid, i32)]) -> Result<Option<BTreeSet<TopicPartition>>, ClientError> {
        let mut metadata = self.shared.client.metadata();
        if target.iter().any(|(id, _)| metadata.topic_name(*id).is_none()) {
            let names = self.shared.subscribed_topics().await?;
            metadata = self.shared.client.refresh_topics(names.iter().map(|name| &**name), false).await?;
        }
        if target.iter().any(|(id, _)| metadata.topic_name(*id).is_none()) {
            metadata = self.shared.client.refresh_all().await?;
        }
        let named = target.iter().map(|(id, partition)| {
            Some(TopicPartition { topic: Arc::clone(metadata.topic_name(*id)?), partition: *partition })
        });
        Ok(named.collect())
    }

    fn owned(&self) -> Vec<TopicPartitions> {
        let metadata = self.shared.client.metadata();
        let mut topics: Vec<TopicPartitions> = Vec::new();
        for named in self.shared.subscriptions.lock().assigned() {
            let Some(topic_id) = metadata.topic(&named.topic).map(|topic| topic.id) else { continue };
            match topics.last_mut().filter(|last| last.topic_id == topic_id) {
                Some(last) => last.partitions.push(named.partition),
                None => topics.push(TopicPartitions {
                    topic_id,
                    partitions: vec![named.partition],
                    ..TopicPartitions::default()
                }),
            }
        }
        topics
    }

    async fn failed(&mut self, error: ClientError) {
        tracing::debug!(%error, group = %self.group, "a heartbeat failed");
        self.failures = self.failures.saturating_add(1);
        match error.code() {
            Some(ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch) => {
                (self.epoch, self.told_interest, self.target) = (JOIN_EPOCH, None, None);
                self.publish();
                self.shared.lose().await;
            }
            // A static member's predecessor is still there; it goes with its session.
            Some(ErrorCode::UnreleasedInstanceId) => self.shared.back_off(self.failures).await,
            _ if error.is_retriable() => self.shared.back_off(self.failures).await,
            _ => {
                (self.epoch, self.told_interest, self.target) = (JOIN_EPOCH, None, None);
                self.publish();
                self.shared.lose().await;
                self.shared.fail(error);
                self.shared.rest_after_failure().await;
            }
        }
    }

    async fn leave(&mut self) {
        if self.epoch <= JOIN_EPOCH {
            return;
        }
        let is_static = self.shared.config.group_instance_id.is_some();
        let request = self.request(if is_static { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH });
        (self.epoch, self.told_interest, self.target) = (JOIN_EPOCH, None, None);
        self.publish();
        if let Err(error) = self.call(&request).await {
            tracing::debug!(%error, "the coordinator was not told that the member is gone");
        }
    }

    fn request(&self, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.to_string(),
            member_id: self.member_id.clone(),
            member_epoch,
            instance_id: self.shared.config.group_instance_id.clone(),
            rebalance_timeout_ms: -1,
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    async fn call(
        &self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, ClientError> {
        let (client, kind) = (&self.shared.client, CoordinatorType::Group);
        let options = SendOptions { lane: self.shared.group_lane, ..SendOptions::default() };
        let response = client.send_to_coordinator_with(kind, &self.group, request, options).await?;
        let api = ApiKey::ConsumerGroupHeartbeat;
        let checked = ClientError::check(api, response.error_code, response.error_message.as_deref());
        let checked = checked.map_err(|error| client.said_by_coordinator(kind, &self.group, error));
        checked.inspect_err(|error| {
            if Client::is_coordinator_moved(error) {
                client.forget_coordinator(kind, &self.group);
            }
        })?;
        Ok(response)
    }

    fn publish(&self) {
        let generation = if self.epoch == JOIN_EPOCH { -1 } else { self.epoch };
        let id = if generation < 0 { "" } else { self.member_id.as_str() };
        *self.shared.member.lock() = Member { id: id.into(), generation };
    }
}
