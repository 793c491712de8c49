//! Broker keys: segments in remote storage.

use super::NO_TIERING;
use crate::table::config_table;

config_table! {
    /// Segments in remote storage.
    TieringConfig {
        /// Whether an empty follower starts after the last tiered offset instead of at the beginning.
        follower_fetch_last_tiered_offset_enable: bool = "follower.fetch.last.tiered.offset.enable" => "false",
            Medium, Any, cluster_wide(), inert();

        /// Longest time that a fetch waits for remote storage, in milliseconds.
        remote_fetch_max_wait_ms: i32 = "remote.fetch.max.wait.ms" => "500", Medium, AtLeast(1),
            cluster_wide(), inert();

        /// Longest time that a search for an offset waits for remote storage, in milliseconds.
        remote_list_offsets_request_timeout_ms: i64 = "remote.list.offsets.request.timeout.ms" => "30000",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// Disk space for indexes fetched from remote storage, in bytes.
        remote_log_index_file_cache_total_size_bytes: i64 = "remote.log.index.file.cache.total.size.bytes" => "1073741824",
            Low, AtLeast(1), cluster_wide(), inert();

        /// How long an unused index of a remote segment stays on disk, in milliseconds; -1 for ever.
        remote_log_index_file_cache_ttl_ms: i64 = "remote.log.index.file.cache.ttl.ms" => "900000",
            Low, AtLeast(-1), inert(), internal();

        /// Threads that copy segments to remote storage.
        remote_log_manager_copier_thread_pool_size: i32 = "remote.log.manager.copier.thread.pool.size" => "10",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// Most bytes a second that are copied to remote storage.
        remote_log_manager_copy_max_bytes_per_second: i64 = "remote.log.manager.copy.max.bytes.per.second" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// How many windows the rate of copying to remote storage is measured over.
        remote_log_manager_copy_quota_window_num: i32 = "remote.log.manager.copy.quota.window.num" => "11",
            Medium, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        remote_log_manager_copy_quota_window_size_seconds: i32 = "remote.log.manager.copy.quota.window.size.seconds" => "1",
            Medium, AtLeast(1), inert();

        /// Threads that remove old segments from remote storage.
        remote_log_manager_expiration_thread_pool_size: i32 = "remote.log.manager.expiration.thread.pool.size" => "10",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// Most bytes a second that are read from remote storage.
        remote_log_manager_fetch_max_bytes_per_second: i64 = "remote.log.manager.fetch.max.bytes.per.second" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// How many windows the rate of reading from remote storage is measured over.
        remote_log_manager_fetch_quota_window_num: i32 = "remote.log.manager.fetch.quota.window.num" => "11",
            Medium, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        remote_log_manager_fetch_quota_window_size_seconds: i32 = "remote.log.manager.fetch.quota.window.size.seconds" => "1",
            Medium, AtLeast(1), inert();

        /// Threads that learn for followers how far remote storage has come.
        remote_log_manager_follower_thread_pool_size: i32 = "remote.log.manager.follower.thread.pool.size" => "2",
            Medium, AtLeast(1), cluster_wide(), inert();

        /// How often partitions are looked at for segments to copy or remove, in milliseconds.
        remote_log_manager_task_interval_ms: i64 = "remote.log.manager.task.interval.ms" => "30000",
            Low, AtLeast(1), inert();

        /// Longest pause before a failed request to remote storage is tried again, in milliseconds.
        remote_log_manager_task_retry_backoff_max_ms: i64 = "remote.log.manager.task.retry.backoff.max.ms" => "30000",
            Low, AtLeast(1), inert(), internal();

        /// First pause before a failed request to remote storage is tried again, in milliseconds.
        remote_log_manager_task_retry_backoff_ms: i64 = "remote.log.manager.task.retry.backoff.ms" => "500",
            Low, AtLeast(1), inert(), internal();

        /// Part by which such pauses vary at random.
        remote_log_manager_task_retry_jitter: f64 = "remote.log.manager.task.retry.jitter" => "0.2",
            Low, BetweenDecimals(0.0, 0.5), inert(), internal();

        /// The older name of `remote.log.manager.follower.thread.pool.size`.
        remote_log_manager_thread_pool_size: i32 = "remote.log.manager.thread.pool.size" => "2",
            Medium, AtLeast(1), inert(), deprecated("use remote.log.manager.follower.thread.pool.size");

        /// Most bytes that a storage plugin may add to a segment's metadata.
        remote_log_metadata_custom_metadata_max_bytes: i32 = "remote.log.metadata.custom.metadata.max.bytes" => "128",
            Low, AtLeast(0), inert();

        /// Java class that keeps the metadata of remote segments.
        remote_log_metadata_manager_class_name: String = "remote.log.metadata.manager.class.name" => "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
            Medium, NonEmpty, inert();

        /// Where that class is found.
        remote_log_metadata_manager_class_path: Option<String> = "remote.log.metadata.manager.class.path" => null,
            Medium, Any, inert();

        /// What the names of that class's own settings begin with.
        remote_log_metadata_manager_impl_prefix: String = "remote.log.metadata.manager.impl.prefix" => "rlmm.config.",
            Medium, NonEmpty, inert();

        /// The listener on which that class reaches the broker.
        remote_log_metadata_manager_listener_name: Option<String> = "remote.log.metadata.manager.listener.name" => null,
            Medium, NonEmpty, inert();

        /// How many reads may wait for remote storage.
        remote_log_reader_max_pending_tasks: i32 = "remote.log.reader.max.pending.tasks" => "100",
            Medium, AtLeast(1), inert();

        /// Threads that read from remote storage.
        remote_log_reader_threads: i32 = "remote.log.reader.threads" => "10", Medium, AtLeast(1),
            cluster_wide(), inert();

        /// Java class that copies segments to a storage and reads them there. It cannot be loaded.
        remote_log_storage_manager_class_name: Option<String> = "remote.log.storage.manager.class.name" => null,
            Medium, NonEmpty, inert();

        /// Where that class is found.
        remote_log_storage_manager_class_path: Option<String> = "remote.log.storage.manager.class.path" => null,
            Medium, Any, inert();

        /// What the names of that class's own settings begin with.
        remote_log_storage_manager_impl_prefix: String = "remote.log.storage.manager.impl.prefix" => "rsm.config.",
            Medium, NonEmpty, inert();

        /// Whether segments of topics that ask for it are kept in remote storage.
        remote_log_storage_system_enable: bool = "remote.log.storage.system.enable" => "false", Medium, Any,
            refused(NO_TIERING);
    }
}
