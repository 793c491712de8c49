//! Group keys.

use crate::key::same;
use crate::table::config_table;
use crate::value::{AutoOffsetReset, IsolationLevel};

config_table! {
    /// A group.
    GroupConfig {
        /// Shortest time between two assignments, in milliseconds.
        consumer_assignment_interval_ms: i32 = "consumer.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.consumer.assignment.interval.ms")]);

        /// Whether assignments are computed on a thread of their own.
        consumer_assignor_offload_enable: bool = "consumer.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.consumer.assignor.offload.enable")]), inert(), internal();

        /// How often members are told to send heartbeats, in milliseconds.
        consumer_heartbeat_interval_ms: i32 = "consumer.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.consumer.heartbeat.interval.ms")]);

        /// How long a member may be silent before it is taken for dead, in milliseconds.
        consumer_session_timeout_ms: i32 = "consumer.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.consumer.session.timeout.ms")]);

        /// Whether a dead-letter record holds the record itself, or only says which one it was.
        errors_deadletterqueue_copy_record_enable: bool = "errors.deadletterqueue.copy.record.enable" => "false",
            Medium, Any;

        /// The topic that gets the records which the share group gave up; empty for none.
        errors_deadletterqueue_topic_name: String = "errors.deadletterqueue.topic.name" => "", Medium, Any;

        /// Shortest time between two assignments, in milliseconds.
        share_assignment_interval_ms: i32 = "share.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.share.assignment.interval.ms")]);

        /// Whether assignments are computed on a thread of their own.
        share_assignor_offload_enable: bool = "share.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.share.assignor.offload.enable")]), inert(), internal();

        /// Where the share group begins in a partition it has no state for: `earliest`, `latest`, or
        /// `by_duration:` and how long ago, such as `by_duration:PT1H`.
        share_auto_offset_reset: AutoOffsetReset = "share.auto.offset.reset" => "latest", Medium, OffsetReset;

        /// How often a record is handed out before the share group gives it up.
        share_delivery_count_limit: i32 = "share.delivery.count.limit" => "5", Medium, AtLeast(2),
            synonyms(&[same("group.share.delivery.count.limit")]);

        /// How often members are told to send heartbeats, in milliseconds.
        share_heartbeat_interval_ms: i32 = "share.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.share.heartbeat.interval.ms")]);

        /// Whether the share group gets records of open and aborted transactions (`read_uncommitted`) or
        /// only of committed ones (`read_committed`).
        share_isolation_level: IsolationLevel = "share.isolation.level" => "read_uncommitted",
            Medium, OneOf(&["read_committed", "read_uncommitted"]);

        /// Most records of one partition that the share group holds in flight.
        share_partition_max_record_locks: i32 = "share.partition.max.record.locks" => "2000",
            Medium, AtLeast(100), synonyms(&[same("group.share.partition.max.record.locks")]);

        /// How long a record belongs to the member it was handed to before another may get it, in
        /// milliseconds.
        share_record_lock_duration_ms: i32 = "share.record.lock.duration.ms" => "30000", Medium, AtLeast(1000),
            synonyms(&[same("group.share.record.lock.duration.ms")]);

        /// Whether members may prolong the time for which a record belongs to them.
        share_renew_acknowledge_enable: bool = "share.renew.acknowledge.enable" => "true", Medium, Any;

        /// How long a member may be silent before it is taken for dead, in milliseconds.
        share_session_timeout_ms: i32 = "share.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.share.session.timeout.ms")]);

        /// How many offsets a client may lack in a task's state and still be given the task.
        streams_acceptable_recovery_lag: i64 = "streams.acceptable.recovery.lag" => "10000", Medium, AtLeast(0),
            synonyms(&[same("group.streams.acceptable.recovery.lag")]), internal();

        /// Shortest time between two assignments, in milliseconds.
        streams_assignment_interval_ms: i32 = "streams.assignment.interval.ms" => "1000", Medium, AtLeast(0),
            synonyms(&[same("group.streams.assignment.interval.ms")]);

        /// The assignor of the streams group, one of the broker's `group.streams.assignors`; the first of
        /// them if it is not set.
        streams_assignor_name: Option<String> = "streams.assignor.name" => null, Medium, Any,
            synonyms(&[same("group.streams.assignors")]), inert();

        /// Whether assignments are computed on a thread of their own.
        streams_assignor_offload_enable: bool = "streams.assignor.offload.enable" => "true", Medium, Any,
            synonyms(&[same("group.streams.assignor.offload.enable")]), inert(), internal();

        /// How often members are told to send heartbeats, in milliseconds.
        streams_heartbeat_interval_ms: i32 = "streams.heartbeat.interval.ms" => "5000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.heartbeat.interval.ms")]);

        /// How long the first assignment of the new group waits for more members, in milliseconds.
        streams_initial_rebalance_delay_ms: i32 = "streams.initial.rebalance.delay.ms" => "3000",
            Medium, AtLeast(0), synonyms(&[same("group.streams.initial.rebalance.delay.ms")]);

        /// Copies of each task's state that wait on other members.
        streams_num_standby_replicas: i32 = "streams.num.standby.replicas" => "0", Medium, AtLeast(0),
            synonyms(&[same("group.streams.num.standby.replicas")]);

        /// Most copies of state that are being built on members to be.
        streams_num_warmup_replicas: i32 = "streams.num.warmup.replicas" => "2", Medium, AtLeast(0),
            synonyms(&[same("group.streams.num.warmup.replicas")]), inert(), internal();

        /// Keys of client tags over which standby copies are spread.
        streams_rack_aware_assignment_tags: Vec<String> = "streams.rack.aware.assignment.tags" => "", Low, crate::Valid::LIST,
            synonyms(&[same("group.streams.rack.aware.assignment.tags")]);

        /// How long a member may be silent before it is taken for dead, in milliseconds.
        streams_session_timeout_ms: i32 = "streams.session.timeout.ms" => "45000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.session.timeout.ms")]);

        /// How often members tell how far their copies of state have come, in milliseconds.
        streams_task_offset_interval_ms: i32 = "streams.task.offset.interval.ms" => "60000", Medium, AtLeast(1),
            synonyms(&[same("group.streams.task.offset.interval.ms")]), internal();
    }
}
