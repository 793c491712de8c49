//! StreamsGroupHeartbeat: a member joins with its topology, says what it runs, and hears what it should run.

use protocol::ErrorCode;
use protocol::coordinator_records::StreamsGroupTopologyValue;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::streams_group_heartbeat_request::{self as request, TaskOffset};
use protocol::messages::streams_group_heartbeat_response::{
    Endpoint, EndpointToPartitions, Status, TaskIds, TopicPartition,
};
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::member::{MemberTasks, ReportedTasks, StreamsMember, TargetTasks, Tasks};
use super::reconcile::Reconciliation;
use super::topology::{self, Configured, status};
use super::{StreamsGroup, record};
use crate::consumer::MemberState;
use crate::consumer::member::LEAVE_STATIC_MEMBER_EPOCH;
use crate::event::RequestContext;
use crate::group::Step;
use crate::refusal::Refusal;

/// A heartbeat on its way through a group.
pub(crate) struct StreamsHeartbeat<'a> {
    pub(crate) context: &'a RequestContext,
    pub(crate) request: &'a StreamsGroupHeartbeatRequest,
}

/// What a heartbeat is answered, and the topics that its application lacks.
#[derive(Debug)]
pub(crate) struct StreamsAlive {
    pub(crate) response: StreamsGroupHeartbeatResponse,
    pub(crate) topics_to_create: Vec<CreatableTopic>,
}

impl StreamsHeartbeat<'_> {
    fn is_join(&self) -> bool {
        self.request.member_epoch == 0
    }

    fn reported(&self) -> Option<ReportedTasks<'_>> {
        let request = self.request;
        Some(ReportedTasks {
            active: request.active_tasks.as_deref()?,
            standby: request.standby_tasks.as_deref()?,
            warmup: request.warmup_tasks.as_deref()?,
        })
    }
}

impl StreamsGroup {
    /// Handles a heartbeat with an epoch of zero or more. Nothing is changed if it is refused.
    pub(crate) fn heartbeat(
        &mut self,
        step: &mut Step<'_>,
        heartbeat: &StreamsHeartbeat<'_>,
    ) -> Result<StreamsAlive, Refusal> {
        let request = heartbeat.request;
        let replaced = self.admit(step, heartbeat)?;
        let before = match &replaced {
            Some(replaced) => taken_over(replaced, &request.member_id),
            None => self
                .members
                .get(&request.member_id)
                .cloned()
                .unwrap_or_else(|| StreamsMember::new(&*request.member_id)),
        };
        let updated = updated_member(heartbeat, before.clone());
        let topology = self.topology_of(request.topology.as_ref())?;
        let configured = self.configure(step, &topology)?;
        check_tasks(&configured, heartbeat)?;
        let was_empty = self.members.is_empty();
        if let Some(replaced) = &replaced {
            self.replace(step, replaced, &before);
        }
        let needs_assignment = self.update_member(step, &before, &updated);
        self.note_offsets(request);
        self.update_epoch(step, topology, configured, needs_assignment);
        if was_empty {
            self.delay_first_assignment(step);
        }
        let mut statuses = self.topology_statuses(&updated);
        self.maybe_update_target(step, &mut statuses);
        let member = self.reconcile(step, &updated, heartbeat.reported())?;
        self.restart_session(step, &member.member_id);
        if request.shutdown_application {
            self.shutdown_requested_by.get_or_insert_with(|| request.member_id.clone());
        }
        self.add_statuses(step, heartbeat, &member, &mut statuses);
        let response = self.response(step, heartbeat, &before, &member, statuses);
        let topics_to_create = self
            .configured
            .as_ref()
            .map(|configured| configured.topics_to_create.clone())
            .unwrap_or_default();
        Ok(StreamsAlive { response, topics_to_create })
    }

