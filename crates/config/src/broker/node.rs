//! Broker keys: what the node is: its id, its roles, its place in the metadata quorum.

use crate::table::config_table;

config_table! {
    /// What the node is: its id, its roles, its place in the metadata quorum.
    NodeConfig {
        broker_heartbeat_interval_ms: i32 = "broker.heartbeat.interval.ms" => "2000", Medium, Any;

        broker_id: i32 = "broker.id" => "-1", High, Any;

        broker_rack: Option<String> = "broker.rack" => null, Medium, Any;

        broker_session_timeout_ms: i32 = "broker.session.timeout.ms" => "9000", Medium, Any;

        config_providers: Vec<String> = "config.providers" => "", Low, crate::Valid::LIST, cluster_wide();

        controlled_shutdown_enable: bool = "controlled.shutdown.enable" => "true", Medium, Any;

        controller_listener_names: Vec<String> = "controller.listener.names" => required, High, crate::Valid::FILLED_LIST;

        controller_performance_always_log_threshold_ms: i64 = "controller.performance.always.log.threshold.ms" => "2000",
            Medium, AtLeast(0), internal();

        controller_performance_sample_period_ms: i64 = "controller.performance.sample.period.ms" => "60000",
            Medium, AtLeast(100), internal();

        controller_quorum_append_linger_ms: i32 = "controller.quorum.append.linger.ms" => "25",
            Medium, AtLeast(0);

        controller_quorum_auto_join_enable: bool = "controller.quorum.auto.join.enable" => "false", Low, Any;

        controller_quorum_bootstrap_servers: Vec<String> = "controller.quorum.bootstrap.servers" => "",
            High, BootstrapServers;

        controller_quorum_election_backoff_max_ms: i32 = "controller.quorum.election.backoff.max.ms" => "1000",
            High, AtLeast(0);

        controller_quorum_election_timeout_ms: i32 = "controller.quorum.election.timeout.ms" => "1000",
            High, AtLeast(0);

        controller_quorum_fetch_max_bytes: i32 = "controller.quorum.fetch.max.bytes" => "1048576",
            Low, AtLeast(1);

        controller_quorum_fetch_snapshot_max_bytes: i32 = "controller.quorum.fetch.snapshot.max.bytes" => "1048576",
            Low, AtLeast(1);

        controller_quorum_fetch_timeout_ms: i32 = "controller.quorum.fetch.timeout.ms" => "2000",
            High, AtLeast(0);

        controller_quorum_request_timeout_ms: i32 = "controller.quorum.request.timeout.ms" => "2000",
            Medium, AtLeast(0);

        controller_quorum_retry_backoff_ms: i32 = "controller.quorum.retry.backoff.ms" => "20", Low, AtLeast(0);

        controller_quorum_voters: Vec<String> = "controller.quorum.voters" => "", High, QuorumVoters;

        controller_socket_timeout_ms: i32 = "controller.socket.timeout.ms" => "30000", Medium, Any;

        initial_broker_registration_timeout_ms: i32 = "initial.broker.registration.timeout.ms" => "60000",
            Medium, Any;

        internal_metadata_delete_delay_millis: i64 = "internal.metadata.delete.delay.millis" => "60000",
            Low, Any, internal();

        internal_metadata_log_segment_bytes: Option<i32> = "internal.metadata.log.segment.bytes" => null,
            Low, Any, internal();

        internal_metadata_max_batch_size_in_bytes: i32 = "internal.metadata.max.batch.size.in.bytes" => "8388608",
            Low, Any, internal();

        metadata_log_dir: Option<String> = "metadata.log.dir" => null, High, Any;

        metadata_log_max_record_bytes_between_snapshots: i64 = "metadata.log.max.record.bytes.between.snapshots" => "20971520",
            High, AtLeast(1);

        metadata_log_max_snapshot_interval_ms: i64 = "metadata.log.max.snapshot.interval.ms" => "3600000",
            High, AtLeast(0);

        metadata_log_segment_bytes: i32 = "metadata.log.segment.bytes" => "1073741824",
            High, AtLeast(8_388_608);

        metadata_log_segment_ms: i64 = "metadata.log.segment.ms" => "604800000", High, Any;

        metadata_max_idle_interval_ms: i32 = "metadata.max.idle.interval.ms" => "500", Low, AtLeast(0);

        metadata_max_retention_bytes: i64 = "metadata.max.retention.bytes" => "104857600", High, Any;

        metadata_max_retention_ms: i64 = "metadata.max.retention.ms" => "604800000", High, Any;

        node_id: i32 = "node.id" => required, High, AtLeast(0);

        process_roles: Vec<String> = "process.roles" => required,
            High, Elements { words: &["broker", "controller"], empty: false };

        server_max_startup_time_ms: i64 = "server.max.startup.time.ms" => "9223372036854775807",
            Medium, AtLeast(0), internal();

        unstable_api_versions_enable: bool = "unstable.api.versions.enable" => "false", High, Any, internal();

        unstable_feature_versions_enable: bool = "unstable.feature.versions.enable" => "false", High, Any,
            internal();
    }
}
