//! Index files and producer snapshots.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use protocol::control_records::{AbortedTxn, ProducerSnapshot};
use protocol::{Message, Reader};

use crate::command_line::{Arguments, Failure};

use super::batches::{BatchFile, absolute};
use super::{Findings, base_offset, lines, unreadable};

const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;
const DECOMPRESSED_MAX: usize = 1 << 30;

/// What is asked about an index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Print,
    Entries,
    Sanity,
}

/// The offset index's entries: offset and position in the segment.
fn offset_entries(path: &Path, base: i64) -> Result<(Vec<(i64, u64)>, usize), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let entry = |entry: &[u8]| {
        let (offset, position) = entry.split_at(4);
        (base + i64::from(number(offset)), u64::try_from(number(position)).unwrap_or(0))
    };
    Ok((bytes.chunks_exact(OFFSET_ENTRY).map(entry).collect(), bytes.len()))
}

fn number(bytes: &[u8]) -> i32 {
    bytes.try_into().map_or(0, i32::from_be_bytes)
}

fn corrupt(message: &str) -> Failure {
    let class = "org.apache.kafka.storage.internals.log.CorruptIndexException";
    Failure::bare(format!("Exception in thread \"main\" {class}: {message}"))
}

/// Prints or checks an offset index.
pub fn offsets(
    arguments: &Arguments,
    path: &Path,
    shown: &str,
    check: Check,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let segment = path.with_extension("log");
    fs::metadata(&segment).map_err(|error| unreadable(&segment, &error))?;
    let (entries, size) = offset_entries(path, base)?;
    if entries.is_empty() {
        arguments.say(format_args!("{shown} is empty."));
        return Ok(());
    }
    if check == Check::Sanity {
        let last = entries.last().map_or(base, |(offset, _)| *offset);
        if last < base {
            return Err(corrupt(&format!(
                "Corrupt index found, index file ({}) has non-zero size but the last offset is {last} which is less than \
                 the base offset {base}",
                absolute(shown)
            )));
        }
        if !size.is_multiple_of(OFFSET_ENTRY) {
            return Err(corrupt(&format!(
                "Index file {} is corrupt, found {size} bytes which is neither positive nor a multiple of {OFFSET_ENTRY}",
                absolute(shown)
            )));
        }
        arguments.say(format_args!("{shown} passed sanity check."));
        return Ok(());
    }
    let mut mismatches = Vec::new();
    for (index, (offset, position)) in entries.iter().enumerate() {
        // A preallocated index ends with zeros.
        if *offset == base && index > 0 {
            break;
        }
        let found = batch_at(&segment, *position)?.map_or(-1, |batch| batch.last_offset());
        if found != *offset {
            mismatches.push((*offset, found));
        }
        if check == Check::Print {
            lines::print(arguments.json(), &format!("offset: {offset} position: {position}"));
        }
    }
    if !mismatches.is_empty() {
        findings.lines.push(format!("Mismatches in :{}", absolute(shown)));
        let line = |(index, log): &(i64, i64)| format!("  Index offset: {index}, log offset: {log}");
        findings.lines.extend(mismatches.iter().rev().map(line));
    }
    Ok(())
}

fn batch_at(segment: &Path, position: u64) -> Result<Option<records::BatchHeader>, Failure> {
    let mut file = BatchFile::open(segment, None).map_err(|error| unreadable(segment, &error))?;
    file.seek(position)?;
    Ok(file.next()?.map(|batch| batch.header))
}

/// Prints or checks a time index.
pub fn times(
    arguments: &Arguments,
    path: &Path,
    shown: &str,
    check: Check,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let segment = path.with_extension("log");
    let (offsets, _) = offset_entries(&path.with_extension("index"), base)?;
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let entries: Vec<(i64, i64)> = bytes
        .chunks_exact(TIME_ENTRY)
        .map(|entry| {
            let (timestamp, offset) = entry.split_at(8);
            let timestamp = timestamp.try_into().map_or(0, i64::from_be_bytes);
            (timestamp, base + i64::from(number(offset)))
        })
        .collect();
    if check == Check::Sanity {
        let last = entries.last();
        if let Some((timestamp, offset)) = last
            && (*offset < base || entries.first().is_some_and(|(first, _)| timestamp < first))
        {
            return Err(corrupt(&format!("Corrupt time index found, time index file ({})", absolute(shown))));
        }
        arguments.say(format_args!("{shown} passed sanity check."));
        return Ok(());
    }
    let lines = compare_times(&segment, &offsets, &entries, base, check, arguments.json())?;
    let name = absolute(shown);
    let headings = [
        format!("Found timestamp mismatch in :{name}"),
        format!("Found out of order timestamp in :{name}"),
        "The following indexed offsets are not found in the log.".to_owned(),
    ];
    for (heading, lines) in headings.into_iter().zip(lines) {
        if !lines.is_empty() {
            findings.lines.push(heading);
            findings.lines.extend(lines);
        }
    }
    Ok(())
}

