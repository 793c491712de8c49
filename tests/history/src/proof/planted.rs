//! Random histories of a correct model have no anomaly; with one bug planted they have that one.
//!
//! `HISTORY_SEEDS` is how many seeds each bug gets.

use history_tests::check::Anomaly::{self, *};
use history_tests::check::check;

use super::model::{Bug, Model};

fn seeds() -> u64 {
    std::env::var("HISTORY_SEEDS").ok().map_or(15, |text| text.parse().expect("HISTORY_SEEDS is a number"))
}

#[test]
fn a_correct_broker_has_no_anomaly() {
    for seed in 0..seeds() * 5 {
        let history = Model::new(seed, None).run();
        let report = check(&history);
        assert!(report.fatal().is_empty(), "seed {seed}:\n{report}");
    }
}

/// One of the named anomalies must be there, whatever the seed.
const PLANTED: &[(Bug, &[Anomaly])] = &[
    (Bug::LosesAcknowledged, &[Unseen]),
    (Bug::WritesTwice, &[Duplicate]),
    (Bug::SwapsTwo, &[InternalNonmonotonicSend]),
    (Bug::CommitsAborted, &[AbortedRead]),
    (Bug::SaysWrongOffset, &[InconsistentOffsets]),
    (Bug::ForgetsGroupOffset, &[ConsumedTwice]),
    (Bug::MovesGroupOffsetAhead, &[ConsumedNever]),
    (Bug::TearsCommit, &[TornTransaction]),
    (Bug::AbortsLate, &[TornTransaction]),
    (Bug::SkipsInPoll, &[InternalPollSkip]),
    (Bug::RepeatsInPoll, &[InternalNonmonotonicPoll]),
    (Bug::ShowsUndecided, &[AbortedRead]),
    (Bug::Diverges, &[AbortedRead]),
];

#[test]
fn every_planted_bug_is_found_by_its_name() {
    for (bug, names) in PLANTED {
        let (mut planted, mut found) = (0, 0);
        for seed in 0..seeds() {
            let mut model = Model::new(seed, Some(*bug));
            let history = model.run();
            if !model.is_planted {
                continue;
            }
            planted += 1;
            let report = check(&history);
            if names.iter().any(|name| report.has(*name)) {
                found += 1;
            } else {
                println!("{bug:?}, seed {seed}: not found\n{report}");
            }
        }
        println!("{bug:?}: planted in {planted} histories, found in {found}");
        assert!(planted >= seeds() / 2, "{bug:?} hardly ever happens");
        assert_eq!(found, planted, "{bug:?}");
    }
}
