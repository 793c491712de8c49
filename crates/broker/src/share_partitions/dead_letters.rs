//! Records that a share group has given up go to its dead-letter topic (KIP-1191).
//!
//! A dead letter says in its headers which record it was, whose, and why; with `errors.deadletterqueue.copy.record.enable` it
//! has that record's key and value, too. What cannot be written there is given up all the same: a group does not stop for it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::ErrorCode;
use records::{BatchBuilder, RecordHeader};
use share::{DeadLetter, DeadLetterCause};
use tracing::{debug, warn};

use super::{SharePartitions, Shared};
use crate::partition::Partition;

/// Pauses between attempts to write a dead letter, in milliseconds.
const PAUSES_MS: [u64; 4] = [1_000, 2_000, 4_000, 8_000];
/// The most of the log that is read at a time for copies, in bytes.
const COPY_READ_BYTES: usize = 1 << 20;
/// The most that one batch of the log may hold when it is unpacked for copies, in bytes.
const COPY_UNPACKED_BYTES: usize = 64 << 20;

/// Why a dead letter cannot be written, in words.
type Reason = String;

impl SharePartitions {
    /// Sends dead letters, each on a task of its own, and is done with the records then.
    pub(super) fn send_dead_letters(self: &Arc<Self>, shared: &Arc<Shared>, letters: Vec<DeadLetter>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for letter in letters {
            runtime.spawn(self.clone().send_dead_letter(shared.clone(), letter));
        }
    }

    fn send_dead_letter(
        self: Arc<Self>,
        shared: Arc<Shared>,
        letter: DeadLetter,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // Boxed: what is archived is written down, and what is written down may be sent.
        Box::pin(async move {
            if let Err(reason) = self.write_dead_letter(&shared, &letter).await {
                warn!(
                    topic_partition = %shared.partition.topic_partition,
                    group_id = &*shared.key.group_id,
                    offset = letter.first_offset,
                    %reason,
                    "a dead letter is lost"
                );
            }
            let archived =
                self.with_engine(&shared, |engine| engine.archive(letter.first_offset, letter.last_offset));
            shared.waiters.wake_all();
            if let Some(change) = archived {
                // An error has been told of; the records come back as being archived after the next start.
                let _ = self.write(shared, change).await;
            }
        })
    }

