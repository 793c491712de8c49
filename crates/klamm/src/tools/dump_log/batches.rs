//! Segments and snapshots: batch by batch, record by record.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write, stdout};
use std::path::Path;

use bytes::Bytes;
use records::{Batch, BatchHeader, Codec, ControlRecordType, EndTransactionMarker, Record, TimestampType};
use serde_json::json;

use crate::command_line::Failure;
use crate::record_json;
use crate::text::progress::Progress;

use super::decoders::Decoder;
use super::{Findings, base_offset, lines, unreadable};

/// Offset and length, which stand before everything that the length counts.
const PREFIX: usize = 12;
const DECOMPRESSED_MAX: usize = 1 << 30;

/// How much of a file is shown.
pub struct Limits {
    pub max_bytes: Option<i32>,
    pub prints_contents: bool,
    pub is_deep: bool,
    pub skips_metadata: bool,
    pub is_json: bool,
}

/// The batches of a file, one after the other, with the position of each.
pub struct BatchFile {
    reader: BufReader<File>,
    pub position: u64,
    pub end: u64,
}

impl BatchFile {
    pub fn open(path: &Path, max_bytes: Option<i32>) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let limit = max_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(u64::MAX);
        Ok(Self { reader: BufReader::with_capacity(1 << 18, file), position: 0, end: size.min(limit) })
    }

    /// Goes on from a position.
    pub fn seek(&mut self, position: u64) -> std::io::Result<()> {
        self.position = position;
        self.reader.seek(SeekFrom::Start(position)).map(drop)
    }

    /// The next whole batch; `None` at the end, or where no whole batch follows.
    pub fn next(&mut self) -> std::io::Result<Option<Batch>> {
        if self.position + PREFIX as u64 > self.end {
            return Ok(None);
        }
        let mut prefix = [0; PREFIX];
        self.reader.read_exact(&mut prefix)?;
        let length = i32::from_be_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
        let Ok(length) = u64::try_from(length) else { return Ok(None) };
        let size = length + PREFIX as u64;
        if self.position + size > self.end {
            return Ok(None);
        }
        let mut bytes = prefix.to_vec();
        (&mut self.reader).take(length).read_to_end(&mut bytes)?;
        self.position += size;
        let bytes = Bytes::from(bytes);
        let batch = records::batches(&bytes).next();
        Ok(batch.and_then(Result::ok))
    }
}

/// Prints a `.log` or `.checkpoint` file.
pub fn dump(
    path: &Path,
    shown: &str,
    limits: &Limits,
    decoder: &Decoder,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(stdout().lock());
    print_heading(&mut out, path, limits.is_json)?;
    out.flush()?;
    let mut file = BatchFile::open(path, limits.max_bytes).map_err(|error| unreadable(path, &error))?;
    let mut valid_bytes = 0;
    let mut last_offset = None;
    let mut gaps = Vec::new();
    let mut progress = Progress::new("reading", file.end);
    while let Some(batch) = file.next()? {
        print_batch(&mut out, &batch, valid_bytes, limits.is_json)?;
        if limits.is_deep {
            let records = batch.records(DECOMPRESSED_MAX).map_err(Failure::refused)?;
            for record in records {
                let record = record.map_err(Failure::refused)?;
                if let Some(last) = last_offset
                    && record.offset != last + 1
                {
                    gaps.push((last, record.offset));
                }
                last_offset = Some(record.offset);
                print_record(&mut out, &batch.header, &record, limits, decoder)?;
            }
        }
        valid_bytes = file.position;
        progress.advance(valid_bytes);
    }
    drop(progress);
    let trailing = file.end - valid_bytes;
    if trailing > 0 && limits.max_bytes.is_none_or(|bytes| bytes == i32::MAX) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match limits.is_json {
            true => writeln!(out, "{}", json!({ "invalidBytesAtTheEnd": trailing }))?,
            false => writeln!(out, "Found {trailing} invalid bytes at the end of {name}")?,
        }
    }
    out.flush()?;
    if !gaps.is_empty() {
        findings.lines.push(format!("Non-consecutive offsets in {}", absolute(shown)));
        let line = |(first, second): &(i64, i64)| format!("  {first} is followed by {second}");
        findings.lines.extend(gaps.iter().rev().map(line));
    }
    Ok(())
}

/// The path from the root, as Java's `getAbsolutePath` gives it.
pub fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

