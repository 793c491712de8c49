//! A member of a group, as the console consumer is one.

use std::time::Duration;

use klamm_client::{Client, Consumer, ConsumerConfig, ConsumerRecord};
use records::Record;

use crate::command_line::Failure;
use crate::tools::fetching::Fetched;

use super::{Request, failed};

/// A consumer that shares a group's partitions with its other members.
pub struct Member {
    consumer: Consumer,
    waiting: std::collections::VecDeque<ConsumerRecord>,
}

impl Member {
    /// Joins the group.
    pub fn join(request: &Request) -> Result<Self, Failure> {
        let mut properties = request.properties.clone();
        let reset = if request.from_beginning { "earliest" } else { "latest" };
        properties.entry("auto.offset.reset".to_owned()).or_insert_with(|| reset.to_owned());
        properties.insert("isolation.level".to_owned(), request.isolation_name().to_owned());
        let (client, consumer) =
            ConsumerConfig::from_properties(&properties).map_err(|error| failed(&error))?;
        let client = Client::unconnected(client).map_err(|error| failed(&error))?;
        let consumer = Consumer::new(&client, consumer).map_err(|error| failed(&error))?;
        let subscribed = match (&request.topic, &request.include) {
            (Some(topic), _) => consumer.subscribe([topic]),
            (None, include) => consumer.subscribe_pattern(include.as_deref().unwrap_or_default()),
        };
        subscribed.map_err(|error| failed(&error))?;
        Ok(Self { consumer, waiting: std::collections::VecDeque::new() })
    }

    /// Whether records are there that need no fetch.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next record; `None` when none came in time.
    pub async fn next(&mut self, patience: Option<Duration>) -> Result<Option<Fetched>, Failure> {
        let next = async { self.consumer.next().await.map(Some) };
        let record = match patience {
            None => next.await,
            Some(patience) => tokio::time::timeout(patience, next).await.unwrap_or(Ok(None)),
        };
        Ok(record.map_err(|error| failed(&error))?.map(fetched))
    }

    /// Commits what was printed and leaves.
    pub async fn close(self) {
        self.consumer.close().await;
    }
}

/// The client's record as formatters take it.
pub fn fetched(record: ConsumerRecord) -> Fetched {
    Fetched {
        topic_partition: record.topic_partition,
        record: Record {
            offset: record.offset,
            timestamp: record.timestamp_ms,
            sequence: -1,
            key: record.key,
            value: record.value,
            headers: record.headers,
        },
        timestamp_type: record.timestamp_type,
        delivery_count: record.delivery_count,
    }
}
