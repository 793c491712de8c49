//! Clients of every style, a coordinator that fails, an unreliable network: what must hold on any schedule.
//!
//! `SIMULATION_SEED` runs one seed, `SIMULATION_SEEDS` as many from 0 on.

mod chaos;
mod client;
mod promises;
mod random;
mod world;

use world::World;

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
fn any_schedule_keeps_the_promises_and_converges() {
    let seeds = match number_from("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_from("SIMULATION_SEEDS").unwrap_or(200),
    };
    let mut tally = world::Tally::default();
    for seed in seeds {
        let _named = Named(seed);
        tally.add(&World::run(seed));
    }
    println!("{tally:?}");
    assert!(
        tally.answers > 0 && tally.assignments > 0 && tally.commits > 0 && tally.restarts > 0,
        "{tally:?}"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(World::run(4711), World::run(4711));
}

#[test]
fn what_is_planted_is_noticed() {
    let run = |seed: &u64| std::panic::catch_unwind(|| World::run_with(*seed, true)).is_err();
    let noticed = (0..40).filter(run).count();
    println!("forgotten records: noticed in {noticed} of 40 runs");
    assert!(noticed > 0);
}
