//! Random operations against a model of Kafka's log in memory: whatever the order, the log is the model.
//!
//! `PROPTEST_CASES` says how many sequences of operations, other ones every time. What fails is shrunk and kept in `model/scripts.rs`.

mod compare;
mod expected;
mod run;
mod scripts;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use self::run::run;

/// What somebody does with a log.
#[derive(Clone, Debug)]
pub enum Operation {
    Append {
        records: usize,
        value_bytes: usize,
    },
    AppendTogether {
        requests: usize,
        value_bytes: usize,
    },
    /// An idempotent producer's batch, part of a transaction or not.
    AppendAsProducer {
        producer: i64,
        records: usize,
        is_transactional: bool,
    },
    /// A producer's last batch once more.
    SendAgain {
        producer: i64,
    },
    EndTransaction {
        producer: i64,
        is_committed: bool,
    },
    /// What another leader has decided: batches with offsets, after a gap in a compacted log.
    AppendAsFollower {
        batches: usize,
        gap: i64,
    },
    /// A transaction of another leader, its marker included.
    FollowTransaction {
        producer: i64,
        is_committed: bool,
    },
    NextEpoch,
    AppendPageCache(bool),
    Sync,
    Read {
        at: usize,
        max_bytes: usize,
    },
    ReadCommitted {
        at: usize,
        max_bytes: usize,
    },
    AskForTime {
        after_ms: i64,
    },
    Truncate {
        at: usize,
    },
    DeleteRecords {
        at: usize,
    },
    Retain {
        retention_ms: i64,
        retention_bytes: i64,
        after_ms: i64,
    },
    Roll,
    Compact,
    Checkpoint,
    CleanRestart,
    Crash {
        seed: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let appends = prop_oneof![
        6 => (1usize..5, 0usize..300).prop_map(|(records, value_bytes)| Append { records, value_bytes }),
        3 => (1usize..6, 0usize..300)
            .prop_map(|(requests, value_bytes)| AppendTogether { requests, value_bytes }),
        6 => (0i64..4, 1usize..4, any::<bool>()).prop_map(|(producer, records, is_transactional)| {
            AppendAsProducer { producer, records, is_transactional }
        }),
        2 => (0i64..4).prop_map(|producer| SendAgain { producer }),
        4 => (0i64..4, any::<bool>())
            .prop_map(|(producer, is_committed)| EndTransaction { producer, is_committed }),
        2 => (1usize..4, 0i64..5).prop_map(|(batches, gap)| AppendAsFollower { batches, gap }),
        1 => (4i64..6, any::<bool>())
            .prop_map(|(producer, is_committed)| FollowTransaction { producer, is_committed }),
    ];
    let questions = prop_oneof![
        3 => (0usize..1000, 0usize..3000).prop_map(|(at, max_bytes)| Read { at, max_bytes }),
        3 => (0usize..1000, 0usize..3000).prop_map(|(at, max_bytes)| ReadCommitted { at, max_bytes }),
        2 => (-10i64..1100).prop_map(|after_ms| AskForTime { after_ms }),
    ];
    let rest = prop_oneof![
        1 => Just(NextEpoch),
        1 => any::<bool>().prop_map(AppendPageCache),
        4 => Just(Sync),
        1 => (0usize..1000).prop_map(|at| Truncate { at }),
        1 => (0usize..1000).prop_map(|at| DeleteRecords { at }),
        1 => (0i64..1000, 2000i64..9000, 0i64..1500).prop_map(|(retention_ms, retention_bytes, after_ms)| {
            Retain { retention_ms, retention_bytes, after_ms }
        }),
        1 => Just(Roll),
        2 => Just(Compact),
        1 => Just(Checkpoint),
        1 => Just(CleanRestart),
        1 => any::<u64>().prop_map(|seed| Crash { seed }),
    ];
    prop_oneof![5 => appends, 2 => questions, 3 => rest]
}

/// The same sequences every time, unless somebody says how many there are to be.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { rng_seed: RngSeed::Fixed(1), ..config },
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn the_log_is_the_model(
        is_compacted in any::<bool>(),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        run(is_compacted, operations);
    }
}
