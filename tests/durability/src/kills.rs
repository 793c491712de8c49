//! The run: producers and readers at work while the server is killed and started again.

use std::env;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use testkit::calls::create_topic;
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

use crate::gate::Gate;
use crate::producer::{self, Acknowledged, Order};
use crate::random::Random;
use crate::reader;
use crate::verify;

/// Name and configuration; each has one partition.
const TOPICS: &[(&str, &[(&str, &str)])] = &[
    ("as-by-default", &[]),
    ("page-cache", &[("klamm.durability", "page-cache")]),
    ("small-segments", &[("segment.bytes", "1048576"), ("index.interval.bytes", "512")]),
];
const PRODUCERS: usize = 6;
const KILLS_BY_DEFAULT: usize = 6;
/// Acknowledgements between two kills.
const ACKNOWLEDGEMENTS_MAX: u64 = 400;
/// One kill in so many comes while the server starts.
const DURING_START: u64 = 4;
const START_US_MAX: u64 = 120_000;
const AFTER_US_MAX: u64 = 5_000;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills() -> Result<()> {
    let kills = number("KLAMM_KILLS")?.map_or(KILLS_BY_DEFAULT, |kills| kills as usize);
    let seed = number("KLAMM_SEED")?.unwrap_or_else(|| u64::from(std::process::id()));
    println!("note: {kills} kills, KLAMM_SEED={seed}");
    let mut server = ServerProcess::start(Product::Klamm, &[])?;
    let address = server.bootstrap();
    let mut client = RawClient::connect(&address, "admin")?;
    for (topic, configuration) in TOPICS {
        create_topic(&mut client, topic, 1, configuration)?;
    }
    let topics: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    let gate = Arc::new(Gate::default());
    gate.set_up(true);
    let (acknowledged, seen) = thread::scope(|scope| -> Result<_> {
        let watch = |outcome: Result<()>| outcome.unwrap_or_else(|reason| gate.fail(format!("{reason:#}")));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|name| {
                let acks = if name % 2 == 0 { -1 } else { 1 };
                let (topics, address, gate) = (&topics, &address, &gate);
                let seed = seed.wrapping_add(name as u64 + 1);
                scope.spawn(move || {
                    let outcome = producer::run(
                        &Order {
                            name,
                            address,
                            topics,
                            acks,
                            seed,
                            refusals: &[],
                            in_flight_max: producer::IN_FLIGHT_MAX,
                        },
                        gate,
                    );
                    outcome.inspect_err(|reason| gate.fail(format!("{reason:#}")))
                })
            })
            .collect();
        let readers: Vec<_> = topics
            .iter()
            .map(|topic| {
                let (address, gate) = (&address, &gate);
                scope.spawn(move || {
                    let outcome = reader::follow(address, topic, gate);
                    outcome.inspect_err(|reason| gate.fail(format!("{reason:#}")))
                })
            })
            .collect();
        watch(kill_again_and_again(&mut server, &gate, kills, seed));
        gate.end();
        let mut acknowledged = Vec::new();
        for producer in producers {
            acknowledged.extend(producer.join().map_err(|_| anyhow!("a producer panicked"))??);
        }
        let seen =
            readers.into_iter().map(|reader| reader.join().map_err(|_| anyhow!("a reader panicked"))?);
        Ok((acknowledged, seen.collect::<Result<Vec<_>>>()?))
    })
    .with_context(|| format!("KLAMM_SEED={seed}: {}", server.log()))?;
    check(&mut server, &topics, &acknowledged, &seen)
        .with_context(|| format!("KLAMM_SEED={seed}: {}", server.log()))
}

/// The server runs when this returns.
fn kill_again_and_again(server: &mut ServerProcess, gate: &Gate, kills: usize, seed: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let mut left = kills;
    while left > 0 {
        // Not a moment that is always the same distance from an answer.
        gate.wait_for_acknowledgements(gate.count() + random.below(ACKNOWLEDGEMENTS_MAX))?;
        gate.pass(Duration::from_micros(random.below(AFTER_US_MAX)));
        gate.set_up(false);
        server.kill()?;
        left -= 1;
        while left > 0 && random.below(DURING_START) == 0 {
            server.begin_launch()?;
            gate.pass(Duration::from_micros(random.below(START_US_MAX)));
            server.kill()?;
            left -= 1;
        }
        server.launch()?;
        gate.set_up(true);
    }
    gate.wait_for_acknowledgements(gate.count() + ACKNOWLEDGEMENTS_MAX)?;
    gate.wait_for_a_read()
}

/// Reads everything, once from the server as it is and once after a last kill.
fn check(
    server: &mut ServerProcess,
    topics: &[&str],
    acknowledged: &[Acknowledged],
    seen: &[reader::Seen],
) -> Result<()> {
    ensure!(!server.whole_log().contains("panicked"), "a panic");
    let mut count = 0;
    for last in [false, true] {
        if last {
            server.kill()?;
            server.launch()?;
        }
        count = 0;
        for (index, (topic, seen)) in topics.iter().zip(seen).enumerate() {
            let stored = reader::read_all(&server.bootstrap(), topic)?;
            verify::in_order_without_doubles(index, &stored)?;
            count += verify::acknowledged_once(index, &stored, acknowledged)?;
            verify::nothing_seen_has_changed(index, &stored, seen)?;
        }
    }
    println!(
        "note: {} batches with {count} records acknowledged, {} records seen by readers meanwhile: all there, none twice",
        acknowledged.len(),
        seen.iter().map(Vec::len).sum::<usize>(),
    );
    Ok(())
}

pub fn number(variable: &str) -> Result<Option<u64>> {
    env::var(variable).ok().map(|text| text.parse().with_context(|| format!("{variable}={text}"))).transpose()
}
