//! Broker keys: streams groups.

use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// Streams groups.
    StreamsConfig {
        /// How many offsets a client may lack in a task's state and still be given the task.
        group_streams_acceptable_recovery_lag: i64 = "group.streams.acceptable.recovery.lag" => "10000",
            Medium, AtLeast(0), internal();

        /// Shortest time between two assignments of a streams group, in milliseconds.
        group_streams_assignment_interval_ms: i32 = "group.streams.assignment.interval.ms" => "1000",
            Medium, AtLeast(0), cluster_wide();

        /// Whether assignments of streams groups are computed on a thread of their own.
        group_streams_assignor_offload_enable: bool = "group.streams.assignor.offload.enable" => "true",
            Medium, Any, cluster_wide(), inert(), internal();

        /// Assignors of streams groups, separated by commas, the default first. Built in is `sticky`; Java
        /// classes cannot be loaded.
        group_streams_assignors: Vec<String> = "group.streams.assignors" => "sticky", Medium, crate::Valid::FILLED_LIST,
            inert();

        /// How often members of streams groups are told to send heartbeats, in milliseconds.
        group_streams_heartbeat_interval_ms: i32 = "group.streams.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// How long the first assignment of a new streams group waits for more members, in milliseconds.
        group_streams_initial_rebalance_delay_ms: i32 = "group.streams.initial.rebalance.delay.ms" => "3000",
            Medium, AtLeast(0);

        /// Upper bound of a group's `streams.assignment.interval.ms`.
        group_streams_max_assignment_interval_ms: i32 = "group.streams.max.assignment.interval.ms" => "15000",
            Medium, AtLeast(0);

        /// Upper bound of a group's `streams.heartbeat.interval.ms`.
        group_streams_max_heartbeat_interval_ms: i32 = "group.streams.max.heartbeat.interval.ms" => "15000",
            Medium, AtLeast(1);

        /// Upper bound of a group's `streams.session.timeout.ms`.
        group_streams_max_session_timeout_ms: i32 = "group.streams.max.session.timeout.ms" => "60000",
            Medium, AtLeast(1);

        /// Most members of a streams group.
        group_streams_max_size: i32 = "group.streams.max.size" => "2147483647", Medium, AtLeast(1);

        /// Upper bound of a group's `streams.num.standby.replicas`.
        group_streams_max_standby_replicas: i32 = "group.streams.max.standby.replicas" => "2",
            Medium, AtLeast(0);

        /// Upper bound of a group's `streams.num.warmup.replicas`.
        group_streams_max_warmup_replicas: i32 = "group.streams.max.warmup.replicas" => "20",
            Medium, AtLeast(0), inert(), internal();

        /// Lower bound of a group's `streams.assignment.interval.ms`.
        group_streams_min_assignment_interval_ms: i32 = "group.streams.min.assignment.interval.ms" => "0",
            Medium, AtLeast(0);

        /// Lower bound of a group's `streams.heartbeat.interval.ms`.
        group_streams_min_heartbeat_interval_ms: i32 = "group.streams.min.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        /// Lower bound of a group's `streams.session.timeout.ms`.
        group_streams_min_session_timeout_ms: i32 = "group.streams.min.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        /// Lower bound of a group's `streams.task.offset.interval.ms`.
        group_streams_min_task_offset_interval_ms: i32 = "group.streams.min.task.offset.interval.ms" => "15000",
            Medium, AtLeast(1), internal();

        /// Copies of each task's state that wait on other members.
        group_streams_num_standby_replicas: i32 = "group.streams.num.standby.replicas" => "0",
            Medium, AtLeast(0);

        /// Most copies of state that are being built on members to be.
        group_streams_num_warmup_replicas: i32 = "group.streams.num.warmup.replicas" => "2", Medium, AtLeast(0),
            inert(), internal();

        /// Keys of client tags over which standby copies are spread.
        group_streams_rack_aware_assignment_tags: Vec<String> = "group.streams.rack.aware.assignment.tags" => "",
            Low, crate::Valid::LIST;

        /// How long a member of a streams group may be silent before it is taken for dead, in milliseconds.
        group_streams_session_timeout_ms: i32 = "group.streams.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        /// How often members tell how far their copies of state have come, in milliseconds.
        group_streams_task_offset_interval_ms: i32 = "group.streams.task.offset.interval.ms" => "60000",
            Medium, AtLeast(1), internal();

        /// Java class that takes descriptions of topologies. It cannot be loaded.
        group_streams_topology_description_plugin_class: Option<Class> = "group.streams.topology.description.plugin.class" => null,
            Medium, Any, inert();
    }
}
