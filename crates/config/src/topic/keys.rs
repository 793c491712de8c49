//!

use crate::key::{hours, minutes, same};
use crate::table::config_table;
use crate::value::{CompressionType, Durability, TimestampType};

config_table! {
    /// A topic.
    TopicConfig {
        cleanup_policy: Vec<String> = "cleanup.policy" => "delete",
            Medium, Elements { words: &["compact", "delete"], empty: true }, synonyms(&[same("log.cleanup.policy")]);

        compression_gzip_level: i32 = "compression.gzip.level" => "-1", Medium, GzipLevel,
            synonyms(&[same("compression.gzip.level")]);

        compression_lz4_level: i32 = "compression.lz4.level" => "9", Medium, Between(1, 17),
            synonyms(&[same("compression.lz4.level")]);

        compression_type: CompressionType = "compression.type" => "producer",
            Medium, OneOf(CompressionType::WORDS), synonyms(&[same("compression.type")]);

        compression_zstd_level: i32 = "compression.zstd.level" => "3", Medium, Between(-131072, 22),
            synonyms(&[same("compression.zstd.level")]);

        delete_retention_ms: i64 = "delete.retention.ms" => "86400000", Medium, AtLeast(0),
            synonyms(&[same("log.cleaner.delete.retention.ms")]);

        errors_deadletterqueue_group_enable: bool = "errors.deadletterqueue.group.enable" => "false",
            Medium, Any;

        file_delete_delay_ms: i64 = "file.delete.delay.ms" => "60000", Medium, AtLeast(0),
            synonyms(&[same("log.segment.delete.delay.ms")]);

        flush_messages: i64 = "flush.messages" => "9223372036854775807", Medium, AtLeast(1),
            synonyms(&[same("log.flush.interval.messages")]);

        flush_ms: i64 = "flush.ms" => "9223372036854775807", Medium, AtLeast(0),
            synonyms(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]);

        follower_replication_throttled_replicas: Vec<String> = "follower.replication.throttled.replicas" => "",
            Medium, ThrottledReplicas;

        index_interval_bytes: i32 = "index.interval.bytes" => "4096", Medium, AtLeast(0),
            synonyms(&[same("log.index.interval.bytes")]);

        internal_segment_bytes: Option<i32> = "internal.segment.bytes" => null, Medium, Any, internal();

        klamm_durability: Durability = "klamm.durability" => "synced", Medium, OneOf(Durability::WORDS),
            synonyms(&[same("klamm.durability")]);

        leader_replication_throttled_replicas: Vec<String> = "leader.replication.throttled.replicas" => "",
            Medium, ThrottledReplicas;

        local_retention_bytes: i64 = "local.retention.bytes" => "-2", Medium, AtLeast(-2),
            synonyms(&[same("log.local.retention.bytes")]);

        local_retention_ms: i64 = "local.retention.ms" => "-2", Medium, AtLeast(-2),
            synonyms(&[same("log.local.retention.ms")]);

        max_compaction_lag_ms: i64 = "max.compaction.lag.ms" => "9223372036854775807", Medium, AtLeast(1),
            synonyms(&[same("log.cleaner.max.compaction.lag.ms")]);

        max_decompressed_message_bytes: i32 = "max.decompressed.message.bytes" => "2147483639",
            Medium, Between(1, 2_147_483_639), synonyms(&[same("max.decompressed.message.bytes")]);

        max_message_bytes: i32 = "max.message.bytes" => "1048588", Medium, AtLeast(0),
            synonyms(&[same("message.max.bytes")]);

        message_timestamp_after_max_ms: i64 = "message.timestamp.after.max.ms" => "3600000", Medium, AtLeast(0),
            synonyms(&[same("log.message.timestamp.after.max.ms")]);

        message_timestamp_before_max_ms: i64 = "message.timestamp.before.max.ms" => "9223372036854775807",
            Medium, AtLeast(0), synonyms(&[same("log.message.timestamp.before.max.ms")]);

        message_timestamp_type: TimestampType = "message.timestamp.type" => "CreateTime",
            Medium, OneOf(TimestampType::WORDS), synonyms(&[same("log.message.timestamp.type")]);

        min_cleanable_dirty_ratio: f64 = "min.cleanable.dirty.ratio" => "0.5", Medium, Between(0, 1),
            synonyms(&[same("log.cleaner.min.cleanable.ratio")]);

        min_compaction_lag_ms: i64 = "min.compaction.lag.ms" => "0", Medium, AtLeast(0),
            synonyms(&[same("log.cleaner.min.compaction.lag.ms")]);

        min_insync_replicas: i32 = "min.insync.replicas" => "1", Medium, AtLeast(1),
            synonyms(&[same("min.insync.replicas")]);

        preallocate: bool = "preallocate" => "false", Medium, Any, synonyms(&[same("log.preallocate")]);

        remote_copy_lag_bytes: i64 = "remote.copy.lag.bytes" => "-1", Medium, AtLeast(-1),
            synonyms(&[same("log.remote.copy.lag.bytes")]);

        remote_copy_lag_ms: i64 = "remote.copy.lag.ms" => "0", Medium, AtLeast(-1),
            synonyms(&[same("log.remote.copy.lag.ms")]);

        remote_log_copy_disable: bool = "remote.log.copy.disable" => "false", Medium, Any;

        remote_log_delete_on_disable: bool = "remote.log.delete.on.disable" => "false", Medium, Any;

        remote_storage_enable: bool = "remote.storage.enable" => "false", Medium, Any;

        retention_bytes: i64 = "retention.bytes" => "-1", Medium, Any, synonyms(&[same("log.retention.bytes")]);

        retention_ms: i64 = "retention.ms" => "604800000", Medium, AtLeast(-1),
            synonyms(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")]);

        segment_bytes: i32 = "segment.bytes" => "1073741824", Medium, AtLeast(1_048_576),
            synonyms(&[same("log.segment.bytes")]);

        segment_index_bytes: i32 = "segment.index.bytes" => "10485760", Medium, AtLeast(4),
            synonyms(&[same("log.index.size.max.bytes")]);

        segment_jitter_ms: i64 = "segment.jitter.ms" => "0", Medium, AtLeast(0),
            synonyms(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]);

        segment_ms: i64 = "segment.ms" => "604800000", Medium, AtLeast(1),
            synonyms(&[same("log.roll.ms"), hours("log.roll.hours")]);

        unclean_leader_election_enable: bool = "unclean.leader.election.enable" => "false", Medium, Any,
            synonyms(&[same("unclean.leader.election.enable")]);
    }
}
