//! The coordinator of groups: shards of `groups` on the partitions of `__consumer_offsets`.

use groups::GroupShard;

use crate::coordinator_runtime::CoordinatorRuntime;

/// The internal topic of group state.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The groups of this broker.
pub type GroupCoordinator = CoordinatorRuntime<GroupShard>;
