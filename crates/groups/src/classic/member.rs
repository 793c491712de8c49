//! One member of a classic group.

use bytes::Bytes;
use protocol::messages::describe_groups_response::DescribedGroupMember;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

use crate::event::RequestId;

/// A request that is answered later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parked {
    pub(crate) id: RequestId,
    pub(crate) api_version: i16,
}

/// One member of a classic group.
#[derive(Debug, Clone)]
pub(crate) struct ClassicMember {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// In the member's order of preference, each name once.
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    pub(crate) assignment: Bytes,
    pub(crate) awaiting_join: Option<Parked>,
    pub(crate) awaiting_sync: Option<Parked>,
    /// Set until the member's first generation: until then a parked JoinGroup does not keep it alive for ever.
    pub(crate) is_new: bool,
    /// When the member is given up, unless it is heard of before.
    pub(crate) session_deadline_ms: Option<i64>,
}

impl ClassicMember {
    /// The member's metadata for a protocol; empty for one it does not know, and for none.
    pub(crate) fn metadata(&self, protocol_name: Option<&str>) -> Bytes {
        let known = |protocol: &&JoinGroupRequestProtocol| Some(protocol.name.as_str()) == protocol_name;
        self.protocols.iter().find(known).map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }

    /// Whether the member need not send heartbeats now: it waits for us.
    pub(crate) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// The member without its metadata, as DescribeGroups shows it.
    pub(crate) fn described(&self) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_assignment: self.assignment.clone(),
            ..DescribedGroupMember::default()
        }
    }
}

/// Each protocol once, the first of a name winning: a name listed twice counts one vote.
pub(crate) fn distinct_protocols(protocols: Vec<JoinGroupRequestProtocol>) -> Vec<JoinGroupRequestProtocol> {
    let mut names = std::collections::BTreeSet::new();
    protocols.into_iter().filter(|protocol| names.insert(protocol.name.clone())).collect()
}
