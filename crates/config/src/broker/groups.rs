//! Broker keys: consumer groups and their offsets.

use crate::table::config_table;

config_table! {
    /// Consumer groups and their offsets.
    GroupsConfig {
        group_consumer_assignment_interval_ms: i32 = "group.consumer.assignment.interval.ms" => "1000",
            Medium, AtLeast(0), cluster_wide();

        group_consumer_assignor_offload_enable: bool = "group.consumer.assignor.offload.enable" => "true",
            Medium, Any, cluster_wide(), internal();

        group_consumer_assignors: Vec<String> = "group.consumer.assignors" => "uniform,range",
            Medium, crate::Valid::FILLED_LIST;

        group_consumer_heartbeat_interval_ms: i32 = "group.consumer.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        group_consumer_max_assignment_interval_ms: i32 = "group.consumer.max.assignment.interval.ms" => "15000",
            Medium, AtLeast(0);

        group_consumer_max_heartbeat_interval_ms: i32 = "group.consumer.max.heartbeat.interval.ms" => "15000",
            Medium, AtLeast(1);

        group_consumer_max_session_timeout_ms: i32 = "group.consumer.max.session.timeout.ms" => "60000",
            Medium, AtLeast(1);

        group_consumer_max_size: i32 = "group.consumer.max.size" => "2147483647", Medium, AtLeast(1);

        group_consumer_migration_policy: String = "group.consumer.migration.policy" => "bidirectional",
            Medium, OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]);

        group_consumer_min_assignment_interval_ms: i32 = "group.consumer.min.assignment.interval.ms" => "0",
            Medium, AtLeast(0);

        group_consumer_min_heartbeat_interval_ms: i32 = "group.consumer.min.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        group_consumer_min_session_timeout_ms: i32 = "group.consumer.min.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        group_consumer_regex_refresh_interval_ms: i32 = "group.consumer.regex.refresh.interval.ms" => "600000",
            Medium, AtLeast(10000), internal();

        group_consumer_session_timeout_ms: i32 = "group.consumer.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        group_coordinator_append_linger_ms: i32 = "group.coordinator.append.linger.ms" => "-1",
            Medium, AtLeast(-1);

        group_coordinator_background_threads: i32 = "group.coordinator.background.threads" => "2",
            High, AtLeast(1);

        group_coordinator_cached_buffer_max_bytes: i32 = "group.coordinator.cached.buffer.max.bytes" => "1048588",
            Medium, AtLeast(524288), cluster_wide();

        group_coordinator_rebalance_protocols: Vec<String> = "group.coordinator.rebalance.protocols" => "classic,consumer,streams",
            Medium, Elements { words: &["consumer", "classic", "share", "streams"], empty: false };

        group_coordinator_threads: i32 = "group.coordinator.threads" => "4", High, AtLeast(1);

        group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms" => "3000", Medium, Any;

        group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms" => "1800000", Medium, Any;

        group_max_size: i32 = "group.max.size" => "2147483647", Medium, AtLeast(1);

        group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms" => "6000", Medium, Any;

        offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes" => "4096", High, Any;

        offsets_commit_timeout_ms: i32 = "offsets.commit.timeout.ms" => "5000", High, AtLeast(1);

        offsets_load_buffer_size: i32 = "offsets.load.buffer.size" => "5242880", High, AtLeast(1);

        offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms" => "600000",
            High, AtLeast(1);

        offsets_retention_minutes: i32 = "offsets.retention.minutes" => "10080", High, AtLeast(1);

        offsets_topic_compression_codec: i32 = "offsets.topic.compression.codec" => "0", High, Any;

        offsets_topic_num_partitions: i32 = "offsets.topic.num.partitions" => "50", High, AtLeast(1);

        offsets_topic_replication_factor: i16 = "offsets.topic.replication.factor" => "3", High, AtLeast(1);

        offsets_topic_segment_bytes: i32 = "offsets.topic.segment.bytes" => "104857600", High, AtLeast(1);
    }
}