fn print_heading(out: &mut impl Write, path: &Path, is_json: bool) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with(".log") {
        let base = base_offset(path)?;
        match is_json {
            true => writeln!(out, "{}", json!({ "logStartingOffset": base }))?,
            false => writeln!(out, "Log starting offset: {base}")?,
        }
    } else if is_json && name == "bootstrap.checkpoint" {
        writeln!(out, "{}", json!({ "snapshot": "bootstrap" }))?;
    } else if name == "bootstrap.checkpoint" {
        writeln!(out, "KRaft bootstrap snapshot")?;
    } else {
        let id = name.trim_end_matches(".checkpoint").split_once('-');
        let id =
            id.and_then(|(offset, epoch)| Some((offset.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?)));
        let Some((offset, epoch)) = id else {
            let what = "java.util.NoSuchElementException: No value present";
            return Err(Failure::bare(format!("Exception in thread \"main\" {what}")));
        };
        match is_json {
            true => writeln!(out, "{}", json!({ "snapshotEndOffset": offset, "epoch": epoch }))?,
            false => writeln!(out, "Snapshot end offset: {offset}, epoch: {epoch}")?,
        }
    }
    Ok(())
}

fn print_batch(out: &mut impl Write, batch: &Batch, position: u64, is_json: bool) -> std::io::Result<()> {
    let header = &batch.header;
    let delete_horizon = match header.delete_horizon_ms() {
        Some(horizon) => format!("OptionalLong[{horizon}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    let codec = header.compression().map_or("unknown", codec_name);
    let line = format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {delete_horizon} position: {position} \
         {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
        timestamp_type(header),
        header.max_timestamp,
        header.size_in_bytes(),
        header.magic,
        header.crc,
        batch.verify_crc().is_ok(),
    );
    match is_json {
        true => writeln!(out, "{}", lines::object(&line)),
        false => writeln!(out, "{line}"),
    }
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::None => "none",
        Codec::Gzip => "gzip",
        Codec::Snappy => "snappy",
        Codec::Lz4 => "lz4",
        Codec::Zstd => "zstd",
    }
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn sequence(header: &BatchHeader, record: &Record) -> i32 {
    match header.base_sequence {
        -1 => -1,
        base => {
            let delta = i32::try_from(record.offset - header.base_offset).unwrap_or(0);
            records::increment_sequence(base, delta)
        }
    }
}

fn print_record(
    out: &mut impl Write,
    header: &BatchHeader,
    record: &Record,
    limits: &Limits,
    decoder: &Decoder,
) -> Result<(), Failure> {
    let mut prefix = "| ";
    if limits.is_json {
        let decoder = limits.prints_contents.then_some(decoder);
        let sequence = sequence(header, record);
        writeln!(out, "{}", lines::record(header, record, timestamp_type(header), sequence, decoder)?)?;
        return Ok(());
    }
    if !limits.skips_metadata {
        let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        let sequence = sequence(header, record);
        let keys: Vec<_> = record.headers.iter().map(|header| String::from_utf8_lossy(&header.key)).collect();
        write!(
            out,
            "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
            record.offset,
            timestamp_type(header),
            record.timestamp,
            size(&record.key),
            size(&record.value),
            keys.join(",")
        )?;
        prefix = " ";
        if header.is_control() {
            write!(out, "{}", control_record(record))?;
        }
    }
    if limits.prints_contents && !header.is_control() {
        let (key, payload) = decoder.show(record)?;
        if let Some(key) = key {
            write!(out, "{prefix}key: {key}")?;
        }
        if let Some(payload) = payload {
            write!(out, " payload: {payload}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

pub fn control_record(record: &Record) -> String {
    let Some(key) = &record.key else { return String::new() };
    let kind = match ControlRecordType::parse_key(key) {
        Ok(kind) => kind,
        Err(error) => return format!(" {error}"),
    };
    let value = record.value.clone().unwrap_or_default();
    let json = |label: &str, name: &str| match record_json::control_record(name, &value) {
        Ok(json) => format!(" {label} {json}"),
        Err(error) => format!(" {label} {error}"),
    };
    match kind {
        ControlRecordType::Abort | ControlRecordType::Commit => match EndTransactionMarker::parse(record) {
            Ok(Some(marker)) => {
                let name = if kind == ControlRecordType::Commit { "COMMIT" } else { "ABORT" };
                format!(" endTxnMarker: {name} coordinatorEpoch: {}", marker.coordinator_epoch)
            }
            _ => " endTxnMarker: unreadable".to_owned(),
        },
        ControlRecordType::LeaderChange => json("LeaderChange:", "LeaderChangeMessage"),
        ControlRecordType::SnapshotHeader => json("SnapshotHeader", "SnapshotHeaderRecord"),
        ControlRecordType::SnapshotFooter => json("SnapshotFooter", "SnapshotFooterRecord"),
        ControlRecordType::KraftVersion => json("KRaftVersion", "KRaftVersionRecord"),
        ControlRecordType::KraftVoters => json("KRaftVoters", "VotersRecord"),
        ControlRecordType::Unknown(number) => format!(" controlType: UNKNOWN({number})"),
    }
}
