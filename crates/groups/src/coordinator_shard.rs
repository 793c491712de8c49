//! A group shard as the coordinator runtime knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorShard, RecordPosition};
use metadata::MetadataImage;
use protocol::ErrorCode;

use crate::cluster::MetadataUpdate;
use crate::config::GroupCoordinatorConfig;
use crate::effects::{Action, Effects, Reply};
use crate::event::{DeletedTopic, Event, Request, RequestContext};
use crate::replay::ReplayWarning;
use crate::shard::GroupShard;

/// What shards are set up with.
#[derive(Debug, Clone)]
pub struct GroupShardConfig {
    /// The broker's settings.
    pub settings: GroupCoordinatorConfig,
    /// The metadata that a new shard begins with; one that is there hears of changes.
    pub metadata: Arc<MetadataImage>,
}

/// What every shard is told.
#[derive(Debug, Clone)]
pub enum GroupNotice {
    /// The cluster's metadata is another one.
    MetadataChanged(MetadataUpdate),
    /// Topics were deleted.
    TopicsDeleted(Vec<DeletedTopic>),
}

impl CoordinatorShard for GroupShard {
    type Config = GroupShardConfig;
    type Request = (RequestContext, Request);
    type Reply = Reply;
    type Notice = GroupNotice;
    type Action = Action;
    type ReplayWarning = ReplayWarning;

    fn new(config: &GroupShardConfig, max_batch_bytes: usize) -> Self {
        let mut shard =
            GroupShard::new(GroupCoordinatorConfig { max_batch_bytes, ..config.settings.clone() });
        let update = MetadataUpdate {
            image: config.metadata.clone(),
            changed_topics: BTreeSet::new(),
            has_new_topics: true,
        };
        GroupShard::step(&mut shard, 0, Event::MetadataChanged(update));
        shard
    }

    fn configure(&mut self, config: &GroupShardConfig, max_batch_bytes: usize) {
        self.set_config(GroupCoordinatorConfig { max_batch_bytes, ..config.settings.clone() });
    }

    fn step(&mut self, now_ms: i64, event: CoordinatorEvent<Self>) -> Effects {
        let event = match event {
            CoordinatorEvent::Loaded { .. } => Event::Loaded,
            CoordinatorEvent::Request { id, request: (context, request) } => {
                Event::Request { id, context, request }
            }
            CoordinatorEvent::Tick => Event::Tick,
            CoordinatorEvent::Notice(GroupNotice::TopicsDeleted(topics)) => Event::TopicsDeleted(topics),
            CoordinatorEvent::Notice(GroupNotice::MetadataChanged(update)) => Event::MetadataChanged(update),
            CoordinatorEvent::TransactionCompleted { producer_id, committed } => {
                Event::TransactionCompleted { producer_id, committed }
            }
            CoordinatorEvent::Unload => Event::Unload,
        };
        GroupShard::step(self, now_ms, event)
    }

    fn next_deadline(&self) -> Option<i64> {
        GroupShard::next_deadline(self)
    }

    fn replay(
        &mut self,
        position: RecordPosition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), ReplayWarning> {
        GroupShard::replay(self, position, key, value)
    }

    fn replay_end_transaction(&mut self, producer_id: i64, committed: bool) {
        GroupShard::replay_end_transaction(self, producer_id, committed);
    }

    fn refuse((context, request): (RequestContext, Request), error: ErrorCode) -> Reply {
        request.refused(error, context.api_version)
    }

    fn refuse_reply(reply: Reply, append_error: ErrorCode) -> Reply {
        reply.refused(append_error)
    }
}
