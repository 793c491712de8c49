//! Broker keys: share groups, their state and their dead-letter topics.

use crate::table::config_table;

config_table! {
    /// Share groups, their state and their dead-letter topics.
    ShareConfig {
        /// Whether the dead-letter topic of a share group is created when it does not exist.
        errors_deadletterqueue_auto_create_topics_enable: bool = "errors.deadletterqueue.auto.create.topics.enable" => "false",
            Medium, Any, cluster_wide();

        /// What the names of dead-letter topics must begin with; empty for anything.
        errors_deadletterqueue_topic_name_prefix: String = "errors.deadletterqueue.topic.name.prefix" => "dlq.",
            Medium, Any, cluster_wide();

        /// Shortest time between two assignments of a share group, in milliseconds.
        group_share_assignment_interval_ms: i32 = "group.share.assignment.interval.ms" => "1000",
            Medium, AtLeast(0), cluster_wide();

        /// Whether assignments of share groups are computed on a thread of their own.
        group_share_assignor_offload_enable: bool = "group.share.assignor.offload.enable" => "true",
            Medium, Any, cluster_wide(), inert(), internal();

        /// The assignor of share groups. Built in is `simple`; Java classes cannot be loaded.
        group_share_assignors: Vec<String> = "group.share.assignors" => "simple", Medium, crate::Valid::FILLED_LIST, inert();

        /// How often a record is handed out before a share group gives it up.
        group_share_delivery_count_limit: i32 = "group.share.delivery.count.limit" => "5",
            Medium, Between(2, 10);

        /// Java class that writes dead-letter records.
        group_share_dlq_manager_class_name: String = "group.share.dlq.manager.class.name" => "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager",
            Medium, Any, inert(), internal();

        /// How often members of share groups are told to send heartbeats, in milliseconds.
        group_share_heartbeat_interval_ms: i32 = "group.share.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// Pause before the state of a share group is set up again after a failure, in milliseconds.
        group_share_initialize_retry_interval_ms: i32 = "group.share.initialize.retry.interval.ms" => "30000",
            Low, AtLeast(1), internal();

        /// Upper bound of a group's `share.assignment.interval.ms`.
        group_share_max_assignment_interval_ms: i32 = "group.share.max.assignment.interval.ms" => "15000",
            Medium, AtLeast(0);

        /// Upper bound of a group's `share.delivery.count.limit`.
        group_share_max_delivery_count_limit: i32 = "group.share.max.delivery.count.limit" => "10",
            Medium, Between(5, 25);

        /// Upper bound of a group's `share.heartbeat.interval.ms`.
        group_share_max_heartbeat_interval_ms: i32 = "group.share.max.heartbeat.interval.ms" => "15000",
            Medium, AtLeast(1);

        /// Upper bound of a group's `share.partition.max.record.locks`.
        group_share_max_partition_max_record_locks: i32 = "group.share.max.partition.max.record.locks" => "4000",
            Medium, Between(2000, 10000);

        /// Upper bound of a group's `share.record.lock.duration.ms`.
        group_share_max_record_lock_duration_ms: i32 = "group.share.max.record.lock.duration.ms" => "60000",
            Medium, Between(30000, 3_600_000);

        /// Upper bound of a group's `share.session.timeout.ms`.
        group_share_max_session_timeout_ms: i32 = "group.share.max.session.timeout.ms" => "60000",
            Medium, AtLeast(1);

        /// Most share sessions that the broker keeps.
        group_share_max_share_sessions: i32 = "group.share.max.share.sessions" => "2000", Medium, AtLeast(1);

        /// Most members of a share group.
        group_share_max_size: i32 = "group.share.max.size" => "200", Medium, Between(1, 1000);

        /// Lower bound of a group's `share.assignment.interval.ms`.
        group_share_min_assignment_interval_ms: i32 = "group.share.min.assignment.interval.ms" => "0",
            Medium, AtLeast(0);

        /// Lower bound of a group's `share.delivery.count.limit`.
        group_share_min_delivery_count_limit: i32 = "group.share.min.delivery.count.limit" => "2",
            Medium, Between(2, 5);

        /// Lower bound of a group's `share.heartbeat.interval.ms`.
        group_share_min_heartbeat_interval_ms: i32 = "group.share.min.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// Lower bound of a group's `share.partition.max.record.locks`.
        group_share_min_partition_max_record_locks: i32 = "group.share.min.partition.max.record.locks" => "100",
            Medium, Between(100, 2000);

        /// Lower bound of a group's `share.record.lock.duration.ms`.
        group_share_min_record_lock_duration_ms: i32 = "group.share.min.record.lock.duration.ms" => "15000",
            Medium, Between(1000, 30000);

        /// Lower bound of a group's `share.session.timeout.ms`.
        group_share_min_session_timeout_ms: i32 = "group.share.min.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        /// Most records of one partition that a share group holds in flight.
        group_share_partition_max_record_locks: i32 = "group.share.partition.max.record.locks" => "2000",
            Medium, Between(100, 10000);

        /// Java class that keeps the state of share groups.
        group_share_persister_class_name: String = "group.share.persister.class.name" => "org.apache.kafka.server.share.persister.DefaultStatePersister",
            Medium, Any, inert(), internal();

        /// How long a record belongs to the member it was handed to before another may get it, in
        /// milliseconds.
        group_share_record_lock_duration_ms: i32 = "group.share.record.lock.duration.ms" => "30000",
            Medium, Between(1000, 3_600_000);

        /// How long a member of a share group may be silent before it is taken for dead, in milliseconds.
        group_share_session_timeout_ms: i32 = "group.share.session.timeout.ms" => "45000", Medium, AtLeast(1);

        /// How long the share coordinator may collect records before it writes them, in milliseconds; -1
        /// lets the load decide.
        share_coordinator_append_linger_ms: i32 = "share.coordinator.append.linger.ms" => "-1",
            Medium, AtLeast(-1), inert();

        /// Largest write buffer that Kafka's share coordinator keeps for reuse, in bytes.
        share_coordinator_cached_buffer_max_bytes: i32 = "share.coordinator.cached.buffer.max.bytes" => "1048588",
            Medium, AtLeast(524288), cluster_wide(), inert();

        /// How often the state of an idle shared partition is written anew, in milliseconds.
        share_coordinator_cold_partition_snapshot_interval_ms: i32 = "share.coordinator.cold.partition.snapshot.interval.ms" => "300000",
            Low, AtLeast(1), internal();

        /// Bytes that the share coordinator reads at a time when it loads its state.
        share_coordinator_load_buffer_size: i32 = "share.coordinator.load.buffer.size" => "5242880",
            High, AtLeast(1);

        /// How many changes of a shared partition's state are written between two whole ones.
        share_coordinator_snapshot_update_records_per_snapshot: i32 = "share.coordinator.snapshot.update.records.per.snapshot" => "500",
            Medium, Between(0, 500);

        /// Number of the codec for `__share_group_state`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        share_coordinator_state_topic_compression_codec: i32 = "share.coordinator.state.topic.compression.codec" => "0",
            High, Any, inert();

        /// In-sync replicas that `__share_group_state` needs for a write.
        share_coordinator_state_topic_min_isr: i16 = "share.coordinator.state.topic.min.isr" => "2",
            High, AtLeast(1);

        /// Partitions of `__share_group_state`; it must not change once the topic exists.
        share_coordinator_state_topic_num_partitions: i32 = "share.coordinator.state.topic.num.partitions" => "50",
            High, AtLeast(1);

        /// How often records that nobody needs are removed from `__share_group_state`, in milliseconds.
        share_coordinator_state_topic_prune_interval_ms: i32 = "share.coordinator.state.topic.prune.interval.ms" => "300000",
            Low, AtLeast(1), internal();

        /// Replicas of `__share_group_state`; the topic cannot be created while there are fewer brokers.
        share_coordinator_state_topic_replication_factor: i16 = "share.coordinator.state.topic.replication.factor" => "3",
            High, AtLeast(1);

        /// Size at which a segment of `__share_group_state` is closed, in bytes.
        share_coordinator_state_topic_segment_bytes: i32 = "share.coordinator.state.topic.segment.bytes" => "104857600",
            High, AtLeast(1);

        /// Threads of Kafka's share coordinator.
        share_coordinator_threads: i32 = "share.coordinator.threads" => "1", Medium, AtLeast(1), inert();

        /// How long a write to `__share_group_state` may wait for the replicas, in milliseconds.
        share_coordinator_write_timeout_ms: i32 = "share.coordinator.write.timeout.ms" => "5000",
            High, AtLeast(1);

        /// How many waiting share fetches are completed before Kafka tidies its list of them.
        share_fetch_purgatory_purge_interval_requests: i32 = "share.fetch.purgatory.purge.interval.requests" => "1000",
            Medium, Any, inert();
    }
}
