//! Requests about share groups.

use std::sync::Arc;

use protocol::ErrorCode;

use super::GroupShard;
use crate::effects::Effects;
use crate::event::RequestContext;
use crate::group::{Group, Step};
use crate::refusal::Refusal;
use crate::share::{
    ShareGroup, ShareReply, ShareRequest, describe_not_found, heartbeat_refusal, validate_heartbeat,
};
use protocol::messages::ShareGroupHeartbeatRequest;

impl GroupShard {
    pub(super) fn share(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        context: &RequestContext,
        request: ShareRequest,
    ) -> ShareReply {
        match request {
            ShareRequest::Heartbeat(request) => {
                let answer = self.share_heartbeat(now_ms, effects, context, &request);
                ShareReply::Heartbeat(answer.unwrap_or_else(heartbeat_refusal))
            }
            ShareRequest::Describe(group_ids) => ShareReply::Describe(
                group_ids.into_iter().map(|group_id| self.describe_share_group(group_id)).collect(),
            ),
            ShareRequest::StateInitialized { group_id, topics, is_done } => {
                let told = self.with_share(now_ms, effects, &group_id, |group, step| {
                    group.state_initialized(step, &topics, is_done);
                });
                ShareReply::Heard(told.map_or(ErrorCode::GroupIdNotFound, |()| ErrorCode::None))
            }
            ShareRequest::StateDeleted { group_id, topic_ids } => {
                let told = self.with_share(now_ms, effects, &group_id, |group, step| {
                    group.state_deleted(step, &topic_ids);
                });
                ShareReply::Heard(told.map_or(ErrorCode::GroupIdNotFound, |()| ErrorCode::None))
            }
            ShareRequest::InitializedPartitions { group_id } => match self.groups.get(group_id.as_str()) {
                Some(Group::Share(group)) => {
                    ShareReply::InitializedPartitions(ErrorCode::None, group.initialized_partitions())
                }
                // Kafka has nothing to tell of groups that do not exist.
                _ => ShareReply::InitializedPartitions(ErrorCode::None, Vec::new()),
            },
            ShareRequest::AlterOffsets(request) => {
                let group_id = request.group_id.clone();
                if let Some(error) = self.may_create_share(&group_id).err() {
                    return ShareRequest::AlterOffsets(request).refused(error);
                }
                self.create_share(&group_id);
                let altered = self
                    .with_share(now_ms, effects, &group_id, |group, step| group.alter_offsets(step, request));
                altered.expect("the group has just been looked up or made")
            }
            ShareRequest::DeleteOffsets(request) => {
                let group_id = request.group_id.clone();
                if !matches!(self.groups.get(group_id.as_str()), Some(Group::Share(_))) {
                    let error = if group_id.is_empty() {
                        ErrorCode::InvalidGroupId
                    } else {
                        ErrorCode::GroupIdNotFound
                    };
                    return ShareRequest::DeleteOffsets(request).refused(error);
                }
                let deleted = self.with_share(now_ms, effects, &group_id, |group, step| {
                    group.delete_offsets(step, request)
                });
                deleted.expect("the group has just been looked up")
            }
            ShareRequest::BeginDelete { group_id } => self
                .with_share(now_ms, effects, &group_id, ShareGroup::begin_delete)
                .unwrap_or(ShareReply::BeginDelete(ErrorCode::None, Vec::new())),
        }
    }

    fn share_heartbeat(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        context: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<protocol::messages::ShareGroupHeartbeatResponse, Refusal> {
        validate_heartbeat(request)?;
        let group_id = &request.group_id;
        let is_new = match self.groups.get(group_id.as_str()) {
            Some(Group::Share(_)) => false,
            None if request.member_epoch == 0 => true,
            None => {
                let message = if request.member_epoch < 0 {
                    format!("Group {group_id} not found.")
                } else {
                    format!("Share group {group_id} not found.")
                };
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
            Some(_) => {
                let message = format!("Group {group_id} is not a share group.");
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        if is_new {
            self.create_share(group_id);
        }
        let answer =
            self.with_share(now_ms, effects, group_id, |group, step| group.heartbeat(step, context, request));
        let answer = answer.expect("the group has just been looked up or made");
        if is_new && answer.is_err() {
            self.remove_group(group_id);
        }
        answer
    }

    fn describe_share_group(
        &self,
        group_id: String,
    ) -> protocol::messages::share_group_describe_response::DescribedGroup {
        match self.groups.get(group_id.as_str()) {
            Some(Group::Share(group)) => group.described(&self.cluster),
            Some(_) => {
                let message = format!("Group {group_id} is not a share group.");
                describe_not_found(group_id, message)
            }
            None => {
                let message = format!("Group {group_id} not found.");
                describe_not_found(group_id, message)
            }
        }
    }

    fn may_create_share(&self, group_id: &str) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            _ if group_id.is_empty() => Err(ErrorCode::InvalidGroupId),
            None | Some(Group::Share(_)) => Ok(()),
            Some(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }

    fn create_share(&mut self, group_id: &str) {
        let group_id: Arc<str> = group_id.into();
        self.groups
            .entry(group_id.clone())
            .or_insert_with(|| Group::Share(Box::new(ShareGroup::new(group_id))));
    }

    /// Lets a share group act, and enters what it then waits for.
    pub(super) fn with_share<T>(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        group_id: &str,
        act: impl FnOnce(&mut ShareGroup, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let Some(Group::Share(group)) = self.groups.get_mut(group_id) else { return None };
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let outcome = act(group, &mut step);
        if let Some(group) = self.groups.get_mut(group_id) {
            self.deadlines.enter(group);
        }
        Some(outcome)
    }
}
