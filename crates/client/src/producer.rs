//! The producer: records in, batches out, one future per record.

mod batch;
mod config;
mod delivery;
mod outbox;
mod partitioner;
mod produce_call;
mod record;
mod sender;
mod transaction;
mod transaction_calls;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use protocol::{ApiKey, ErrorCode};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

pub use config::{Acks, ProducerConfig};
pub use delivery::Delivery;
pub use partitioner::{Partitioner, Partitioning, murmur2, partition_for_key};
pub use record::{ProducerRecord, RecordMetadata};
pub use transaction::Transaction;

use crate::backoff::Jitter;
use crate::client::Client;
use crate::error::ClientError;
use crate::metadata::TopicMetadata;
use crate::topic_partition::TopicPartition;
use outbox::{Limits, Outbox};
use partitioner::{Choice, StickyPartition};

/// Sends records. Clones share batches, connections and the transaction; the last one to go lets what is pending be
/// sent in the background as long as the runtime lives. Use [`Producer::close`] to wait for it.
#[derive(Clone, Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    // Dropped with the last clone: then the sender ends when nothing is left.
    _handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.send_if_modified(|state| {
            let begins = *state == Running::Open;
            *state = (*state).max(Running::Closing);
            begins
        });
        self.0.wake.notify_one();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Running {
    Open,
    Closing,
    Ended,
}

/// What the producer and its sender share.
#[derive(Debug)]
struct Shared {
    client: Client,
    config: ProducerConfig,
    partitioning: Partitioning,
    assembly: Mutex<Assembly>,
    room: Semaphore,
    wake: Notify,
    /// Nothing waits and nothing is on its way.
    idle: Notify,
    state: watch::Sender<Running>,
    transaction: transaction::State,
}

/// What one lock guards.
#[derive(Debug)]
struct Assembly {
    outbox: Outbox,
    sticky: HashMap<Arc<str>, StickyPartition>,
    jitter: Jitter,
}

impl Producer {
    /// A producer on a client's connections. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Settings that do not fit to each other.
    pub fn new(client: &Client, config: ProducerConfig) -> Result<Self, ClientError> {
        config.check(client.config())?;
        let is_idempotent = config.is_idempotent()?;
        let limits = Limits {
            batch_size: config.batch_size,
            linger_ms: config.linger_ms,
            delivery_timeout_ms: config.delivery_timeout_ms,
            request_bytes_max: config.max_request_size,
            in_flight_max: config.max_in_flight,
            retries: config.retries.unsigned_abs(),
            compression: config.compression()?,
            retry_backoff: client.config().retry_backoff(),
            is_idempotent,
            is_transactional: config.transactional_id.is_some(),
        };
        let (seed, jitter) = {
            let mut jitter = client.jitter();
            (jitter.next_u64(), Jitter::new(jitter.next_u64()))
        };
        let partitioning = config.chosen_partitioning()?;
        let assembly = Assembly { outbox: Outbox::new(limits, seed), sticky: HashMap::new(), jitter };
        let shared = Arc::new(Shared {
            client: client.clone(),
            room: Semaphore::new(config.buffer_memory.min(Semaphore::MAX_PERMITS)),
            transaction: transaction::State::new(config.transactional_id.as_deref()),
            config,
            partitioning,
            assembly: Mutex::new(assembly),
            wake: Notify::new(),
            idle: Notify::new(),
            state: watch::Sender::new(Running::Open),
        });
        tokio::spawn(sender::run(Arc::clone(&shared)));
        Ok(Self { _handle: Arc::new(Handle(Arc::clone(&shared))), shared })
    }

    /// Sends a record and waits until it is written as `acks` asks. To have many on their way at once, use
    /// [`Self::enqueue`]. Dropping the future does not take the record back once it is in a batch.
    ///
    /// # Errors
    /// As [`Self::enqueue`], and whatever kept the record from being written within `delivery.timeout.ms`.
    pub async fn send(&self, record: ProducerRecord) -> Result<RecordMetadata, ClientError> {
        self.enqueue(record).await?.await
    }

    /// Puts a record into a batch, waiting for metadata and room within `max.block.ms`. The record is on its way when
    /// this returns; the [`Delivery`] tells how it ended and may be dropped. Records of one partition are written in the
    /// order of these calls. Cancel-safe: a dropped call has not taken the record.
    ///
    /// # Errors
    /// No metadata or room in time, a record that is too large, a closed producer, a transaction that must be aborted.
    pub async fn enqueue(&self, record: ProducerRecord) -> Result<Delivery, ClientError> {
        match self.try_enqueue(&record) {
            Err(NotYet::Failed(error)) => return Err(error),
            Ok(delivery) => return Ok(delivery),
            Err(NotYet::Wait) => {}
        }
        let (limit_ms, setting) = (self.shared.config.max_block_ms, "max.block.ms");
        let size = record.size();
        let until = Instant::now() + Duration::from_millis(limit_ms.unsigned_abs());
        let topic = self.shared.client.topic(&record.topic, true, limit_ms, setting).await?;
        let permits = u32::try_from(size).unwrap_or(u32::MAX);
        let Ok(room) = tokio::time::timeout_at(until, self.shared.room.acquire_many(permits)).await else {
            let what = format!("room for a record of {size} bytes");
            return Err(ClientError::TimedOut { what, limit_ms, setting, last: None });
        };
        let room = room.map_err(|_| ClientError::Closed)?;
        let delivery = self.append(&record, &topic, size)?;
        room.forget();
        Ok(delivery)
    }

