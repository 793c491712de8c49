//! Every API at every version that the server announces gives an answer that decodes, whether its arguments are good or bad.

mod groups;
mod records;
mod settings;
mod share;
mod topics;

use anyhow::{Context, Result, ensure};
use protocol::messages::*;
use protocol::{ApiKey, Request, Uuid};
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

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
    let topic =
        metadata_request::MetadataRequestTopic { name: Some("plain".to_owned()), ..Default::default() };
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
        | ApiKey::AddPartitionsToTxn
        | ApiKey::AddOffsetsToTxn
        | ApiKey::EndTxn
        | ApiKey::WriteTxnMarkers
        | ApiKey::TxnOffsetCommit
        | ApiKey::DescribeTransactions
        | ApiKey::ListTransactions
        | ApiKey::DescribeProducers => records::ask(key, world),
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
        | ApiKey::AlterReplicaLogDirs
        | ApiKey::DescribeLogDirs => topics::ask(key, world),
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
        | ApiKey::DeleteAcls => settings::ask(key, world),
        ApiKey::ShareFetch
        | ApiKey::ShareAcknowledge
        | ApiKey::ShareGroupHeartbeat
        | ApiKey::ShareGroupDescribe
        | ApiKey::DescribeShareGroupOffsets
        | ApiKey::AlterShareGroupOffsets
        | ApiKey::DeleteShareGroupOffsets
        | ApiKey::InitializeShareGroupState
        | ApiKey::ReadShareGroupState
        | ApiKey::WriteShareGroupState
        | ApiKey::DeleteShareGroupState
        | ApiKey::ReadShareGroupStateSummary => share::ask(key, world),
        _ => groups::ask(key, world),
    }
}
