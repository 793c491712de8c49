//! Topic keys.

use crate::key::{hours, minutes, same};
use crate::table::config_table;
use crate::value::{CompressionType, Durability, TimestampType};

config_table! {
    /// A topic.
    TopicConfig {
        /// What happens to old records: `delete` removes old segments by age and size, `compact` keeps the
        /// last record of each key; both may be named, or neither.
        cleanup_policy: Vec<String> = "cleanup.policy" => "delete",
            Medium, Elements { words: &["compact", "delete"], empty: true }, synonyms(&[same("log.cleanup.policy")]);

        /// Level of gzip where `compression.type` is gzip: 1 (fast) to 9 (small), or -1 for gzip's default.
        compression_gzip_level: i32 = "compression.gzip.level" => "-1", Medium, GzipLevel,
            synonyms(&[same("compression.gzip.level")]);

        /// Level of LZ4 where `compression.type` is lz4.
        compression_lz4_level: i32 = "compression.lz4.level" => "9", Medium, Between(1, 17),
            synonyms(&[same("compression.lz4.level")]);

        /// How batches are kept: compressed by the producer's codec (`producer`), by the one named, or not
        /// at all (`uncompressed`).
        compression_type: CompressionType = "compression.type" => "producer",
            Medium, OneOf(CompressionType::WORDS), synonyms(&[same("compression.type")]);

        /// Level of Zstandard where `compression.type` is zstd.
        compression_zstd_level: i32 = "compression.zstd.level" => "3", Medium, Between(-131072, 22),
            synonyms(&[same("compression.zstd.level")]);

        /// How long a tombstone stays readable after compaction reached it, in milliseconds; a consumer
        /// that starts at the beginning must come this far in this time to see every deletion.
        delete_retention_ms: i64 = "delete.retention.ms" => "86400000", Medium, AtLeast(0),
            synonyms(&[same("log.cleaner.delete.retention.ms")]);

        /// Whether share groups may write records that they gave up to this topic.
        errors_deadletterqueue_group_enable: bool = "errors.deadletterqueue.group.enable" => "false",
            Medium, Any, inert();

        /// How long the files of a removed segment stay on disk under another name, in milliseconds.
        file_delete_delay_ms: i64 = "file.delete.delay.ms" => "60000", Medium, AtLeast(0),
            synonyms(&[same("log.segment.delete.delay.ms")]);

        /// The log is synced at the latest when this many records were appended since.
        flush_messages: i64 = "flush.messages" => "9223372036854775807", Medium, AtLeast(1),
            synonyms(&[same("log.flush.interval.messages")]);

        /// The log is synced at the latest when a record has waited this many milliseconds.
        flush_ms: i64 = "flush.ms" => "9223372036854775807", Medium, AtLeast(0),
            synonyms(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]);

        /// Replicas whose fetching is throttled: `partition:broker`, separated by commas, or `*` for all.
        follower_replication_throttled_replicas: Vec<String> = "follower.replication.throttled.replicas" => "",
            Medium, ThrottledReplicas, inert();

        /// An entry of the offset index is made for every this many bytes of records.
        index_interval_bytes: i32 = "index.interval.bytes" => "4096", Medium, AtLeast(0),
            synonyms(&[same("log.index.interval.bytes")]);

        /// Size at which a segment is closed, in bytes, without a lower limit; for tests.
        internal_segment_bytes: Option<i32> = "internal.segment.bytes" => null, Medium, Any, internal();

        /// What an acknowledgement of this topic promises: with `synced` a record counts as written once
        /// the disk has it, with `page-cache` once the operating system has it, and a power cut may lose
        /// the last seconds.
        klamm_durability: Durability = "klamm.durability" => "synced", Medium, OneOf(Durability::WORDS),
            synonyms(&[same("klamm.durability")]);

        /// Replicas to which the leader hands out records throttled: `partition:broker`, separated by
        /// commas, or `*` for all.
        leader_replication_throttled_replicas: Vec<String> = "leader.replication.throttled.replicas" => "",
            Medium, ThrottledReplicas, inert();

        /// Bytes of a tiered partition that stay on local disk; -2 stands for `retention.bytes`.
        local_retention_bytes: i64 = "local.retention.bytes" => "-2", Medium, AtLeast(-2),
            synonyms(&[same("log.local.retention.bytes")]), inert();

        /// Age up to which records of a tiered partition stay on local disk, in milliseconds; -2 stands for
        /// `retention.ms`.
        local_retention_ms: i64 = "local.retention.ms" => "-2", Medium, AtLeast(-2),
            synonyms(&[same("log.local.retention.ms")]), inert();

        /// Longest time that a record may wait for compaction, in milliseconds.
        max_compaction_lag_ms: i64 = "max.compaction.lag.ms" => "9223372036854775807", Medium, AtLeast(1),
            synonyms(&[same("log.cleaner.max.compaction.lag.ms")]);

        /// Most bytes that the broker unpacks from one compressed batch; a batch with more is refused.
        max_decompressed_message_bytes: i32 = "max.decompressed.message.bytes" => "2147483639",
            Medium, Between(1, 2_147_483_639), synonyms(&[same("max.decompressed.message.bytes")]);

        /// Largest batch that is taken, in bytes as it was sent, or as it is kept where the broker
        /// compresses it anew.
        max_message_bytes: i32 = "max.message.bytes" => "1048588", Medium, AtLeast(0),
            synonyms(&[same("message.max.bytes")]);

        /// How far ahead of the broker's clock a record's timestamp may be, in milliseconds; counts with
        /// CreateTime only.
        message_timestamp_after_max_ms: i64 = "message.timestamp.after.max.ms" => "3600000", Medium, AtLeast(0),
            synonyms(&[same("log.message.timestamp.after.max.ms")]);

        /// How far behind the broker's clock a record's timestamp may be, in milliseconds; counts with
        /// CreateTime only.
        message_timestamp_before_max_ms: i64 = "message.timestamp.before.max.ms" => "9223372036854775807",
            Medium, AtLeast(0), synonyms(&[same("log.message.timestamp.before.max.ms")]);

        /// Whose time stands in records: the producer's (`CreateTime`) or the broker's at the append
        /// (`LogAppendTime`).
        message_timestamp_type: TimestampType = "message.timestamp.type" => "CreateTime",
            Medium, OneOf(TimestampType::WORDS), synonyms(&[same("log.message.timestamp.type")]);

        /// Part of the log that must be new since its last compaction before it is compacted again.
        min_cleanable_dirty_ratio: f64 = "min.cleanable.dirty.ratio" => "0.5", Medium, Between(0, 1),
            synonyms(&[same("log.cleaner.min.cleanable.ratio")]);

        /// Shortest time that a record is safe from compaction, in milliseconds.
        min_compaction_lag_ms: i64 = "min.compaction.lag.ms" => "0", Medium, AtLeast(0),
            synonyms(&[same("log.cleaner.min.compaction.lag.ms")]);

        /// How many in-sync replicas, the leader among them, must have a record before a produce with
        /// acks=all succeeds.
        min_insync_replicas: i32 = "min.insync.replicas" => "1", Medium, AtLeast(1),
            synonyms(&[same("min.insync.replicas")]);

        /// Whether the file of a new segment gets its full size at once.
        preallocate: bool = "preallocate" => "false", Medium, Any,
            synonyms(&[same("log.preallocate")]), inert();

        /// Bytes that may follow a closed segment before it is copied to remote storage; -1 leaves it to
        /// the local retention.
        remote_copy_lag_bytes: i64 = "remote.copy.lag.bytes" => "-1", Medium, AtLeast(-1),
            synonyms(&[same("log.remote.copy.lag.bytes")]), inert();

        /// Age of a closed segment before it is copied to remote storage, in milliseconds; 0 copies at
        /// once, -1 leaves it to the local retention.
        remote_copy_lag_ms: i64 = "remote.copy.lag.ms" => "0", Medium, AtLeast(-1),
            synonyms(&[same("log.remote.copy.lag.ms")]), inert();

        /// Whether a tiered topic stops copying to remote storage, while what is there stays readable.
        remote_log_copy_disable: bool = "remote.log.copy.disable" => "false", Medium, Any, inert();

        /// Whether a topic's segments in remote storage are deleted when its tiering is turned off.
        remote_log_delete_on_disable: bool = "remote.log.delete.on.disable" => "false", Medium, Any, inert();

        /// Whether segments are kept in remote storage.
        remote_storage_enable: bool = "remote.storage.enable" => "false", Medium, Any, inert();

        /// Bytes that each partition keeps before old segments are removed; -1 for no limit.
        retention_bytes: i64 = "retention.bytes" => "-1", Medium, Any,
            synonyms(&[same("log.retention.bytes")]);

        /// Age in milliseconds after which segments are removed; -1 for never.
        retention_ms: i64 = "retention.ms" => "604800000", Medium, AtLeast(-1),
            synonyms(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")]);

        /// Size in bytes at which a segment is closed.
        segment_bytes: i32 = "segment.bytes" => "1073741824", Medium, AtLeast(1_048_576),
            synonyms(&[same("log.segment.bytes")]);

        /// Largest size of an index file, in bytes; a full index closes its segment.
        segment_index_bytes: i32 = "segment.index.bytes" => "10485760", Medium, AtLeast(4),
            synonyms(&[same("log.index.size.max.bytes")]);

        /// Most milliseconds by which a segment is closed early, at random, so that segments of many
        /// partitions do not close at once.
        segment_jitter_ms: i64 = "segment.jitter.ms" => "0", Medium, AtLeast(0),
            synonyms(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]);

        /// Age in milliseconds at which a segment is closed.
        segment_ms: i64 = "segment.ms" => "604800000", Medium, AtLeast(1),
            synonyms(&[same("log.roll.ms"), hours("log.roll.hours")]);

        /// Whether a replica that is not in sync may become leader when no other is left. Records are lost
        /// then.
        unclean_leader_election_enable: bool = "unclean.leader.election.enable" => "false", Medium, Any,
            synonyms(&[same("unclean.leader.election.enable")]);
    }
}
