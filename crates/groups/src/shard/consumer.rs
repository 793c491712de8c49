//! Requests of the consumer protocol, and where groups become others.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::consumer_group_describe_response::DescribedGroup;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::GroupShard;
use crate::consumer::describe::describe_not_found;
use crate::consumer::{ConsumerGroup, ConsumerHeartbeat, heartbeat_refusal, validate_heartbeat};
use crate::effects::{Effects, Reply};
use crate::event::RequestContext;
use crate::group::{Group, Step};
use crate::refusal::Refusal;

impl GroupShard {
    pub(super) fn consumer_heartbeat(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        context: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Reply {
        let outcome = validate_heartbeat(&self.config, request, context.api_version).and_then(|()| {
            if request.member_epoch < 0 {
                self.consumer_leave(now_ms, effects, request)
            } else {
                self.consumer_alive(now_ms, effects, &ConsumerHeartbeat { context, request })
            }
        });
        Reply::ConsumerGroupHeartbeat(outcome.unwrap_or_else(heartbeat_refusal))
    }

    /// A member that joins or goes on. A group is there once somebody has joined it.
    fn consumer_alive(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        heartbeat: &ConsumerHeartbeat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let group_id: Arc<str> = heartbeat.request.group_id.as_str().into();
        let joins = heartbeat.request.member_epoch == 0;
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let mut written = Effects::default();
        let (mut group, is_other) = match self.groups.get_mut(&group_id) {
            Some(Group::Consumer(group)) => {
                let response = group.heartbeat(&mut step, heartbeat)?;
                self.enter(&group_id);
                return Ok(response);
            }
            None if joins => (ConsumerGroup::new(group_id.clone()), false),
            None => {
                let message = format!("Consumer group {group_id} not found.");
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
            Some(group @ Group::Classic(_)) if joins && group.is_empty() => {
                let mut step = Step { effects: &mut written, ..step };
                group.write_tombstones(&mut step);
                (ConsumerGroup::new(group_id.clone()), true)
            }
            Some(Group::Classic(classic)) if joins => {
                heartbeat.check_upgraded(&step, classic)?;
                (ConsumerGroup::upgraded(&mut step, classic)?, true)
            }
            Some(_) => {
                let message = format!("Group {group_id} is not a consumer group.");
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        effects.records.append(&mut written.records);
        let before = effects.records.len();
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let response = group.heartbeat(&mut step, heartbeat);
        if response.is_err() && !is_other {
            effects.records.truncate(before);
        } else {
            self.put_group(Group::Consumer(Box::new(group)));
        }
        response
    }

    fn consumer_leave(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let group_id = request.group_id.as_str();
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let group = match self.groups.get_mut(group_id) {
            Some(Group::Consumer(group)) => group,
            other => {
                let reason = if other.is_some() { "is not a consumer group." } else { "not found." };
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} {reason}")));
            }
        };
        let (response, classic) = group.leave(&mut step, request)?;
        match classic {
            Some(classic) => self.put_group(Group::Classic(Box::new(classic))),
            None => self.enter(group_id),
        }
        Ok(response)
    }

    pub(super) fn describe_consumer_groups(&self, group_ids: Vec<String>) -> Reply {
        let describe = |group_id: String| -> DescribedGroup {
            match self.groups.get(group_id.as_str()) {
                Some(Group::Consumer(group)) => group.described(&self.config, &self.cluster),
                Some(_) => {
                    let message = format!("Group {group_id} is not a consumer group.");
                    describe_not_found(group_id, message)
                }
                None => {
                    let message = format!("Group {group_id} not found.");
                    describe_not_found(group_id, message)
                }
            }
        };
        Reply::ConsumerGroupDescribe(group_ids.into_iter().map(describe).collect())
    }

    /// Lets a group stand where another of its id stood, or nobody.
    pub(crate) fn put_group(&mut self, group: Group) {
        let group_id = group.id().clone();
        self.remove_group(&group_id);
        self.groups.insert(group_id.clone(), group);
        self.enter(&group_id);
    }

    /// Enters what a group waits for.
    pub(super) fn enter(&mut self, group_id: &str) {
        if let Some(group) = self.groups.get_mut(group_id) {
            self.deadlines.enter(group);
        }
    }
}
