//! A share group (KIP-932): members, what they are assigned, which partitions have a state with the share coordinator.
//!
//! Unlike in a consumer group, members share partitions, so nothing has to be given up before somebody else may have it: a
//! member is at the target assignment as soon as it hears of it. Only partitions whose state is set up are assigned.

mod assignor;
mod describe;
mod heartbeat;
mod initialize;
mod leave;
mod member;
mod offsets;
mod record;
mod replay;
mod request;
mod target;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Uuid;
use protocol::coordinator_records::GroupCoordinatorRecord as Record;

pub(crate) use describe::describe_not_found;
pub(crate) use member::ShareMember;
pub use request::{
    InitializeShareState, ShareReply, ShareRequest, ShareTopicPartitions, StartOffset, TopicStateToDelete,
};
pub(crate) use validate::{heartbeat_refusal, validate_heartbeat};

use crate::group::{GroupTimers, Step};
use crate::record::encoded;

/// The protocol type of share groups.
pub(crate) const PROTOCOL_TYPE: &str = "share";
/// The only assignor there is.
pub(crate) const ASSIGNOR: &str = "simple";

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions of a topic whose state is set up, or is being set up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicState {
    name: String,
    partitions: BTreeSet<i32>,
    /// When that was begun or seen in replay, in milliseconds.
    since_ms: i64,
}

/// One share group. As in a consumer group, what is decided is written, and what is written is applied.
#[derive(Debug)]
pub(crate) struct ShareGroup {
    pub(crate) group_id: Arc<str>,
    group_epoch: i32,
    assignment_epoch: i32,
    /// When the target assignment was computed; 0 where the next one need not wait.
    assignment_timestamp_ms: i64,
    metadata_hash: i64,
    members: BTreeMap<String, ShareMember>,
    /// How many members read each topic.
    subscribed_topics: BTreeMap<String, usize>,
    target: BTreeMap<String, Partitions>,
    initializing: BTreeMap<Uuid, TopicState>,
    initialized: BTreeMap<Uuid, TopicState>,
    /// Topics whose state is to be deleted, with their names.
    deleting: BTreeMap<Uuid, String>,
    /// The topics' version that the metadata hash was last compared with.
    checked_topics_version: Option<u64>,
    /// When each member's session is over.
    sessions: BTreeMap<String, i64>,
    pub(crate) timers: GroupTimers,
}

impl ShareGroup {
    /// A group without members, not yet written anywhere.
    pub(crate) fn new(group_id: Arc<str>) -> Self {
        Self {
            group_id,
            group_epoch: 1,
            assignment_epoch: 1,
            assignment_timestamp_ms: 0,
            metadata_hash: 0,
            members: BTreeMap::new(),
            subscribed_topics: BTreeMap::new(),
            target: BTreeMap::new(),
            initializing: BTreeMap::new(),
            initialized: BTreeMap::new(),
            deleting: BTreeMap::new(),
            checked_topics_version: None,
            sessions: BTreeMap::new(),
            timers: GroupTimers::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The state's name, as clients see it.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    /// Writes a record down, and does what it says.
    fn write(&mut self, step: &mut Step<'_>, record: Record) {
        if let Some(encoded) = encoded(&record, 0) {
            step.effects.records.push(encoded);
            self.apply(record, step.now_ms);
        }
    }
}