    /// As [`Self::enqueue`], but gives the record back at once where that would wait for room or metadata.
    ///
    /// # Errors
    /// As there; `Ok(Err(record))` is not a failure but a call that would have waited.
    #[allow(clippy::result_large_err, reason = "the record comes back")]
    pub fn try_send(&self, record: ProducerRecord) -> Result<Result<Delivery, ProducerRecord>, ClientError> {
        match self.try_enqueue(&record) {
            Ok(delivery) => Ok(Ok(delivery)),
            Err(NotYet::Wait) => Ok(Err(record)),
            Err(NotYet::Failed(error)) => Err(error),
        }
    }

    fn try_enqueue(&self, record: &ProducerRecord) -> Result<Delivery, NotYet> {
        let size = record.size();
        self.shared.check(size)?;
        let metadata = self.shared.client.inner.metadata.load();
        let topic = metadata.topic(&record.topic).filter(|topic| topic.is_available()).ok_or(NotYet::Wait)?;
        let permits = u32::try_from(size).unwrap_or(u32::MAX);
        let room = self.shared.room.try_acquire_many(permits).map_err(|_| NotYet::Wait)?;
        let delivery = self.append(record, topic, size)?;
        room.forget();
        Ok(delivery)
    }

    fn append(
        &self,
        record: &ProducerRecord,
        topic: &TopicMetadata,
        size: usize,
    ) -> Result<Delivery, ClientError> {
        let now_ms = self.shared.client.now_ms();
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(wall_clock_ms);
        let mut assembly = self.shared.assembly.lock();
        // The sender ends under this lock: whoever gets in before is still served.
        if *self.shared.state.borrow() != Running::Open {
            return Err(ClientError::Closed);
        }
        // A transaction ends under this lock, too: a record that waited for room does not come after its end.
        self.shared.transaction.check_open()?;
        let partition = self.shared.choose_partition(&mut assembly, record, topic, size)?;
        let topic_partition = TopicPartition { topic: Arc::clone(&topic.name), partition };
        let (delivery, is_due) =
            assembly.outbox.append(&topic_partition, record, timestamp_ms, size, now_ms)?;
        drop(assembly);
        if is_due {
            self.shared.client.use_topic(&topic.name);
            self.shared.wake.notify_one();
        }
        Ok(delivery)
    }

    /// Waits until all records that were enqueued before are written or have failed. Nothing lingers meanwhile.
    pub async fn flush(&self) {
        let _flushing = Flushing::begin(&self.shared);
        let fates = self.shared.assembly.lock().outbox.fates();
        // Who holds the delivery is told of failures.
        delivery::settled(fates).await;
    }

    /// Sends what is pending and ends the producer; clones fail from now on, calls that wait for room included. Records
    /// that are not acknowledged within `limit` fail; whether those on their way are written is not known then.
    pub async fn close(self, limit: Duration) {
        self.shared.state.send_modify(|state| *state = (*state).max(Running::Closing));
        let flushed = tokio::time::timeout(limit, async {
            self.flush().await;
            self.end_abandoned().await;
        });
        let flushed = flushed.await;
        let mut assembly = self.shared.assembly.lock();
        if flushed.is_err() {
            assembly.outbox.fail_all(&ClientError::Closed);
        }
        drop(assembly);
        self.shared.wake.notify_one();
    }

    /// How many partitions a topic has, asked for if it is not known.
    ///
    /// # Errors
    /// There is no such topic.
    pub async fn partitions_for(&self, topic: &str) -> Result<Arc<TopicMetadata>, ClientError> {
        self.shared.client.topic(topic, true, self.shared.config.max_block_ms, "max.block.ms").await
    }

    /// The client that it runs on.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }
}

/// Why a record is not in a batch at once.
enum NotYet {
    Wait,
    Failed(ClientError),
}

impl From<ClientError> for NotYet {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

/// Nothing lingers while one of these lives.
struct Flushing<'a>(&'a Shared);

impl<'a> Flushing<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.assembly.lock().outbox.set_flushing(true);
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.assembly.lock().outbox.set_flushing(false);
    }
}

impl Shared {
    /// What can be refused without a look at the cluster.
    fn check(&self, size: usize) -> Result<(), ClientError> {
        let limits = [
            ("max.request.size", self.config.max_request_size),
            ("buffer.memory", self.config.buffer_memory),
        ];
        for (setting, limit) in limits {
            if size > limit {
                return Err(ClientError::RecordTooLarge { size, limit, setting });
            }
        }
        if *self.state.borrow() != Running::Open {
            return Err(ClientError::Closed);
        }
        Ok(())
    }

    fn choose_partition(
        &self,
        assembly: &mut Assembly,
        record: &ProducerRecord,
        topic: &TopicMetadata,
        size: usize,
    ) -> Result<i32, ClientError> {
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let chosen = match (&self.partitioning, record.partition, &record.key) {
            (_, Some(partition), _) => partition,
            (Partitioning::Custom(partitioner), None, _) => partitioner.partition(record, topic),
            (Partitioning::Default { ignore_keys: false }, None, Some(key)) => partition_for_key(key, count),
            (Partitioning::RoundRobin, None, _) => {
                assembly.sticky.entry(Arc::clone(&topic.name)).or_default().next_in_turn(topic)
            }
            (Partitioning::Default { .. }, None, _) => {
                let Assembly { outbox, sticky, jitter } = assembly;
                let choice = Choice {
                    topic,
                    queue_lengths: &|partition| outbox.queue_length(&topic.name, partition),
                    is_adaptive: self.config.adaptive_partitioning,
                    batch_size: self.config.batch_size,
                };
                sticky.entry(Arc::clone(&topic.name)).or_default().next(&choice, size, jitter)
            }
        };
        if (0..count).contains(&chosen) {
            return Ok(chosen);
        }
        let about = TopicPartition { topic: Arc::clone(&topic.name), partition: chosen };
        Err(ClientError::refused(ApiKey::Metadata, ErrorCode::UnknownTopicOrPartition).about(&about))
    }
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
