//! The names of files and directories in a log directory, Kafka's to the letter.

use std::path::{Path, PathBuf};

/// Lock of a log directory, held while a process uses it.
pub const LOCK_FILE: &str = ".lock";
/// Identity of a log directory.
pub const META_PROPERTIES_FILE: &str = "meta.properties";
/// Present only between a clean stop and the next start.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
/// Offsets up to which each log is known to be on disk.
pub const RECOVERY_POINT_CHECKPOINT_FILE: &str = "recovery-point-offset-checkpoint";
/// High watermarks.
pub const HIGH_WATERMARK_CHECKPOINT_FILE: &str = "replication-offset-checkpoint";
/// Log start offsets that are not the base offset of the first segment.
pub const LOG_START_OFFSET_CHECKPOINT_FILE: &str = "log-start-offset-checkpoint";
/// Offsets up to which each compacted log has been cleaned.
pub const CLEANER_OFFSET_CHECKPOINT_FILE: &str = "cleaner-offset-checkpoint";
/// Leader epochs of one log.
pub const LEADER_EPOCH_CHECKPOINT_FILE: &str = "leader-epoch-checkpoint";
/// Topic id of one log.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";
/// Pieces of segments that are not synced; a plain file, which Apache Kafka passes over.
pub const JOURNAL_FILE: &str = ".klamm-journal";
/// Space kept for writes that must not fail; a plain file likewise.
pub const RESERVE_FILE: &str = ".klamm-reserve";
/// The topic whose single partition is the metadata log.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Suffix of a file that waits for its deletion.
pub const DELETED_SUFFIX: &str = ".deleted";
/// Suffix of a file that holds what can be no part of its log; Kafka ignores it, too.
pub const QUARANTINED_SUFFIX: &str = ".quarantined";
/// Suffix of a file not yet complete.
const TEMPORARY_SUFFIX: &str = ".tmp";
const DELETE_DIRECTORY_SUFFIX: &str = "-delete";
const FUTURE_DIRECTORY_SUFFIX: &str = "-future";
const STRAY_DIRECTORY_SUFFIX: &str = "-stray";
/// Longest name a file system takes.
const NAME_BYTES_MAX: usize = 255;
/// Directories Kafka keeps beside the partitions.
const REMOTE_INDEX_CACHE_DIRECTORY: &str = "remote-log-index-cache";

/// The kinds of file that belong to an offset: segment, its indexes, producer snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFileKind {
    /// Record batches.
    Log,
    /// Offset to position.
    OffsetIndex,
    /// Timestamp to offset.
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// Producer state before the offset in the name.
    ProducerSnapshot,
}

impl LogFileKind {
    /// The kinds that a segment consists of, its record batches last, so that a deletion cut short leaves a
    /// segment whose indexes can be rebuilt.
    pub const OF_SEGMENT: [LogFileKind; 4] =
        [LogFileKind::OffsetIndex, LogFileKind::TimeIndex, LogFileKind::TransactionIndex, LogFileKind::Log];

    /// The suffix, dot included.
    pub fn suffix(self) -> &'static str {
        match self {
            LogFileKind::Log => ".log",
            LogFileKind::OffsetIndex => ".index",
            LogFileKind::TimeIndex => ".timeindex",
            LogFileKind::TransactionIndex => ".txnindex",
            LogFileKind::ProducerSnapshot => ".snapshot",
        }
    }
}

/// How far a segment that compaction writes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentStage {
    /// Not complete: of no use after a crash.
    Cleaned,
    /// Complete and durable: takes the place of the segments whose offsets it covers, after a crash, too.
    Swap,
}

impl SegmentStage {
    /// The suffix behind that of the file's kind, dot included.
    pub fn suffix(self) -> &'static str {
        match self {
            SegmentStage::Cleaned => ".cleaned",
            SegmentStage::Swap => ".swap",
        }
    }
}

/// Name of the file of `kind` for `offset`: twenty digits and the suffix.
pub fn log_file_name(offset: i64, kind: LogFileKind) -> String {
    format!("{offset:020}{}", kind.suffix())
}

/// What a name in a partition's directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionFile {
    /// A file that belongs to an offset.
    Log(i64, LogFileKind),
    /// A file of a segment that compaction has written.
    Staged(i64, LogFileKind, SegmentStage),
    /// Left over from something that did not finish; may be removed at start.
    Leftover,
    /// Anything else.
    Other,
}

