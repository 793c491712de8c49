//! What is wrong with a StreamsGroupHeartbeat, whatever its group is like.

use protocol::ErrorCode;
use protocol::messages::streams_group_heartbeat_request::{TaskIds, Topology};
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use crate::consumer::{check, check_filled};
use crate::refusal::Refusal;

/// An answer that says no more than why not.
pub(crate) fn heartbeat_refusal(refusal: Refusal) -> StreamsGroupHeartbeatResponse {
    StreamsGroupHeartbeatResponse {
        error_code: refusal.error.as_i16(),
        error_message: Some(refusal.message),
        ..StreamsGroupHeartbeatResponse::default()
    }
}

/// Kafka's checks, in Kafka's order.
pub(crate) fn validate_heartbeat(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refusal> {
    let subtopologies = request.topology.iter().flat_map(|topology| &topology.subtopologies);
    for subtopology in subtopologies {
        let unsupported = "Regular expressions for source topics are not supported yet.";
        check(subtopology.source_topic_regex.is_empty(), unsupported)?;
    }
    check_filled(Some(&request.member_id), "MemberId can't be empty.")?;
    check_filled(Some(&request.group_id), "GroupId can't be empty.")?;
    check_filled(request.instance_id.as_ref(), "InstanceId can't be empty.")?;
    check_filled(request.rack_id.as_ref(), "RackId can't be empty.")?;
    match request.member_epoch {
        0 => validate_join(request)?,
        -2 => check(request.instance_id.is_some(), "InstanceId can't be null.")?,
        epoch if epoch < -2 => {
            let message = format!("MemberEpoch is {epoch}, but must be greater than or equal to -2.");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        _ => {}
    }
    let kinds = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let given = kinds.iter().filter(|tasks| tasks.is_some()).count();
    check(given == 0 || given == kinds.len(), "If one task-type is non-null, all must be non-null.")?;
    let is_join = request.member_epoch == 0;
    check(is_join || request.topology.is_none(), "Topology can only be provided when (re-)joining.")
}

fn validate_join(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refusal> {
    check(request.rebalance_timeout_ms != -1, "RebalanceTimeoutMs must be provided in first request.")?;
    let is_empty = |tasks: &Option<Vec<TaskIds>>| tasks.as_ref().is_some_and(Vec::is_empty);
    check(is_empty(&request.active_tasks), "ActiveTasks must be empty when (re-)joining.")?;
    check(is_empty(&request.standby_tasks), "StandbyTasks must be empty when (re-)joining.")?;
    check(is_empty(&request.warmup_tasks), "WarmupTasks must be empty when (re-)joining.")?;
    check(request.topology.is_some(), "Topology must be non-null when (re-)joining.")?;
    request.topology.as_ref().map_or(Ok(()), validate_topology)
}

fn validate_topology(topology: &Topology) -> Result<(), Refusal> {
    for subtopology in &topology.subtopologies {
        let internal =
            subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let names = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        if let Some(name) = names.chain(internal.map(|topic| &topic.name)).find(|name| !is_topic_name(name)) {
            let message = format!("Topic name {name} is not valid.");
            return Err(Refusal::new(ErrorCode::StreamsInvalidTopology, message));
        }
    }
    let mut changelogs =
        topology.subtopologies.iter().flat_map(|subtopology| &subtopology.state_changelog_topics);
    if let Some(topic) = changelogs.find(|topic| topic.partitions != 0) {
        let (name, partitions) = (&topic.name, topic.partitions);
        let message = format!(
            "Changelog topic {name} must have an undefined partition count, but it is set to {partitions}."
        );
        return Err(Refusal::new(ErrorCode::StreamsInvalidTopology, message));
    }
    Ok(())
}

/// Letters, digits, dots, underscores and dashes, up to 249 of them.
fn is_topic_name(name: &str) -> bool {
    const LENGTH_MAX: usize = 249;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name != "." && name != ".." && name.len() <= LENGTH_MAX && name.bytes().all(is_legal)
}
