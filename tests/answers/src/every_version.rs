//! Every API at every version that the server announces gives an answer that decodes, whether its arguments are good or bad.

use anyhow::{Context, Result, ensure};
use protocol::messages::*;
use protocol::{ApiKey, Request, Uuid};
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

use crate::families::produce::batch;

/// What the questions are about.
struct World<'a> {
    server: &'a ServerProcess,
    topic: &'a str,
    topic_id: Uuid,
    partition: i32,
    group: &'a str,
}

impl World<'_> {
    /// Asks at each version, on a connection of its own so that one that closes does not hide the next.
    fn ask<R: Request>(&self, question: impl Fn(i16) -> R) -> Vec<String> {
        let mut failures = Vec::new();
        for version in R::API_KEY.stable_versions() {
            let answer = RawClient::connect(self.server.bootstrap(), "every-version")
                .and_then(|mut client| client.call(version, &question(version)));
            if let Err(error) = answer {
                failures.push(format!("{} v{version} on {}: {error:#}", R::NAME, self.topic));
            }
        }
        failures
    }

    /// The topic's name where requests of this version have one; ids came with `ids_since`.
    fn name(&self, version: i16, ids_since: i16) -> String {
        if version < ids_since { self.topic.to_owned() } else { String::new() }
    }

    fn id(&self, version: i16, ids_since: i16) -> Uuid {
        if version < ids_since { Uuid::ZERO } else { self.topic_id }
    }
}

#[test]
fn every_version_of_every_api_is_answered() -> Result<()> {
    let server = ServerProcess::start(Product::under_test(), &[("offsets.topic.num.partitions", "3")])?;
    let mut client = RawClient::connect(server.bootstrap(), "every-version")?;
    let topic = metadata_request::MetadataRequestTopic { name: Some("plain".to_owned()), ..Default::default() };
    let metadata = client.call(9, &MetadataRequest { topics: Some(vec![topic]), ..Default::default() })?;
    ensure!(metadata.topics.iter().all(|topic| topic.error_code == 0), "{metadata:?}");
    let described = client.call(12, &MetadataRequest { topics: None, ..Default::default() })?;
    let topic_id = described.topics.first().context("the topic that was just created")?.topic_id;
    let coordinator_key = "known".to_owned();
    client.call(3, &FindCoordinatorRequest { key: coordinator_key, ..Default::default() })?;
    let known = World { server: &server, topic: "plain", topic_id, partition: 0, group: "known" };
    let unknown =
        World { topic: "unknown", topic_id: Uuid::from_u128(7), partition: 9, group: "unknown", ..known };
    let illegal = World { topic: "a b", topic_id: Uuid::ZERO, partition: -1, group: "", ..known };
    let mut failures = Vec::new();
    for api in client.call(3, &named())?.api_keys {
        let key = ApiKey::from_i16(api.api_key).context("an API with a name")?;
        for world in [&known, &unknown, &illegal] {
            failures.extend(ask(key, world));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn named() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "every-version".to_owned(),
        client_software_version: "1".to_owned(),
        ..Default::default()
    }
}

fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    match key {
        ApiKey::ApiVersions => {
            world.ask(|version| if version >= 3 { named() } else { ApiVersionsRequest::default() })
        }
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords
        | ApiKey::InitProducerId
        | ApiKey::DescribeProducers => ask_about_records(key, world),
        ApiKey::Metadata
        | ApiKey::DescribeTopicPartitions
        | ApiKey::DescribeCluster
        | ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::CreatePartitions
        | ApiKey::ElectLeaders
        | ApiKey::AlterPartitionReassignments
        | ApiKey::ListPartitionReassignments
        | ApiKey::DescribeQuorum
        | ApiKey::UpdateFeatures
        | ApiKey::DescribeLogDirs => ask_about_topics(key, world),
        ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::ListConfigResources
        | ApiKey::DescribeClientQuotas
        | ApiKey::AlterClientQuotas
        | ApiKey::DescribeUserScramCredentials
        | ApiKey::AlterUserScramCredentials
        | ApiKey::DescribeAcls
        | ApiKey::CreateAcls
        | ApiKey::DeleteAcls => ask_about_settings(key, world),
        _ => ask_about_groups(key, world),
    }
}

