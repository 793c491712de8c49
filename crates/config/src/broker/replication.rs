//! Broker keys: replication, leadership and fetching.

use crate::table::config_table;

config_table! {
    /// Replication, leadership and fetching.
    ReplicationConfig {
        auto_leader_rebalance_enable: bool = "auto.leader.rebalance.enable" => "true", High, Any;

        delete_records_purgatory_purge_interval_requests: i32 = "delete.records.purgatory.purge.interval.requests" => "1",
            Medium, Any;

        fetch_max_bytes: i32 = "fetch.max.bytes" => "57671680", Medium, AtLeast(1024);

        fetch_purgatory_purge_interval_requests: i32 = "fetch.purgatory.purge.interval.requests" => "1000",
            Medium, Any;

        leader_imbalance_check_interval_seconds: i64 = "leader.imbalance.check.interval.seconds" => "300",
            High, AtLeast(1);

        max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots" => "1000",
            Medium, AtLeast(0);

        num_replica_alter_log_dirs_threads: Option<i32> = "num.replica.alter.log.dirs.threads" => null,
            High, Any;

        num_replica_fetchers: i32 = "num.replica.fetchers" => "1", High, AtLeast(1), cluster_wide();

        producer_purgatory_purge_interval_requests: i32 = "producer.purgatory.purge.interval.requests" => "1000",
            Medium, Any;

        replica_fetch_backoff_ms: i32 = "replica.fetch.backoff.ms" => "1000", Medium, AtLeast(0);

        replica_fetch_max_bytes: i32 = "replica.fetch.max.bytes" => "1048576", Medium, AtLeast(0);

        replica_fetch_min_bytes: i32 = "replica.fetch.min.bytes" => "1", High, Any;

        replica_fetch_response_max_bytes: i32 = "replica.fetch.response.max.bytes" => "10485760",
            Medium, AtLeast(0);

        replica_fetch_wait_max_ms: i32 = "replica.fetch.wait.max.ms" => "500", High, Any;

        replica_high_watermark_checkpoint_interval_ms: i64 = "replica.high.watermark.checkpoint.interval.ms" => "5000",
            High, Any;

        replica_lag_time_max_ms: i64 = "replica.lag.time.max.ms" => "30000", High, Any;

        replica_selector_class: Option<String> = "replica.selector.class" => null, Medium, Any;

        replica_socket_receive_buffer_bytes: i32 = "replica.socket.receive.buffer.bytes" => "65536", High, Any;

        replica_socket_timeout_ms: i32 = "replica.socket.timeout.ms" => "30000", High, Any;
    }
}
