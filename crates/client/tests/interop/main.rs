//! Klamm's client beside Java's and librdkafka on one server: codecs, keys, transactions, mixed groups.

mod groups;
mod peer;
mod records;

use std::collections::BTreeMap;

use anyhow::Result;
use klamm_client::admin::NewTopic;
use klamm_client::{Admin, Client, ClientConfig};
use peer::Peer;
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

/// One test's server, client and runtime.
struct Table {
    client: Client,
    bootstrap: String,
    runtime: tokio::runtime::Runtime,
    // Held for its end.
    _server: ServerProcess,
}

fn with_peer(steps: &[&str], start: fn(&str) -> Result<Peer>) -> Result<()> {
    let product = Product::under_test();
    let mut steps = steps.to_vec();
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let settings = [
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.num.partitions", "4"),
        ("group.consumer.min.heartbeat.interval.ms", "200"),
        ("group.consumer.heartbeat.interval.ms", "300"),
    ];
    let server = ServerProcess::start(product, &settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut peer = start(&server.bootstrap())?;
    let client = runtime.block_on(Client::connect(ClientConfig::new(server.bootstrap())))?;
    let table = Table { client, bootstrap: server.bootstrap(), runtime, _server: server };
    records::codecs(&table, &mut peer)?;
    records::keys(&table, &mut peer)?;
    records::transactions(&table, &mut peer)?;
    if peer.name == "java" {
        records::settings(&table, &mut peer)?;
    }
    groups::mixed(&table, &mut peer)
}

#[test]
fn java_and_klamm_understand_each_other() -> Result<()> {
    with_peer(&["java-clients"], Peer::java)
}

#[test]
fn librdkafka_and_klamm_understand_each_other() -> Result<()> {
    with_peer(&["python-clients"], Peer::librdkafka)
}

impl Table {
    /// Makes a topic that is ready for use.
    fn topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.runtime.block_on(async {
            let topic = NewTopic {
                name: name.to_owned(),
                partitions: Some(partitions),
                replication_factor: Some(1),
                assignments: BTreeMap::new(),
                configs: BTreeMap::new(),
            };
            for (_, created) in Admin::new(self.client.clone()).create_topics(vec![topic], false).await? {
                created?;
            }
            self.client
                .with_retries("leaders", || async {
                    for partition in 0..partitions {
                        self.client.leader(&klamm_client::TopicPartition::new(name, partition)).await?;
                    }
                    Ok(())
                })
                .await?;
            Ok(())
        })
    }
}
