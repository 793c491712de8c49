//! Members taken out of a group by somebody else.

use protocol::messages::LeaveGroupRequest;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::{ApiKey, CoordinatorType};

use super::{Admin, PerKey};
use crate::error::ClientError;

/// A member by one of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberToRemove {
    /// By the id that the coordinator gave it.
    MemberId(String),
    /// By `group.instance.id`, which a static member keeps over restarts.
    GroupInstanceId(String),
}

impl Admin {
    /// Takes members out of a group; those that run join again. The reason is for the coordinator's log.
    ///
    /// # Errors
    /// What the coordinator says of the group, or that it could not be asked. Brokers of before LeaveGroup v3 refuse.
    pub async fn remove_group_members(
        &self,
        group: &str,
        members: &[MemberToRemove],
        reason: &str,
    ) -> Result<PerKey<MemberToRemove, ()>, ClientError> {
        let identity = |member: &MemberToRemove| {
            let (member_id, group_instance_id) = match member {
                MemberToRemove::MemberId(id) => (id.clone(), None),
                MemberToRemove::GroupInstanceId(id) => (String::new(), Some(id.clone())),
            };
            MemberIdentity {
                member_id,
                group_instance_id,
                reason: Some(reason.to_owned()),
                ..Default::default()
            }
        };
        let request = LeaveGroupRequest {
            group_id: group.to_owned(),
            members: members.iter().map(identity).collect(),
            ..Default::default()
        };
        let code = |response: &protocol::messages::LeaveGroupResponse| response.error_code;
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        ClientError::check(ApiKey::LeaveGroup, response.error_code, None)?;
        let results = response.members.into_iter().map(|member| {
            let outcome = ClientError::check(ApiKey::LeaveGroup, member.error_code, None);
            let named = match member.group_instance_id {
                Some(id) => MemberToRemove::GroupInstanceId(id),
                None => MemberToRemove::MemberId(member.member_id),
            };
            (named, outcome)
        });
        Ok(results.collect())
    }
}
