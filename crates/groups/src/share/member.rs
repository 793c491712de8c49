//! A member of a share group.

use std::collections::BTreeSet;

use super::Partitions;

/// A member: what it says of itself, and how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShareMember {
    pub(crate) member_id: String,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) subscribed_topic_names: BTreeSet<String>,
    pub(crate) member_epoch: i32,
    /// The one before: the member may not have heard of the newest yet.
    pub(crate) previous_member_epoch: i32,
    pub(crate) assigned: Partitions,
}

impl ShareMember {
    pub(crate) fn new(member_id: &str) -> Self {
        Self { member_id: member_id.to_owned(), ..Self::default() }
    }

    /// Whether it is the same member, saying the same of itself.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let said = |member: &Self| {
            (
                member.rack_id.clone(),
                member.client_id.clone(),
                member.client_host.clone(),
                member.subscribed_topic_names.clone(),
            )
        };
        said(self) == said(other)
    }
}