    /// Whether the member may be here with its epoch. Gives the member whose place it takes, if it does.
    fn admit(
        &self,
        step: &Step<'_>,
        heartbeat: &StreamsHeartbeat<'_>,
    ) -> Result<Option<StreamsMember>, Refusal> {
        let request = heartbeat.request;
        let instance_id = request.instance_id.as_deref();
        let existing = instance_id.and_then(|instance_id| self.static_member(instance_id));
        let max_size = step.config.streams.max_size;
        let is_known = existing.is_some() || self.members.contains_key(&request.member_id);
        if heartbeat.is_join() && !is_known && self.members.len() >= max_size {
            let message =
                format!("The streams group has reached its maximum capacity of {max_size} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        let Some(instance_id) = instance_id else {
            match self.existing_member(&request.member_id) {
                Ok(member) => check_epoch(member, heartbeat)?,
                Err(unknown) if !heartbeat.is_join() => return Err(unknown),
                Err(_) => {}
            }
            return Ok(None);
        };
        if !heartbeat.is_join() {
            check_epoch(self.existing_static_member(instance_id, &request.member_id)?, heartbeat)?;
            return Ok(None);
        }
        let Some(existing) = existing else { return Ok(None) };
        if existing.member_epoch != LEAVE_STATIC_MEMBER_EPOCH {
            let (member_id, owner) = (&request.member_id, &existing.member_id);
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance \
                 id is owned by {owner} member."
            );
            return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
        }
        Ok(Some(existing.clone()))
    }

    /// The topology that holds after this heartbeat: the group's, or the first one that is shown.
    fn topology_of(&self, shown: Option<&request::Topology>) -> Result<StreamsGroupTopologyValue, Refusal> {
        let shown = shown.map(topology::stored_topology);
        match (&self.topology, shown) {
            (Some(known), Some(shown)) if known.epoch <= shown.epoch && *known != shown => {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Topology updates are not supported yet."))
            }
            (Some(known), _) => Ok(known.clone()),
            (None, Some(shown)) => Ok(shown),
            (None, None) => {
                let message = "The topology is null and the group topology is also null.";
                Err(Refusal::new(ErrorCode::UnknownServerError, message))
            }
        }
    }

    /// The topology as the cluster's topics have it.
    fn configure(
        &self,
        step: &Step<'_>,
        topology: &StreamsGroupTopologyValue,
    ) -> Result<Configured, Refusal> {
        match &self.configured {
            Some(configured)
                if self.topology.is_some()
                    && self.checked_topics_version == Some(step.cluster.topics_version) =>
            {
                Ok(configured.clone())
            }
            _ => topology::configure(topology, step.cluster),
        }
    }

    /// Writes the member down if it is another one now. True if the group needs another assignment for that.
    fn update_member(
        &mut self,
        step: &mut Step<'_>,
        before: &StreamsMember,
        updated: &StreamsMember,
    ) -> bool {
        let is_new = !self.members.contains_key(&updated.member_id);
        if before == updated && !is_new {
            return false;
        }
        let record = record::member_metadata(&self.group_id, updated);
        self.write(step, record);
        updated.instance_id.is_none()
            || is_new
            || before.topology_epoch != updated.topology_epoch
            || before.rack_id != updated.rack_id
            || before.client_tags != updated.client_tags
            || before.process_id != updated.process_id
    }

    /// Starts the next group epoch if anything has changed that tasks depend on.
    fn update_epoch(
        &mut self,
        step: &mut Step<'_>,
        topology: StreamsGroupTopologyValue,
        configured: Configured,
        needs_assignment: bool,
    ) {
        let topics = topology::required_topics(&topology);
        let metadata_hash = step.cluster.metadata_hash(topics);
        let validated = if configured.is_ready() { topology.epoch } else { -1 };
        let configs = self.assignment_configs(step);
        if self.topology.is_none() {
            let record = record::topology(&self.group_id, Some(topology));
            self.write(step, record);
        }
        self.configured = Some(configured);
        self.checked_topics_version = Some(step.cluster.topics_version);
        if needs_assignment
            || metadata_hash != self.metadata_hash
            || validated != self.validated_topology_epoch
            || configs != self.last_configs
        {
            self.begin_epoch(step, metadata_hash, validated, &configs);
        }
    }

