//! A group shard as the coordinator runtime knows it.

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorShard, RecordPosition};
use protocol::ErrorCode;

use crate::config::GroupCoordinatorConfig;
use crate::effects::{Effects, Reply};
use crate::event::{DeletedTopic, Event, Request, RequestContext};
use crate::replay::ReplayWarning;
use crate::shard::GroupShard;

impl CoordinatorShard for GroupShard {
    type Config = GroupCoordinatorConfig;
    type Request = (RequestContext, Request);
    type Reply = Reply;
    type Notice = Vec<DeletedTopic>;
    type Action = std::convert::Infallible;
    type ReplayWarning = ReplayWarning;

    fn new(config: &GroupCoordinatorConfig, max_batch_bytes: usize) -> Self {
        GroupShard::new(GroupCoordinatorConfig { max_batch_bytes, ..config.clone() })
    }

    fn configure(&mut self, config: &GroupCoordinatorConfig, max_batch_bytes: usize) {
        self.set_config(GroupCoordinatorConfig { max_batch_bytes, ..config.clone() });
    }

    fn step(&mut self, now_ms: i64, event: CoordinatorEvent<Self>) -> Effects {
        let event = match event {
            CoordinatorEvent::Loaded { .. } => Event::Loaded,
            CoordinatorEvent::Request { id, request: (context, request) } => {
                Event::Request { id, context, request }
            }
            CoordinatorEvent::Tick => Event::Tick,
            CoordinatorEvent::Notice(topics) => Event::TopicsDeleted(topics),
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
