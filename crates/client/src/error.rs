//! What can go wrong: where, why, and whether to try again.

use std::io;
use std::sync::Arc;

use protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};
use records::RecordsError;

use crate::endpoint::Endpoint;
use crate::topic_partition::TopicPartition;

/// Why a call failed. Cheap to clone, so that one failure can be told to everybody whom it concerns.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A setting that cannot be used.
    #[error("{setting}={value}: {reason}")]
    Config {
        /// Kafka's name of the setting.
        setting: String,
        /// What it was set to.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection could be had.
    #[error("cannot connect to {broker}: {source}")]
    Connect {
        /// The broker or bootstrap address.
        broker: Arc<Endpoint>,
        /// What the transport said.
        source: Arc<io::Error>,
    },
    /// The connection ended while an answer was due. Whether the request took effect is not known.
    #[error("the connection to {broker} ended: {reason}")]
    Disconnected {
        /// The broker or bootstrap address.
        broker: Arc<Endpoint>,
        /// Who ended it and why.
        reason: Arc<str>,
    },
    /// Something took longer than a setting allows.
    #[error("{what} took longer than {limit_ms} ms ({setting}){}", cause(last.as_deref()))]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long, ms.
        limit_ms: i64,
        /// The setting that says so.
        setting: &'static str,
        /// The last failure on the way, if there was one.
        last: Option<Box<ClientError>>,
    },
    /// Broker and client have no version of the API in common, or none that can say what is asked.
    #[error("{api} cannot be sent to {broker}: {reason}")]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The broker.
        broker: Arc<Endpoint>,
        /// Which versions there are on both sides.
        reason: String,
    },
    /// A broker's answer is an error code.
    #[error("{}{api}: {code}: {}{}", place(topic_partition.as_deref()), message.as_deref().unwrap_or(code.message()), asked(broker.as_deref()))]
    Refused {
        /// Kafka's error code.
        code: ErrorCode,
        /// The API that answered.
        api: ApiKey,
        /// What the broker said beside the code.
        message: Option<Arc<str>>,
        /// Who answered.
        broker: Option<Arc<Endpoint>>,
        /// What it is about, if it is one partition. Topics alone have partition -1.
        topic_partition: Option<Box<TopicPartition>>,
    },
    /// An answer that is not what the protocol says. The connection is closed.
    #[error("{broker} gave a malformed answer to {api}: {source}")]
    Malformed {
        /// The broker.
        broker: Arc<Endpoint>,
        /// The API.
        api: ApiKey,
        /// What is wrong with the bytes.
        source: DecodeError,
    },
    /// A request that cannot be written in the version that the broker understands.
    #[error("{api} cannot be written for {broker}: {source}")]
    Unencodable {
        /// The broker.
        broker: Arc<Endpoint>,
        /// The API.
        api: ApiKey,
        /// Which field stands in the way.
        source: EncodeError,
    },
    /// No broker could be reached at all.
    #[error("no broker of {bootstrap} can be reached{}", cause(last.as_deref()))]
    NoBroker {
        /// `bootstrap.servers`.
        bootstrap: String,
        /// The last failure.
        last: Option<Box<ClientError>>,
    },
    /// A record that is larger than a setting allows.
    #[error("a record of {size} bytes is larger than {setting}={limit}")]
    RecordTooLarge {
        /// Its size, uncompressed, in bytes.
        size: usize,
        /// What is allowed.
        limit: usize,
        /// The setting that says so.
        setting: &'static str,
    },
    /// Records that cannot be read.
    #[error("{topic_partition} at offset {offset}: {source}")]
    Corrupt {
        /// Where.
        topic_partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// What is wrong.
        source: RecordsError,
    },
    /// There is no position to read from: nothing committed or out of range, and `auto.offset.reset` is `none`.
    #[error("{topic_partition} has no valid offset to read from ({offset}) and auto.offset.reset is none")]
    NoOffset {
        /// Where.
        topic_partition: TopicPartition,
        /// The offset that is out of range, or -1 if nothing was committed.
        offset: i64,
    },
    /// The log was cut below the position (KIP-320) and `auto.offset.reset` is `none`: records that were read are gone.
    #[error("{topic_partition} was truncated to offset {diverging_offset}, below the position {offset}")]
    LogTruncated {
        /// Where.
        topic_partition: TopicPartition,
        /// The position.
        offset: i64,
        /// Where the log that was read and the log that is there part.
        diverging_offset: i64,
    },
    /// Another producer with the same transactional id took over. This one is done for good.
    #[error("the producer of transactional.id={transactional_id} was fenced by a newer one ({code})")]
    Fenced {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// How the broker said it.
        code: ErrorCode,
    },
    /// Another member with the same `group.instance.id` took over, or the group went on without this one.
    #[error("member {member_id} of group {group_id} is fenced ({code})")]
    FencedMember {
        /// The group.
        group_id: Arc<str>,
        /// The member.
        member_id: Arc<str>,
        /// How the broker said it.
        code: ErrorCode,
    },
    /// The transaction failed and must be aborted before anything else.
    #[error("the transaction must be aborted: {source}")]
    AbortNeeded {
        /// What made it fail.
        source: Box<ClientError>,
    },
    /// The call does not fit to what went before.
    #[error("{0}")]
    IllegalState(&'static str),
    /// The client, producer or consumer is closed.
    #[error("it is closed")]
    Closed,
}

