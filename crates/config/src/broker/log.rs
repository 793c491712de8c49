//! Broker keys: the partition logs.

use crate::table::config_table;
use crate::value::{CompressionType, TimestampType};

config_table! {
    /// The partition logs; most of these are defaults for topics.
    LogConfig {
        /// Level of gzip where `compression.type` is gzip, for topics that do not set their own: 1 (fast)
        /// to 9 (small), or -1 for gzip's default.
        compression_gzip_level: i32 = "compression.gzip.level" => "-1", Medium, GzipLevel, cluster_wide();

        /// Level of LZ4 where `compression.type` is lz4, for topics that do not set their own.
        compression_lz4_level: i32 = "compression.lz4.level" => "9", Medium, Between(1, 17), cluster_wide();

        /// How topics that do not set their own keep their batches: compressed by the producer's codec
        /// (`producer`), by the one named, or not at all (`uncompressed`).
        compression_type: CompressionType = "compression.type" => "producer",
            High, OneOf(CompressionType::WORDS), cluster_wide();

        /// Level of Zstandard where `compression.type` is zstd, for topics that do not set their own.
        compression_zstd_level: i32 = "compression.zstd.level" => "3", Medium, Between(-131072, 22),
            cluster_wide();

        /// Log directories that get no new replicas; `*` for all of them.
        cordoned_log_dirs: Vec<String> = "cordoned.log.dirs" => "", Medium, crate::Valid::LIST, per_broker();

        /// Pause of the compactor when nothing needs compaction, in milliseconds.
        log_cleaner_backoff_ms: i64 = "log.cleaner.backoff.ms" => "15000", Medium, AtLeast(0),
            cluster_wide();

        /// Memory for the keys that compaction looks at in one pass, over all its threads, in bytes.
        log_cleaner_dedupe_buffer_size: i64 = "log.cleaner.dedupe.buffer.size" => "134217728", Medium, Any,
            cluster_wide();

        /// How long a tombstone stays readable in a compacted topic that does not set its own, in
        /// milliseconds.
        log_cleaner_delete_retention_ms: i64 = "log.cleaner.delete.retention.ms" => "86400000",
            Medium, AtLeast(0), cluster_wide();

        /// Whether logs are compacted at all. Kafka 4 always does.
        log_cleaner_enable: bool = "log.cleaner.enable" => "true", Medium, Any,
            inert(), deprecated("logs are always compacted where their policy says so");

        /// How full the compactor's table of keys may become, as a part of 1.
        log_cleaner_io_buffer_load_factor: f64 = "log.cleaner.io.buffer.load.factor" => "0.9", Medium, Any,
            cluster_wide();

        /// Memory for the compactor's reads and writes, over all its threads, in bytes.
        log_cleaner_io_buffer_size: i32 = "log.cleaner.io.buffer.size" => "524288", Medium, AtLeast(0),
            cluster_wide();

        /// Most bytes a second that compaction reads and writes together.
        log_cleaner_io_max_bytes_per_second: f64 = "log.cleaner.io.max.bytes.per.second" => "1.7976931348623157E308",
            Medium, Any, cluster_wide();

        /// Longest time that a record may wait for compaction in topics that do not set their own, in
        /// milliseconds.
        log_cleaner_max_compaction_lag_ms: i64 = "log.cleaner.max.compaction.lag.ms" => "9223372036854775807",
            Medium, AtLeast(1), cluster_wide();

        /// Part of a log that must be new since its last compaction before it is compacted again, for
        /// topics that do not set their own.
        log_cleaner_min_cleanable_ratio: f64 = "log.cleaner.min.cleanable.ratio" => "0.5",
            Medium, Between(0, 1), cluster_wide();

        /// Shortest time that a record is safe from compaction in topics that do not set their own, in
        /// milliseconds.
        log_cleaner_min_compaction_lag_ms: i64 = "log.cleaner.min.compaction.lag.ms" => "0", Medium, AtLeast(0),
            cluster_wide();

        /// Threads that compact logs.
        log_cleaner_threads: i32 = "log.cleaner.threads" => "1", Medium, AtLeast(0), cluster_wide();

        /// What happens to old records of topics that do not set their own: `delete` removes old segments,
        /// `compact` keeps the last record of each key; both may be named, or neither.
        log_cleanup_policy: Vec<String> = "log.cleanup.policy" => "delete",
            Medium, Elements { words: &["compact", "delete"], empty: true }, cluster_wide();

        /// The log directories where `log.dirs` is not set.
        log_dir: Vec<String> = "log.dir" => "/tmp/kafka-logs", High, crate::Valid::FILLED_LIST;

        /// How long a broker that lost a log directory may take to tell the controller before it ends, in
        /// milliseconds.
        log_dir_failure_timeout_ms: i64 = "log.dir.failure.timeout.ms" => "30000", Low, AtLeast(1), inert();

        /// Directories that hold the partitions' logs, separated by commas; a new partition goes to the one
        /// with the fewest.
        log_dirs: Option<Vec<String>> = "log.dirs" => null, High, crate::Valid::FILLED_LIST;

        /// A log is synced at the latest when this many records were appended since, for topics that do not
        /// set their own.
        log_flush_interval_messages: i64 = "log.flush.interval.messages" => "9223372036854775807",
            High, AtLeast(1), cluster_wide();

        /// A log is synced at the latest when a record has waited this many milliseconds, for topics that
        /// do not set their own; `log.flush.scheduler.interval.ms` stands in for it.
        log_flush_interval_ms: Option<i64> = "log.flush.interval.ms" => null, High, Any,
            cluster_wide();

        /// How often the offsets up to which logs are known to be synced are written to disk, in
        /// milliseconds; recovery starts there.
        log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms" => "60000",
            High, AtLeast(0);

        /// How often logs are looked at for records that wait for their sync too long, in milliseconds.
        log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms" => "9223372036854775807",
            High, Any;

        /// How often the start offsets of logs are written to disk, in milliseconds.
        log_flush_start_offset_checkpoint_interval_ms: i32 = "log.flush.start.offset.checkpoint.interval.ms" => "60000",
            High, AtLeast(0);

        /// An entry of the offset index is made for every this many bytes of records, in topics that do not
        /// set their own.
        log_index_interval_bytes: i32 = "log.index.interval.bytes" => "4096", Medium, AtLeast(0),
            cluster_wide();

        /// Largest size of an index file, in bytes, in topics that do not set their own; a full index
        /// closes its segment.
        log_index_size_max_bytes: i32 = "log.index.size.max.bytes" => "10485760", Medium, AtLeast(4),
            cluster_wide();

        /// How long after the start retention, checkpoints and the like begin, in milliseconds.
        log_initial_task_delay_ms: i64 = "log.initial.task.delay.ms" => "30000", Low, AtLeast(0),
            inert(), internal();

        /// Bytes of a tiered partition that stay on local disk, for topics that do not set their own; -2
        /// stands for the retention in bytes.
        log_local_retention_bytes: i64 = "log.local.retention.bytes" => "-2", Medium, AtLeast(-2),
            cluster_wide(), inert();

        /// Age up to which records of a tiered partition stay on local disk, in milliseconds, for topics
        /// that do not set their own; -2 stands for the retention in milliseconds.
        log_local_retention_ms: i64 = "log.local.retention.ms" => "-2", Medium, AtLeast(-2),
            cluster_wide(), inert();

        /// How far ahead of the broker's clock a record's timestamp may be, in milliseconds, in topics that
        /// do not set their own; counts with CreateTime only.
        log_message_timestamp_after_max_ms: i64 = "log.message.timestamp.after.max.ms" => "3600000",
            Medium, AtLeast(0), cluster_wide();

        /// How far behind the broker's clock a record's timestamp may be, in milliseconds, in topics that
        /// do not set their own; counts with CreateTime only.
        log_message_timestamp_before_max_ms: i64 = "log.message.timestamp.before.max.ms" => "9223372036854775807",
            Medium, AtLeast(0), cluster_wide();

        /// Whose time stands in records of topics that do not set their own: the producer's (`CreateTime`)
        /// or the broker's at the append (`LogAppendTime`).
        log_message_timestamp_type: TimestampType = "log.message.timestamp.type" => "CreateTime",
            Medium, OneOf(TimestampType::WORDS), cluster_wide();

        /// Whether the file of a new segment gets its full size at once, in topics that do not set their
        /// own.
        log_preallocate: bool = "log.preallocate" => "false", Medium, Any, cluster_wide(), inert();

        /// Bytes that may follow a closed segment before it is copied to remote storage, for topics that do
        /// not set their own; -1 leaves it to the local retention.
        log_remote_copy_lag_bytes: i64 = "log.remote.copy.lag.bytes" => "-1", Medium, AtLeast(-1),
            cluster_wide(), inert();

        /// Age of a closed segment before it is copied to remote storage, in milliseconds, for topics that
        /// do not set their own; 0 copies at once, -1 leaves it to the local retention.
        log_remote_copy_lag_ms: i64 = "log.remote.copy.lag.ms" => "0", Medium, AtLeast(-1),
            cluster_wide(), inert();

        /// Bytes that a partition of a topic with no limit of its own keeps before old segments are
        /// removed; -1 for no limit.
        log_retention_bytes: i64 = "log.retention.bytes" => "-1", High, Any, cluster_wide();

        /// How often logs are looked at for segments to remove, in milliseconds.
        log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms" => "300000",
            Medium, AtLeast(1);

        /// Age in hours after which segments are removed; `log.retention.minutes` and `log.retention.ms` go
        /// before it. Below 0 for never.
        log_retention_hours: i32 = "log.retention.hours" => "168", High, Any;

        /// Age in minutes after which segments are removed; `log.retention.ms` goes before it,
        /// `log.retention.hours` after.
        log_retention_minutes: Option<i32> = "log.retention.minutes" => null, High, Any;

        /// Age in milliseconds after which segments of topics that do not set their own are removed; -1 for
        /// never.
        log_retention_ms: Option<i64> = "log.retention.ms" => null, High, Any, cluster_wide();

        /// Age in hours at which a segment is closed; `log.roll.ms` goes before it.
        log_roll_hours: i32 = "log.roll.hours" => "168", High, AtLeast(1);

        /// Most hours by which a segment is closed early, at random; `log.roll.jitter.ms` goes before it.
        log_roll_jitter_hours: i32 = "log.roll.jitter.hours" => "0", High, AtLeast(0);

        /// Most milliseconds by which a segment is closed early, at random, so that segments of many
        /// partitions do not close at once; for topics that do not set their own.
        log_roll_jitter_ms: Option<i64> = "log.roll.jitter.ms" => null, High, Any, cluster_wide();

        /// Age in milliseconds at which a segment is closed in topics that do not set their own.
        log_roll_ms: Option<i64> = "log.roll.ms" => null, High, Any, cluster_wide();

        /// Size in bytes at which a segment is closed in topics that do not set their own.
        log_segment_bytes: i32 = "log.segment.bytes" => "1073741824", High, AtLeast(1_048_576), cluster_wide();

        /// How long the files of a removed segment stay on disk under another name, in milliseconds, in
        /// topics that do not set their own.
        log_segment_delete_delay_ms: i64 = "log.segment.delete.delay.ms" => "60000", High, AtLeast(0),
            cluster_wide();

        /// Most bytes that the broker unpacks from one compressed batch, in topics that do not set their
        /// own; a batch with more is refused.
        max_decompressed_message_bytes: i32 = "max.decompressed.message.bytes" => "2147483639",
            Medium, Between(1, 2_147_483_639), cluster_wide();

        /// Largest batch that topics without a limit of their own take, in bytes as it was sent.
        message_max_bytes: i32 = "message.max.bytes" => "1048588", High, AtLeast(0), cluster_wide();

        /// How many in-sync replicas, the leader among them, must have a record before a produce with
        /// acks=all succeeds, in topics that do not set their own.
        min_insync_replicas: i32 = "min.insync.replicas" => "1", High, AtLeast(1), cluster_wide();

        /// Threads that recover the logs of one log directory at start and flush them at stop.
        num_recovery_threads_per_data_dir: i32 = "num.recovery.threads.per.data.dir" => "2", High, AtLeast(1),
            cluster_wide();

        /// Whether a replica that is not in sync may become leader when no other is left, in topics that do
        /// not set their own. Records are lost then.
        unclean_leader_election_enable: bool = "unclean.leader.election.enable" => "false", High, Any,
            cluster_wide();

        /// How often partitions without a leader are looked at for such an election, in milliseconds.
        unclean_leader_election_interval_ms: i64 = "unclean.leader.election.interval.ms" => "300000",
            Medium, AtLeast(1), internal();
    }
}
