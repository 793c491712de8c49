//! A member's way from what it owns to what it should own.
//!
//! First it gives up what is no longer its own; only when it has said that it did does it enter the target's epoch, with
//! all of its target that nobody else still holds. Thus no partition has two owners.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedTopicPartitions;
use protocol::{ErrorCode, Uuid};

use super::ConsumerGroup;
use super::member::{AssignedPartitions, ConsumerMember, MemberState, PartitionEpochs};

use crate::refusal::Refusal;

/// What a member's next step depends on.
pub(super) struct Reconciliation<'a> {
    pub(super) group: &'a ConsumerGroup,
    pub(super) target_epoch: i32,
    pub(super) target: &'a AssignedPartitions,
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    pub(super) has_subscription_changed: bool,
    /// What the member says it owns; none where it does not say.
    pub(super) owned: Option<&'a [OwnedTopicPartitions]>,
}

/// What is assigned, what is to be given up, and whether something is still missing.
struct Next {
    assigned: PartitionEpochs,
    pending_revocation: PartitionEpochs,
    added: PartitionEpochs,
    has_unreleased: bool,
}

impl Reconciliation<'_> {
    /// The member after this heartbeat.
    pub(super) fn advance(&self, member: &ConsumerMember) -> Result<ConsumerMember, Refusal> {
        Ok(match member.state {
            MemberState::Stable if member.member_epoch != self.target_epoch => {
                self.next_assignment(member, member.member_epoch)
            }
            MemberState::Stable => self.maybe_revoke_unsubscribed(member),
            MemberState::UnrevokedPartitions if self.still_owns(&member.pending_revocation) => {
                self.maybe_revoke_unsubscribed(member)
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                self.next_assignment(member, member.member_epoch)
            }
            MemberState::Unknown if self.owned.is_some_and(<[_]>::is_empty) => {
                self.next_assignment(member, self.target_epoch)
            }
            MemberState::Unknown => {
                return Err(Refusal::new(
                    ErrorCode::FencedMemberEpoch,
                    "The consumer group member is in a unknown state. The member must abandon all its partitions \
                     and rejoin.",
                ));
            }
        })
    }

    /// A member that does not say what it owns may own all of it.
    fn still_owns(&self, partitions: &PartitionEpochs) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|topic| {
            let pending = partitions.get(&topic.topic_id);
            pending.is_some_and(|pending| topic.partitions.iter().any(|index| pending.contains_key(index)))
        })
    }

    /// Takes away what the member has just unsubscribed from, without waiting for the next target.
    fn maybe_revoke_unsubscribed(&self, member: &ConsumerMember) -> ConsumerMember {
        let is_gone = |topic_id: &Uuid| !self.subscribed.contains(topic_id);
        if !self.has_subscription_changed || !member.assigned.keys().any(is_gone) {
            return member.clone();
        }
        let mut next = member.clone();
        next.assigned.retain(|topic_id, _| !is_gone(topic_id));
        let gone = member.assigned.iter().filter(|(topic_id, _)| is_gone(topic_id));
        let mut pending = member.pending_revocation.clone();
        for (topic_id, partitions) in gone {
            pending.entry(*topic_id).or_default().extend(partitions);
        }
        if self.still_owns(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.pending_revocation = pending;
        }
        next.enter_epoch(member.member_epoch);
        next
    }

    fn next_assignment(&self, member: &ConsumerMember, member_epoch: i32) -> ConsumerMember {
        let Next { mut assigned, pending_revocation, added, has_unreleased } = self.compare(member);
        let mut next = member.clone();
        if !pending_revocation.is_empty() && self.still_owns(&pending_revocation) {
            next.state = MemberState::UnrevokedPartitions;
            next.enter_epoch(member_epoch);
            next.assigned = assigned;
            next.pending_revocation = pending_revocation;
            return next;
        }
        for (topic_id, partitions) in added {
            assigned.entry(topic_id).or_default().extend(partitions);
        }
        next.state = if has_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.enter_epoch(self.target_epoch);
        next.assigned = assigned;
        next.pending_revocation = PartitionEpochs::new();
        next
    }

    fn compare(&self, member: &ConsumerMember) -> Next {
        let mut next = Next {
            assigned: PartitionEpochs::new(),
            pending_revocation: PartitionEpochs::new(),
            added: PartitionEpochs::new(),
            has_unreleased: false,
        };
        let topic_ids: BTreeSet<Uuid> = self.target.keys().chain(member.assigned.keys()).copied().collect();
        let nothing = BTreeSet::new();
        for topic_id in topic_ids {
            let is_subscribed = self.subscribed.contains(&topic_id);
            let target = self.target.get(&topic_id).filter(|_| is_subscribed).unwrap_or(&nothing);
            let current = member.assigned.get(&topic_id);
            for (partition, epoch) in current.into_iter().flatten() {
                let part = if target.contains(partition) {
                    &mut next.assigned
                } else {
                    &mut next.pending_revocation
                };
                put(part, topic_id, *partition, *epoch);
            }
            let own_pending = member.pending_revocation.get(&topic_id);
            for partition in target {
                if current.is_some_and(|current| current.contains_key(partition)) {
                    continue;
                }
                let is_own = own_pending.is_some_and(|pending| pending.contains_key(partition));
                if self.group.partition_epoch(topic_id, *partition).is_some() && !is_own {
                    next.has_unreleased = true;
                } else {
                    put(&mut next.added, topic_id, *partition, self.target_epoch);
                }
            }
        }
        next
    }
}

fn put(partitions: &mut PartitionEpochs, topic_id: Uuid, partition: i32, epoch: i32) {
    let topic: &mut BTreeMap<i32, i32> = partitions.entry(topic_id).or_default();
    topic.insert(partition, epoch);
}
