//! A group of any kind, and what the shard asks of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::messages::list_groups_response::ListedGroup;
use protocol::{ErrorCode, Uuid};

use crate::classic::ClassicGroup;
use crate::cluster::Cluster;
use crate::config::GroupCoordinatorConfig;
use crate::consumer::ConsumerGroup;
use crate::effects::Effects;
use crate::record::group_metadata_tombstone;
use crate::share::ShareGroup;
use crate::streams::StreamsGroup;

/// What a group needs while it is stepped.
pub(crate) struct Step<'a> {
    pub(crate) now_ms: i64,
    pub(crate) config: &'a GroupCoordinatorConfig,
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) effects: &'a mut Effects,
}

/// What a client shows to be allowed to commit offsets.
pub(crate) struct Committer<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) group_instance_id: Option<&'a str>,
    pub(crate) generation_id_or_member_epoch: i32,
    pub(crate) is_transactional: bool,
    pub(crate) api_version: i16,
}

/// Which partitions a client may commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitRule {
    /// Every one.
    Any,
    /// Those that its member has had since the epoch it shows (KIP-1251).
    AssignedSince,
}

/// How much of the interval between assignments passes before the second one of a group that forms.
const FORMING_SHARE: i64 = 10;

/// How long the next target assignment waits after one for `assigned` members. A group's first assignment gives all to whoever
/// came first; that those who came within the same moment wait a whole interval for their share saves no work worth it.
pub(crate) fn interval_after(assigned: usize, interval_ms: i64) -> i64 {
    if assigned > 1 { interval_ms } else { interval_ms / FORMING_SHARE }
}

/// From which moment an offset's retention counts (KIP-211).
pub(crate) enum OffsetExpiry {
    /// Nothing expires now.
    Never,
    /// From the offset's own commit on.
    SinceCommit,
    /// From this moment on.
    Since(i64),
}

/// One group.
#[derive(Debug)]
pub(crate) enum Group {
    /// A group of the classic protocol, or one that only holds offsets.
    Classic(Box<ClassicGroup>),
    /// A group of the consumer protocol.
    Consumer(Box<ConsumerGroup>),
    /// A share group.
    Share(Box<ShareGroup>),
    /// A streams group.
    Streams(Box<StreamsGroup>),
}

impl Group {
    pub(crate) fn id(&self) -> &Arc<str> {
        match self {
            Self::Classic(group) => &group.group_id,
            Self::Consumer(group) => &group.group_id,
            Self::Share(group) => &group.group_id,
            Self::Streams(group) => &group.group_id,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
            Self::Share(group) => group.is_empty(),
            Self::Streams(group) => group.is_empty(),
        }
    }

    /// Whether the group only holds offsets.
    pub(crate) fn is_simple(&self) -> bool {
        matches!(self, Self::Classic(group) if group.is_simple())
    }

    /// Whether this client may commit offsets now.
    pub(crate) fn validate_offset_commit(&self, committer: &Committer<'_>) -> Result<CommitRule, ErrorCode> {
        match self {
            Self::Classic(group) => group.validate_offset_commit(committer).map(|()| CommitRule::Any),
            Self::Consumer(group) => group.validate_offset_commit(committer),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
            Self::Streams(group) => group.validate_offset_commit(committer),
        }
    }