/// Reads a name in a partition's directory.
pub fn parse_partition_file(name: &str) -> PartitionFile {
    if let Some(unfinished) = name.strip_suffix(DELETED_SUFFIX).or(name.strip_suffix(TEMPORARY_SUFFIX)) {
        // The metadata log keeps snapshots of its own here, in every stage of their life.
        let is_ours = matches!(parse_partition_file(unfinished), PartitionFile::Log(..))
            || unfinished == LEADER_EPOCH_CHECKPOINT_FILE
            || unfinished == PARTITION_METADATA_FILE;
        return if is_ours { PartitionFile::Leftover } else { PartitionFile::Other };
    }
    for stage in [SegmentStage::Cleaned, SegmentStage::Swap] {
        if let Some(live) = name.strip_suffix(stage.suffix()) {
            return match parse_partition_file(live) {
                PartitionFile::Log(offset, kind) => PartitionFile::Staged(offset, kind, stage),
                _ => PartitionFile::Other,
            };
        }
    }
    let Some(dot) = name.find('.') else { return PartitionFile::Other };
    let (digits, suffix) = name.split_at(dot);
    let kinds = [LogFileKind::ProducerSnapshot].into_iter().chain(LogFileKind::OF_SEGMENT);
    let kind = kinds.into_iter().find(|kind| kind.suffix() == suffix);
    let offset = if digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse::<i64>().ok()
    } else {
        None
    };
    match (offset, kind) {
        (Some(offset), Some(kind)) => PartitionFile::Log(offset, kind),
        _ => PartitionFile::Other,
    }
}

/// What a directory inside a log directory stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionDirectory {
    /// The log of a topic partition.
    Log {
        /// Topic.
        topic: String,
        /// Partition index.
        partition: i32,
    },
    /// Renamed for deletion.
    Deleting,
    /// A replica on its way here from another directory.
    Future,
    /// Found without a place in the metadata and set aside.
    Stray,
    /// Not a partition's.
    Foreign,
}

/// Name of the directory of a topic partition.
pub fn partition_directory_name(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Reads the name of a directory inside a log directory.
pub fn parse_partition_directory(name: &str) -> PartitionDirectory {
    if name == REMOTE_INDEX_CACHE_DIRECTORY {
        return PartitionDirectory::Foreign;
    }
    for (suffix, meaning) in [
        (DELETE_DIRECTORY_SUFFIX, PartitionDirectory::Deleting),
        (FUTURE_DIRECTORY_SUFFIX, PartitionDirectory::Future),
        (STRAY_DIRECTORY_SUFFIX, PartitionDirectory::Stray),
    ] {
        let marked = name.strip_suffix(suffix).and_then(|rest| rest.rsplit_once('.'));
        if marked.is_some_and(|(log, unique)| log.contains('-') && !unique.is_empty()) {
            return meaning;
        }
    }
    match name.rsplit_once('-') {
        Some((topic, digits)) if !topic.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            match digits.parse() {
                Ok(partition) => PartitionDirectory::Log { topic: topic.to_owned(), partition },
                Err(_) => PartitionDirectory::Foreign,
            }
        }
        _ => PartitionDirectory::Foreign,
    }
}

/// Name that marks a partition's directory for deletion; long topic names are cut as Kafka cuts them.
pub fn deleting_directory_name(topic: &str, partition: i32, unique: u128) -> String {
    marked_directory_name(topic, partition, unique, DELETE_DIRECTORY_SUFFIX)
}

/// Name of the directory of a log on its way to another log directory.
pub fn future_directory_name(topic: &str, partition: i32, unique: u128) -> String {
    marked_directory_name(topic, partition, unique, FUTURE_DIRECTORY_SUFFIX)
}

/// Topic and partition of such a directory.
pub fn parse_future_directory(name: &str) -> Option<(String, i32)> {
    let (log, _) = name.strip_suffix(FUTURE_DIRECTORY_SUFFIX)?.rsplit_once('.')?;
    match parse_partition_directory(log) {
        PartitionDirectory::Log { topic, partition } => Some((topic, partition)),
        _ => None,
    }
}

