//! A reader that follows a topic through all kills, and remembers what it saw where.

use anyhow::{Context, Result, bail, ensure};
use protocol::ErrorCode;
use testkit::calls::{receive_fetch, send_fetch};
use testkit::raw_client::RawClient;

use crate::gate::Gate;

const MAX_WAIT_MS: i32 = 100;

/// The values of a topic's records by offset, which begins at 0.
pub type Seen = Vec<String>;

/// Reads on until the gate says that it is over.
pub fn follow(address: &str, topic: &str, gate: &Gate) -> Result<Seen> {
    let mut seen = Seen::new();
    while !gate.is_over() {
        gate.wait_until_up()?;
        let Ok(mut client) = RawClient::connect(address, "reader") else { continue };
        while !gate.is_over() {
            let Some(more) = fetch(&mut client, topic, seen.len())? else { break };
            if !more.is_empty() {
                seen.extend(more);
                gate.read();
            }
        }
    }
    Ok(seen)
}

/// Everything there is.
pub fn read_all(address: &str, topic: &str) -> Result<Seen> {
    let mut client = RawClient::connect(address, "reader")?;
    let mut seen = Seen::new();
    loop {
        let more = fetch(&mut client, topic, seen.len())?.context("the connection broke")?;
        if more.is_empty() {
            return Ok(seen);
        }
        seen.extend(more);
    }
}

/// The values from an offset on; none when the connection breaks.
fn fetch(client: &mut RawClient, topic: &str, from: usize) -> Result<Option<Vec<String>>> {
    let asked = send_fetch(client, topic, i64::try_from(from)?, MAX_WAIT_MS);
    let Ok(row) = asked.and_then(|()| receive_fetch(client)) else { return Ok(None) };
    match ErrorCode::from_i16(row.error_code) {
        Some(ErrorCode::None) => {}
        // KAFKA: what was seen must never lie beyond the end.
        error => bail!("{topic} at offset {from}: {error:?}, high watermark {}", row.high_watermark),
    }
    let bytes = row.records.unwrap_or_default().to_bytes().context("received into memory")?;
    let mut values = Vec::new();
    for batch in records::batches(&bytes) {
        let batch = batch?;
        batch.verify_crc()?;
        for record in batch.records(usize::MAX)? {
            let record = record?;
            let offset = usize::try_from(record.offset)?;
            // A fetch begins with the whole batch that holds the offset.
            if offset < from {
                continue;
            }
            ensure!(
                offset == from + values.len(),
                "{topic}: offset {offset} follows {}",
                from + values.len()
            );
            values.push(String::from_utf8(record.value.context("a value")?.to_vec())?);
        }
    }
    Ok(Some(values))
}
