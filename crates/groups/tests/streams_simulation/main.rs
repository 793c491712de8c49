//! Members of a streams group, a coordinator that fails, an unreliable network: no active task has two owners in one epoch,
//! and everybody gets along in the end.
//!
//! `SIMULATION_SEED` runs one seed, `SIMULATION_SEEDS` as many from 0 on.

#[path = "../rules/cluster.rs"]
mod cluster;
mod coordinator;
mod member;
#[path = "../consumer_simulation/random.rs"]
mod random;
mod world;

use world::{Tally, World};

/// Seeds that failed once: of a standby task whose answer was lost, nobody was told again.
const FAILED_ONCE: [u64; 1] = [307];

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
fn no_active_task_has_two_owners_in_one_epoch_and_every_group_converges() {
    let seeds: Vec<u64> = match number_from("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => FAILED_ONCE.into_iter().chain(0..number_from("SIMULATION_SEEDS").unwrap_or(40)).collect(),
    };
    let mut tally = Tally::default();
    for seed in seeds {
        let _named = Named(seed);
        World::run(seed, &mut tally, false);
    }
    println!("{tally:?}");
    assert!(tally.claims > 0 && tally.failures > 0 && tally.fenced > 0 && tally.standbys > 0, "{tally:?}");
}

#[test]
fn what_is_planted_is_noticed() {
    let run =
        |seed: &u64| std::panic::catch_unwind(|| World::run(*seed, &mut Tally::default(), true)).is_err();
    let noticed = (0..10).filter(run).count();
    println!("forgotten records: noticed in {noticed} of 10 runs");
    assert!(noticed > 0);
}
