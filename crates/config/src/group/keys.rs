//!

use crate::key::same;
use crate::table::config_table;
use crate::value::{AutoOffsetReset, IsolationLevel};

config_table! {
    /// A group.
    GroupConfig {
        consumer_assignment_interval_ms: i32 = "consumer.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.consumer.assignment.interval.ms")]);

        consumer_assignor_offload_enable: bool = "consumer.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.consumer.assignor.offload.enable")]), internal();

        consumer_heartbeat_interval_ms: i32 = "consumer.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.consumer.heartbeat.interval.ms")]);

        consumer_session_timeout_ms: i32 = "consumer.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.consumer.session.timeout.ms")]);

        errors_deadletterqueue_copy_record_enable: bool = "errors.deadletterqueue.copy.record.enable" => "false",
            Medium, Any;

        errors_deadletterqueue_topic_name: String = "errors.deadletterqueue.topic.name" => "", Medium, Any;

        share_assignment_interval_ms: i32 = "share.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.share.assignment.interval.ms")]);

        share_assignor_offload_enable: bool = "share.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.share.assignor.offload.enable")]), internal();

        share_auto_offset_reset: AutoOffsetReset = "share.auto.offset.reset" => "latest", Medium, OffsetReset;

        share_delivery_count_limit: i32 = "share.delivery.count.limit" => "5", Medium, AtLeast(2),
            synonyms(&[same("group.share.delivery.count.limit")]);

        share_heartbeat_interval_ms: i32 = "share.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.share.heartbeat.interval.ms")]);

        share_isolation_level: IsolationLevel = "share.isolation.level" => "read_uncommitted",
            Medium, OneOf(&["read_committed", "read_uncommitted"]);

        share_partition_max_record_locks: i32 = "share.partition.max.record.locks" => "2000",
            Medium, AtLeast(100), synonyms(&[same("group.share.partition.max.record.locks")]);

        share_record_lock_duration_ms: i32 = "share.record.lock.duration.ms" => "30000", Medium, AtLeast(1000),
            synonyms(&[same("group.share.record.lock.duration.ms")]);

        share_renew_acknowledge_enable: bool = "share.renew.acknowledge.enable" => "true", Medium, Any;

        share_session_timeout_ms: i32 = "share.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.share.session.timeout.ms")]);

        streams_acceptable_recovery_lag: i64 = "streams.acceptable.recovery.lag" => "10000", Medium, AtLeast(0),
            synonyms(&[same("group.streams.acceptable.recovery.lag")]), internal();

        streams_assignment_interval_ms: i32 = "streams.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.streams.assignment.interval.ms")]);

        streams_assignor_name: Option<String> = "streams.assignor.name" => null, Medium, Any,
            synonyms(&[same("group.streams.assignors")]);

        streams_assignor_offload_enable: bool = "streams.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.streams.assignor.offload.enable")]), internal();

        streams_heartbeat_interval_ms: i32 = "streams.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.heartbeat.interval.ms")]);

        streams_initial_rebalance_delay_ms: i32 = "streams.initial.rebalance.delay.ms" => "3000",
            Medium, AtLeast(0), synonyms(&[same("group.streams.initial.rebalance.delay.ms")]);

        streams_num_standby_replicas: i32 = "streams.num.standby.replicas" => "0", Medium, AtLeast(0),
            synonyms(&[same("group.streams.num.standby.replicas")]);

        streams_num_warmup_replicas: i32 = "streams.num.warmup.replicas" => "2", Medium, AtLeast(0),
            synonyms(&[same("group.streams.num.warmup.replicas")]), internal();

        streams_rack_aware_assignment_tags: Vec<String> = "streams.rack.aware.assignment.tags" => "", Low, crate::Valid::LIST,
            synonyms(&[same("group.streams.rack.aware.assignment.tags")]);

        streams_session_timeout_ms: i32 = "streams.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.session.timeout.ms")]);

        streams_task_offset_interval_ms: i32 = "streams.task.offset.interval.ms" => "60000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.task.offset.interval.ms")]), internal();
    }
}
