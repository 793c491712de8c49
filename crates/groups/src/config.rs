//! The values a shard is configured with.

/// What a shard needs to know of the broker's configuration. Times are milliseconds, sizes bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCoordinatorConfig {
    /// `group.min.session.timeout.ms`: a shorter session timeout is refused with INVALID_SESSION_TIMEOUT.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`: a longer session timeout is refused with INVALID_SESSION_TIMEOUT.
    pub group_max_session_timeout_ms: i32,
    /// `group.max.size`: members of one classic group.
    pub group_max_size: i32,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members (KIP-134).
    pub group_initial_rebalance_delay_ms: i32,
    /// How long a new member's JoinGroup may wait before its member is given up. Five minutes in Kafka, not settable.
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`: longest metadata of one committed offset, in UTF-16 units as Kafka counts them.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds (KIP-211).
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`: how often expired offsets and dead groups are looked for.
    pub offsets_retention_check_interval_ms: i64,
    /// `max.message.bytes` of `__consumer_offsets`: what one request makes the shard write must fit into one batch.
    pub max_batch_bytes: usize,
}

impl Default for GroupCoordinatorConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_max_size: i32::MAX,
            group_initial_rebalance_delay_ms: 3_000,
            new_member_join_timeout_ms: 300_000,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_ms: 10_080 * 60_000,
            offsets_retention_check_interval_ms: 600_000,
            max_batch_bytes: 1_048_588,
        }
    }
}
