//! One load by one client library in a process of its own, so that its CPU time and memory are its own.
//!
//! `client-bench CLIENT produce|consume|latency BOOTSTRAP TOPIC RECORDS BYTES [RATE]`, CLIENT being klamm or librdkafka.
//! `client-bench compare KLAMM TOOLS [SCALE]` runs all of them and Java's, and prints a table.
//! It prints `seconds=… p99_ms=…` (the latter for `latency`); who runs it measures the rest.

mod compare;
mod klamm;
mod librdkafka;
mod load;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use load::Load;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [compare, klamm, tools, rest @ ..] = arguments.as_slice()
        && compare == "compare"
    {
        let scale = rest.first().map_or(Ok(1.0), |scale| scale.parse()).context("a factor is due")?;
        return compare::run(Path::new(klamm), Path::new(tools), scale);
    }
    let [client, action, rest @ ..] = arguments.as_slice() else { bail!("see the source for usage") };
    let load = Load::parse(rest).context("BOOTSTRAP TOPIC RECORDS BYTES [RATE]")?;
    let began = Instant::now();
    let p99_ms = match (client.as_str(), action.as_str()) {
        ("klamm", "produce") => klamm::produce(&load)?,
        ("klamm", "consume") => klamm::consume(&load)?,
        ("klamm", "latency") => klamm::latency(&load)?,
        ("librdkafka", "produce") => librdkafka::produce(&load)?,
        ("librdkafka", "consume") => librdkafka::consume(&load)?,
        ("librdkafka", "latency") => librdkafka::latency(&load)?,
        _ => bail!("no client {client} or no load {action}"),
    };
    println!("seconds={:.3} p99_ms={p99_ms:.3}", began.elapsed().as_secs_f64());
    Ok(())
}
