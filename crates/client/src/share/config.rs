//! The share consumer's settings.

use config::Properties;

use crate::error::ClientError;
use crate::settings::{ClientConfig, Setting, warn_unknown};

/// How records are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgementMode {
    /// The next call for records accepts those that were not acknowledged otherwise.
    Implicit,
    /// Each record is acknowledged by the application.
    Explicit,
}

impl Setting for AcknowledgementMode {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "implicit" => Ok(Self::Implicit),
            "explicit" => Ok(Self::Explicit),
            _ => Err("implicit or explicit is due".to_owned()),
        }
    }
}

settings! {
    /// How a share consumer reads and acknowledges.
    pub struct ShareConsumerConfig {
        /// The share group.
        group_id: String = "group.id", String::new();
        /// How records are acknowledged.
        acknowledgement_mode: AcknowledgementMode = "share.acknowledgement.mode", AcknowledgementMode::Implicit;
        /// Most records that are acquired at once from one leader.
        max_poll_records: i32 = "max.poll.records", 500, min 1;
        /// Bytes that a broker waits for before it answers a fetch.
        fetch_min_bytes: i32 = "fetch.min.bytes", 1, min 0;
        /// Most bytes of a fetch's answer.
        fetch_max_bytes: i32 = "fetch.max.bytes", 52_428_800, min 0;
        /// How long a broker waits for those bytes, ms.
        fetch_max_wait_ms: i32 = "fetch.max.wait.ms", 500, min 0;
        /// Whether checksums of batches are verified.
        check_crcs: bool = "check.crcs", true;
    }
    beside {
        decompressed_bytes_max: usize = 1 << 30;
    }
}

impl ShareConsumerConfig {
    /// Kafka's defaults for a share group.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self { group_id: group_id.into(), ..Self::default() }
    }

    /// Reads one file's settings for the client and the share consumer; keys that neither knows are warned of.
    ///
    /// # Errors
    /// A value that is not valid.
    pub fn from_properties(properties: &Properties) -> Result<(ClientConfig, Self), ClientError> {
        let (mut client, mut consumer) = (ClientConfig::default(), Self::default());
        let mut unknown = consumer.apply(properties)?;
        let unknown_to_client = client.apply(properties)?;
        unknown.retain(|key| unknown_to_client.contains(key));
        warn_unknown(unknown, &[Self::KEYS, ClientConfig::KEYS]);
        Ok((client, consumer))
    }
}
