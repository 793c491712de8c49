//! Requests of streams groups.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::StreamsGroupHeartbeatRequest;
use protocol::messages::streams_group_describe_response::DescribedGroup;

use super::GroupShard;
use crate::effects::{Effects, Reply};
use crate::event::RequestContext;
use crate::group::{Group, Step};
use crate::refusal::Refusal;
use crate::streams::describe::describe_not_found;
use crate::streams::{StreamsAlive, StreamsGroup, StreamsHeartbeat, heartbeat_refusal, validate_heartbeat};

impl GroupShard {
    pub(super) fn streams_heartbeat(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        context: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Reply {
        let outcome = validate_heartbeat(request).and_then(|()| {
            if request.member_epoch < 0 {
                self.streams_leave(now_ms, effects, request)
            } else {
                self.streams_alive(now_ms, effects, &StreamsHeartbeat { context, request })
            }
        });
        match outcome {
            Ok(alive) => Reply::StreamsGroupHeartbeat(alive.response, alive.topics_to_create),
            Err(refusal) => Reply::StreamsGroupHeartbeat(heartbeat_refusal(refusal), Vec::new()),
        }
    }

    /// A member that joins or goes on. A group is there once somebody has joined it.
    fn streams_alive(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        heartbeat: &StreamsHeartbeat<'_>,
    ) -> Result<StreamsAlive, Refusal> {
        let group_id: Arc<str> = heartbeat.request.group_id.as_str().into();
        let joins = heartbeat.request.member_epoch == 0;
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        match self.groups.get_mut(&group_id) {
            Some(Group::Streams(group)) => {
                let alive = group.heartbeat(&mut step, heartbeat)?;
                self.enter(&group_id);
                return Ok(alive);
            }
            None if joins => {}
            Some(Group::Classic(group)) if joins && group.is_empty() => {}
            None => {
                let message = format!("Streams group {group_id} not found.");
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
            Some(_) => {
                let message = format!("Group {group_id} is not a streams group.");
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
        }
        let mut written = Effects::default();
        let mut group = StreamsGroup::new(group_id.clone());
        let mut tried =
            Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects: &mut written };
        let alive = group.heartbeat(&mut tried, heartbeat)?;
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        if let Some(before) = self.groups.get(&group_id) {
            before.write_tombstones(&mut step);
        }
        effects.records.append(&mut written.records);
        self.put_group(Group::Streams(Box::new(group)));
        Ok(alive)
    }

    fn streams_leave(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<StreamsAlive, Refusal> {
        let group_id = request.group_id.as_str();
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let group = match self.groups.get_mut(group_id) {
            Some(Group::Streams(group)) => group,
            other => {
                let reason = if other.is_some() { "is not a streams group." } else { "not found." };
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} {reason}")));
            }
        };
        let response = group.leave(&mut step, request)?;
        self.enter(group_id);
        Ok(StreamsAlive { response, topics_to_create: Vec::new() })
    }

    pub(super) fn describe_streams_groups(&self, group_ids: Vec<String>) -> Reply {
        let describe = |group_id: String| -> DescribedGroup {
            match self.groups.get(group_id.as_str()) {
                Some(Group::Streams(group)) => group.described(),
                Some(_) => {
                    let message = format!("Group {group_id} is not a streams group.");
                    describe_not_found(group_id, message)
                }
                None => {
                    let message = format!("Group {group_id} not found.");
                    describe_not_found(group_id, message)
                }
            }
        };
        Reply::StreamsGroupDescribe(group_ids.into_iter().map(describe).collect())
    }
}
