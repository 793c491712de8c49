//! The load generator's own command line and what it prints.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{closed_loop, open_loop, topics};

/// What came of a load.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// How long it took.
    pub seconds: f64,
    /// Requests answered.
    pub requests: u64,
    /// Bytes of requests, or of records fetched.
    pub bytes: u64,
    /// Records produced.
    pub records: u64,
    /// Median latency; 0 for closed loops.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
}

/// Kinds of load.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Closed loop of produces.
    Produce,
    /// Closed loop of fetches.
    Fetch,
    /// Open loop of produces.
    OpenLoop,
    /// Topics created.
    CreateTopics,
    /// Closed loop of requests for the metadata of all topics.
    Metadata,
}

/// What `bench load` takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Kind of load.
    pub kind: Kind,
    /// Where the server listens.
    #[arg(long)]
    pub address: String,
    /// The topic; it must exist.
    #[arg(long)]
    pub topic: String,
    /// For produces.
    #[arg(long, default_value_t = 1, allow_hyphen_values = true)]
    pub acks: i16,
    /// Size of a produced batch, or the most that a fetch asks for.
    #[arg(long, default_value_t = 65_536)]
    pub batch_bytes: usize,
    /// Size of a record's value.
    #[arg(long, default_value_t = 1_024)]
    pub record_bytes: usize,
    /// Connections of a closed loop.
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// Requests under way on each connection.
    #[arg(long, default_value_t = 5)]
    pub depth: usize,
    /// Partitions of the topic that produces go to in turn.
    #[arg(long, default_value_t = 1)]
    pub partitions: i32,
    /// How many topics are created.
    #[arg(long, default_value_t = 1_000)]
    pub count: usize,
    /// The latency of an open loop is that until a consumer has the records.
    #[arg(long)]
    pub end_to_end: bool,
    /// Consumers that read what an open loop produces, each all of it.
    #[arg(long, default_value_t = 0)]
    pub consumers: usize,
    /// Rate of an open loop.
    #[arg(long, default_value_t = 20_000_000)]
    pub bytes_per_second: u64,
    /// How long.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

/// Runs the load and prints its outcome as one line of JSON.
pub fn run(options: &Options) -> Result<()> {
    let duration = Duration::from_secs_f64(options.seconds);
    let (address, topic) = (options.address.as_str(), options.topic.as_str());
    let (acks, batch_bytes, record_bytes) = (options.acks, options.batch_bytes, options.record_bytes);
    let outcome = match options.kind {
        Kind::Produce => closed_loop::produce(&closed_loop::Produce {
            address,
            topic,
            acks,
            batch_bytes,
            record_bytes,
            connections: options.connections,
            depth: options.depth,
            partitions: options.partitions,
            duration,
        })?,
        Kind::Fetch => closed_loop::fetch(address, topic, batch_bytes, duration)?,
        Kind::OpenLoop => open_loop::produce(&open_loop::OpenLoop {
            address,
            topic,
            acks,
            batch_bytes,
            record_bytes,
            bytes_per_second: options.bytes_per_second,
            partitions: options.partitions,
            end_to_end: options.end_to_end,
            consumers: options.consumers,
            duration,
        })?,
        Kind::CreateTopics => topics::create(address, topic, options.count)?,
        Kind::Metadata => topics::metadata(address, duration)?,
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
