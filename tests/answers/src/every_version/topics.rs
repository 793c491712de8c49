//! Questions about topics, partitions and the cluster.

use protocol::ApiKey;
use protocol::messages::*;

use super::World;

pub fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (name, partition) = (world.topic.to_owned(), world.partition);
    match key {
        ApiKey::Metadata => world.ask(|version| metadata(world, version)),
        ApiKey::DescribeTopicPartitions => world.ask(|_| DescribeTopicPartitionsRequest {
            topics: vec![describe_topic_partitions_request::TopicRequest {
                name: name.clone(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DescribeCluster => world.ask(|version| DescribeClusterRequest {
            endpoint_type: if version >= 1 && partition != 0 { 2 } else { 1 },
            ..Default::default()
        }),
        ApiKey::CreateTopics => world.ask(|_| CreateTopicsRequest {
            topics: vec![create_topics_request::CreatableTopic {
                name: name.clone(),
                num_partitions: 1,
                replication_factor: 1,
                ..Default::default()
            }],
            validate_only: true,
            ..Default::default()
        }),
        ApiKey::DeleteTopics => world.ask(|version| {
            let name = format!("{name}-that-never-was");
            let topic =
                delete_topics_request::DeleteTopicState { name: Some(name.clone()), ..Default::default() };
            DeleteTopicsRequest {
                topic_names: if version < 6 { vec![name] } else { Vec::new() },
                topics: if version < 6 { Vec::new() } else { vec![topic] },
                ..Default::default()
            }
        }),
        ApiKey::CreatePartitions => world.ask(|_| create_partitions(world)),
        ApiKey::ElectLeaders => world.ask(|version| elect_leaders(world, version)),
        ApiKey::AlterPartitionReassignments => world.ask(|_| reassign(world)),
        ApiKey::ListPartitionReassignments => {
            world.ask(|_| ListPartitionReassignmentsRequest { topics: None, ..Default::default() })
        }
        ApiKey::DescribeQuorum => world.ask(|_| describe_quorum(world)),
        ApiKey::UpdateFeatures => world.ask(|version| UpdateFeaturesRequest {
            feature_updates: vec![update_features_request::FeatureUpdateKey {
                feature: if partition == 0 { "metadata.version".to_owned() } else { name.clone() },
                max_version_level: 1,
                ..Default::default()
            }],
            validate_only: version >= 1,
            ..Default::default()
        }),
        ApiKey::AlterReplicaLogDirs => world.ask(|_| AlterReplicaLogDirsRequest {
            dirs: vec![alter_replica_log_dirs_request::AlterReplicaLogDir {
                path: "/no/such/directory".to_owned(),
                topics: vec![alter_replica_log_dirs_request::AlterReplicaLogDirTopic {
                    name: name.clone(),
                    partitions: vec![partition],
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        _ => world.ask(|_| DescribeLogDirsRequest {
            topics: Some(vec![describe_log_dirs_request::DescribableLogDirTopic {
                topic: name.clone(),
                partitions: vec![partition],
                ..Default::default()
            }]),
            ..Default::default()
        }),
    }
}

fn metadata(world: &World<'_>, version: i16) -> MetadataRequest {
    let name = world.topic.to_owned();
    MetadataRequest {
        topics: Some(vec![metadata_request::MetadataRequestTopic {
            name: Some(name.clone()),
            ..Default::default()
        }]),
        // Older clients cannot say no.
        allow_auto_topic_creation: version < 4,
        include_topic_authorized_operations: version >= 8,
        include_cluster_authorized_operations: (8..=10).contains(&version),
        ..Default::default()
    }
}

fn reassign(world: &World<'_>) -> AlterPartitionReassignmentsRequest {
    let name = world.topic.to_owned();
    let partition = world.partition;
    AlterPartitionReassignmentsRequest {
        topics: vec![alter_partition_reassignments_request::ReassignableTopic {
            name: name.clone(),
            partitions: vec![alter_partition_reassignments_request::ReassignablePartition {
                partition_index: partition,
                replicas: None,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn describe_quorum(world: &World<'_>) -> DescribeQuorumRequest {
    let name = world.topic.to_owned();
    let partition = world.partition;
    DescribeQuorumRequest {
        topics: vec![describe_quorum_request::TopicData {
            topic_name: if partition == 0 { "__cluster_metadata".to_owned() } else { name.clone() },
            partitions: vec![describe_quorum_request::PartitionData {
                partition_index: partition,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn elect_leaders(world: &World<'_>, version: i16) -> ElectLeadersRequest {
    let name = world.topic.to_owned();
    let partition = world.partition;
    ElectLeadersRequest {
        election_type: if version >= 1 && partition < 0 { 7 } else { 0 },
        topic_partitions: Some(vec![elect_leaders_request::TopicPartitions {
            topic: name.clone(),
            partitions: vec![partition],
            ..Default::default()
        }]),
        ..Default::default()
    }
}

fn create_partitions(world: &World<'_>) -> CreatePartitionsRequest {
    let name = world.topic.to_owned();
    CreatePartitionsRequest {
        topics: vec![create_partitions_request::CreatePartitionsTopic {
            name: name.clone(),
            count: 3,
            assignments: None,
            ..Default::default()
        }],
        validate_only: true,
        ..Default::default()
    }
}
