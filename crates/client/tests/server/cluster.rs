//! Metadata, versions, routing and failures, without records.

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use klamm_client::protocol::ApiKey;
use klamm_client::protocol::messages::{ApiVersionsRequest, FindCoordinatorRequest, MetadataRequest};
use klamm_client::{Client, ClientConfig, ClientError, CoordinatorType, ErrorCode, TopicPartition};

use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "metadata knows topics ids and leaders",
        needs: &[],
        run: |bench| knows_topics(bench).boxed_local(),
    },
    Scenario {
        name: "an unknown topic is told as such",
        needs: &[],
        run: |bench| unknown_topic(bench).boxed_local(),
    },
    Scenario {
        name: "a group has a coordinator",
        needs: &[ApiKey::FindCoordinator],
        run: |bench| group_coordinator(bench).boxed_local(),
    },
    Scenario {
        name: "bootstrap passes over dead addresses",
        needs: &[],
        run: |bench| dead_bootstrap(bench).boxed_local(),
    },
    Scenario {
        name: "many requests share a connection",
        needs: &[],
        run: |bench| pipelining(bench).boxed_local(),
    },
    Scenario {
        name: "versions can be capped",
        needs: &[],
        run: |bench| capped_versions(bench).boxed_local(),
    },
];

async fn knows_topics(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 3).await?;
    let metadata = bench.client.metadata();
    let known = metadata.topic(&topic).expect("it was asked for");
    ensure!(known.partitions.len() == 3 && !known.id.is_zero() && known.is_available());
    ensure!(metadata.topic_name(known.id).map(|name| &**name) == Some(&*topic));
    for partition in 0..3 {
        let (leader, epoch) =
            metadata.leader(&TopicPartition::new(topic.as_str(), partition)).expect("a leader");
        ensure!(epoch >= 0 && bench.bootstrap.ends_with(&leader.port.to_string()));
    }
    ensure!(metadata.cluster_id().is_some() && metadata.controller_id().is_some());
    ensure!(bench.client.refresh_all().await?.topic(&topic).is_some());
    Ok(())
}

async fn unknown_topic(bench: Bench) -> Result<()> {
    let missing = TopicPartition::new("no-such-topic", 0);
    let error = bench.client.leader(&missing).await.expect_err("there is none");
    ensure!(error.code() == Some(ErrorCode::UnknownTopicOrPartition) && error.is_retriable(), "{error}");
    ensure!(error.topic_partition() == Some(&missing));
    ensure!(
        error.to_string().starts_with("no-such-topic-0: Metadata: UNKNOWN_TOPIC_OR_PARTITION"),
        "{error}"
    );
    Ok(())
}

async fn group_coordinator(bench: Bench) -> Result<()> {
    let coordinator = bench.client.coordinator(CoordinatorType::Group, "some-group").await?;
    ensure!(bench.client.metadata().broker(coordinator).is_some());
    let request = FindCoordinatorRequest {
        coordinator_keys: vec!["some-group".to_owned()],
        ..FindCoordinatorRequest::default()
    };
    let response = bench.client.send_to_coordinator(CoordinatorType::Group, "some-group", &request).await?;
    ensure!(response.coordinators[0].node_id == coordinator);
    Ok(())
}

async fn dead_bootstrap(bench: Bench) -> Result<()> {
    let addresses = format!("127.0.0.1:1,127.0.0.1:2,{}", bench.bootstrap);
    let client = Client::connect(ClientConfig::new(addresses)).await?;
    ensure!(client.metadata().brokers().len() == 1);
    let config = ClientConfig::new("127.0.0.1:1").default_api_timeout_ms(300);
    let error = Client::connect(config).await.expect_err("nobody is there");
    ensure!(error.setting() == Some("default.api.timeout.ms") && error.is_retriable(), "{error}");
    ensure!(error.to_string().contains("127.0.0.1:1"), "{error}");
    Ok(())
}

async fn pipelining(bench: Bench) -> Result<()> {
    let broker = bench.client.metadata().brokers().next().expect("a broker").id;
    let requests = (0..200).map(|index| {
        let client = bench.client.clone();
        async move {
            if index % 2 == 0 {
                client
                    .send(broker, &MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() })
                    .await?;
            } else {
                client
                    .send_to_any(&ApiVersionsRequest {
                        client_software_name: "a".to_owned(),
                        client_software_version: "1".to_owned(),
                        ..ApiVersionsRequest::default()
                    })
                    .await?;
            }
            Ok::<(), ClientError>(())
        }
    });
    futures_util::future::try_join_all(requests).await?;
    Ok(())
}

async fn capped_versions(bench: Bench) -> Result<()> {
    let broker = bench.client.metadata().brokers().next().expect("a broker").id;
    let highest = bench.client.version(broker, ApiKey::Metadata).await?;
    ensure!(highest == *ApiKey::Metadata.stable_versions().end());
    let options = klamm_client::SendOptions { version_max: Some(7), ..Default::default() };
    let response = bench.client.send_with(broker, &MetadataRequest::default(), options).await?;
    ensure!(response.brokers.len() == 1);
    let options = klamm_client::SendOptions { version_max: Some(-1), ..Default::default() };
    let error = bench.client.send_with(broker, &MetadataRequest::default(), options).await.expect_err("none");
    ensure!(matches!(error, ClientError::UnsupportedVersion { .. }) && !error.is_retriable());
    Ok(())
}
