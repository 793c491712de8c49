//! A batch as text, in the form of the Java program's `Description`.

use std::fmt::Write;

use bytes::Bytes;
use records::{Batch, RecordsError, TimestampType, batches};

const LIMIT: usize = 64 << 20;

/// All batches in `bytes`.
pub fn describe(bytes: &Bytes) -> Result<String, RecordsError> {
    let mut text = String::new();
    let mut walk = batches(bytes);
    for batch in walk.by_ref() {
        let batch = batch?;
        batch.verify_crc()?;
        describe_batch(&batch, &mut text)?;
    }
    assert!(walk.rest().is_empty());
    Ok(text)
}

fn describe_batch(batch: &Batch, text: &mut String) -> Result<(), RecordsError> {
    let header = &batch.header;
    let timestamp_type = match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let _ = write!(text, "batch base_offset={} last_offset={}", header.base_offset, header.last_offset());
    let _ = write!(text, " leader_epoch={}", header.partition_leader_epoch);
    let _ = write!(text, " codec={} timestamp_type={timestamp_type}", header.compression()?.name());
    let _ = write!(text, " base_timestamp={} max_timestamp={}", header.base_timestamp, header.max_timestamp);
    let _ = write!(text, " producer={}/{}", header.producer_id, header.producer_epoch);
    let _ = write!(text, " sequence={}..{}", header.base_sequence, header.last_sequence());
    let _ = write!(text, " transactional={} control={}", header.is_transactional(), header.is_control());
    let horizon = header.delete_horizon_ms().map_or("none".into(), |horizon| horizon.to_string());
    let _ = writeln!(text, " delete_horizon={horizon} count={}", header.record_count);
    for record in batch.records(LIMIT)? {
        let record = record?;
        let _ = write!(text, "record offset={} timestamp={}", record.offset, record.timestamp);
        let _ = write!(text, " sequence={} key={}", record.sequence, hex(record.key.as_deref()));
        let _ = writeln!(text, " value={}", hex(record.value.as_deref()));
        for header in &record.headers {
            let _ = writeln!(text, "header {}={}", hex(Some(&header.key)), hex(header.value.as_deref()));
        }
    }
    Ok(())
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".into() };
    let mut text = String::with_capacity(1 + 2 * bytes.len());
    text.push('x');
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}