fn cause(last: Option<&ClientError>) -> String {
    last.map(|last| format!("; last: {last}")).unwrap_or_default()
}

fn place(topic_partition: Option<&TopicPartition>) -> String {
    match topic_partition {
        Some(named) if named.partition < 0 => format!("{}: ", named.topic),
        Some(named) => format!("{named}: "),
        None => String::new(),
    }
}

fn asked(broker: Option<&Endpoint>) -> String {
    broker.map(|broker| format!(" [{broker}]")).unwrap_or_default()
}

impl ClientError {
    /// A setting that cannot be used.
    pub(crate) fn config(setting: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::Config { setting: setting.to_owned(), value: value.to_owned(), reason: reason.into() }
    }

    /// An error code in an answer, with nothing else said.
    pub fn refused(api: ApiKey, code: ErrorCode) -> Self {
        Self::Refused { code, api, message: None, broker: None, topic_partition: None }
    }

    /// `Ok` for code 0, else the code as an error; numbers that are not known are `UnknownServerError`.
    ///
    /// # Errors
    /// The code, unless it is 0.
    pub fn check(api: ApiKey, code: i16, message: Option<&str>) -> Result<(), Self> {
        let code = ErrorCode::from_i16(code).unwrap_or(ErrorCode::UnknownServerError);
        if code.is_none() {
            return Ok(());
        }
        Err(Self::Refused { code, api, message: message.map(Arc::from), broker: None, topic_partition: None })
    }

    /// The same, about a topic partition.
    #[must_use]
    pub fn about(mut self, about: &TopicPartition) -> Self {
        if let Self::Refused { topic_partition, .. } = &mut self {
            *topic_partition = Some(Box::new(about.clone()));
        }
        self
    }

    /// The same, said by this broker.
    #[must_use]
    pub fn by(mut self, endpoint: &Arc<Endpoint>) -> Self {
        if let Self::Refused { broker, .. } = &mut self {
            *broker = Some(Arc::clone(endpoint));
        }
        self
    }

    /// Kafka's error code, if a broker gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } | Self::Fenced { code, .. } | Self::FencedMember { code, .. } => {
                Some(*code)
            }
            Self::AbortNeeded { source } => source.code(),
            Self::UnsupportedVersion { .. } => Some(ErrorCode::UnsupportedVersion),
            _ => None,
        }
    }

    /// The broker it is about.
    pub fn broker(&self) -> Option<&Endpoint> {
        match self {
            Self::Connect { broker, .. }
            | Self::Disconnected { broker, .. }
            | Self::UnsupportedVersion { broker, .. }
            | Self::Malformed { broker, .. }
            | Self::Unencodable { broker, .. } => Some(broker),
            Self::Refused { broker, .. } => broker.as_deref(),
            _ => None,
        }
    }

    /// The topic partition it is about.
    pub fn topic_partition(&self) -> Option<&TopicPartition> {
        match self {
            Self::Refused { topic_partition, .. } => topic_partition.as_deref(),
            Self::Corrupt { topic_partition, .. }
            | Self::NoOffset { topic_partition, .. }
            | Self::LogTruncated { topic_partition, .. } => Some(topic_partition),
            _ => None,
        }
    }

    /// Kafka's name of the setting to look at.
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::Config { setting, .. } => Some(setting),
            Self::TimedOut { setting, .. } | Self::RecordTooLarge { setting, .. } => Some(setting),
            Self::NoBroker { .. } => Some("bootstrap.servers"),
            Self::NoOffset { .. } | Self::LogTruncated { .. } => Some("auto.offset.reset"),
            Self::Fenced { .. } => Some("transactional.id"),
            Self::FencedMember { .. } => Some("group.instance.id"),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Disconnected { .. }
            | Self::TimedOut { .. }
            | Self::NoBroker { .. } => true,
            Self::Refused { code, .. } => code.is_retriable(),
            _ => false,
        }
    }

    /// Whether the failure may come from metadata that is out of date.
    pub(crate) fn is_stale_metadata(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Disconnected { .. } => true,
            Self::Refused { code, .. } => is_stale_metadata(*code),
            _ => false,
        }
    }

    /// Whether this producer or member was replaced by another.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::FencedMember { .. })
    }
}

/// Kafka's InvalidMetadataException and its heirs.
pub(crate) fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::NetworkException
            | ErrorCode::KafkaStorageError
            | ErrorCode::ListenerNotFound
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
    )
}