/// Looks up each entry in its segment: what does not match, what is out of order, what is not there.
fn compare_times(
    segment: &Path,
    offsets: &[(i64, u64)],
    entries: &[(i64, i64)],
    base: i64,
    check: Check,
    is_json: bool,
) -> Result<[Vec<String>; 3], Failure> {
    let (mut mismatched, mut unordered, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut previous = -1;
    for (index, (timestamp, offset)) in entries.iter().enumerate() {
        if *offset == base && index > 0 {
            break;
        }
        let before = offsets.iter().rev().find(|(indexed, _)| indexed <= offset);
        let mut file = BatchFile::open(segment, None).map_err(|error| unreadable(segment, &error))?;
        file.seek(before.map_or(0, |(_, position)| *position))?;
        let mut found = None;
        while let Some(batch) = file.next()? {
            if batch.header.last_offset() >= *offset {
                found = Some(batch);
                break;
            }
        }
        match found {
            Some(batch) if batch.header.last_offset() == *offset => {
                let records = batch.records(DECOMPRESSED_MAX).map_err(Failure::refused)?;
                let newest = records.flatten().map(|record| record.timestamp).max().unwrap_or(-1);
                if newest != *timestamp {
                    mismatched.push(format!("  Index timestamp: {timestamp}, log timestamp: {newest}"));
                }
                if previous >= *timestamp {
                    unordered.push(format!(
                        "  Index timestamp: {timestamp}, Previously indexed timestamp: {previous}"
                    ));
                }
            }
            other => {
                let last = other.map_or(-1, |batch| batch.header.last_offset());
                missing.push(format!("Indexed offset: {offset}, found log offset: {last}"));
            }
        }
        if check == Check::Print {
            lines::print(is_json, &format!("timestamp: {timestamp} offset: {offset}"));
        }
        previous = *timestamp;
    }
    Ok([mismatched, unordered, missing])
}

/// Prints a transaction index.
pub fn transactions(path: &Path, is_json: bool) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = Reader::new(Bytes::from(bytes));
    while reader.remaining() > 0 {
        let version = reader.i16().map_err(Failure::refused)?;
        let entry = AbortedTxn::decode(&mut reader, 0).map_err(Failure::refused)?;
        let line = format!(
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset
        );
        lines::print(is_json, &line);
    }
    Ok(())
}

/// Prints a producer snapshot.
pub fn producers(path: &Path, is_json: bool) -> Result<(), Failure> {
    let bytes = Bytes::from(fs::read(path).map_err(|error| unreadable(path, &error))?);
    let damaged = || {
        eprintln!("Snapshot failed schema validation: {}", path.display());
        Ok(())
    };
    let mut reader = Reader::new(bytes.clone());
    let Ok(version) = reader.i16() else { return damaged() };
    if version != 1 {
        eprintln!("Snapshot contained an unknown file version {version}");
        return Ok(());
    }
    let Ok(snapshot) = ProducerSnapshot::decode(&mut reader, version) else { return damaged() };
    // The checksum covers what stands behind it.
    let computed = bytes.get(6..).map_or(0, records::crc32c);
    if computed != snapshot.crc {
        eprintln!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {}. Computed crc: {computed}",
            snapshot.crc
        );
        return Ok(());
    }
    for entry in snapshot.producer_entries {
        let transaction = match entry.current_txn_first_offset {
            offset if offset >= 0 => format!("OptionalLong[{offset}]"),
            _ => "OptionalLong.empty".to_owned(),
        };
        let mut line = format!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {transaction} lastTimestamp: {} ",
            entry.producer_id, entry.epoch, entry.coordinator_epoch, entry.timestamp
        );
        if entry.last_offset >= 0 {
            line += &format!(
                "firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                records::decrement_sequence(entry.last_sequence, entry.offset_delta),
                entry.last_sequence,
                entry.last_offset,
                entry.offset_delta,
                entry.timestamp
            );
        }
        lines::print(is_json, &line);
    }
    Ok(())
}
