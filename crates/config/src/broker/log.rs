//! Broker keys: the partition logs.

use crate::table::config_table;
use crate::value::{CompressionType, TimestampType};

config_table! {
    /// The partition logs; most of these are defaults for topics.
    LogConfig {
        compression_gzip_level: i32 = "compression.gzip.level" => "-1", Medium, GzipLevel, cluster_wide();

        compression_lz4_level: i32 = "compression.lz4.level" => "9", Medium, Between(1, 17), cluster_wide();

        compression_type: CompressionType = "compression.type" => "producer",
            High, OneOf(CompressionType::WORDS), cluster_wide();

        compression_zstd_level: i32 = "compression.zstd.level" => "3", Medium, Between(-131072, 22),
            cluster_wide();

        cordoned_log_dirs: Vec<String> = "cordoned.log.dirs" => "", Medium, crate::Valid::LIST, per_broker();

        log_cleaner_backoff_ms: i64 = "log.cleaner.backoff.ms" => "15000", Medium, AtLeast(0), cluster_wide();

        log_cleaner_dedupe_buffer_size: i64 = "log.cleaner.dedupe.buffer.size" => "134217728", Medium, Any,
            cluster_wide();

        log_cleaner_delete_retention_ms: i64 = "log.cleaner.delete.retention.ms" => "86400000",
            Medium, AtLeast(0), cluster_wide();

        log_cleaner_enable: bool = "log.cleaner.enable" => "true", Medium, Any;

        log_cleaner_io_buffer_load_factor: f64 = "log.cleaner.io.buffer.load.factor" => "0.9", Medium, Any,
            cluster_wide();

        log_cleaner_io_buffer_size: i32 = "log.cleaner.io.buffer.size" => "524288", Medium, AtLeast(0),
            cluster_wide();

        log_cleaner_io_max_bytes_per_second: f64 = "log.cleaner.io.max.bytes.per.second" => "1.7976931348623157E308",
            Medium, Any, cluster_wide();

        log_cleaner_max_compaction_lag_ms: i64 = "log.cleaner.max.compaction.lag.ms" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide();

        log_cleaner_min_cleanable_ratio: f64 = "log.cleaner.min.cleanable.ratio" => "0.5",
            Medium, Between(0, 1), cluster_wide();

        log_cleaner_min_compaction_lag_ms: i64 = "log.cleaner.min.compaction.lag.ms" => "0", Medium, AtLeast(0),
            cluster_wide();

        log_cleaner_threads: i32 = "log.cleaner.threads" => "1", Medium, AtLeast(0), cluster_wide();

        log_cleanup_policy: Vec<String> = "log.cleanup.policy" => "delete",
            Medium, Elements { words: &["compact", "delete"], empty: true }, cluster_wide();

        log_dir: Vec<String> = "log.dir" => "/tmp/kafka-logs", High, crate::Valid::FILLED_LIST;

        log_dir_failure_timeout_ms: i64 = "log.dir.failure.timeout.ms" => "30000", Low, AtLeast(1);

        log_dirs: Option<Vec<String>> = "log.dirs" => null, High, crate::Valid::FILLED_LIST;

        log_flush_interval_messages: i64 = "log.flush.interval.messages" => "9223372036854775807",
            High, AtLeast(1), cluster_wide();

        log_flush_interval_ms: Option<i64> = "log.flush.interval.ms" => null, High, Any, cluster_wide();

        log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms" => "60000",
            High, AtLeast(0);

        log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms" => "9223372036854775807",
            High, Any;

        log_flush_start_offset_checkpoint_interval_ms: i32 = "log.flush.start.offset.checkpoint.interval.ms" => "60000",
            High, AtLeast(0);

        log_index_interval_bytes: i32 = "log.index.interval.bytes" => "4096", Medium, AtLeast(0),
            cluster_wide();

        log_index_size_max_bytes: i32 = "log.index.size.max.bytes" => "10485760", Medium, AtLeast(4),
            cluster_wide();

        log_initial_task_delay_ms: i64 = "log.initial.task.delay.ms" => "30000", Low, AtLeast(0), internal();

        log_local_retention_bytes: i64 = "log.local.retention.bytes" => "-2", Medium, AtLeast(-2),
            cluster_wide();

        log_local_retention_ms: i64 = "log.local.retention.ms" => "-2", Medium, AtLeast(-2), cluster_wide();

        log_message_timestamp_after_max_ms: i64 = "log.message.timestamp.after.max.ms" => "3600000",
            Medium, AtLeast(0), cluster_wide();

        log_message_timestamp_before_max_ms: i64 = "log.message.timestamp.before.max.ms" => "9223372036854775807",
            Medium, AtLeast(0), cluster_wide();

        log_message_timestamp_type: TimestampType = "log.message.timestamp.type" => "CreateTime",
            Medium, OneOf(TimestampType::WORDS), cluster_wide();

        log_preallocate: bool = "log.preallocate" => "false", Medium, Any, cluster_wide();

        log_remote_copy_lag_bytes: i64 = "log.remote.copy.lag.bytes" => "-1", Medium, AtLeast(-1),
            cluster_wide();

        log_remote_copy_lag_ms: i64 = "log.remote.copy.lag.ms" => "0", Medium, AtLeast(-1), cluster_wide();

        log_retention_bytes: i64 = "log.retention.bytes" => "-1", High, Any, cluster_wide();

        log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms" => "300000",
            Medium, AtLeast(1);

        log_retention_hours: i32 = "log.retention.hours" => "168", High, Any;

        log_retention_minutes: Option<i32> = "log.retention.minutes" => null, High, Any;

        log_retention_ms: Option<i64> = "log.retention.ms" => null, High, Any, cluster_wide();

        log_roll_hours: i32 = "log.roll.hours" => "168", High, AtLeast(1);

        log_roll_jitter_hours: i32 = "log.roll.jitter.hours" => "0", High, AtLeast(0);

        log_roll_jitter_ms: Option<i64> = "log.roll.jitter.ms" => null, High, Any, cluster_wide();

        log_roll_ms: Option<i64> = "log.roll.ms" => null, High, Any, cluster_wide();

        log_segment_bytes: i32 = "log.segment.bytes" => "1073741824", High, AtLeast(1_048_576), cluster_wide();

        log_segment_delete_delay_ms: i64 = "log.segment.delete.delay.ms" => "60000", High, AtLeast(0),
            cluster_wide();

        max_decompressed_message_bytes: i32 = "max.decompressed.message.bytes" => "2147483639",
            Medium, Between(1, 2_147_483_639), cluster_wide();

        message_max_bytes: i32 = "message.max.bytes" => "1048588", High, AtLeast(0), cluster_wide();

        min_insync_replicas: i32 = "min.insync.replicas" => "1", High, AtLeast(1), cluster_wide();

        num_recovery_threads_per_data_dir: i32 = "num.recovery.threads.per.data.dir" => "2", High, AtLeast(1),
            cluster_wide();

        unclean_leader_election_enable: bool = "unclean.leader.election.enable" => "false", High, Any,
            cluster_wide();

        unclean_leader_election_interval_ms: i64 = "unclean.leader.election.interval.ms" => "300000",
            Medium, AtLeast(1), internal();
    }
}
