//! The producer's settings.

use config::Properties;
use records::{Codec, Compression};

use crate::error::ClientError;
use crate::producer::partitioner::Partitioning;
use crate::settings::{ClientConfig, Setting, warn_unknown};

/// When a record counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// When it was sent: nothing is known of it afterwards.
    None,
    /// When its leader has it.
    Leader,
    /// When every in-sync replica has it.
    All,
}

impl Acks {
    /// The number on the wire.
    pub fn as_i16(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

impl Setting for Acks {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "0" => Ok(Self::None),
            "1" => Ok(Self::Leader),
            "all" | "-1" => Ok(Self::All),
            _ => Err("all, -1, 0 or 1 is due".to_owned()),
        }
    }
}

impl Setting for Codec {
    fn parse(text: &str) -> Result<Self, String> {
        let name = text.trim();
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| "none, gzip, snappy, lz4 or zstd is due".to_owned())
    }
}

impl Setting for Option<bool> {
    fn parse(text: &str) -> Result<Self, String> {
        bool::parse(text).map(Some)
    }
}

impl Setting for Option<Acks> {
    fn parse(text: &str) -> Result<Self, String> {
        Acks::parse(text).map(Some)
    }
}

settings! {
    /// How a producer batches, retries and promises.
    pub struct ProducerConfig {
        /// When a record counts as written; all in-sync replicas if not given.
        acks: Option<Acks> = "acks", None;
        /// Whether records are written once and in order whatever is retried; yes if not given and `acks` allows it (KIP-98).
        enable_idempotence: Option<bool> = "enable.idempotence", None;
        /// Names the producer across restarts and makes transactions possible.
        transactional_id: Option<String> = "transactional.id", None;
        /// A transaction open for longer is aborted by its coordinator, ms.
        transaction_timeout_ms: i32 = "transaction.timeout.ms", 60_000, min 1;
        /// Bytes of a batch, uncompressed, before the next one begins.
        batch_size: usize = "batch.size", 16_384;
        /// How long a batch waits for more records, ms.
        linger_ms: i64 = "linger.ms", 5, min 0;
        /// How batches are compressed.
        compression_type: Codec = "compression.type", Codec::None;
        /// Level of gzip (KIP-390).
        compression_gzip_level: i32 = "compression.gzip.level", -1;
        /// Level of lz4 (KIP-390).
        compression_lz4_level: i32 = "compression.lz4.level", 9;
        /// Level of zstd (KIP-390).
        compression_zstd_level: i32 = "compression.zstd.level", 3;
        /// Bytes of records that may wait; then sending waits.
        buffer_memory: usize = "buffer.memory", 32 * 1024 * 1024;
        /// How long sending waits for room or metadata, ms.
        max_block_ms: i64 = "max.block.ms", 60_000, min 0;
        /// Bytes of a request, and of one record uncompressed.
        max_request_size: usize = "max.request.size", 1_048_576;
        /// Requests that may be unanswered at one broker; order is kept with up to 5.
        max_in_flight: usize = "max.in.flight.requests.per.connection", 5, min 1;
        /// How often a batch is sent again.
        retries: i32 = "retries", i32::MAX, min 0;
        /// How long a record may take from sending to its acknowledgement, ms.
        delivery_timeout_ms: i64 = "delivery.timeout.ms", 120_000, min 0;
        /// Whether loaded partitions get fewer of the records without a key (KIP-794).
        adaptive_partitioning: bool = "partitioner.adaptive.partitioning.enable", true;
        /// Whether keys do not matter for the partition.
        ignore_keys: bool = "partitioner.ignore.keys", false;
        /// Java's name of a partitioner: empty, or `RoundRobinPartitioner` with its package.
        partitioner_class: Option<String> = "partitioner.class", None;
    }
    beside {
        partitioning: Option<Partitioning> = None;
    }
}

const ROUND_ROBIN: &str = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
const IN_FLIGHT_ORDERED_MAX: usize = 5;

impl ProducerConfig {
    /// Kafka's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one file's settings for the client and the producer; keys that neither knows are warned of.
    ///
    /// # Errors
    /// A value that is not valid.
    pub fn from_properties(properties: &Properties) -> Result<(ClientConfig, Self), ClientError> {
        let (mut client, mut producer) = (ClientConfig::default(), Self::default());
        let mut unknown = producer.apply(properties)?;
        let unknown_to_client = client.apply(properties)?;
        unknown.retain(|key| unknown_to_client.contains(key));
        warn_unknown(unknown, &[Self::KEYS, ClientConfig::KEYS]);
        Ok((client, producer))
    }

    /// Chooses partitions in another way than by `partitioner.class`.
    #[must_use]
    pub fn partitioning(mut self, partitioning: Partitioning) -> Self {
        self.partitioning = Some(partitioning);
        self
    }

