//! StreamsGroupDescribe: a streams group, its topology and its members.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::coordinator_records::streams_group_topology_value as stored;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, Subtopology, TaskIds, TaskOffset, TopicInfo,
    Topology,
};

use super::member::{ActiveTasks, StreamsMember, Tasks};
use super::{PROTOCOL_TYPE, StreamsGroup, TaskOffsets};

/// The only assignor.
const ASSIGNOR: &str = "sticky";

impl StreamsGroup {
    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id.to_string(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            group_state: self.state_name().to_owned(),
            group_type: "streams".to_owned(),
            ..ListedGroup::default()
        }
    }

    pub(crate) fn described(&self) -> DescribedGroup {
        let topology = self.topology.as_ref().map(|topology| {
            let mut subtopologies: Vec<Subtopology> =
                topology.subtopologies.iter().map(|part| self.described_subtopology(part)).collect();
            subtopologies.sort_by(|one, other| one.subtopology_id.cmp(&other.subtopology_id));
            Topology { epoch: topology.epoch, subtopologies: Some(subtopologies), ..Topology::default() }
        });
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state_name().to_owned(),
            group_epoch: self.group_epoch,
            assignment_epoch: self.assignment_epoch,
            topology,
            members: self.members.values().map(|member| self.described_member(member)).collect(),
            assignor_name: Some(ASSIGNOR.to_owned()),
            ..DescribedGroup::default()
        }
    }

    fn described_member(&self, member: &StreamsMember) -> Member {
        let nothing = TaskOffsets::default();
        let offsets = self.task_offsets.get(&member.member_id).unwrap_or(&nothing);
        let target = self.target.get(&member.member_id).cloned().unwrap_or_default();
        let tags = member.client_tags.iter().map(|(key, value)| KeyValue {
            key: key.clone(),
            value: value.clone(),
            ..KeyValue::default()
        });
        let endpoint = member.user_endpoint.as_ref().map(|(host, port)| Endpoint {
            host: host.clone(),
            port: *port,
            ..Endpoint::default()
        });
        Member {
            member_id: member.member_id.clone(),
            member_epoch: member.member_epoch,
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topology_epoch: member.topology_epoch,
            process_id: member.process_id.clone(),
            user_endpoint: endpoint,
            client_tags: tags.collect(),
            task_offsets: task_offsets(&offsets.offsets),
            task_end_offsets: task_offsets(&offsets.end_offsets),
            assignment: Assignment {
                active_tasks: active_ids(&member.assigned.active),
                standby_tasks: task_ids(&member.assigned.standby),
                warmup_tasks: task_ids(&member.assigned.warmup),
                ..Assignment::default()
            },
            target_assignment: Assignment {
                active_tasks: task_ids(&target.active),
                standby_tasks: task_ids(&target.standby),
                warmup_tasks: task_ids(&target.warmup),
                ..Assignment::default()
            },
            ..Member::default()
        }
    }

    fn described_subtopology(&self, subtopology: &stored::Subtopology) -> Subtopology {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        let topics = |topics: &[stored::TopicInfo]| {
            let mut topics: Vec<TopicInfo> = topics.iter().map(|topic| self.described_topic(topic)).collect();
            topics.sort_by(|one, other| one.name.cmp(&other.name));
            topics
        };
        Subtopology {
            subtopology_id: subtopology.subtopology_id.clone(),
            source_topics: sorted(&subtopology.source_topics),
            repartition_sink_topics: sorted(&subtopology.repartition_sink_topics),
            state_changelog_topics: topics(&subtopology.state_changelog_topics),
            repartition_source_topics: topics(&subtopology.repartition_source_topics),
            ..Subtopology::default()
        }
    }

    /// With the number of partitions that was worked out, once it was.
    fn described_topic(&self, topic: &stored::TopicInfo) -> TopicInfo {
        let configs = topic.topic_configs.iter().map(|config| KeyValue {
            key: config.key.clone(),
            value: config.value.clone(),
            ..KeyValue::default()
        });
        let configured = self.configured.as_ref().and_then(|known| known.partitions.get(&topic.name));
        TopicInfo {
            name: topic.name.clone(),
            partitions: configured.copied().unwrap_or(topic.partitions),
            replication_factor: topic.replication_factor,
            topic_configs: configs.collect(),
            ..TopicInfo::default()
        }
    }
}

fn task_offsets(offsets: &BTreeMap<(String, i32), i64>) -> Vec<TaskOffset> {
    let offset = |((subtopology_id, partition), offset): (&(String, i32), &i64)| TaskOffset {
        subtopology_id: subtopology_id.clone(),
        partition: *partition,
        offset: *offset,
        ..TaskOffset::default()
    };
    offsets.iter().map(offset).collect()
}

fn active_ids(tasks: &ActiveTasks) -> Vec<TaskIds> {
    let ids = tasks.iter().map(|(subtopology_id, partitions)| TaskIds {
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

/// A group that does not exist, or not as a streams group.
pub(crate) fn describe_not_found(group_id: String, message: String) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: ErrorCode::GroupIdNotFound.as_i16(),
        error_message: Some(message),
        ..DescribedGroup::default()
    }
}
