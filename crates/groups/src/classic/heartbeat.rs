//! Heartbeat: a member is alive, and is told whether it has to rejoin.

use protocol::ErrorCode;
use protocol::messages::HeartbeatRequest;

use super::{ClassicGroup, ClassicState};

impl ClassicGroup {
    /// What a heartbeat is answered. One that comes from a member of this generation gives it a whole session again.
    pub(crate) fn heartbeat(&mut self, now_ms: i64, request: &HeartbeatRequest) -> ErrorCode {
        if let Err(error) = self.validate_member(&request.member_id, request.group_instance_id.as_deref()) {
            return error;
        }
        if request.generation_id != self.generation_id {
            return ErrorCode::IllegalGeneration;
        }
        match self.state {
            ClassicState::Empty | ClassicState::Dead => ErrorCode::UnknownMemberId,
            ClassicState::PreparingRebalance => {
                self.restart_session(now_ms, &request.member_id);
                ErrorCode::RebalanceInProgress
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.restart_session(now_ms, &request.member_id);
                ErrorCode::None
            }
        }
    }

    /// An accepted commit keeps its member alive, except while assignments are awaited.
    pub(crate) fn note_offset_commit(&mut self, now_ms: i64, member_id: &str) {
        if matches!(self.state, ClassicState::Stable | ClassicState::PreparingRebalance) {
            self.restart_session(now_ms, member_id);
        }
    }
}
