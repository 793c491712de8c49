//! Lists that Kafka answers in the order of a hash map, or shuffled, are put in one order before they are compared.

use std::any::Any;

use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{
    AlterClientQuotasResponse, AlterReplicaLogDirsResponse, ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatResponse, DeleteTopicsResponse, DescribeConfigsResponse,
    DescribeShareGroupOffsetsResponse, DescribeUserScramCredentialsResponse, ListConfigResourcesResponse,
    ListGroupsResponse, ShareGroupDescribeResponse, ShareGroupHeartbeatResponse,
    StreamsGroupDescribeResponse, StreamsGroupHeartbeatResponse,
};

/// Sorts the lists of an answer whose order says nothing; other answers stay as they are.
pub fn settle(response: &mut dyn Any) {
    if let Some(response) = response.downcast_mut::<DescribeConfigsResponse>() {
        for result in &mut response.results {
            result.configs.sort_by(|a, b| a.name.cmp(&b.name));
        }
    } else if let Some(response) = response.downcast_mut::<DescribeUserScramCredentialsResponse>() {
        response.results.sort_by(|a, b| a.user.cmp(&b.user));
    } else if let Some(response) = response.downcast_mut::<ListConfigResourcesResponse>() {
        let place = |resource: &ConfigResource| (resource.resource_type, resource.resource_name.clone());
        response.config_resources.sort_by_key(place);
    } else if let Some(response) = response.downcast_mut::<DeleteTopicsResponse>() {
        response.responses.sort_by(|a, b| a.name.cmp(&b.name));
    } else if let Some(response) = response.downcast_mut::<AlterReplicaLogDirsResponse>() {
        response.results.sort_by(|a, b| a.topic_name.cmp(&b.topic_name));
    } else if let Some(response) = response.downcast_mut::<AlterClientQuotasResponse>() {
        for entry in &mut response.entries {
            entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
        }
    } else {
        settle_groups(response);
    }
}

/// Members, groups, topics and partitions.
fn settle_groups(response: &mut dyn Any) {
    if let Some(response) = response.downcast_mut::<ListGroupsResponse>() {
        response.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    } else if let Some(response) = response.downcast_mut::<ConsumerGroupHeartbeatResponse>() {
        for topic in response.assignment.iter_mut().flat_map(|assignment| &mut assignment.topic_partitions) {
            topic.partitions.sort_unstable();
        }
    } else if let Some(response) = response.downcast_mut::<ShareGroupHeartbeatResponse>() {
        for topic in response.assignment.iter_mut().flat_map(|assignment| &mut assignment.topic_partitions) {
            topic.partitions.sort_unstable();
        }
    } else if let Some(response) = response.downcast_mut::<StreamsGroupHeartbeatResponse>() {
        let all = [&mut response.active_tasks, &mut response.standby_tasks, &mut response.warmup_tasks];
        for tasks in all.into_iter().flatten() {
            tasks.sort_by(|a, b| a.subtopology_id.cmp(&b.subtopology_id));
            tasks.iter_mut().for_each(|tasks| tasks.partitions.sort_unstable());
        }
    } else if let Some(response) = response.downcast_mut::<DescribeShareGroupOffsetsResponse>() {
        for topic in response.groups.iter_mut().flat_map(|group| &mut group.topics) {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    } else {
        settle_descriptions(response);
    }
}

fn settle_descriptions(response: &mut dyn Any) {
    if let Some(response) = response.downcast_mut::<ConsumerGroupDescribeResponse>() {
        for group in &mut response.groups {
            group.members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
            for member in &mut group.members {
                let assignments = [&mut member.assignment, &mut member.target_assignment];
                for topic in assignments.into_iter().flat_map(|assignment| &mut assignment.topic_partitions) {
                    topic.partitions.sort_unstable();
                }
            }
        }
    } else if let Some(response) = response.downcast_mut::<ShareGroupDescribeResponse>() {
        for group in &mut response.groups {
            group.members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
            for topic in group.members.iter_mut().flat_map(|member| &mut member.assignment.topic_partitions) {
                topic.partitions.sort_unstable();
            }
        }
    } else if let Some(response) = response.downcast_mut::<StreamsGroupDescribeResponse>() {
        for group in &mut response.groups {
            group.members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
            for member in &mut group.members {
                for assignment in [&mut member.assignment, &mut member.target_assignment] {
                    assignment.active_tasks.sort_by(|a, b| a.subtopology_id.cmp(&b.subtopology_id));
                    assignment.active_tasks.iter_mut().for_each(|tasks| tasks.partitions.sort_unstable());
                }
            }
        }
    }
}
