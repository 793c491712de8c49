//! A group of the classic protocol: who is in it, what generation it is in, who waits for what.

mod describe;
mod downgrade;
pub(crate) mod embedded;
mod heartbeat;
mod join;
mod leave;
mod lifecycle;
mod member;
mod protocols;
mod rebalance;
mod record;
mod state;
mod static_member;
mod subscription;
mod sync;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use protocol::ErrorCode;

pub(crate) use describe::{describe_missing, describe_not_classic};
pub(crate) use downgrade::Downgraded;
pub(crate) use join::{join_response, reply_to_join};
pub(crate) use leave::{leave_outcome, leave_response, leaving_members};
pub(crate) use member::{ClassicMember, Parked};
pub(crate) use record::{empty_group_record, replayed_group};
pub(crate) use state::ClassicState;

use crate::group::{Committer, GroupTimers, OffsetExpiry, Step, SubscribedTopics};
use protocols::ProtocolVotes;
use timers::{JoinTimer, SyncTimer};

/// The protocol type of consumer groups: their subscriptions can be read.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// One classic group.
///
/// ```text
///              first member            all joined or timeout
///    Empty ------------------> Preparing <--------------+
///      ^                        |    ^                  |
///      |  everybody left        |    | join, leave,     | join, leave,
///      +------------------------+    | expiry           | expiry
///                               v    |                  |
///                            Completing ------------> Stable
///                                        leader's sync
/// ```
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) group_id: Arc<str>,
    pub(crate) state: ClassicState,
    previous_state: ClassicState,
    /// When the group came into its state, where known.
    state_since_ms: Option<i64>,
    /// Absent while nobody has ever joined: such a group only holds offsets.
    pub(crate) protocol_type: Option<String>,
    protocol_name: Option<String>,
    generation_id: i32,
    leader_id: Option<String>,
    members: IndexMap<String, ClassicMember>,
    /// Member ids by group instance id.
    static_members: BTreeMap<String, String>,
    /// Member ids given out with MEMBER_ID_REQUIRED and not used yet, with the moment they lapse.
    pending_join_members: BTreeMap<String, i64>,
    /// Members that have not sent their SyncGroup of this generation yet.
    pending_sync_members: BTreeSet<String>,
    /// How many members have a JoinGroup parked.
    awaiting_join_count: usize,
    votes: ProtocolVotes,
    /// Topics of the selected protocol's subscriptions; absent where they cannot be known.
    subscribed_topics: Option<SubscribedTopics>,
    /// Whether somebody joined while the initial rebalance was waiting.
    new_member_added: bool,
    join_timer: Option<JoinTimer>,
    sync_timer: Option<SyncTimer>,
    pub(crate) timers: GroupTimers,
}

impl ClassicGroup {
    /// An empty group; `since_ms` is absent for a group that replay makes for offsets alone.
    pub(crate) fn new(group_id: Arc<str>, since_ms: Option<i64>) -> Self {
        Self {
            group_id,
            state: ClassicState::Empty,
            previous_state: ClassicState::Dead,
            state_since_ms: since_ms,
            protocol_type: None,
            protocol_name: None,
            generation_id: 0,
            leader_id: None,
            members: IndexMap::new(),
            static_members: BTreeMap::new(),
            pending_join_members: BTreeMap::new(),
            pending_sync_members: BTreeSet::new(),
            awaiting_join_count: 0,
            votes: ProtocolVotes::default(),
            subscribed_topics: None,
            new_member_added: false,
            join_timer: None,
            sync_timer: None,
            timers: GroupTimers::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state == ClassicState::Empty
    }

    /// Whether the group only holds offsets: nobody has ever joined it.
    pub(crate) fn is_simple(&self) -> bool {
        self.is_empty() && self.pending_join_members.is_empty() && self.protocol_type.is_none()
    }

    pub(crate) fn generation_id(&self) -> i32 {
        self.generation_id
    }

    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = &ClassicMember> {
        self.members.values()
    }

    /// The member's metadata for the protocol in use, or, before there is one, for the one it likes best.
    pub(crate) fn chosen_metadata(&self, member: &ClassicMember) -> bytes::Bytes {
        let favourite = || member.protocols.first().map(|protocol| protocol.name.as_str());
        member.metadata(self.protocol_name.as_deref().or_else(favourite))
    }

    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader_id.as_deref() == Some(member_id)
    }

