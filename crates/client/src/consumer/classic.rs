//! Membership by the classic protocol: join, let one member decide, sync, heartbeat.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use tokio::time::Instant;

use crate::consumer::Shared;
use crate::consumer::assignors::{self, AssignorName, MemberData};
use crate::consumer::membership::Member;
use crate::consumer::subscriptions::Interest;
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;
use calls::Joined;

/// This member's way through the generations of its group.
struct ClassicMember {
    shared: Arc<Shared>,
    group: Arc<str>,
    member_id: String,
    generation: i32,
    assignor: AssignorName,
    needs_join: bool,
    /// What the group was told of the application's interest.
    joined_interest: u64,
    /// What the last assignment was made of, if this member made it.
    led_partitions: Option<BTreeMap<String, i32>>,
    failures: u32,
    /// Why the group is joined again, for the broker's log (KIP-800).
    reason: &'static str,
}

/// Runs until the consumer is closed; leaves the group then.
pub(super) async fn run(shared: Arc<Shared>, group: Arc<str>) {
    let assignor = shared.config.assignors.first().copied().unwrap_or(AssignorName::Range);
    let mut member = ClassicMember {
        shared,
        group,
        member_id: String::new(),
        generation: -1,
        assignor,
        needs_join: true,
        joined_interest: 0,
        led_partitions: None,
        failures: 0,
        reason: "the consumer begins",
    };
    while !member.shared.is_closing() {
        member.step().await;
    }
    let assigned = member.shared.subscriptions.lock().assigned();
    member.shared.revoke(assigned).await;
    member.leave("the consumer is closed").await;
}

impl ClassicMember {
    async fn step(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (interest, version) = {
            let subscriptions = shared.subscriptions.lock();
            (subscriptions.interest.clone(), subscriptions.interest_version)
        };
        let heartbeat = Duration::from_millis(u64::from(shared.config.heartbeat_interval_ms.unsigned_abs()));
        if !matches!(interest, Interest::Topics(_) | Interest::Pattern(_)) {
            if self.generation >= 0 {
                let assigned = shared.subscriptions.lock().assigned();
                if matches!(interest, Interest::Nothing) {
                    shared.revoke(assigned).await;
                }
                self.leave("the consumer has unsubscribed").await;
            }
            return shared.sleep_or_wake(Instant::now() + Duration::from_secs(60)).await;
        }
        if version != self.joined_interest {
            (self.needs_join, self.reason) = (true, "the subscription has changed");
        }
        if shared.is_poll_overdue() {
            return self.pause_membership().await;
        }
        if self.needs_join {
            self.joined_interest = version;
            if let Err(error) = self.join_round().await {
                self.failed(error).await;
            }
            return;
        }
        shared.sleep_or_wake(Instant::now() + heartbeat).await;
        if shared.is_closing() {
            return;
        }
        if let Err(error) = self.heartbeat().await {
            return self.failed(error).await;
        }
        self.failures = 0;
        self.watch_topics().await;
    }

    /// One generation: join, decide if asked to, take over what is assigned.
    async fn join_round(&mut self) -> Result<(), ClientError> {
        let shared = Arc::clone(&self.shared);
        let is_cooperative = self.is_cooperative();
        if !is_cooperative {
            let assigned = shared.subscriptions.lock().assigned();
            let revoked = shared.revoke(assigned);
            self.alive_while(revoked).await?;
        }
        let topics = shared.subscribed_topics().await?;
        let data = MemberData {
            topics: topics.iter().map(|topic| topic.to_string()).collect(),
            owned: shared.subscriptions.lock().assigned(),
            generation: self.generation,
            rack: Some(shared.client.config().client_rack.clone()),
        };
        let shared_closing = Arc::clone(&shared);
        let joined = tokio::select! {
            biased;
            joined = self.join(&data) => joined?,
            () = shared_closing.closed() => return self.abandon_join(),
        };
        self.assignor = joined.assignor;
        let assignment = match &joined.members {
            Some(_) => self.decide(&joined).await?,
            None => BTreeMap::new(),
        };
        if joined.members.is_none() {
            self.led_partitions = None;
        }
        let assigned = tokio::select! {
            biased;
            assigned = self.sync(&joined, assignment) => assigned?,
            () = shared_closing.closed() => return self.abandon_join(),
        };
        (self.needs_join, self.failures) = (false, 0);
        self.publish();
        self.adopt(assigned).await
    }

    /// The consumer is closed while the group waits for others: the broker answers a connection in order, so that the
    /// leave takes another one.
    fn abandon_join(&self) -> Result<(), ClientError> {
        self.shared.client.release_lane(self.shared.group_lane);
        Ok(())
    }

    /// Whether every assignor that may be chosen lets members keep what they have.
    fn is_cooperative(&self) -> bool {
        match self.generation {
            0.. => self.assignor.is_cooperative(),
            _ => self.shared.config.assignors.iter().all(|assignor| assignor.is_cooperative()),
        }
    }

