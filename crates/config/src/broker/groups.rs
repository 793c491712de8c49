//! Broker keys: consumer groups and their offsets.

use crate::table::config_table;

config_table! {
    /// Consumer groups and their offsets.
    GroupsConfig {
        /// Shortest time between two assignments of a consumer group, in milliseconds.
        group_consumer_assignment_interval_ms: i32 = "group.consumer.assignment.interval.ms" => "1000",
            Medium, AtLeast(0), cluster_wide();

        /// Whether assignments of consumer groups are computed on a thread of their own.
        group_consumer_assignor_offload_enable: bool = "group.consumer.assignor.offload.enable" => "true",
            Medium, Any, cluster_wide(), inert(), internal();

        /// Assignors of consumer groups, separated by commas, the default first. Built in are `uniform` and
        /// `range`; Java classes cannot be loaded.
        group_consumer_assignors: Vec<String> = "group.consumer.assignors" => "uniform,range",
            Medium, crate::Valid::FILLED_LIST;

        /// How often members of consumer groups are told to send heartbeats, in milliseconds.
        group_consumer_heartbeat_interval_ms: i32 = "group.consumer.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// Upper bound of a group's `consumer.assignment.interval.ms`.
        group_consumer_max_assignment_interval_ms: i32 = "group.consumer.max.assignment.interval.ms" => "15000",
            Medium, AtLeast(0);

        /// Upper bound of a group's `consumer.heartbeat.interval.ms`.
        group_consumer_max_heartbeat_interval_ms: i32 = "group.consumer.max.heartbeat.interval.ms" => "15000",
            Medium, AtLeast(1);

        /// Upper bound of a group's `consumer.session.timeout.ms`.
        group_consumer_max_session_timeout_ms: i32 = "group.consumer.max.session.timeout.ms" => "60000",
            Medium, AtLeast(1);

        /// Most members of a group of the consumer protocol; `group.max.size` does the same for the classic
        /// one.
        group_consumer_max_size: i32 = "group.consumer.max.size" => "2147483647", Medium, AtLeast(1);

        /// Whether a group with members may change from the classic protocol to the consumer protocol
        /// (`upgrade`), back (`downgrade`), both (`bidirectional`) or neither (`disabled`). An empty group
        /// always may.
        group_consumer_migration_policy: String = "group.consumer.migration.policy" => "bidirectional",
            Medium, OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]);

        /// Lower bound of a group's `consumer.assignment.interval.ms`.
        group_consumer_min_assignment_interval_ms: i32 = "group.consumer.min.assignment.interval.ms" => "0",
            Medium, AtLeast(0);

        /// Lower bound of a group's `consumer.heartbeat.interval.ms`.
        group_consumer_min_heartbeat_interval_ms: i32 = "group.consumer.min.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// Lower bound of a group's `consumer.session.timeout.ms`.
        group_consumer_min_session_timeout_ms: i32 = "group.consumer.min.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        /// How often the topics that match a group's regular expressions are looked up anew, in
        /// milliseconds.
        group_consumer_regex_refresh_interval_ms: i32 = "group.consumer.regex.refresh.interval.ms" => "600000",
            Medium, AtLeast(10000), internal();

        /// How long a member of a consumer group may be silent before it is taken for dead, in
        /// milliseconds.
        group_consumer_session_timeout_ms: i32 = "group.consumer.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        /// How long the group coordinator may collect records before it writes them, in milliseconds; -1
        /// lets the load decide.
        group_coordinator_append_linger_ms: i32 = "group.coordinator.append.linger.ms" => "-1",
            Medium, AtLeast(-1), inert();

        /// Threads for the group coordinator's longer computations.
        group_coordinator_background_threads: i32 = "group.coordinator.background.threads" => "2",
            High, AtLeast(1), inert();

        /// Largest write buffer that Kafka's group coordinator keeps for reuse, in bytes.
        group_coordinator_cached_buffer_max_bytes: i32 = "group.coordinator.cached.buffer.max.bytes" => "1048588",
            Medium, AtLeast(524288), cluster_wide(), inert();

        /// Protocols of groups that are served.
        group_coordinator_rebalance_protocols: Vec<String> = "group.coordinator.rebalance.protocols" => "classic,consumer,streams",
            Medium, Elements { words: &["consumer", "classic", "share", "streams"], empty: false }, inert(), deprecated("all protocols will always be served");

        /// Threads of Kafka's group coordinator.
        group_coordinator_threads: i32 = "group.coordinator.threads" => "4", High, AtLeast(1), inert();

        /// How long the first rebalance of an empty classic group waits for more members, in milliseconds;
        /// each newcomer prolongs the wait, up to the members' rebalance timeout.
        group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms" => "3000", Medium, Any;

        /// Longest session timeout that a member of a classic group may ask for, in milliseconds.
        group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms" => "1800000", Medium, Any;

        /// Most members of a classic group.
        group_max_size: i32 = "group.max.size" => "2147483647", Medium, AtLeast(1);

        /// Shortest session timeout that a member of a classic group may ask for, in milliseconds.
        group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms" => "6000", Medium, Any;

        /// Most bytes of text that may go with a committed offset.
        offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes" => "4096", High, Any;

        /// How long the answer to a commit of offsets may wait for the replicas, in milliseconds.
        offsets_commit_timeout_ms: i32 = "offsets.commit.timeout.ms" => "5000", High, AtLeast(1);

        /// Bytes that the group coordinator reads at a time when it loads its state.
        offsets_load_buffer_size: i32 = "offsets.load.buffer.size" => "5242880", High, AtLeast(1);

        /// How often committed offsets are looked at for expired ones, in milliseconds.
        offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms" => "600000",
            High, AtLeast(1);

        /// How long committed offsets are kept after their group became empty, or after the commit where no
        /// group manages them, in minutes.
        offsets_retention_minutes: i32 = "offsets.retention.minutes" => "10080", High, AtLeast(1);

        /// Number of the codec for `__consumer_offsets`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        offsets_topic_compression_codec: i32 = "offsets.topic.compression.codec" => "0", High, Any;

        /// Partitions of `__consumer_offsets`; it must not change once the topic exists.
        offsets_topic_num_partitions: i32 = "offsets.topic.num.partitions" => "50", High, AtLeast(1);

        /// Replicas of `__consumer_offsets`; the topic cannot be created while there are fewer brokers.
        offsets_topic_replication_factor: i16 = "offsets.topic.replication.factor" => "3", High, AtLeast(1);

        /// Size at which a segment of `__consumer_offsets` is closed, in bytes.
        offsets_topic_segment_bytes: i32 = "offsets.topic.segment.bytes" => "104857600", High, AtLeast(1);
    }
}
