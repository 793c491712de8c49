//! What the clients of one process share: where to connect, where to record, when to end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use history_tests::clock::now_ns;
use history_tests::history::{Function, Key, Operation, Polled, Value};
use history_tests::random::Random;
use history_tests::text::Recorder;
use history_tests::topics;
use klamm_client::{Client, ClientConfig, ConsumerRecord, GroupProtocol, TopicPartition};

use crate::flaky::FlakyTransport;

/// One for all tasks.
pub struct Site {
    address: String,
    /// Its place in the run: an incarnation that follows has the same transactional ids.
    pub slot: u32,
    incarnation: u32,
    seed: u64,
    /// Where it is written down.
    pub recorder: Recorder,
    /// Nothing new is begun.
    pub is_over: AtomicBool,
}

/// Processes of one incarnation.
const PROCESSES: u32 = 32;
/// How long a task rests after a failure.
pub const REST: Duration = Duration::from_millis(20);

impl Site {
    /// The history file is new.
    pub fn new(address: &str, slot: u32, incarnation: u32, seed: u64, path: &Path) -> Result<Self> {
        Ok(Site {
            address: address.to_owned(),
            slot,
            incarnation,
            seed,
            recorder: Recorder::create(path)?,
            is_over: AtomicBool::new(false),
        })
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The number of a task in the history.
    pub fn process(&self, index: u32) -> u32 {
        self.incarnation * PROCESSES + index
    }

    pub fn random(&self, index: u32) -> Random {
        Random::new(self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(self.process(index))))
    }

    /// Half of the slots use each of the group protocols.
    pub fn group_protocol(&self) -> GroupProtocol {
        if (self.slot / 2).is_multiple_of(2) { GroupProtocol::Consumer } else { GroupProtocol::Classic }
    }

    /// A client of its own, some of whose connections break. Tries until there is a server.
    pub async fn client(&self, index: u32) -> Result<Client> {
        loop {
            let config = ClientConfig::new(self.address.clone())
                .client_id(format!("history-{}", self.process(index)))
                .request_timeout_ms(5_000)
                .default_api_timeout_ms(15_000)
                .reconnect_backoff_max_ms(200)
                .retry_backoff_ms(20)
                .retry_backoff_max_ms(200)
                .transport(Arc::new(FlakyTransport::new(self.random(index))));
            match Client::connect(config).await {
                Ok(client) => return Ok(client),
                Err(error) if self.is_over() => return Err(error.into()),
                Err(_) => tokio::time::sleep(REST).await,
            }
        }
    }

    /// An operation of a task that begins now.
    pub fn operation(&self, index: u32, function: Function) -> Operation {
        let now_ns = now_ns();
        Operation::new(self.process(index), function, now_ns, now_ns)
    }

    /// Writes its end down.
    ///
    /// # Errors
    /// The file system's.
    pub fn end(&self, operation: &mut Operation) -> Result<()> {
        operation.completed_ns = Some(now_ns());
        self.recorder.end(operation)
    }
}

/// Values that nobody else sends.
pub struct Values {
    next: Value,
}

impl Values {
    pub fn of(process: u32) -> Self {
        Values { next: u64::from(process) << 32 }
    }

    pub fn next(&mut self) -> Value {
        self.next += 1;
        self.next
    }
}

/// A record as the history has it.
pub fn polled(record: &ConsumerRecord) -> Result<Polled> {
    let text = record.value.as_deref().unwrap_or_default();
    Ok(Polled {
        key: topics::key(&record.topic_partition)?,
        offset: record.offset,
        value: std::str::from_utf8(text)?.parse()?,
    })
}

/// The keys of partitions.
pub fn keys(partitions: &[TopicPartition]) -> Vec<Key> {
    partitions.iter().filter_map(|partition| topics::key(partition).ok()).collect()
}