    /// With a cooperative assignor what is not assigned any more goes first, and then the group is joined again.
    async fn adopt(&mut self, assigned: Vec<TopicPartition>) -> Result<(), ClientError> {
        let shared = Arc::clone(&self.shared);
        let wanted: BTreeSet<&TopicPartition> = assigned.iter().collect();
        let owned = shared.subscriptions.lock().assigned();
        let gone: Vec<TopicPartition> = owned.into_iter().filter(|named| !wanted.contains(named)).collect();
        let has_gone = !gone.is_empty();
        let revoked = shared.revoke(gone);
        self.alive_while(revoked).await?;
        shared.take_over(assigned, true).await;
        if has_gone {
            (self.needs_join, self.reason) = (true, "partitions were revoked");
        }
        Ok(())
    }

    /// Assigns for everybody: this member leads the generation.
    async fn decide(&mut self, joined: &Joined) -> Result<assignors::Assignment, ClientError> {
        let members: Vec<assignors::Member> = joined.members.clone().unwrap_or_default();
        let topics: BTreeSet<&str> =
            members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
        let partitions = self.partition_counts(topics).await?;
        let assignment = assignors::assign(self.assignor, &members, &partitions);
        self.led_partitions = Some(partitions);
        Ok(assignment)
    }

    async fn partition_counts(&self, topics: BTreeSet<&str>) -> Result<BTreeMap<String, i32>, ClientError> {
        let may_create = self.shared.config.allow_auto_create_topics;
        let metadata = self.shared.client.refresh_topics(topics.iter().copied(), may_create).await?;
        let known = topics.into_iter().filter_map(|name| metadata.topic(name));
        let counts = known
            .filter(|topic| topic.is_available())
            .map(|topic| (topic.name.to_string(), i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)));
        Ok(counts.collect())
    }

    /// The leader asks for a new generation when topics have changed since it decided.
    async fn watch_topics(&mut self) {
        let Some(led) = &self.led_partitions else { return };
        let metadata = self.shared.client.metadata();
        let is_grown = led.iter().any(|(name, count)| {
            let known = metadata.topic(name).filter(|topic| topic.is_available());
            known.is_some_and(|topic| topic.partitions.len() as i64 != i64::from(*count))
        });
        let interest = self.shared.subscriptions.lock().interest.clone();
        let is_new = match interest {
            Interest::Topics(topics) => topics.iter().any(|name| {
                let is_there = metadata.topic(name).is_some_and(|topic| topic.is_available());
                is_there && !led.contains_key(&**name)
            }),
            _ => false,
        };
        if is_grown || is_new {
            (self.needs_join, self.reason) = (true, "topics have changed");
        }
    }

    /// Heartbeats while something else is done.
    async fn alive_while(&mut self, work: impl Future<Output = ()>) -> Result<(), ClientError> {
        let heartbeat =
            Duration::from_millis(u64::from(self.shared.config.heartbeat_interval_ms.unsigned_abs()));
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = &mut work => return Ok(()),
                () = tokio::time::sleep(heartbeat) => {}
            }
            if self.generation >= 0
                && let Err(error) = self.heartbeat().await
                && error.code() != Some(ErrorCode::RebalanceInProgress)
                && !error.is_retriable()
            {
                return Err(error);
            }
        }
    }

    async fn failed(&mut self, error: ClientError) {
        tracing::debug!(%error, group = %self.group, "the group is joined again");
        self.failures = self.failures.saturating_add(1);
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => {
                (self.needs_join, self.reason, self.failures) = (true, "the group rebalances", 0);
            }
            Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                if error.code() == Some(ErrorCode::UnknownMemberId) {
                    self.member_id.clear();
                }
                (self.needs_join, self.reason, self.generation) =
                    (true, "the group went on without this member", -1);
                self.publish();
                self.shared.lose().await;
            }
            _ if error.is_retriable() => self.shared.back_off(self.failures).await,
            _ => {
                self.generation = -1;
                self.publish();
                self.shared.lose().await;
                self.shared.fail(error);
                self.needs_join = true;
                self.shared.rest_after_failure().await;
            }
        }
    }

    /// The application takes too long: others read meanwhile, until it comes back.
    async fn pause_membership(&mut self) {
        let limit_ms = self.shared.config.max_poll_interval_ms;
        tracing::warn!(limit_ms, "no call for records within max.poll.interval.ms: the group is left");
        self.shared.lose().await;
        self.leave("no call for records within max.poll.interval.ms").await;
        (self.needs_join, self.reason) = (true, "the application asks for records again");
        let (mut pollers, mut closing) = (self.shared.pollers.subscribe(), self.shared.closing.subscribe());
        tokio::select! {
            // The senders live as long as the consumer.
            _ = pollers.wait_for(|pollers| *pollers > 0) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    fn publish(&self) {
        let member = Member { id: self.member_id.as_str().into(), generation: self.generation };
        *self.shared.member.lock() = member;
    }
}
