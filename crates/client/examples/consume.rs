//! Reads a topic as a member of a group until there is nothing for a while: `consume localhost:9092 topic group`.

use std::time::Duration;

use klamm_client::{Client, ClientConfig, ClientError, Consumer, ConsumerConfig, OffsetReset};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "example".to_owned());
    let group = arguments.next().unwrap_or_else(|| "example-group".to_owned());
    let client = Client::connect(ClientConfig::new(servers)).await?;
    let config = ConsumerConfig::new(group).auto_offset_reset(OffsetReset::Earliest);
    let mut consumer = Consumer::new(&client, config)?;
    consumer.subscribe([topic])?;
    loop {
        let records = consumer.poll(Duration::from_secs(5)).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            let value = record.value.unwrap_or_default();
            println!("{}@{} {}", record.topic_partition, record.offset, String::from_utf8_lossy(&value));
        }
    }
    consumer.close().await;
    Ok(())
}
