//! Sends a hundred records and waits until all are written: `produce localhost:9092 topic`.

use klamm_client::{Client, ClientConfig, ClientError, Producer, ProducerConfig, ProducerRecord};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "example".to_owned());
    let client = Client::connect(ClientConfig::new(servers)).await?;
    let producer = Producer::new(&client, ProducerConfig::new())?;
    let mut deliveries = Vec::new();
    for index in 0..100 {
        let record = ProducerRecord::to(topic.as_str())
            .key(format!("key-{}", index % 10))
            .value(format!("value {index}"));
        deliveries.push(producer.enqueue(record).await?);
    }
    for delivery in deliveries {
        let written = delivery.await?;
        println!("{}@{}", written.topic_partition, written.offset);
    }
    Ok(())
}
