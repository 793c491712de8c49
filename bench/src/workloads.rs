//! The loads that both servers take, what of them counts, and what is to be reached.

/// One load, and the figure that counts.
pub struct Workload {
    /// What the row is called.
    pub name: &'static str,
    /// For `bench load`, behind which address, topic and time follow.
    pub arguments: &'static [&'static str],
    /// Which figures become rows.
    pub measure: Measure,
    /// Of the topic.
    pub partitions: i32,
    /// Whether the floor program takes it, too.
    pub has_floor: bool,
}

/// What of a load's outcome becomes a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// CPU seconds of the server per GB.
    CpuPerGigabyte,
    /// The same, and CPU microseconds per thousand records.
    CpuPerRecord,
    /// CPU microseconds of the server per request.
    CpuPerRequest,
    /// CPU microseconds of the server per topic.
    CpuPerTopic,
    /// The three percentiles, and CPU seconds of the server per GB.
    Latency,
}

const UNBATCHED: [&str; 7] = ["produce", "--batch-bytes", "1", "--record-bytes", "100", "--depth", "1"];

const fn unbatched(connections: &'static str) -> [&'static str; 9] {
    let [kind, batch, one, record, hundred, depth, once] = UNBATCHED;
    [kind, batch, one, record, hundred, depth, once, "--connections", connections]
}

const fn workload(name: &'static str, arguments: &'static [&'static str], measure: Measure) -> Workload {
    Workload { name, arguments, measure, partitions: 1, has_floor: true }
}

/// In the order in which they are run.
pub const WORKLOADS: &[Workload] = &[
    workload(
        "produce 64 KiB batches, acks=1",
        &["produce", "--batch-bytes", "65536"],
        Measure::CpuPerGigabyte,
    ),
    workload(
        "produce 16 KiB batches, acks=1",
        &["produce", "--batch-bytes", "16384"],
        Measure::CpuPerGigabyte,
    ),
    workload(
        "produce 16 KiB batches, acks=all",
        &["produce", "--batch-bytes", "16384", "--acks=-1"],
        Measure::CpuPerGigabyte,
    ),
    workload(
        "produce 100-byte records in 16 KiB batches",
        &["produce", "--batch-bytes", "16384", "--record-bytes", "100"],
        Measure::CpuPerRecord,
    ),
    Workload {
        partitions: 100,
        ..workload(
            "produce, 200 connections to 100 partitions, 4 KiB batches",
            &[
                "produce",
                "--batch-bytes",
                "4096",
                "--connections",
                "200",
                "--depth",
                "1",
                "--partitions",
                "100",
            ],
            Measure::CpuPerGigabyte,
        )
    },
    workload("fetch 1 MiB", &["fetch", "--batch-bytes", "1048576"], Measure::CpuPerGigabyte),
    workload("fetch 64 KiB", &["fetch", "--batch-bytes", "65536"], Measure::CpuPerGigabyte),
    workload("one 100-byte record, 1 connection", &unbatched("1"), Measure::CpuPerRequest),
    workload("one 100-byte record, 16 connections", &unbatched("16"), Measure::CpuPerRequest),
    workload("one 100-byte record, 256 connections", &unbatched("256"), Measure::CpuPerRequest),
    workload(
        "20 MB/s open loop, 16 KiB batches, acks=1",
        &["open-loop", "--batch-bytes", "16384"],
        Measure::Latency,
    ),
    workload(
        "20 MB/s open loop, 16 KiB batches, acks=all",
        &["open-loop", "--batch-bytes", "16384", "--acks=-1"],
        Measure::Latency,
    ),
    Workload {
        has_floor: false,
        ..workload(
            "20 MB/s open loop, producer to consumer",
            &["open-loop", "--batch-bytes", "16384", "--end-to-end"],
            Measure::Latency,
        )
    },
    Workload {
        has_floor: false,
        ..workload(
            "5 MB/s to 5 consumers",
            &["open-loop", "--bytes-per-second", "5000000", "--consumers", "5"],
            Measure::CpuPerGigabyte,
        )
    },
    Workload {
        has_floor: false,
        ..workload(
            "5 MB/s to 50 consumers",
            &["open-loop", "--bytes-per-second", "5000000", "--consumers", "50"],
            Measure::CpuPerGigabyte,
        )
    },
    Workload {
        has_floor: false,
        ..workload(
            "create topics, 100 a request",
            &["create-topics", "--count", "2000"],
            Measure::CpuPerTopic,
        )
    },
    Workload {
        has_floor: false,
        ..workload("metadata of all topics (2,000 and more)", &["metadata"], Measure::CpuPerTopic)
    },
];

/// What each kind of row is to reach: a part of its name, and Klamm's share of Apache Kafka's figure as one in so many: first for
/// a single node that works, then for one that is fast.
const GOALS: &[(&str, &[u32])] = &[
    ("start to", &[50]),
    ("memory after all", &[20]),
    ("producer to consumer", &[]),
    (", p50", &[3]),
    ("acks=1, p99.9", &[8]),
    ("acks=1, p99", &[3, 6]),
    ("acks=all, p99", &[]),
    ("open loop", &[]),
    ("one 100-byte record, 1 connection", &[3]),
    ("one 100-byte record", &[3, 4]),
    ("200 connections", &[6]),
    ("metadata", &[20]),
    ("batches, acks=1", &[5, 8]),
    ("produce", &[8]),
];

/// The goals of a row, each as one in so many.
pub fn goals(row: &str) -> &'static [u32] {
    GOALS.iter().find(|(part, _)| row.contains(part)).map_or(&[], |(_, goals)| *goals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_goals_of_their_kind() {
        assert_eq!(goals("start to first acknowledged produce"), [50]);
        assert_eq!(goals("produce 16 KiB batches, acks=1"), [5, 8]);
        assert_eq!(goals("produce 16 KiB batches, acks=all"), [8]);
        assert_eq!(goals("one 100-byte record, 16 connections"), [3, 4]);
        assert_eq!(goals("one 100-byte record, 1 connection"), [3]);
        assert_eq!(goals("20 MB/s open loop, 16 KiB batches, acks=1, p99"), [3, 6]);
        assert_eq!(goals("20 MB/s open loop, 16 KiB batches, acks=1, p99.9"), [8]);
        assert!(goals("20 MB/s open loop, 16 KiB batches, acks=all, p99").is_empty());
        assert!(goals("fetch 1 MiB").is_empty());
    }
}
