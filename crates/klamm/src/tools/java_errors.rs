//! What Java's clients would have thrown: class and message of an error, as their tools print them.

use klamm_client::{ClientError, ErrorCode};
use protocol::ApiKey;

use super::first_call;

const PACKAGE: &str = "org.apache.kafka.common.errors.";

/// Codes whose exception is not called like them.
const IRREGULAR: &[(ErrorCode, &str)] = &[
    (ErrorCode::UnknownServerError, "UnknownServerException"),
    (ErrorCode::CorruptMessage, "CorruptRecordException"),
    (ErrorCode::RequestTimedOut, "TimeoutException"),
    (ErrorCode::MessageTooLarge, "RecordTooLargeException"),
    (ErrorCode::InvalidTopicException, "InvalidTopicException"),
    (ErrorCode::RecordListTooLarge, "RecordBatchTooLargeException"),
    (ErrorCode::InvalidConfig, "InvalidConfigurationException"),
    (ErrorCode::TopicAlreadyExists, "TopicExistsException"),
    (ErrorCode::KafkaStorageError, "KafkaStorageException"),
    (ErrorCode::PolicyViolation, "PolicyViolationException"),
    (ErrorCode::NonEmptyGroup, "GroupNotEmptyException"),
    (ErrorCode::DelegationTokenNotFound, "DelegationTokenNotFoundException"),
    (ErrorCode::UnsupportedSaslMechanism, "UnsupportedSaslMechanismException"),
];

/// What Java's clients say where the broker says nothing: scripts look for these words.
const MESSAGES: &[(ErrorCode, &str)] = &[
    (
        ErrorCode::OffsetOutOfRange,
        "The requested offset is not within the range of offsets maintained by the server.",
    ),
    (ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition."),
    (ErrorCode::GroupIdNotFound, "The group id does not exist."),
    (ErrorCode::NonEmptyGroup, "The group is not empty."),
    (
        ErrorCode::GroupSubscribedToTopic,
        "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
    ),
    (ErrorCode::UnknownMemberId, "The coordinator is not aware of this member."),
    (ErrorCode::SecurityDisabled, "Security features are disabled."),
    (ErrorCode::UnsupportedVersion, "The version of API is not supported."),
    (ErrorCode::TopicAuthorizationFailed, "Topic authorization failed."),
    (ErrorCode::GroupAuthorizationFailed, "Group authorization failed."),
    (ErrorCode::ClusterAuthorizationFailed, "Cluster authorization failed."),
    (ErrorCode::InvalidGroupId, "The configured groupId is invalid."),
    (ErrorCode::UnknownTopicId, "This server does not host this topic ID."),
    (ErrorCode::TransactionalIdNotFound, "The transactionalId could not be found"),
];

/// The simple name of the exception.
fn simple_class(code: ErrorCode) -> String {
    if let Some((_, class)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == code) {
        return (*class).to_owned();
    }
    let words = code.name().split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_ascii_lowercase()
    });
    let name: String = words.collect();
    if name.ends_with("Exception") { name } else { name + "Exception" }
}

/// `getClass().getName()`.
pub fn class(error: &ClientError) -> String {
    match error {
        ClientError::TimedOut { .. } | ClientError::NoBroker { .. } => match first_call::name() {
            first_call::LIST_GROUPS => "org.apache.kafka.common.KafkaException".to_owned(),
            _ => format!("{PACKAGE}TimeoutException"),
        },
        ClientError::Connect { .. } | ClientError::Disconnected { .. } => {
            format!("{PACKAGE}DisconnectException")
        }
        ClientError::Config { .. } => "org.apache.kafka.common.config.ConfigException".to_owned(),
        error => match error.code() {
            Some(code) => format!("{PACKAGE}{}", simple_class(code)),
            None => "org.apache.kafka.common.KafkaException".to_owned(),
        },
    }
}

/// `getMessage()`.
pub fn message(error: &ClientError) -> String {
    match error {
        ClientError::Refused { message: Some(message), .. } => message.to_string(),
        ClientError::Refused { code, .. } => match MESSAGES.iter().find(|(known, _)| known == code) {
            Some((_, message)) => (*message).to_owned(),
            None => code.message().to_owned(),
        },
        ClientError::UnsupportedVersion { api, .. } => {
            format!("The node does not support {}", screaming(*api))
        }
        ClientError::Config { setting, .. } if setting == "bootstrap.servers" => {
            first_call::hint(error.to_string());
            "Failed to create new KafkaAdminClient".to_owned()
        }
        ClientError::NoBroker { .. } | ClientError::TimedOut { .. } => {
            first_call::hint(error.to_string());
            match first_call::name() {
                first_call::LIST_GROUPS => "Failed to find brokers to send ListGroups".to_owned(),
                "" => "Timed out waiting for a node assignment.".to_owned(),
                call => format!("Timed out waiting for a node assignment. Call: {call}"),
            }
        }
        error => error.to_string(),
    }
}

/// `toString()`.
pub fn full(error: &ClientError) -> String {
    format!("{}: {}", class(error), message(error))
}

/// The API's constant in Java.
fn screaming(api: ApiKey) -> String {
    let mut text = String::new();
    for (index, letter) in api.name().char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}
