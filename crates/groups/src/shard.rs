//! One partition of `__consumer_offsets` as a state machine: events in, records and replies out.

mod admin;
mod commits;
mod consumer;
mod membership;
mod share;
mod streams;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;

use crate::classic::{ClassicGroup, Parked};
use crate::cluster::Cluster;
use crate::config::GroupCoordinatorConfig;
use crate::deadlines::Deadlines;
use crate::effects::{Effects, Reply};
use crate::event::{Event, Request, RequestContext, RequestId};
use crate::group::{Group, Step};
use crate::offsets::OffsetStore;
use crate::refusal::refuse_request;

/// Every group whose id maps to one partition of `__consumer_offsets`.
///
/// Its life: [`GroupShard::replay`] for each record of the partition, [`Event::Loaded`], then events as they come, and
/// [`Event::Unload`] at the end. What a step decides holds at once for the steps after it, although its records are not
/// committed yet; the caller therefore holds back every reply until all that was appended before it is.
///
/// Timeouts happen when the caller gives [`Event::Tick`], never by themselves in another event: requests that have
/// waited in a socket while the process stood still are thus heard before their members are given up, if the caller
/// reads them first. A step may set a deadline for now, so [`GroupShard::next_deadline`] is to be asked after each.
#[derive(Debug)]
pub struct GroupShard {
    config: GroupCoordinatorConfig,
    cluster: Cluster,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    pub(crate) offsets: OffsetStore,
    deadlines: Deadlines,
    /// When expired offsets are looked for; absent until the partition is loaded.
    next_expiry_check_ms: Option<i64>,
    is_unloaded: bool,
}

impl GroupShard {
    /// A shard of an empty partition.
    pub fn new(config: GroupCoordinatorConfig) -> Self {
        Self {
            config,
            cluster: Cluster::default(),
            groups: BTreeMap::new(),
            offsets: OffsetStore::default(),
            deadlines: Deadlines::default(),
            next_expiry_check_ms: None,
            is_unloaded: false,
        }
    }

    /// Other settings from now on; timeouts that run already keep their length.
    pub fn set_config(&mut self, config: GroupCoordinatorConfig) {
        self.config = config;
    }

    /// When the next [`Event::Tick`] is due, in milliseconds; perhaps a moment that has passed already. A tick may come
    /// early, or find nothing to do.
    pub fn next_deadline(&self) -> Option<i64> {
        [self.deadlines.next_ms(), self.next_expiry_check_ms].into_iter().flatten().min()
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Lets one event happen at `now_ms`.
    pub fn step(&mut self, now_ms: i64, event: Event) -> Effects {
        let mut effects = Effects::default();
        match event {
            Event::Request { id, context, request } if self.is_unloaded => {
                let reply = refuse_request(request, ErrorCode::NotCoordinator, context.api_version);
                effects.replies.push((id, reply));
            }
            _ if self.is_unloaded => {}
            Event::Request { id, context, request } => {
                self.request(now_ms, &mut effects, id, &context, request)
            }
            Event::Loaded => self.loaded(now_ms, &mut effects),
            Event::Tick => self.tick(now_ms, &mut effects),
            Event::MetadataChanged(update) => self.cluster.update(update),
            Event::TopicsDeleted(topics) => self.topics_deleted(now_ms, &mut effects, &topics),
            Event::TransactionCompleted { producer_id, committed } => {
                self.offsets.end_transaction(producer_id, committed);
            }
            Event::Unload => self.unload(now_ms, &mut effects),
        }
        effects
    }

    fn request(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        id: RequestId,
        context: &RequestContext,
        request: Request,
    ) {
        let parked = Parked { id, api_version: context.api_version };
        let reply = match request {
            Request::JoinGroup(request) => return self.join(now_ms, effects, parked, context, request),
            Request::SyncGroup(request) => return self.sync(now_ms, effects, parked, request),
            Request::Heartbeat(request) => self.heartbeat(now_ms, effects, &request),
            Request::LeaveGroup(request) => self.leave(now_ms, effects, request, context.api_version),
            Request::ConsumerGroupHeartbeat(request) => {
                self.consumer_heartbeat(now_ms, effects, context, &request)
            }
            Request::ConsumerGroupDescribe(group_ids) => self.describe_consumer_groups(group_ids),
            Request::StreamsGroupHeartbeat(request) => {
                self.streams_heartbeat(now_ms, effects, context, &request)
            }
            Request::StreamsGroupDescribe(group_ids) => self.describe_streams_groups(group_ids),
            Request::Share(request) => Reply::Share(self.share(now_ms, effects, context, request)),
            Request::OffsetCommit(request) => self.commit(now_ms, effects, request, context.api_version),
            Request::TxnOffsetCommit(request) => {
                self.commit_transactional(now_ms, effects, request, context.api_version)
            }
            Request::OffsetFetch { group, require_stable } => {
                self.fetch_offsets(group, require_stable, context.api_version)
            }
            Request::OffsetDelete(request) => self.delete_offsets(effects, request),
            Request::ListGroups(request) => self.list(&request),
            Request::DescribeGroups(group_ids) => self.describe(group_ids, context.api_version),
            Request::DeleteGroups(group_ids) => self.delete_groups(now_ms, effects, group_ids),
        };
        effects.replies.push((id, reply));
    }

    /// Lets a classic group act, and enters what it then waits for.
    fn with_classic<T>(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        group_id: &str,
        act: impl FnOnce(&mut ClassicGroup, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let outcome = match group {
            Group::Classic(group) => act(group, &mut step),
            Group::Consumer(_) | Group::Streams(_) | Group::Share(_) => return None,
        };
        self.deadlines.enter(group);
        Some(outcome)
    }
}
