//! One list of scenarios against Klamm and against Apache Kafka 4.4.0; `KLAMM_TEST_ONLY` picks some by name.

mod admin;
mod admin_groups;
mod cluster;
mod consumer;
mod examples;
mod faults;
mod groups;
mod producer;
mod promises;
mod proxy;
mod scenario;
mod share;

use anyhow::{Result, ensure};
use scenario::{Outcome, Scenario, Served};
use testkit::server_process::Product;

const SCENARIOS: &[&[Scenario]] = &[
    cluster::SCENARIOS,
    admin::SCENARIOS,
    admin_groups::SCENARIOS,
    producer::SCENARIOS,
    consumer::SCENARIOS,
    promises::SCENARIOS,
    groups::SCENARIOS,
    share::SCENARIOS,
    faults::SCENARIOS,
    examples::SCENARIOS,
];

#[test]
fn every_scenario_passes_on_klamm() -> Result<()> {
    every_scenario_passes(Product::Klamm)
}

#[test]
fn every_scenario_passes_on_apache_kafka() -> Result<()> {
    every_scenario_passes(Product::Kafka)
}

fn every_scenario_passes(product: Product) -> Result<()> {
    let Some(served) = Served::start(product)? else { return Ok(()) };
    let only = std::env::var("KLAMM_TEST_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    let mut passed = 0;
    for scenario in SCENARIOS.iter().copied().flatten().filter(|scenario| scenario.name.contains(&only)) {
        match served.run(scenario) {
            Outcome::Passed => passed += 1,
            Outcome::NotServed(api) => failed.push(format!("{}: {api} is not served", scenario.name)),
            Outcome::Failed(reason) => failed.push(format!("{}: {reason:#}", scenario.name)),
        }
    }
    println!("{passed} scenarios passed against {product:?}");
    ensure!(failed.is_empty(), "{} scenarios failed:\n{}", failed.len(), failed.join("\n"));
    ensure!(passed > 0, "no scenario ran");
    Ok(())
}
