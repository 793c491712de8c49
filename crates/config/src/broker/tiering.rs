//! Broker keys: segments in remote storage.

use crate::table::config_table;

config_table! {
    /// Segments in remote storage.
    TieringConfig {
        follower_fetch_last_tiered_offset_enable: bool = "follower.fetch.last.tiered.offset.enable" => "false",
            Medium, Any, cluster_wide();

        remote_fetch_max_wait_ms: i32 = "remote.fetch.max.wait.ms" => "500", Medium, AtLeast(1), cluster_wide();

        remote_list_offsets_request_timeout_ms: i64 = "remote.list.offsets.request.timeout.ms" => "30000",
            Medium, AtLeast(1), cluster_wide();

        remote_log_index_file_cache_total_size_bytes: i64 = "remote.log.index.file.cache.total.size.bytes" => "1073741824",
            Low, AtLeast(1), cluster_wide();

        remote_log_index_file_cache_ttl_ms: i64 = "remote.log.index.file.cache.ttl.ms" => "900000",
            Low, AtLeast(-1), internal();

        remote_log_manager_copier_thread_pool_size: i32 = "remote.log.manager.copier.thread.pool.size" => "10",
            Medium, AtLeast(1), cluster_wide();

        remote_log_manager_copy_max_bytes_per_second: i64 = "remote.log.manager.copy.max.bytes.per.second" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide();

        remote_log_manager_copy_quota_window_num: i32 = "remote.log.manager.copy.quota.window.num" => "11",
            Medium, AtLeast(1);

        remote_log_manager_copy_quota_window_size_seconds: i32 = "remote.log.manager.copy.quota.window.size.seconds" => "1",
            Medium, AtLeast(1);

        remote_log_manager_expiration_thread_pool_size: i32 = "remote.log.manager.expiration.thread.pool.size" => "10",
            Medium, AtLeast(1), cluster_wide();

        remote_log_manager_fetch_max_bytes_per_second: i64 = "remote.log.manager.fetch.max.bytes.per.second" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide();

        remote_log_manager_fetch_quota_window_num: i32 = "remote.log.manager.fetch.quota.window.num" => "11",
            Medium, AtLeast(1);

        remote_log_manager_fetch_quota_window_size_seconds: i32 = "remote.log.manager.fetch.quota.window.size.seconds" => "1",
            Medium, AtLeast(1);

        remote_log_manager_follower_thread_pool_size: i32 = "remote.log.manager.follower.thread.pool.size" => "2",
            Medium, AtLeast(1), cluster_wide();

        remote_log_manager_task_interval_ms: i64 = "remote.log.manager.task.interval.ms" => "30000",
            Low, AtLeast(1);

        remote_log_manager_task_retry_backoff_max_ms: i64 = "remote.log.manager.task.retry.backoff.max.ms" => "30000",
            Low, AtLeast(1), internal();

        remote_log_manager_task_retry_backoff_ms: i64 = "remote.log.manager.task.retry.backoff.ms" => "500",
            Low, AtLeast(1), internal();

        remote_log_manager_task_retry_jitter: f64 = "remote.log.manager.task.retry.jitter" => "0.2",
            Low, BetweenDecimals(0.0, 0.5), internal();

        remote_log_manager_thread_pool_size: i32 = "remote.log.manager.thread.pool.size" => "2",
            Medium, AtLeast(1);

        remote_log_metadata_custom_metadata_max_bytes: i32 = "remote.log.metadata.custom.metadata.max.bytes" => "128",
            Low, AtLeast(0);

        remote_log_metadata_manager_class_name: String = "remote.log.metadata.manager.class.name" => "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
            Medium, NonEmpty;

        remote_log_metadata_manager_class_path: Option<String> = "remote.log.metadata.manager.class.path" => null,
            Medium, Any;

        remote_log_metadata_manager_impl_prefix: String = "remote.log.metadata.manager.impl.prefix" => "rlmm.config.",
            Medium, NonEmpty;

        remote_log_metadata_manager_listener_name: Option<String> = "remote.log.metadata.manager.listener.name" => null,
            Medium, NonEmpty;

        remote_log_reader_max_pending_tasks: i32 = "remote.log.reader.max.pending.tasks" => "100",
            Medium, AtLeast(1);

        remote_log_reader_threads: i32 = "remote.log.reader.threads" => "10", Medium, AtLeast(1),
            cluster_wide();

        remote_log_storage_manager_class_name: Option<String> = "remote.log.storage.manager.class.name" => null,
            Medium, NonEmpty;

        remote_log_storage_manager_class_path: Option<String> = "remote.log.storage.manager.class.path" => null,
            Medium, Any;

        remote_log_storage_manager_impl_prefix: String = "remote.log.storage.manager.impl.prefix" => "rsm.config.",
            Medium, NonEmpty;

        remote_log_storage_system_enable: bool = "remote.log.storage.system.enable" => "false", Medium, Any;
    }
}
