//! DescribeGroups: a classic group and its members.

use protocol::ErrorCode;
use protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};

use super::{ClassicGroup, ClassicState};

/// From this version on a group that does not exist is an error (KIP-1043).
const NOT_FOUND_MIN_VERSION: i16 = 6;

impl ClassicGroup {
    /// The group as it stands. Protocol and metadata are only shown while they are settled.
    pub(crate) fn described(&self) -> DescribedGroup {
        let protocol_name = self.protocol_name.as_deref().filter(|_| self.state == ClassicState::Stable);
        let members = self.members.values().map(|member| DescribedGroupMember {
            member_metadata: member.metadata(protocol_name),
            ..member.described()
        });
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state.name().to_owned(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol_name.unwrap_or_default().to_owned(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }
}

/// A group that does not exist, as its version is told.
pub(crate) fn describe_missing(group_id: String, api_version: i16) -> DescribedGroup {
    let message = format!("Group {group_id} not found.");
    described_dead(group_id, api_version, message)
}

/// A group of another kind, as its version is told.
pub(crate) fn describe_not_classic(group_id: String, api_version: i16) -> DescribedGroup {
    let message = format!("Group {group_id} is not a classic group.");
    described_dead(group_id, api_version, message)
}

fn described_dead(group_id: String, api_version: i16, message: String) -> DescribedGroup {
    let mut described =
        DescribedGroup { group_state: ClassicState::Dead.name().to_owned(), ..DescribedGroup::default() };
    if api_version >= NOT_FOUND_MIN_VERSION {
        described.error_code = ErrorCode::GroupIdNotFound.as_i16();
        described.error_message = Some(message);
    }
    DescribedGroup { group_id, ..described }
}