    fn replace(&mut self, step: &mut Step<'_>, replaced: &StreamsMember, successor: &StreamsMember) {
        let group_id = self.group_id.clone();
        let target = self.target.get(&replaced.member_id).cloned().unwrap_or_default();
        self.write_removal(step, &replaced.member_id);
        self.write(step, record::member_metadata(&group_id, successor));
        self.write(step, record::target_assignment(&group_id, &successor.member_id, &target));
        self.write(step, record::current_assignment(&group_id, successor));
    }

    fn note_offsets(&mut self, request: &StreamsGroupHeartbeatRequest) {
        let by_task = |offsets: &[TaskOffset]| {
            let by_task = offsets.iter();
            by_task.map(|task| ((task.subtopology_id.clone(), task.partition), task.offset)).collect()
        };
        if request.task_offsets.is_none() && request.task_end_offsets.is_none() {
            return;
        }
        let known = self.task_offsets.entry(request.member_id.clone()).or_default();
        if let Some(offsets) = &request.task_offsets {
            known.offsets = by_task(offsets);
        }
        if let Some(offsets) = &request.task_end_offsets {
            known.end_offsets = by_task(offsets);
        }
    }

    fn reconcile(
        &mut self,
        step: &mut Step<'_>,
        member: &StreamsMember,
        reported: Option<ReportedTasks<'_>>,
    ) -> Result<StreamsMember, Refusal> {
        if member.is_reconciled_to(self.assignment_epoch) {
            return Ok(member.clone());
        }
        let nothing = TargetTasks::default();
        let target = self.target.get(&member.member_id).filter(|_| self.initial_delay_until_ms.is_none());
        let reconciliation = Reconciliation {
            group: self,
            target_epoch: self.assignment_epoch,
            target: target.unwrap_or(&nothing),
            reported,
        };
        let next = reconciliation.advance(member)?;
        if next != *member {
            let record = record::current_assignment(&self.group_id, &next);
            self.write(step, record);
            if let Some(deadlines) = self.deadlines.get_mut(&next.member_id) {
                deadlines.rebalance = None;
            }
            if next.state == MemberState::UnrevokedPartitions {
                self.expect_revocation(step, &next.member_id, next.member_epoch, next.rebalance_timeout_ms);
            }
        }
        Ok(next)
    }

    fn topology_statuses(&self, member: &StreamsMember) -> Vec<Status> {
        let epoch = self.topology.as_ref().map_or(-1, |topology| topology.epoch);
        if member.topology_epoch >= epoch {
            return Vec::new();
        }
        let own = member.topology_epoch;
        let detail =
            format!("The member's topology epoch {own} is behind the group's topology epoch {epoch}.");
        vec![told(status::STALE_TOPOLOGY, detail)]
    }

    fn add_statuses(
        &self,
        step: &Step<'_>,
        heartbeat: &StreamsHeartbeat<'_>,
        member: &StreamsMember,
        statuses: &mut Vec<Status>,
    ) {
        if let Some((code, detail)) =
            self.configured.as_ref().and_then(|configured| configured.obstacle.clone())
        {
            statuses.push(told(code, detail));
        }
        if let Some(requested_by) = &self.shutdown_requested_by {
            let detail = format!(
                "Streams group member {requested_by} encountered a fatal error and requested a shutdown for the entire \
                 application."
            );
            statuses.push(told(status::SHUTDOWN_APPLICATION, detail));
        }
        let missing: Vec<String> = self
            .rack_aware_tags(step)
            .into_iter()
            .filter(|tag| !member.client_tags.contains_key(tag))
            .collect();
        if heartbeat.context.api_version >= 1 && !missing.is_empty() {
            let missing = missing.join(", ");
            let detail = format!(
                "Missing required client tags for rack-aware standby assignment: [{missing}]. Configure them via \
                 'client.tag.<tagKey>' in your Streams config."
            );
            statuses.push(told(status::MISSING_CLIENT_TAGS, detail));
        }
    }

