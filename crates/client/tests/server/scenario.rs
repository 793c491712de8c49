//! What a scenario is, and the server that all of them share.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::LocalBoxFuture;
use klamm_client::protocol::ApiKey;
use klamm_client::protocol::messages::CreateTopicsRequest;
use klamm_client::protocol::messages::create_topics_request::CreatableTopic;
use klamm_client::{Client, ClientConfig, ClientError};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(60);

/// One thing that must work, with the APIs it needs from the server.
pub struct Scenario {
    pub name: &'static str,
    pub needs: &'static [ApiKey],
    pub run: fn(Bench) -> LocalBoxFuture<'static, Result<()>>,
}

/// What a scenario gets.
#[derive(Clone)]
pub struct Bench {
    pub client: Client,
    pub bootstrap: String,
    /// A name of its own, for topics and groups.
    pub name: String,
}

pub enum Outcome {
    Passed,
    NotServed(ApiKey),
    Failed(anyhow::Error),
}

/// A running server.
pub struct Served {
    bootstrap: String,
    runtime: Runtime,
    // Held for its end.
    _process: ServerProcess,
}

impl Served {
    /// Nothing if Kafka is asked for but not prepared.
    pub fn start(product: Product) -> Result<Option<Self>> {
        if product == Product::Kafka && !prepared::is_ready(&["kafka-server"]) {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let settings = [
            ("offsets.topic.num.partitions", "4"),
            ("transaction.state.log.num.partitions", "4"),
            ("share.coordinator.state.topic.num.partitions", "4"),
            ("group.consumer.min.heartbeat.interval.ms", "200"),
            ("group.consumer.heartbeat.interval.ms", "300"),
            ("group.min.session.timeout.ms", "1000"),
        ];
        let process = ServerProcess::start(product, &settings)?;
        let bootstrap = process.bootstrap();
        Ok(Some(Self { bootstrap, runtime, _process: process }))
    }

    pub fn run(&self, scenario: &Scenario) -> Outcome {
        let began = Instant::now();
        let outcome = self.runtime.block_on(self.attempt(scenario));
        println!("{} {:?} ({} ms)", scenario.name, outcome.is_ok(), began.elapsed().as_millis());
        match outcome {
            Ok(None) => Outcome::Passed,
            Ok(Some(api)) => Outcome::NotServed(api),
            Err(error) => Outcome::Failed(error),
        }
    }

    async fn attempt(&self, scenario: &Scenario) -> Result<Option<ApiKey>> {
        let client = Client::connect(ClientConfig::new(self.bootstrap.clone()).client_id("test")).await?;
        let broker = client.metadata().brokers().next().context("a broker is known")?.id;
        let versions = client.api_versions(broker).await?;
        if let Some(api) = scenario.needs.iter().find(|api| versions.served(**api).is_none()) {
            return Ok(Some(*api));
        }
        let bench =
            Bench { client, bootstrap: self.bootstrap.clone(), name: scenario.name.replace(' ', "-") };
        tokio::time::timeout(LIMIT, (scenario.run)(bench)).await.context("it takes too long")??;
        Ok(None)
    }
}

impl Bench {
    /// Makes a topic with this many partitions and waits until it has leaders; its name ends with `suffix`.
    pub async fn topic(&self, suffix: &str, num_partitions: i32) -> Result<String> {
        let name = format!("{}{suffix}", self.name);
        let topic = CreatableTopic {
            name: name.clone(),
            num_partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..CreateTopicsRequest::default() };
        let response = self.client.send_to_controller(&request).await?;
        for topic in &response.topics {
            ClientError::check(ApiKey::CreateTopics, topic.error_code, topic.error_message.as_deref())?;
        }
        self.client
            .with_retries("the topic's leaders", || async {
                for partition in 0..num_partitions {
                    self.client.leader(&klamm_client::TopicPartition::new(name.as_str(), partition)).await?;
                }
                Ok(())
            })
            .await?;
        Ok(name)
    }
}