    async fn write_dead_letter(&self, shared: &Arc<Shared>, letter: &DeadLetter) -> Result<(), Reason> {
        let group = self.group_config(&shared.key.group_id);
        let topic = group.errors_deadletterqueue_topic_name;
        self.check_dead_letter_topic(&topic).await?;
        let copies = match group.errors_deadletterqueue_copy_record_enable {
            true => copies_of(shared, letter).await,
            false => HashMap::new(),
        };
        let mut offset = letter.first_offset;
        while offset <= letter.last_offset {
            let mut pauses = PAUSES_MS.iter();
            loop {
                let target = self.dead_letter_partition(shared, &topic)?;
                let (batch, next) = self.batch_of(shared, letter, offset, &copies, &target);
                match append(&target, batch, self.now_ms()).await {
                    Ok(()) => {
                        offset = next;
                        break;
                    }
                    Err(error) => {
                        let pause_ms = pauses.next().ok_or_else(|| error.name().to_string())?;
                        debug!(topic, error = error.name(), "a dead letter is tried again");
                        tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether dead letters may go to this topic; it is created where that is allowed.
    async fn check_dead_letter_topic(&self, topic: &str) -> Result<(), Reason> {
        let config = self.config.current();
        let prefix = &config.share.errors_deadletterqueue_topic_name_prefix;
        if topic.is_empty() || topic.starts_with("__") {
            return Err(format!("{topic:?} is no name of a dead-letter topic"));
        }
        if !topic.starts_with(prefix.as_str()) {
            return Err(format!("the name of the dead-letter topic {topic} does not begin with {prefix}"));
        }
        let image = self.metadata.image();
        if image.topics.by_name(topic).is_some() {
            let own = image.configs.of_topic(topic);
            let is_enabled = config::TopicConfig::resolve(&config, own).errors_deadletterqueue_group_enable;
            return if is_enabled {
                Ok(())
            } else {
                Err(format!("errors.deadletterqueue.group.enable is not set on topic {topic}"))
            };
        }
        if !config.share.errors_deadletterqueue_auto_create_topics_enable {
            return Err(format!("topic {topic} does not exist and may not be created"));
        }
        let created = self.state.create_dead_letter_topic(topic).await;
        created.map_err(|error| format!("topic {topic} cannot be created: {}", error.name()))
    }

    fn dead_letter_partition(&self, shared: &Shared, topic: &str) -> Result<Arc<Partition>, Reason> {
        let image = self.metadata.image();
        let count = image.topics.by_name(topic).map_or(0, |topic| topic.partition_count());
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let index =
            shared.key.partition.checked_rem(count).ok_or_else(|| format!("topic {topic} is gone"))?;
        self.partitions.by_name(topic, index).map_err(|_| format!("partition {index} of {topic} is not here"))
    }

    /// Letters from `first` on, as many as fit into one batch, and the offset of the first that does not.
    fn batch_of(
        &self,
        shared: &Shared,
        letter: &DeadLetter,
        first: i64,
        copies: &HashMap<i64, (Option<Bytes>, Option<Bytes>)>,
        target: &Partition,
    ) -> (Bytes, i64) {
        let limit = usize::try_from(target.log.config().max_message_bytes).unwrap_or(0);
        let mut batch = BatchBuilder::new(0);
        let mut offset = first;
        while offset <= letter.last_offset {
            let headers = headers(shared, letter, offset);
            let (key, value) = copies.get(&offset).cloned().unwrap_or_default();
            let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
            let named: usize =
                headers.iter().map(|header| 16 + header.key.len() + length(&header.value)).sum();
            let size = 32 + length(&key) + length(&value) + named;
            if !batch.is_empty() && batch.size_in_bytes().saturating_add(size) > limit {
                break;
            }
            batch.append(self.now_ms(), key.as_deref(), value.as_deref(), &headers);
            offset += 1;
        }
        (batch.build(), offset)
    }
}

async fn append(target: &Arc<Partition>, batch: Bytes, now_ms: i64) -> Result<(), ErrorCode> {
    let appended = target.append_from_client(&batch, -1, now_ms).map_err(|refusal| refusal.error_code)?;
    target.replicated(&appended).await
}

fn headers(shared: &Shared, letter: &DeadLetter, offset: i64) -> Vec<RecordHeader> {
    let cause = match letter.cause {
        DeadLetterCause::Rejected => "Offset rejected by client.",
        DeadLetterCause::DeliveryCountExceeded => "Offset delivery count exceeded the threshold.",
    };
    let said = [
        ("__dlq.errors.topic", shared.partition.topic_partition.topic.to_string()),
        ("__dlq.errors.partition", shared.key.partition.to_string()),
        ("__dlq.errors.offset", offset.to_string()),
        ("__dlq.errors.group", shared.key.group_id.to_string()),
        ("__dlq.errors.delivery.count", letter.delivery_count.to_string()),
        ("__dlq.errors.message", cause.to_string()),
    ];
    let header = |(key, value): (&'static str, String)| RecordHeader {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(value.into()),
    };
    said.into_iter().map(header).collect()
}

/// Keys and values of the records, as far as the log still has them.
async fn copies_of(
    shared: &Arc<Shared>,
    letter: &DeadLetter,
) -> HashMap<i64, (Option<Bytes>, Option<Bytes>)> {
    let (shared, letter) = (shared.clone(), *letter);
    let read = tokio::task::spawn_blocking(move || {
        let log = &shared.partition.log;
        let mut copies = HashMap::new();
        let mut offset = letter.first_offset.max(log.log_start_offset());
        while offset <= letter.last_offset {
            let Ok(bytes) = log.read_bytes(offset, COPY_READ_BYTES, log.high_watermark()) else { break };
            let before = offset;
            for batch in records::batches(&bytes).map_while(Result::ok) {
                offset = batch.header.next_offset();
                let records = batch.records(COPY_UNPACKED_BYTES).into_iter().flatten().map_while(Result::ok);
                let of_letter = |offset: i64| letter.first_offset <= offset && offset <= letter.last_offset;
                for record in records.filter(|record| of_letter(record.offset)) {
                    copies.insert(record.offset, (record.key, record.value));
                }
            }
            if offset == before {
                break;
            }
        }
        copies
    });
    read.await.unwrap_or_default()
}