    fn response(
        &mut self,
        step: &Step<'_>,
        heartbeat: &StreamsHeartbeat<'_>,
        before: &StreamsMember,
        member: &StreamsMember,
        statuses: Vec<Status>,
    ) -> StreamsGroupHeartbeatResponse {
        let tasks_changed = before.assigned != member.assigned;
        let endpoint_changed = before.user_endpoint != member.user_endpoint;
        if endpoint_changed || tasks_changed && member.user_endpoint.is_some() {
            self.endpoint_epoch = self.endpoint_epoch.wrapping_add(1);
        }
        // Whoever says what it runs and lacks something has missed an answer. Kafka does not tell it again, and the task rests
        // until the group's next epoch.
        let has_missed_tasks =
            heartbeat.reported().is_some_and(|reported| reported.lacks_any_of(&member.assigned));
        let shows_tasks = heartbeat.is_join() || tasks_changed || has_missed_tasks;
        let shows_endpoints = self.endpoint_epoch != heartbeat.request.endpoint_information_epoch;
        StreamsGroupHeartbeatResponse {
            member_id: member.member_id.clone(),
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: self.heartbeat_interval_ms(step, member),
            task_offset_interval_ms: self.task_offset_interval_ms(step),
            acceptable_recovery_lag: self.acceptable_recovery_lag(step),
            status: Some(statuses),
            active_tasks: shows_tasks.then(|| active_ids(&member.assigned)),
            standby_tasks: shows_tasks.then(|| task_ids(&member.assigned.standby)),
            warmup_tasks: shows_tasks.then(|| task_ids(&member.assigned.warmup)),
            endpoint_information_epoch: self.endpoint_epoch,
            partitions_by_user_endpoint: shows_endpoints.then(|| self.endpoints(step)),
            ..StreamsGroupHeartbeatResponse::default()
        }
    }

    /// Which endpoint answers for which partitions.
    fn endpoints(&self, step: &Step<'_>) -> Vec<EndpointToPartitions> {
        let members = self.members.values();
        let endpoint = |member: &StreamsMember| {
            let (host, port) = member.user_endpoint.clone()?;
            let active = member.assigned.active.iter();
            let active =
                active.map(|(task, partitions)| (task.clone(), partitions.keys().copied().collect()));
            let mut copies: Tasks = member.assigned.standby.clone();
            for (task, partitions) in &member.assigned.warmup {
                copies.entry(task.clone()).or_default().extend(partitions);
            }
            Some(EndpointToPartitions {
                user_endpoint: Endpoint { host, port, ..Endpoint::default() },
                active_partitions: self.partitions_of(step, &active.collect()),
                standby_partitions: self.partitions_of(step, &copies),
                ..EndpointToPartitions::default()
            })
        };
        members.filter_map(endpoint).collect()
    }

    fn partitions_of(&self, step: &Step<'_>, tasks: &Tasks) -> Vec<TopicPartition> {
        let subtopologies = self.configured.as_ref().and_then(|configured| configured.subtopologies.as_ref());
        let mut partitions = Vec::new();
        for (task, indexes) in tasks {
            let subtopology = subtopologies.and_then(|subtopologies| subtopologies.get(task));
            for topic in subtopology.into_iter().flat_map(|subtopology| &subtopology.source_topics) {
                let id = step.cluster.topic_id(topic);
                let count = id.and_then(|id| step.cluster.partition_count(id)).unwrap_or(0);
                let indexes: Vec<i32> = indexes.iter().copied().filter(|index| *index < count).collect();
                if !indexes.is_empty() {
                    partitions.push(TopicPartition {
                        topic: topic.clone(),
                        partitions: indexes,
                        ..TopicPartition::default()
                    });
                }
            }
        }
        partitions
    }
}

