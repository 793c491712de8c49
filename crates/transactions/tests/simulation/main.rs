//! Producers that fence each other, a coordinator that moves, a network that loses and doubles: what must hold on any schedule.
//!
//! `SIMULATION_SEED` runs one seed, `SIMULATION_SEEDS` as many from 0 on.

mod producer;
mod random;
mod world;

use world::{Planted, Tally, World};

/// Says which seed it was if a run fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}", self.0);
        }
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn any_schedule_keeps_transactions_whole_and_converges() {
    let seeds = match number_from("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_from("SIMULATION_SEEDS").unwrap_or(400),
    };
    let mut tally = Tally::default();
    for seed in seeds {
        let _named = Named(seed);
        tally.add(World::run(seed));
    }
    println!("{tally:?}");
    let Tally { committed, aborted, fenced, fail_overs, timed_out } = tally;
    assert!([committed, aborted, fenced, fail_overs, timed_out].iter().all(|count| *count > 0), "{tally:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(World::run(4711), World::run(4711));
}

#[test]
fn what_is_planted_is_noticed() {
    let all = [Planted::ForgetsRecords, Planted::AbortsWhatWasCommitted, Planted::LetsReplacedProducersIn];
    for planted in all {
        let run = |seed: &u64| std::panic::catch_unwind(|| World::run_with(*seed, Some(planted))).is_err();
        let noticed = (0..60).filter(run).count();
        println!("{planted:?}: noticed in {noticed} of 60 runs");
        assert!(noticed > 0, "{planted:?}");
    }
}
