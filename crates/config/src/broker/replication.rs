//! Broker keys: replication, leadership and fetching.

use super::NO_CLASSES;
use crate::table::config_table;

config_table! {
    /// Replication, leadership and fetching.
    ReplicationConfig {
        /// Whether leadership is given back to the preferred replicas from time to time.
        auto_leader_rebalance_enable: bool = "auto.leader.rebalance.enable" => "true", High, Any;

        /// How many waiting DeleteRecords requests are completed before Kafka tidies its list of them.
        delete_records_purgatory_purge_interval_requests: i32 = "delete.records.purgatory.purge.interval.requests" => "1",
            Medium, Any, inert();

        /// Most bytes that the answer to one fetch holds, whatever the client asks for; a first batch that
        /// is larger still comes whole.
        fetch_max_bytes: i32 = "fetch.max.bytes" => "57671680", Medium, AtLeast(1024);

        /// How many waiting fetches are completed before Kafka tidies its list of them.
        fetch_purgatory_purge_interval_requests: i32 = "fetch.purgatory.purge.interval.requests" => "1000",
            Medium, Any, inert();

        /// How often the controller looks whether leadership must be given back, in seconds.
        leader_imbalance_check_interval_seconds: i64 = "leader.imbalance.check.interval.seconds" => "300",
            High, AtLeast(1);

        /// How many incremental fetch sessions the broker remembers.
        max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots" => "1000",
            Medium, AtLeast(0);

        /// Threads that move replicas between log directories; one per directory if it is not set.
        num_replica_alter_log_dirs_threads: Option<i32> = "num.replica.alter.log.dirs.threads" => null,
            High, Any, inert();

        /// Threads that fetch from each other broker.
        num_replica_fetchers: i32 = "num.replica.fetchers" => "1", High, AtLeast(1), cluster_wide(), inert();

        /// How many waiting produces are completed before Kafka tidies its list of them.
        producer_purgatory_purge_interval_requests: i32 = "producer.purgatory.purge.interval.requests" => "1000",
            Medium, Any, inert();

        /// Pause of a follower after a fetch of a partition failed, in milliseconds.
        replica_fetch_backoff_ms: i32 = "replica.fetch.backoff.ms" => "1000", Medium, AtLeast(0), inert();

        /// Bytes that a follower asks for of each partition; a first batch that is larger still comes
        /// whole.
        replica_fetch_max_bytes: i32 = "replica.fetch.max.bytes" => "1048576", Medium, AtLeast(0), inert();

        /// Bytes that a leader should have before it answers a follower's fetch.
        replica_fetch_min_bytes: i32 = "replica.fetch.min.bytes" => "1", High, Any, inert();

        /// Bytes that a follower asks for in one fetch, over all partitions.
        replica_fetch_response_max_bytes: i32 = "replica.fetch.response.max.bytes" => "10485760",
            Medium, AtLeast(0), inert();

        /// Longest time that a follower's fetch waits for bytes, in milliseconds; it must be below
        /// `replica.lag.time.max.ms`.
        replica_fetch_wait_max_ms: i32 = "replica.fetch.wait.max.ms" => "500", High, Any, inert();

        /// How often high watermarks are written to disk, in milliseconds.
        replica_high_watermark_checkpoint_interval_ms: i64 = "replica.high.watermark.checkpoint.interval.ms" => "5000",
            High, Any;

        /// How long a follower may lag behind the leader's end before it leaves the in-sync replicas, in
        /// milliseconds.
        replica_lag_time_max_ms: i64 = "replica.lag.time.max.ms" => "30000", High, Any;

        /// Java class that chooses the replica which a consumer reads from. Kafka's
        /// RackAwareReplicaSelector and LeaderSelector are known here; other classes cannot be loaded.
        replica_selector_class: Option<String> = "replica.selector.class" => null, Medium, Any,
            refused_except(NO_CLASSES, &[
                "org.apache.kafka.common.replica.RackAwareReplicaSelector",
                "org.apache.kafka.common.replica.LeaderSelector",
            ]);

        /// Size of the system's receive buffer of a follower's connection to the leader, in bytes.
        replica_socket_receive_buffer_bytes: i32 = "replica.socket.receive.buffer.bytes" => "65536", High, Any,
            inert();

        /// How long a follower waits on its connection to the leader, in milliseconds; at least
        /// `replica.fetch.wait.max.ms`.
        replica_socket_timeout_ms: i32 = "replica.socket.timeout.ms" => "30000", High, Any, inert();
    }
}