/// A member's epoch is the coordinator's, or the one before it if the last answer was lost.
fn check_epoch(member: &StreamsMember, heartbeat: &StreamsHeartbeat<'_>) -> Result<(), Refusal> {
    let (received, known) = (heartbeat.request.member_epoch, member.member_epoch);
    let reported = heartbeat.reported();
    if received != 0
        && member.state == MemberState::Unknown
        && !reported.is_some_and(|reported| reported.is_empty())
    {
        let message = "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.";
        return Err(Refusal::new(ErrorCode::FencedMemberEpoch, message));
    }
    let missed_answer = received == member.previous_member_epoch
        && reported.is_some_and(|reported| reported.are_within(&member.assigned));
    if received == 0 || received == known || received < known && missed_answer {
        return Ok(());
    }
    let comparison = if received > known { "greater" } else { "smaller" };
    let message = format!(
        "The streams group member has a {comparison} member epoch ({received}) than the one known by the group \
         coordinator ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
}

/// The tasks that a member says it runs must exist, as far as that is known.
fn check_tasks(configured: &Configured, heartbeat: &StreamsHeartbeat<'_>) -> Result<(), Refusal> {
    let request = heartbeat.request;
    let subtopologies = configured.subtopologies.as_ref().filter(|_| configured.is_ready());
    let Some(subtopologies) = subtopologies else { return Ok(()) };
    let kinds = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    for task in kinds.into_iter().flatten().flatten() {
        let id = &task.subtopology_id;
        let invalid = |message: String| Refusal::new(ErrorCode::InvalidRequest, message);
        let subtopology = subtopologies
            .get(id)
            .ok_or_else(|| invalid(format!("Subtopology {id} does not exist in the topology.")))?;
        let count = subtopology.task_count;
        if let Some(index) = task.partitions.iter().find(|index| !(0..count).contains(*index)) {
            return Err(invalid(format!(
                "Task {index} for subtopology {id} is invalid. Number of tasks for this subtopology: {count}"
            )));
        }
    }
    Ok(())
}

/// The successor of a static member: it begins anew with the same tasks.
fn taken_over(replaced: &StreamsMember, member_id: &str) -> StreamsMember {
    StreamsMember {
        member_id: member_id.to_owned(),
        member_epoch: 0,
        previous_member_epoch: 0,
        ..replaced.clone()
    }
}

/// The member as its heartbeat says; what it does not say stays as it was.
fn updated_member(heartbeat: &StreamsHeartbeat<'_>, before: StreamsMember) -> StreamsMember {
    let request = heartbeat.request;
    let tags = request.client_tags.as_ref();
    let tags = tags.map(|tags| tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect());
    let endpoint = request.user_endpoint.as_ref().map(|endpoint| (endpoint.host.clone(), endpoint.port));
    let timeout_ms = Some(request.rebalance_timeout_ms).filter(|timeout_ms| *timeout_ms != -1);
    StreamsMember {
        instance_id: request.instance_id.clone().or(before.instance_id),
        rack_id: request.rack_id.clone().or(before.rack_id),
        rebalance_timeout_ms: timeout_ms.unwrap_or(before.rebalance_timeout_ms),
        topology_epoch: request.topology.as_ref().map_or(before.topology_epoch, |topology| topology.epoch),
        process_id: request.process_id.clone().unwrap_or(before.process_id),
        user_endpoint: if heartbeat.is_join() { endpoint } else { endpoint.or(before.user_endpoint) },
        client_tags: tags.unwrap_or(before.client_tags),
        client_id: heartbeat.context.client_id.clone(),
        client_host: heartbeat.context.client_host.clone(),
        ..before
    }
}

fn told(code: i8, detail: String) -> Status {
    Status { status_code: code, status_detail: detail, ..Status::default() }
}

fn active_ids(tasks: &MemberTasks) -> Vec<TaskIds> {
    let ids = tasks.active.iter().map(|(subtopology_id, partitions)| TaskIds {
        subtopology_id: subtopology_id.clone(),
        partitions: partitions.keys().copied().collect(),
        ..TaskIds::default()
    });
    ids.collect()
}

fn task_ids(tasks: &Tasks) -> Vec<TaskIds> {
    let ids = tasks.iter().map(|(subtopology_id, partitions)| TaskIds {
        subtopology_id: subtopology_id.clone(),
        partitions: partitions.iter().copied().collect(),
        ..TaskIds::default()
    });
    ids.collect()
}
