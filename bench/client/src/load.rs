//! What is to be done, the same for every client.

use std::time::Duration;

use anyhow::{Context, Result};

/// Settings that every client gets, by Kafka's names.
pub const PRODUCER: &[(&str, &str)] =
    &[("acks", "all"), ("linger.ms", "5"), ("batch.size", "131072"), ("compression.type", "none")];

pub struct Load {
    pub bootstrap: String,
    pub topic: String,
    pub records: u64,
    pub bytes: usize,
    /// Records in a second, for `latency`.
    pub rate: u64,
}

impl Load {
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let at = |index: usize| arguments.get(index).context("an argument is missing");
        Ok(Self {
            bootstrap: at(0)?.clone(),
            topic: at(1)?.clone(),
            records: at(2)?.parse()?,
            bytes: at(3)?.parse()?,
            rate: arguments.get(4).map_or(Ok(0), |rate| rate.parse())?,
        })
    }

    /// A value that does not compress to nothing.
    pub fn value(&self) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        let next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state & 0xff) as u8
        };
        std::iter::repeat_with(next).take(self.bytes).collect()
    }
}

/// The 99th percentile in ms, without the first fifth, in which everything warms up.
pub fn p99_ms(latencies: &[Duration]) -> f64 {
    let mut rest = latencies[latencies.len() / 5..].to_vec();
    rest.sort_unstable();
    let index = (rest.len() * 99 / 100).min(rest.len().saturating_sub(1));
    rest.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}
