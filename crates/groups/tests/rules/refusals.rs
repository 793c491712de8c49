//! What members hear while their coordinator is being loaded, or is another one.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::{HeartbeatRequest, SyncGroupRequest};

fn heartbeat_refused(error: ErrorCode) -> i16 {
    match Request::Heartbeat(HeartbeatRequest::default()).refused(error, 4) {
        Reply::Heartbeat(response) => response.error_code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_heartbeat_is_no_failure_while_the_group_is_loaded() {
    assert_eq!(heartbeat_refused(ErrorCode::CoordinatorLoadInProgress), 0);
    assert_eq!(heartbeat_refused(ErrorCode::NotCoordinator), ErrorCode::NotCoordinator.as_i16());
}

#[test]
fn whoever_has_to_wait_is_told_that_the_group_is_loaded() {
    let refused = Request::SyncGroup(SyncGroupRequest::default());
    let Reply::SyncGroup(response) = refused.refused(ErrorCode::CoordinatorLoadInProgress, 5) else {
        panic!("another kind of answer");
    };
    assert_eq!(response.error_code, ErrorCode::CoordinatorLoadInProgress.as_i16());
}
