//! A group of any kind, and what the shard asks of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_groups_response::ListedGroup;

use crate::classic::ClassicGroup;
use crate::config::GroupCoordinatorConfig;
use crate::effects::Effects;

/// What a group needs while it is stepped.
pub(crate) struct Step<'a> {
    pub(crate) now_ms: i64,
    pub(crate) config: &'a GroupCoordinatorConfig,
    pub(crate) effects: &'a mut Effects,
}

/// What a client shows to be allowed to commit offsets.
pub(crate) struct Committer<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) group_instance_id: Option<&'a str>,
    pub(crate) generation_id_or_member_epoch: i32,
    pub(crate) is_transactional: bool,
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
    Classic(ClassicGroup),
}

impl Group {
    pub(crate) fn id(&self) -> &Arc<str> {
        match self {
            Self::Classic(group) => &group.group_id,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
        }
    }

    /// Whether this client may commit offsets now.
    pub(crate) fn validate_offset_commit(&self, committer: &Committer<'_>) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.validate_offset_commit(committer),
        }
    }

    /// Whether single offsets may be deleted now.
    pub(crate) fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.validate_offset_delete(),
        }
    }

    /// Whether the whole group may be deleted now.
    pub(crate) fn validate_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether a member reads this topic, so that its offsets have to stay. In doubt, yes.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
        }
    }

    pub(crate) fn offset_expiry(&self) -> OffsetExpiry {
        match self {
            Self::Classic(group) => group.offset_expiry(),
        }
    }

    /// The type's name, as ListGroups has it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
        }
    }

    /// The state's name, as ListGroups has it.
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state.name(),
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
        }
    }

    /// The earliest moment something may be due, since the last call; and where the group stands in the queue.
    pub(crate) fn timers(&mut self) -> &mut GroupTimers {
        match self {
            Self::Classic(group) => &mut group.timers,
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