    /// Whether a client under [`CommitRule::AssignedSince`] may commit this partition.
    pub(crate) fn validate_partition_commit(
        &self,
        committer: &Committer<'_>,
        (topic, topic_id): (&str, Uuid),
        partition: i32,
    ) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(_) => Ok(()),
            Self::Consumer(group) => group.validate_partition_commit(committer, topic_id, partition),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
            Self::Streams(group) => group.validate_partition_commit(committer, topic, partition),
        }
    }

    /// Whether this client may fetch offsets now.
    pub(crate) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(_) => Ok(()),
            Self::Consumer(group) => group.validate_offset_fetch(member_id, member_epoch),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
            Self::Streams(group) => group.validate_offset_fetch(member_id, member_epoch),
        }
    }

    /// Whether single offsets may be deleted now.
    pub(crate) fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.validate_offset_delete(),
            Self::Consumer(_) | Self::Streams(_) => Ok(()),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }

    /// Whether the whole group may be deleted now.
    pub(crate) fn validate_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether the group goes when it has neither members nor offsets any more; a share group stays until it is deleted.
    pub(crate) fn goes_by_itself(&self) -> bool {
        !matches!(self, Self::Share(_))
    }

    /// Whether a member reads this topic, so that its offsets have to stay. In doubt, yes.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
            // It has no offsets here.
            Self::Share(_) => true,
            Self::Streams(group) => group.is_subscribed_to(topic),
        }
    }

    pub(crate) fn offset_expiry(&self) -> OffsetExpiry {
        match self {
            Self::Classic(group) => group.offset_expiry(),
            Self::Consumer(_) | Self::Streams(_) => OffsetExpiry::SinceCommit,
            Self::Share(_) => OffsetExpiry::Never,
        }
    }

    /// The type's name in small letters: what ListGroups filters by.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
            Self::Share(_) => "share",
            Self::Streams(_) => "streams",
        }
    }

    /// The state's name, as ListGroups has it.
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state.name(),
            Self::Consumer(group) => group.state_name(),
            Self::Share(group) => group.state_name(),
            Self::Streams(group) => group.state_name(),
        }
    }

    pub(crate) fn listed(&self) -> ListedGroup {
        match self {
            Self::Classic(group) => ListedGroup {
                group_id: group.group_id.to_string(),
                protocol_type: group.protocol_type.clone().unwrap_or_default(),
                group_state: self.state_name().to_owned(),
                group_type: self.type_name().to_owned(),
                ..ListedGroup::default()
            },
            Self::Consumer(group) => group.listed(),
            Self::Share(group) => group.listed(),
            Self::Streams(group) => group.listed(),
        }
    }

    /// Writes what takes the whole group out of the log, but for its offsets.
    pub(crate) fn write_tombstones(&self, step: &mut Step<'_>) {
        match self {
            Self::Classic(group) => step.effects.records.extend(group_metadata_tombstone(&group.group_id)),
            Self::Consumer(group) => group.write_tombstones(step),
            Self::Share(group) => group.write_tombstones(step),
            Self::Streams(group) => group.write_tombstones(step),
        }
    }

    /// Begins the sessions of members found by replay.
    pub(crate) fn loaded(&mut self, step: &mut Step<'_>) {
        match self {
            Self::Classic(group) => group.loaded(step),
            Self::Consumer(group) => group.loaded(step),
            Self::Share(group) => group.loaded(step),
            Self::Streams(group) => group.loaded(step),
        }
    }

    /// Lets everything due now happen. Gives what the group becomes, if it becomes another.
    pub(crate) fn fire_due(&mut self, step: &mut Step<'_>) -> Option<Group> {
        match self {
            Self::Classic(group) => {
                group.fire_due(step);
                group.timers.wanted_ms = group.next_deadline_ms();
                None
            }
            Self::Consumer(group) => {
                let classic = group.fire_due(step);
                group.timers.wanted_ms = group.next_deadline_ms();
                classic.map(|classic| Group::Classic(Box::new(classic)))
            }
            Self::Share(group) => {
                group.fire_due(step);
                group.timers.wanted_ms = group.next_deadline_ms();
                None
            }
            Self::Streams(group) => {
                group.fire_due(step);
                group.timers.wanted_ms = group.next_deadline_ms();
                None
            }
        }
    }

    /// Answers whatever is parked, for a shard that goes away.
    pub(crate) fn unload(&mut self, step: &mut Step<'_>) {
        match self {
            Self::Classic(group) => group.answer_all_with_error(step, ErrorCode::NotCoordinator),
            Self::Consumer(_) | Self::Streams(_) | Self::Share(_) => {}
        }
    }

    /// The earliest moment something may be due, since the last call; and where the group stands in the queue.
    pub(crate) fn timers(&mut self) -> &mut GroupTimers {
        match self {
            Self::Classic(group) => &mut group.timers,
            Self::Consumer(group) => &mut group.timers,
            Self::Share(group) => &mut group.timers,
            Self::Streams(group) => &mut group.timers,
        }
    }
}

/// What a group tells the deadline queue.
#[derive(Debug, Default)]
pub(crate) struct GroupTimers {
    /// The earliest deadline set since the queue was last told.
    pub(crate) wanted_ms: Option<i64>,
    /// Where the group's entry stands in the queue.
    pub(crate) scheduled_ms: Option<i64>,
}

impl GroupTimers {
    pub(crate) fn want(&mut self, deadline_ms: i64) {
        self.wanted_ms = Some(self.wanted_ms.map_or(deadline_ms, |wanted_ms| wanted_ms.min(deadline_ms)));
    }
}

/// Topics a group is subscribed to.
pub(crate) type SubscribedTopics = BTreeSet<String>;
