//! What clients of a coordinator are told when the log would not take its records.

use protocol::ErrorCode;

/// The error of an append as coordinators tell it: a lost leadership or a broken disk is NOT_COORDINATOR, too few replicas
/// or a timeout COORDINATOR_NOT_AVAILABLE, too large a batch UNKNOWN_SERVER_ERROR.
pub fn append_error_to_client_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