fn ask_about_records(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (name, partition) = (world.topic.to_owned(), world.partition);
    match key {
        ApiKey::Produce => world.ask(|version| ProduceRequest {
            acks: -1,
            timeout_ms: 5_000,
            topic_data: vec![produce_request::TopicProduceData {
                name: world.name(version, 13),
                topic_id: world.id(version, 13),
                partition_data: vec![produce_request::PartitionProduceData {
                    index: partition,
                    records: Some(batch(&["a", "b"]).into()),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::Fetch => world.ask(|version| FetchRequest {
            max_bytes: 1 << 20,
            topics: vec![fetch_request::FetchTopic {
                topic: world.name(version, 13),
                topic_id: world.id(version, 13),
                partitions: vec![fetch_request::FetchPartition {
                    partition,
                    partition_max_bytes: 1 << 20,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::ListOffsets => world.ask(|_| ListOffsetsRequest {
            replica_id: -1,
            topics: vec![list_offsets_request::ListOffsetsTopic {
                name: name.clone(),
                partitions: vec![list_offsets_request::ListOffsetsPartition {
                    partition_index: partition,
                    timestamp: -1,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::OffsetForLeaderEpoch => world.ask(|_| OffsetForLeaderEpochRequest {
            replica_id: -2,
            topics: vec![offset_for_leader_epoch_request::OffsetForLeaderTopic {
                topic: name.clone(),
                partitions: vec![offset_for_leader_epoch_request::OffsetForLeaderPartition {
                    partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DeleteRecords => world.ask(|_| DeleteRecordsRequest {
            topics: vec![delete_records_request::DeleteRecordsTopic {
                name: name.clone(),
                partitions: vec![delete_records_request::DeleteRecordsPartition {
                    partition_index: partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::InitProducerId => world.ask(|_| InitProducerIdRequest {
            transactional_id: (partition != 0).then(|| name.clone()),
            ..Default::default()
        }),
        _ => world.ask(|_| DescribeProducersRequest {
            topics: vec![describe_producers_request::TopicRequest {
                name: name.clone(),
                partition_indexes: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }),
    }
}

fn ask_about_topics(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (name, partition) = (world.topic.to_owned(), world.partition);
    match key {
        ApiKey::Metadata => world.ask(|version| MetadataRequest {
            topics: Some(vec![metadata_request::MetadataRequestTopic {
                name: Some(name.clone()),
                ..Default::default()
            }]),
            // Older clients cannot say no.
            allow_auto_topic_creation: version < 4,
            include_topic_authorized_operations: version >= 8,
            include_cluster_authorized_operations: (8..=10).contains(&version),
            ..Default::default()
        }),
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
            let topic = delete_topics_request::DeleteTopicState { name: Some(name.clone()), ..Default::default() };
            DeleteTopicsRequest {
                topic_names: if version < 6 { vec![name] } else { Vec::new() },
                topics: if version < 6 { Vec::new() } else { vec![topic] },
                ..Default::default()
            }
        }),
        ApiKey::CreatePartitions => world.ask(|_| CreatePartitionsRequest {
            topics: vec![create_partitions_request::CreatePartitionsTopic {
                name: name.clone(),
                count: 3,
                assignments: None,
                ..Default::default()
            }],
            validate_only: true,
            ..Default::default()
        }),
        ApiKey::ElectLeaders => world.ask(|version| ElectLeadersRequest {
            election_type: if version >= 1 && partition < 0 { 7 } else { 0 },
            topic_partitions: Some(vec![elect_leaders_request::TopicPartitions {
                topic: name.clone(),
                partitions: vec![partition],
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ApiKey::AlterPartitionReassignments => world.ask(|_| AlterPartitionReassignmentsRequest {
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
        }),
        ApiKey::ListPartitionReassignments => {
            world.ask(|_| ListPartitionReassignmentsRequest { topics: None, ..Default::default() })
        }
        ApiKey::DescribeQuorum => world.ask(|_| DescribeQuorumRequest {
            topics: vec![describe_quorum_request::TopicData {
                topic_name: if partition == 0 { "__cluster_metadata".to_owned() } else { name.clone() },
                partitions: vec![describe_quorum_request::PartitionData {
                    partition_index: partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::UpdateFeatures => world.ask(|version| UpdateFeaturesRequest {
            feature_updates: vec![update_features_request::FeatureUpdateKey {
                feature: if partition == 0 { "metadata.version".to_owned() } else { name.clone() },
                max_version_level: 1,
                ..Default::default()
            }],
            validate_only: version >= 1,
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

fn ask_about_settings(key: ApiKey, world: &World<'_>) -> Vec<String> {
    const TOPIC: i8 = 2;
    const ANY: i8 = 1;
    let name = world.topic.to_owned();
    match key {
        ApiKey::DescribeConfigs => world.ask(|version| DescribeConfigsRequest {
            resources: vec![describe_configs_request::DescribeConfigsResource {
                resource_type: TOPIC,
                resource_name: name.clone(),
                configuration_keys: None,
                ..Default::default()
            }],
            include_synonyms: true,
            include_documentation: version >= 3,
            ..Default::default()
        }),
        ApiKey::AlterConfigs => world.ask(|_| AlterConfigsRequest {
            resources: vec![alter_configs_request::AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: name.clone(),
                ..Default::default()
            }],
            validate_only: true,
            ..Default::default()
        }),
        ApiKey::IncrementalAlterConfigs => world.ask(|_| IncrementalAlterConfigsRequest {
            resources: vec![incremental_alter_configs_request::AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: name.clone(),
                configs: vec![incremental_alter_configs_request::AlterableConfig {
                    name: "retention.ms".to_owned(),
                    value: Some("1".to_owned()),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            validate_only: true,
            ..Default::default()
        }),
        ApiKey::ListConfigResources => world.ask(|_| ListConfigResourcesRequest::default()),
        ApiKey::DescribeClientQuotas => world.ask(|_| DescribeClientQuotasRequest::default()),
        ApiKey::AlterClientQuotas => {
            world.ask(|_| AlterClientQuotasRequest { validate_only: true, ..Default::default() })
        }
        ApiKey::DescribeUserScramCredentials => {
            world.ask(|_| DescribeUserScramCredentialsRequest { users: None, ..Default::default() })
        }
        ApiKey::AlterUserScramCredentials => world.ask(|_| AlterUserScramCredentialsRequest::default()),
        ApiKey::DescribeAcls => world.ask(|_| DescribeAclsRequest {
            resource_type_filter: ANY,
            operation: ANY,
            permission_type: ANY,
            ..Default::default()
        }),
        ApiKey::CreateAcls => world.ask(|_| CreateAclsRequest {
            creations: vec![create_acls_request::AclCreation {
                resource_type: TOPIC,
                resource_name: name.clone(),
                principal: "User:a".to_owned(),
                host: "*".to_owned(),
                operation: 3,
                permission_type: 3,
                ..Default::default()
            }],
            ..Default::default()
        }),
        _ => world.ask(|_| DeleteAclsRequest {
            filters: vec![delete_acls_request::DeleteAclsFilter {
                resource_type_filter: ANY,
                operation: ANY,
                permission_type: ANY,
                ..Default::default()
            }],
            ..Default::default()
        }),
    }
}

fn ask_about_groups(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (group_id, member_id) = (world.group.to_owned(), "nobody".to_owned());
    let groups = vec![group_id.clone()];
    match key {
        ApiKey::FindCoordinator => world.ask(|version| FindCoordinatorRequest {
            key: if version < 4 { group_id.clone() } else { String::new() },
            key_type: if version >= 1 && world.partition != 0 { 1 } else { 0 },
            coordinator_keys: if version < 4 { Vec::new() } else { groups.clone() },
            ..Default::default()
        }),
        ApiKey::JoinGroup => world.ask(|version| JoinGroupRequest {
            // Nobody waits for the members of another version.
            group_id: if group_id.is_empty() { String::new() } else { format!("{group_id}-{version}") },
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: if version >= 1 { 10_000 } else { -1 },
            protocol_type: "consumer".to_owned(),
            protocols: vec![join_group_request::JoinGroupRequestProtocol {
                name: "range".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::SyncGroup => world.ask(|_| SyncGroupRequest {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
            ..Default::default()
        }),
        ApiKey::Heartbeat => world.ask(|_| HeartbeatRequest {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
            ..Default::default()
        }),
        ApiKey::LeaveGroup => world.ask(|version| {
            let member =
                leave_group_request::MemberIdentity { member_id: member_id.clone(), ..Default::default() };
            LeaveGroupRequest {
                group_id: group_id.clone(),
                member_id: if version < 3 { member_id.clone() } else { String::new() },
                members: if version < 3 { Vec::new() } else { vec![member] },
                ..Default::default()
            }
        }),
        ApiKey::OffsetCommit => world.ask(|version| commit(world, version)),
        ApiKey::OffsetFetch => world.ask(|version| fetch_offsets(world, version)),
        ApiKey::OffsetDelete => world.ask(|_| OffsetDeleteRequest {
            group_id: group_id.clone(),
            topics: vec![offset_delete_request::OffsetDeleteRequestTopic {
                name: world.topic.to_owned(),
                partitions: vec![offset_delete_request::OffsetDeleteRequestPartition {
                    partition_index: world.partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DescribeGroups => {
            world.ask(|_| DescribeGroupsRequest { groups: groups.clone(), ..Default::default() })
        }
        ApiKey::ListGroups => world.ask(|_| ListGroupsRequest::default()),
        ApiKey::DeleteGroups => {
            world.ask(|_| DeleteGroupsRequest { groups_names: groups.clone(), ..Default::default() })
        }
        other => vec![format!("{other} is served, and no question for it stands here")],
    }
}

fn commit(world: &World<'_>, version: i16) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: world.group.to_owned(),
        topics: vec![offset_commit_request::OffsetCommitRequestTopic {
            name: world.name(version, 10),
            topic_id: world.id(version, 10),
            partitions: vec![offset_commit_request::OffsetCommitRequestPartition {
                partition_index: world.partition,
                committed_offset: 1,
                committed_leader_epoch: if version >= 6 { 0 } else { -1 },
                committed_metadata: Some("note".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_offsets(world: &World<'_>, version: i16) -> OffsetFetchRequest {
    let partition_indexes = vec![world.partition];
    if version < 8 {
        return OffsetFetchRequest {
            group_id: world.group.to_owned(),
            topics: Some(vec![offset_fetch_request::OffsetFetchRequestTopic {
                name: world.topic.to_owned(),
                partition_indexes,
                ..Default::default()
            }]),
            ..Default::default()
        };
    }
    let topic = offset_fetch_request::OffsetFetchRequestTopics {
        name: world.name(version, 10),
        topic_id: world.id(version, 10),
        partition_indexes,
        ..Default::default()
    };
    let named = offset_fetch_request::OffsetFetchRequestGroup {
        group_id: world.group.to_owned(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let everything = offset_fetch_request::OffsetFetchRequestGroup { topics: None, ..named.clone() };
    OffsetFetchRequest { groups: vec![named, everything], ..Default::default() }
}
