//! What once failed, shrunk.

use super::Operation::{self, *};
use super::run::run;

#[test]
fn a_start_that_outlives_unsynced_records_is_where_the_log_goes_on() {
    let mut operations: Vec<Operation> = (0..4).map(|_| Append { records: 2, value_bytes: 0 }).collect();
    operations.extend([
        AppendPageCache(true),
        CleanRestart,
        Append { records: 2, value_bytes: 0 },
        Sync,
        DeleteRecords { at: 845 },
        Crash { seed: 3038042440927825592 },
        Crash { seed: 0 },
    ]);
    run(false, operations);
}

#[test]
fn a_clean_stop_makes_a_log_without_records_last() {
    run(
        false,
        vec![
            CleanRestart,
            Append { records: 1, value_bytes: 0 },
            CleanRestart,
            Crash { seed: 10594071735842012616 },
        ],
    );
}

#[test]
fn what_was_newest_before_a_restart_is_found_after_it() {
    let one = || Append { records: 1, value_bytes: 0 };
    run(false, vec![one(), CleanRestart, one(), AskForTime { after_ms: 839 }]);
}

#[test]
fn a_cut_behind_a_gap_can_be_started_from() {
    let follow = || AppendAsFollower { batches: 2, gap: 2 };
    for at in 0..12 {
        run(true, vec![follow(), CleanRestart, Truncate { at }, CleanRestart]);
        run(true, vec![follow(), Sync, Checkpoint, Truncate { at }, Crash { seed: 1 }]);
    }
}

#[test]
fn an_open_transaction_below_the_start_holds_nobody_back_there() {
    let data = |is_transactional| AppendAsProducer { producer: 0, records: 3, is_transactional };
    run(
        false,
        vec![
            data(true),
            Append { records: 2, value_bytes: 0 },
            EndTransaction { producer: 0, is_committed: true },
            Sync,
            DeleteRecords { at: 1 },
            Truncate { at: 3 },
        ],
    );
}