    pub(crate) fn chosen_partitioning(&self) -> Result<Partitioning, ClientError> {
        match (&self.partitioning, self.partitioner_class.as_deref()) {
            (Some(partitioning), _) => Ok(partitioning.clone()),
            (None, None) => Ok(Partitioning::Default { ignore_keys: self.ignore_keys }),
            (None, Some(ROUND_ROBIN)) => Ok(Partitioning::RoundRobin),
            (None, Some(other)) => {
                let reason = format!("{ROUND_ROBIN} is due, or a partitioner set in code");
                Err(ClientError::config("partitioner.class", other, reason))
            }
        }
    }

    pub(crate) fn compression(&self) -> Result<Compression, ClientError> {
        let codec = self.compression_type;
        let (key, level) = match codec {
            Codec::None | Codec::Snappy => return Ok(Compression::of(codec)),
            Codec::Gzip => ("compression.gzip.level", self.compression_gzip_level),
            Codec::Lz4 => ("compression.lz4.level", self.compression_lz4_level),
            Codec::Zstd => ("compression.zstd.level", self.compression_zstd_level),
        };
        Compression::with_level(codec, level)
            .ok_or_else(|| ClientError::config(key, &level.to_string(), "the codec has no such level"))
    }

    pub(crate) fn chosen_acks(&self) -> Acks {
        self.acks.unwrap_or(Acks::All)
    }

    /// As in Java: on unless something that was set speaks against it, and then an error if it was asked for.
    pub(crate) fn is_idempotent(&self) -> Result<bool, ClientError> {
        let refused = |key: &str, value: String, reason: &str| Err(ClientError::config(key, &value, reason));
        let is_asked = self.enable_idempotence == Some(true) || self.transactional_id.is_some();
        if self.transactional_id.is_some() && self.enable_idempotence == Some(false) {
            return refused("enable.idempotence", "false".to_owned(), "transactional.id needs idempotence");
        }
        if self.enable_idempotence == Some(false) {
            return Ok(false);
        }
        let against = if self.chosen_acks() != Acks::All {
            Some(("acks", self.chosen_acks().as_i16().to_string(), "idempotence needs acks=all"))
        } else if self.retries == 0 {
            Some(("retries", "0".to_owned(), "idempotence needs retries"))
        } else if self.max_in_flight > IN_FLIGHT_ORDERED_MAX {
            let key = "max.in.flight.requests.per.connection";
            Some((key, self.max_in_flight.to_string(), "idempotence needs at most 5"))
        } else {
            None
        };
        match against {
            Some((key, value, reason)) if is_asked => refused(key, value, reason),
            Some(_) => Ok(false),
            None => Ok(true),
        }
    }

    pub(crate) fn check(&self, client: &ClientConfig) -> Result<(), ClientError> {
        if self.delivery_timeout_ms < self.linger_ms + client.request_timeout_ms {
            return Err(ClientError::config(
                "delivery.timeout.ms",
                &self.delivery_timeout_ms.to_string(),
                "at least linger.ms + request.timeout.ms is due",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ProducerConfig, ClientError> {
        let properties = config::properties::parse(text.as_bytes()).unwrap();
        ProducerConfig::from_properties(&properties).map(|(_, producer)| producer)
    }

    #[test]
    fn idempotence_follows_javas_rules() {
        for (text, expected) in [
            ("", Some(true)),
            ("acks=1", Some(false)),
            ("retries=0", Some(false)),
            ("max.in.flight.requests.per.connection=6", Some(false)),
            ("enable.idempotence=false", Some(false)),
            ("enable.idempotence=true\nacks=1", None),
            ("transactional.id=a\nenable.idempotence=false", None),
            ("transactional.id=a\nacks=0", None),
        ] {
            assert_eq!(parsed(text).unwrap().is_idempotent().ok(), expected, "{text}");
        }
    }

    #[test]
    fn levels_and_names_are_checked() {
        assert_eq!(
            parsed("compression.type=zstd\ncompression.zstd.level=7").unwrap().compression().unwrap().level,
            7
        );
        let error =
            parsed("compression.type=gzip\ncompression.gzip.level=70").unwrap().compression().unwrap_err();
        assert_eq!(error.setting(), Some("compression.gzip.level"));
        assert_eq!(parsed("acks=2").unwrap_err().setting(), Some("acks"));
        let round_robin = format!("partitioner.class={ROUND_ROBIN}");
        assert!(matches!(parsed(&round_robin).unwrap().chosen_partitioning(), Ok(Partitioning::RoundRobin)));
        assert!(parsed("partitioner.class=My").unwrap().chosen_partitioning().is_err());
    }
}
