//! Broker keys: streams groups.

use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// Streams groups.
    StreamsConfig {
        group_streams_acceptable_recovery_lag: i64 = "group.streams.acceptable.recovery.lag" => "10000",
            Medium, AtLeast(0), internal();

        group_streams_assignment_interval_ms: i32 = "group.streams.assignment.interval.ms" => "1000",
            Medium, AtLeast(0), cluster_wide();

        group_streams_assignor_offload_enable: bool = "group.streams.assignor.offload.enable" => "true",
            Medium, Any, cluster_wide(), internal();

        group_streams_assignors: Vec<String> = "group.streams.assignors" => "sticky", Medium, crate::Valid::FILLED_LIST;

        group_streams_heartbeat_interval_ms: i32 = "group.streams.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        group_streams_initial_rebalance_delay_ms: i32 = "group.streams.initial.rebalance.delay.ms" => "3000",
            Medium, AtLeast(0);

        group_streams_max_assignment_interval_ms: i32 = "group.streams.max.assignment.interval.ms" => "15000",
            Medium, AtLeast(0);

        group_streams_max_heartbeat_interval_ms: i32 = "group.streams.max.heartbeat.interval.ms" => "15000",
            Medium, AtLeast(1);

        group_streams_max_session_timeout_ms: i32 = "group.streams.max.session.timeout.ms" => "60000",
            Medium, AtLeast(1);

        group_streams_max_size: i32 = "group.streams.max.size" => "2147483647", Medium, AtLeast(1);

        group_streams_max_standby_replicas: i32 = "group.streams.max.standby.replicas" => "2",
            Medium, AtLeast(0);

        group_streams_max_warmup_replicas: i32 = "group.streams.max.warmup.replicas" => "20",
            Medium, AtLeast(0), internal();

        group_streams_min_assignment_interval_ms: i32 = "group.streams.min.assignment.interval.ms" => "0",
            Medium, AtLeast(0);

        group_streams_min_heartbeat_interval_ms: i32 = "group.streams.min.heartbeat.interval.ms" => "5000",
            Medium, AtLeast(1);

        group_streams_min_session_timeout_ms: i32 = "group.streams.min.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        group_streams_min_task_offset_interval_ms: i32 = "group.streams.min.task.offset.interval.ms" => "15000",
            Medium, AtLeast(1), internal();

        group_streams_num_standby_replicas: i32 = "group.streams.num.standby.replicas" => "0",
            Medium, AtLeast(0);

        group_streams_num_warmup_replicas: i32 = "group.streams.num.warmup.replicas" => "2", Medium, AtLeast(0),
            internal();

        group_streams_rack_aware_assignment_tags: Vec<String> = "group.streams.rack.aware.assignment.tags" => "",
            Low, crate::Valid::LIST;

        group_streams_session_timeout_ms: i32 = "group.streams.session.timeout.ms" => "45000",
            Medium, AtLeast(1);

        group_streams_task_offset_interval_ms: i32 = "group.streams.task.offset.interval.ms" => "60000",
            Medium, AtLeast(1), internal();

        group_streams_topology_description_plugin_class: Option<Class> = "group.streams.topology.description.plugin.class" => null,
            Medium, Any;
    }
}
