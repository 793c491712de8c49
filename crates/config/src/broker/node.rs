//! Broker keys: what the node is: its id, its roles, its place in the metadata quorum.

use crate::table::config_table;

config_table! {
    /// What the node is: its id, its roles, its place in the metadata quorum.
    NodeConfig {
        /// How often a broker tells the active controller that it lives, in milliseconds.
        broker_heartbeat_interval_ms: i32 = "broker.heartbeat.interval.ms" => "2000", Medium, Any;

        /// The older name of `node.id`; where both are set they must agree.
        broker_id: i32 = "broker.id" => "-1", High, Any, deprecated("use node.id");

        /// Where this broker stands, as free text such as a zone's name. Replicas are spread over racks,
        /// and a consumer that names its rack is sent to a replica there.
        broker_rack: Option<String> = "broker.rack" => null, Medium, Any;

        /// How long a broker may be silent before the controller fences it and moves its leaders, in
        /// milliseconds.
        broker_session_timeout_ms: i32 = "broker.session.timeout.ms" => "9000", Medium, Any;

        /// Names of providers that fill in `${provider:path:key}` in values at start, separated by commas;
        /// each needs `config.providers.<name>.class`. At hand are Kafka's EnvVarConfigProvider,
        /// FileConfigProvider and DirectoryConfigProvider.
        config_providers: Vec<String> = "config.providers" => "", Low, crate::Valid::LIST, cluster_wide();

        /// Whether a stopping broker first hands its leaders to other replicas.
        controlled_shutdown_enable: bool = "controlled.shutdown.enable" => "true", Medium, Any, inert();

        /// Names of the listeners on which controllers talk, separated by commas. A controller opens those
        /// that `listeners` gives an address; brokers connect to the first.
        controller_listener_names: Vec<String> = "controller.listener.names" => required, High, crate::Valid::FILLED_LIST;

        /// A controller event that takes longer than this many milliseconds is logged on its own.
        controller_performance_always_log_threshold_ms: i64 = "controller.performance.always.log.threshold.ms" => "2000",
            Medium, AtLeast(0), inert(), internal();

        /// Length of the periods over which controller events are summed up for the log, in milliseconds.
        controller_performance_sample_period_ms: i64 = "controller.performance.sample.period.ms" => "60000",
            Medium, AtLeast(100), inert(), internal();

        /// How long the quorum's leader may collect records before it writes them, in milliseconds.
        controller_quorum_append_linger_ms: i32 = "controller.quorum.append.linger.ms" => "25",
            Medium, AtLeast(0), inert();

        /// Whether a controller that is no voter yet asks to become one when it starts.
        controller_quorum_auto_join_enable: bool = "controller.quorum.auto.join.enable" => "false", Low, Any,
            inert();

        /// Addresses (`host:port`, separated by commas) where members of the metadata quorum can be found
        /// at first. Used where the voters are kept in the metadata log itself.
        controller_quorum_bootstrap_servers: Vec<String> = "controller.quorum.bootstrap.servers" => "",
            High, BootstrapServers;

        /// Longest random pause before a controller stands for election again after a vote that nobody won,
        /// in milliseconds.
        controller_quorum_election_backoff_max_ms: i32 = "controller.quorum.election.backoff.max.ms" => "1000",
            High, AtLeast(0), inert();

        /// How long a voter waits for a leader before it stands for election itself, in milliseconds.
        controller_quorum_election_timeout_ms: i32 = "controller.quorum.election.timeout.ms" => "1000",
            High, AtLeast(0);

        /// Most bytes of the metadata log that one fetch asks for; a single larger batch still comes whole.
        controller_quorum_fetch_max_bytes: i32 = "controller.quorum.fetch.max.bytes" => "1048576",
            Low, AtLeast(1), inert();

        /// Most bytes of a metadata snapshot that one request asks for.
        controller_quorum_fetch_snapshot_max_bytes: i32 = "controller.quorum.fetch.snapshot.max.bytes" => "1048576",
            Low, AtLeast(1), inert();

        /// How long a follower of the metadata log tolerates failing fetches before it looks for another
        /// leader, and a leader tolerates the silence of a majority before it steps down, in milliseconds.
        controller_quorum_fetch_timeout_ms: i32 = "controller.quorum.fetch.timeout.ms" => "2000",
            High, AtLeast(0), inert();

        /// How long a node waits for the answer to a request within the quorum, in milliseconds.
        controller_quorum_request_timeout_ms: i32 = "controller.quorum.request.timeout.ms" => "2000",
            Medium, AtLeast(0);

        /// Pause before a failed request within the quorum is tried again, in milliseconds.
        controller_quorum_retry_backoff_ms: i32 = "controller.quorum.retry.backoff.ms" => "20", Low, AtLeast(0),
            inert();

        /// The voters of the metadata quorum as `id@host:port`, separated by commas. Leave it empty for a
        /// node that is alone, or where the voters are kept in the metadata log.
        controller_quorum_voters: Vec<String> = "controller.quorum.voters" => "", High, QuorumVoters;

        /// How long a controller waits on a connection to a broker, in milliseconds.
        controller_socket_timeout_ms: i32 = "controller.socket.timeout.ms" => "30000", Medium, Any, inert();

        /// How long a starting broker tries to register with the controller before it gives up and ends, in
        /// milliseconds.
        initial_broker_registration_timeout_ms: i32 = "initial.broker.registration.timeout.ms" => "60000",
            Medium, Any, inert();

        /// How long an outdated metadata segment or snapshot stays on disk before its file is removed, in
        /// milliseconds.
        internal_metadata_delete_delay_millis: i64 = "internal.metadata.delete.delay.millis" => "60000",
            Low, Any, internal();

        /// Size at which a segment of the metadata log is closed, in bytes; for tests.
        internal_metadata_log_segment_bytes: Option<i32> = "internal.metadata.log.segment.bytes" => null,
            Low, Any, internal();

        /// Largest batch of the metadata log, in bytes.
        internal_metadata_max_batch_size_in_bytes: i32 = "internal.metadata.max.batch.size.in.bytes" => "8388608",
            Low, Any, internal();

        /// Directory of the metadata log; the first of `log.dirs` if it is not set.
        metadata_log_dir: Option<String> = "metadata.log.dir" => null, High, Any;

        /// A snapshot of the metadata is written when this many bytes of records came after the last one.
        metadata_log_max_record_bytes_between_snapshots: i64 = "metadata.log.max.record.bytes.between.snapshots" => "20971520",
            High, AtLeast(1);

        /// A snapshot of the metadata is written when the last one is this old and records came since, in
        /// milliseconds; 0 for never on account of age.
        metadata_log_max_snapshot_interval_ms: i64 = "metadata.log.max.snapshot.interval.ms" => "3600000",
            High, AtLeast(0);

        /// Size at which a segment of the metadata log is closed, in bytes.
        metadata_log_segment_bytes: i32 = "metadata.log.segment.bytes" => "1073741824",
            High, AtLeast(8_388_608);

        /// Age at which a segment of the metadata log is closed, in milliseconds.
        metadata_log_segment_ms: i64 = "metadata.log.segment.ms" => "604800000", High, Any;

        /// After this many milliseconds without a record the active controller writes an empty one, so that
        /// followers see it live; 0 for never.
        metadata_max_idle_interval_ms: i32 = "metadata.max.idle.interval.ms" => "500", Low, AtLeast(0);

        /// Size of metadata log and snapshots together above which the oldest are removed, in bytes.
        metadata_max_retention_bytes: i64 = "metadata.max.retention.bytes" => "104857600", High, Any;

        /// Age at which metadata segments and snapshots that a newer snapshot covers are removed, in
        /// milliseconds.
        metadata_max_retention_ms: i64 = "metadata.max.retention.ms" => "604800000", High, Any;

        /// The number of this node, unlike that of any other node of the cluster.
        node_id: i32 = "node.id" => required, High, AtLeast(0);

        /// What this node does: `broker` serves clients, `controller` takes part in the quorum that keeps
        /// the cluster's metadata; both may be named.
        process_roles: Vec<String> = "process.roles" => required,
            High, Elements { words: &["broker", "controller"], empty: false };

        /// How long a start may take before it is given up, in milliseconds.
        server_max_startup_time_ms: i64 = "server.max.startup.time.ms" => "9223372036854775807",
            Medium, AtLeast(0), inert(), internal();

        /// Whether versions of requests that are still in the making are offered to clients.
        unstable_api_versions_enable: bool = "unstable.api.versions.enable" => "false", High, Any, internal(), inert();

        /// Whether levels of features that are still in the making can be finalised.
        unstable_feature_versions_enable: bool = "unstable.feature.versions.enable" => "false", High, Any,
            internal(), inert();
    }
}
