//! Which protocols a group's members have in common, and which of them is chosen.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

use super::{ClassicGroup, ClassicState};
use coordinator::java_string_hash;

/// How many members know each protocol.
#[derive(Debug, Default)]
pub(crate) struct ProtocolVotes {
    supporters: BTreeMap<String, usize>,
}

impl ProtocolVotes {
    pub(crate) fn add(&mut self, protocols: &[JoinGroupRequestProtocol]) {
        for protocol in protocols {
            *self.supporters.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, protocols: &[JoinGroupRequestProtocol]) {
        for protocol in protocols {
            if let Some(count) = self.supporters.get_mut(&protocol.name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.supporters.remove(&protocol.name);
                }
            }
        }
    }

    fn is_known_to(&self, name: &str, member_count: usize) -> bool {
        self.supporters.get(name).copied().unwrap_or(0) == member_count
    }
}

impl ClassicGroup {
    /// Whether somebody with these protocols can be in this group: the type must be the group's, and every member must
    /// know one of the protocols. An empty group takes any type and any protocol.
    pub(super) fn supports_protocols(
        &self,
        protocol_type: &str,
        protocols: &[JoinGroupRequestProtocol],
    ) -> bool {
        if self.state == ClassicState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| self.votes.is_known_to(&protocol.name, self.members.len()))
    }

    /// The protocol known to all that most members like best; none where nobody is left to vote or nothing is common.
    ///
    /// A tie goes to the name that comes first in the iteration order of Java's `HashMap`, where Kafka counts.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let member_count = self.members.len();
        let mut votes: IndexMap<&str, usize> = IndexMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|protocol| protocol.name.as_str());
            if let Some(favourite) = names.find(|name| self.votes.is_known_to(name, member_count)) {
                *votes.entry(favourite).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        let bucket_count = java_hash_map_capacity(votes.len());
        let winners = votes.iter().filter(|(_, count)| **count == most).map(|(name, _)| *name);
        winners.min_by_key(|name| java_hash_map_bucket(name, bucket_count)).map(str::to_owned)
    }
}

/// How many buckets a Java `HashMap` has that grew to `entries` entries.
fn java_hash_map_capacity(entries: usize) -> usize {
    let mut capacity = 16_usize;
    while entries > capacity / 4 * 3 {
        capacity = capacity.saturating_mul(2);
    }
    capacity
}

/// The bucket of a Java `HashMap` a name falls into; iteration goes through the buckets in order.
fn java_hash_map_bucket(name: &str, bucket_count: usize) -> usize {
    let hash = u32::from_ne_bytes(java_string_hash(name).to_ne_bytes());
    let spread = hash ^ (hash >> 16);
    usize::try_from(spread).unwrap_or(usize::MAX) & (bucket_count - 1)
}
