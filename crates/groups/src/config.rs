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
    /// Groups of the consumer protocol.
    pub consumer: ConsumerGroupConfig,
    /// Share groups.
    pub share: ShareGroupConfig,
    /// Streams groups.
    pub streams: StreamsGroupConfig,
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
            consumer: ConsumerGroupConfig::default(),
            share: ShareGroupConfig::default(),
            streams: StreamsGroupConfig::default(),
        }
    }
}

/// What a shard needs to know for groups of the consumer protocol (KIP-848). Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    /// `group.consumer.assignors` that are built in, the default first.
    pub assignors: Vec<String>,
    /// `group.consumer.max.size`: members of one group.
    pub max_size: usize,
    /// Which groups with members may change their protocol.
    pub migration_policy: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`: how often topics are matched anew without reason.
    pub regex_refresh_interval_ms: i64,
    /// `group.consumer.session.timeout.ms`, and the bounds of a group's own.
    pub session_timeout_ms: BoundedSetting,
    /// `group.consumer.heartbeat.interval.ms`, and the bounds of a group's own.
    pub heartbeat_interval_ms: BoundedSetting,
    /// `group.consumer.assignment.interval.ms`, and the bounds of a group's own.
    pub assignment_interval_ms: BoundedSetting,
}

/// A setting of the broker that groups may override within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedSetting {
    /// What holds for groups without a value of their own.
    pub default: i32,
    /// The least a group's own value may come to.
    pub min: i32,
    /// The most it may come to.
    pub max: i32,
}

impl BoundedSetting {
    /// What holds for a group with this value of its own.
    pub fn resolve(self, own: Option<i32>) -> i32 {
        own.map_or(self.default, |own| own.min(self.max).max(self.min))
    }
}

/// `group.consumer.migration.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationPolicy {
    /// Whether a classic group with members becomes a consumer group when a member of the consumer protocol joins.
    pub upgrade: bool,
    /// Whether a consumer group becomes a classic group when only members of the classic protocol are left.
    pub downgrade: bool,
}

impl Default for ConsumerGroupConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            assignors: vec!["uniform".to_owned(), "range".to_owned()],
            max_size: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
            migration_policy: MigrationPolicy { upgrade: true, downgrade: true },
            regex_refresh_interval_ms: 600_000,
            session_timeout_ms: BoundedSetting { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: BoundedSetting { default: 5_000, min: 5_000, max: 15_000 },
            assignment_interval_ms: BoundedSetting { default: 1_000, min: 0, max: 15_000 },
        }
    }
}

/// What a shard needs to know for streams groups (KIP-1071). Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsGroupConfig {
    /// `group.streams.max.size`: members of one group.
    pub max_size: usize,
    /// `group.streams.session.timeout.ms`, and the bounds of a group's own.
    pub session_timeout_ms: BoundedSetting,
    /// `group.streams.heartbeat.interval.ms`, and the bounds of a group's own.
    pub heartbeat_interval_ms: BoundedSetting,
    /// `group.streams.assignment.interval.ms`, and the bounds of a group's own.
    pub assignment_interval_ms: BoundedSetting,
    /// `group.streams.num.standby.replicas`, and the bounds of a group's own.
    pub num_standby_replicas: BoundedSetting,
    /// `group.streams.task.offset.interval.ms`, and the bounds of a group's own.
    pub task_offset_interval_ms: BoundedSetting,
    /// `group.streams.initial.rebalance.delay.ms`: how long the first assignment waits for more members.
    pub initial_rebalance_delay_ms: i32,
    /// `group.streams.acceptable.recovery.lag`: what members are told counts as caught up, in offsets.
    pub acceptable_recovery_lag: i64,
    /// `group.streams.rack.aware.assignment.tags`: client tags that every member should have.
    pub rack_aware_assignment_tags: Vec<String>,
}

impl Default for StreamsGroupConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            max_size: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
            session_timeout_ms: BoundedSetting { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: BoundedSetting { default: 5_000, min: 5_000, max: 15_000 },
            assignment_interval_ms: BoundedSetting { default: 1_000, min: 0, max: 15_000 },
            num_standby_replicas: BoundedSetting { default: 0, min: 0, max: 2 },
            task_offset_interval_ms: BoundedSetting { default: 60_000, min: 15_000, max: i32::MAX },
            initial_rebalance_delay_ms: 3_000,
            acceptable_recovery_lag: 10_000,
            rack_aware_assignment_tags: Vec::new(),
        }
    }
}

/// What a shard needs to know for share groups (KIP-932). Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGroupConfig {
    /// `group.share.max.size`: members of one group.
    pub max_size: usize,
    /// `group.share.session.timeout.ms`, and the bounds of a group's own.
    pub session_timeout_ms: BoundedSetting,
    /// `group.share.heartbeat.interval.ms`, and the bounds of a group's own.
    pub heartbeat_interval_ms: BoundedSetting,
    /// `group.share.assignment.interval.ms`, and the bounds of a group's own.
    pub assignment_interval_ms: BoundedSetting,
    /// `group.share.initialize.retry.interval.ms`: when states are asked for again that have not come.
    pub initialize_retry_interval_ms: i64,
}

impl Default for ShareGroupConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            max_size: 200,
            session_timeout_ms: BoundedSetting { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: BoundedSetting { default: 5_000, min: 5_000, max: 15_000 },
            assignment_interval_ms: BoundedSetting { default: 1_000, min: 0, max: 15_000 },
            initialize_retry_interval_ms: 30_000,
        }
    }
}