/// Name that sets a partition's directory aside because the metadata has no place for it.
pub fn stray_directory_name(topic: &str, partition: i32, unique: u128) -> String {
    marked_directory_name(topic, partition, unique, STRAY_DIRECTORY_SUFFIX)
}

fn marked_directory_name(topic: &str, partition: i32, unique: u128, mark: &str) -> String {
    let suffix = format!("-{partition}.{unique:032x}{mark}");
    let kept = topic.len().min(NAME_BYTES_MAX.saturating_sub(suffix.len()));
    let kept = (0..=kept).rev().find(|end| topic.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{suffix}", &topic[..kept])
}

/// Path of the file of `kind` for `offset` in a partition's directory.
pub fn log_file_path(partition_directory: &Path, offset: i64, kind: LogFileKind) -> PathBuf {
    partition_directory.join(log_file_name(offset, kind))
}

/// Path of such a file while compaction has it at `stage`.
pub fn staged_path(
    partition_directory: &Path,
    offset: i64,
    kind: LogFileKind,
    stage: SegmentStage,
) -> PathBuf {
    partition_directory.join(format!("{}{}", log_file_name(offset, kind), stage.suffix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(log_file_name(42, LogFileKind::Log), "00000000000000000042.log");
        assert_eq!(log_file_name(i64::MAX, LogFileKind::TimeIndex), "09223372036854775807.timeindex");
        let parse = parse_partition_file;
        assert_eq!(
            parse("00000000000000000042.txnindex"),
            PartitionFile::Log(42, LogFileKind::TransactionIndex)
        );
        assert_eq!(parse("00000000000000000042.log.deleted"), PartitionFile::Leftover);
        assert_eq!(parse("leader-epoch-checkpoint.tmp"), PartitionFile::Leftover);
        let staged = |kind, stage| PartitionFile::Staged(42, kind, stage);
        assert_eq!(
            parse("00000000000000000042.log.cleaned"),
            staged(LogFileKind::Log, SegmentStage::Cleaned)
        );
        assert_eq!(
            parse("00000000000000000042.timeindex.swap"),
            staged(LogFileKind::TimeIndex, SegmentStage::Swap)
        );
        assert_eq!(parse("leader-epoch-checkpoint.swap"), PartitionFile::Other);
        assert_eq!(parse("leader-epoch-checkpoint"), PartitionFile::Other);
        assert_eq!(parse("00000000000000000007-0000000001.checkpoint.deleted"), PartitionFile::Other);
        assert_eq!(parse("quorum-state.tmp"), PartitionFile::Other);
        assert_eq!(parse("42.log"), PartitionFile::Other);
        assert_eq!(parse("99999999999999999999.log"), PartitionFile::Other);
        assert_eq!(parse("0000000000000000004é.log"), PartitionFile::Other);
    }

    #[test]
    fn directories_are_told_apart() {
        let log = |topic: &str, partition| PartitionDirectory::Log { topic: topic.to_owned(), partition };
        assert_eq!(parse_partition_directory("a-b-12"), log("a-b", 12));
        assert_eq!(parse_partition_directory("__consumer_offsets-0"), log("__consumer_offsets", 0));
        assert_eq!(parse_partition_directory("t-0.0123456789abcdef-delete"), PartitionDirectory::Deleting);
        assert_eq!(parse_partition_directory("t-0.0123456789abcdef-future"), PartitionDirectory::Future);
        assert_eq!(parse_partition_directory("t-0.0123456789abcdef-stray"), PartitionDirectory::Stray);
        for foreign in ["lost+found", "remote-log-index-cache", "t-", "-1", "t-99999999999", "x"] {
            assert_eq!(parse_partition_directory(foreign), PartitionDirectory::Foreign, "{foreign}");
        }
        let future = future_directory_name("a.b-c", 7, 5);
        assert_eq!(parse_partition_directory(&future), PartitionDirectory::Future);
        assert_eq!(parse_future_directory(&future), Some(("a.b-c".to_owned(), 7)));
        assert_eq!(parse_future_directory("a-0"), None);
        let long = "t".repeat(249);
        let name = deleting_directory_name(&long, 100, 7);
        assert_eq!(name.len(), 255);
        assert_eq!(parse_partition_directory(&name), PartitionDirectory::Deleting);
    }
}