    fn transition_to(&mut self, state: ClassicState, now_ms: i64) {
        debug_assert!(state.may_follow(self.state), "{state:?} after {:?}", self.state);
        self.previous_state = self.state;
        self.state = state;
        self.state_since_ms = Some(now_ms);
    }

    fn can_rebalance(&self) -> bool {
        ClassicState::PreparingRebalance.may_follow(self.state)
    }

    fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join_count && self.pending_join_members.is_empty()
    }

    /// The longest rebalance timeout of the members, in milliseconds.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Adds a member who is not in the group yet. The caller has checked that the group supports its protocols.
    fn add_member(&mut self, member: ClassicMember, protocol_type: String) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type);
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        self.leader_id.get_or_insert_with(|| member.member_id.clone());
        self.votes.add(&member.protocols);
        self.awaiting_join_count += usize::from(member.awaiting_join.is_some());
        self.pending_join_members.remove(&member.member_id);
        self.members.insert(member.member_id.clone(), member);
    }

    /// Takes a member, pending or not, out of the group. Whatever it still waited for is answered UNKNOWN_MEMBER_ID, so
    /// that a client that is alive after all joins anew.
    fn remove_member(&mut self, step: &mut Step<'_>, member_id: &str) {
        self.answer_join_with_error(step, member_id, ErrorCode::UnknownMemberId, "");
        self.answer_sync_with_error(step, member_id, ErrorCode::UnknownMemberId);
        if let Some(member) = self.members.shift_remove(member_id) {
            self.votes.remove(&member.protocols);
            if let Some(instance_id) = &member.group_instance_id
                && self.static_members.get(instance_id).is_some_and(|mapped| mapped == member_id)
            {
                self.static_members.remove(instance_id);
            }
        }
        if self.is_leader(member_id) {
            self.leader_id = self.members.first().map(|(next, _)| next.clone());
        }
        self.pending_join_members.remove(member_id);
        self.pending_sync_members.remove(member_id);
    }

    /// Whether this pair of ids names a member: an instance id must exist and belong to the member id.
    fn validate_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(mapped) if mapped != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Offsets are committed by members of the current generation, or by anybody without a generation while the group is
    /// empty (admin tools, consumers that assign themselves). While members wait for their assignment, only transactions
    /// may commit: they do not look at the group's state.
    pub(crate) fn validate_offset_commit(&self, committer: &Committer<'_>) -> Result<(), ErrorCode> {
        let generation_id = committer.generation_id_or_member_epoch;
        if generation_id < 0 && self.is_empty() {
            return Ok(());
        }
        if generation_id >= 0 || !committer.member_id.is_empty() || committer.group_instance_id.is_some() {
            self.validate_member(committer.member_id, committer.group_instance_id)?;
            if generation_id != self.generation_id {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !committer.is_transactional && !self.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !committer.is_transactional && self.state == ClassicState::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Single offsets of a group with members may only be deleted where subscriptions can be read.
    pub(crate) fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() || self.uses_consumer_protocol() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// KIP-211: offsets of a group that only holds offsets expire by their own age; those of a group that has become empty by the
    /// group's; those of a stable consumer group by their own, where no member reads the topic.
    pub(crate) fn offset_expiry(&self) -> OffsetExpiry {
        if self.protocol_type.is_none() {
            OffsetExpiry::SinceCommit
        } else if self.is_empty() {
            self.state_since_ms.map_or(OffsetExpiry::SinceCommit, OffsetExpiry::Since)
        } else if self.uses_consumer_protocol()
            && self.subscribed_topics.is_some()
            && self.state == ClassicState::Stable
        {
            OffsetExpiry::SinceCommit
        } else {
            OffsetExpiry::Never
        }
    }
}
