//! One list of scenarios against Klamm, and with `KLAMM_TEST_SERVER=kafka` against Apache Kafka.

mod cluster;
mod consumer;
mod groups;
mod producer;
mod scenario;
mod share;

use anyhow::{Result, ensure};
use scenario::{Outcome, Scenario, Served};

const SCENARIOS: &[&[Scenario]] =
    &[cluster::SCENARIOS, producer::SCENARIOS, consumer::SCENARIOS, groups::SCENARIOS, share::SCENARIOS];

#[test]
fn every_scenario_passes() -> Result<()> {
    let Some(served) = Served::start()? else { return Ok(()) };
    let only = std::env::var("KLAMM_TEST_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    let mut passed = 0;
    for scenario in SCENARIOS.iter().copied().flatten().filter(|scenario| scenario.name.contains(&only)) {
        match served.run(scenario) {
            Outcome::Passed => passed += 1,
            Outcome::NotServed(api) => println!("not served yet: {} needs {api}", scenario.name),
            Outcome::Failed(reason) => failed.push(format!("{}: {reason:#}", scenario.name)),
        }
    }
    println!("{passed} scenarios passed against {:?}", served.product());
    ensure!(failed.is_empty(), "{} scenarios failed:\n{}", failed.len(), failed.join("\n"));
    ensure!(passed > 0, "no scenario ran");
    Ok(())
}
