//! The same appends to Kafka's producer state and to ours.

use std::fmt::Write;

use records::{AppendOrigin, BatchBuilder, BatchHeader, ControlRecordType, EndTransactionMarker};
use replica::{AppendedBatch, PreparedAppend, ProducerStates, TransactionMarker};

use crate::prepared;

const APPENDS: usize = 20_000;

/// One append: what [`describe`](Append::describe) tells the Java program.
#[derive(Clone, Copy, Debug)]
struct Append {
    origin: &'static str,
    producer_id: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
    kind: &'static str,
    coordinator_epoch: i32,
    transaction_version: i16,
    base_offset: i64,
    high_watermark: i64,
}

impl Append {
    fn describe(&self) -> String {
        format!(
            "{} {} {} {} {} {} {} {} {} {}\n",
            self.origin,
            self.producer_id,
            self.epoch,
            self.sequence,
            self.count,
            self.kind,
            self.coordinator_epoch,
            self.transaction_version,
            self.base_offset,
            self.high_watermark
        )
    }

    fn is_marker(&self) -> bool {
        self.kind == "commit" || self.kind == "abort"
    }

    fn header(&self) -> (BatchHeader, Option<TransactionMarker>) {
        let builder = BatchBuilder::new(self.base_offset);
        if self.is_marker() {
            let marker = EndTransactionMarker {
                committed: self.kind == "commit",
                coordinator_epoch: self.coordinator_epoch,
            };
            let mut builder = builder
                .producer(self.producer_id, self.epoch, records::NO_SEQUENCE)
                .transactional()
                .control();
            let control_type =
                if marker.committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
            builder.append_control(self.base_offset, control_type, &marker.value());
            let header = BatchHeader::parse(&builder.build()).expect("built");
            return (header, Some(TransactionMarker { marker, timestamp: self.base_offset }));
        }
        let mut builder = builder.producer(self.producer_id, self.epoch, self.sequence);
        if self.kind == "transactional" {
            builder = builder.transactional();
        }
        for _ in 0..self.count {
            builder.append(self.base_offset, None, Some(b""), &[]);
        }
        (BatchHeader::parse(&builder.build()).expect("built"), None)
    }
}

/// Appends as producers would send them, with mistakes among them. `seed` is changed on the way.
fn appends(seed: &mut u64) -> Vec<Append> {
    let mut below = |bound: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % bound
    };
    let mut epochs = [0_i16; 4];
    let mut next_sequences = [0_i32; 4];
    let mut last: Vec<Append> = Vec::new();
    let mut base_offset = 0;
    let mut all = Vec::new();
    for _ in 0..APPENDS {
        let producer = below(4) as usize;
        let count = 1 + below(3) as i32;
        base_offset += 1 + below(3) as i64;
        let mut append = Append {
            origin: ["CLIENT", "CLIENT", "CLIENT", "COORDINATOR", "REPLICATION"][below(5) as usize],
            producer_id: producer as i64 + 1,
            epoch: epochs[producer],
            sequence: next_sequences[producer],
            count,
            kind: ["data", "transactional", "transactional", "commit", "abort"][below(5) as usize],
            coordinator_epoch: 3,
            transaction_version: below(3) as i16,
            base_offset,
            high_watermark: base_offset - below(20) as i64,
        };
        match below(14) {
            0 => append.epoch = append.epoch.saturating_add(1),
            1 => append.epoch -= 1,
            2 => append.sequence = append.sequence.wrapping_add(1).max(0),
            3 => append.coordinator_epoch = below(5) as i32,
            4 => (epochs[producer], next_sequences[producer]) = (append.epoch.saturating_add(1), 0),
            5 => append.sequence = i32::MAX - below(3) as i32,
            6 | 7 if !last.is_empty() => {
                let again = last[last.len() - 1 - below(last.len().min(8) as u64) as usize];
                append = Append { base_offset, high_watermark: append.high_watermark, ..again };
            }
            8 => append.epoch = i16::MAX,
            _ => {}
        }
        // Kafka's replica gives up where ours goes on; and it wants to know the version of a leader's marker.
        if append.origin == "REPLICATION" && append.kind == "data" {
            append.kind = "transactional";
        }
        if append.is_marker() && append.origin == "CLIENT" {
            append.origin = "COORDINATOR";
        }
        if append.epoch == i16::MAX && below(10) > 0 {
            append.epoch = epochs[producer];
        }
        append.epoch = append.epoch.max(0);
        if !append.is_marker() {
            epochs[producer] = if append.epoch > 1_000 { 0 } else { append.epoch };
            next_sequences[producer] = records::increment_sequence(append.sequence, append.count);
            last.push(append);
        }
        all.push(append);
    }
    all
}

fn apply(states: &mut ProducerStates, append: &Append) -> String {
    let (header, marker) = append.header();
    let batch = AppendedBatch { header: &header, marker };
    let update = match append.origin {
        "REPLICATION" => states.prepare_replicated([batch]),
        origin => {
            let origin = if origin == "CLIENT" { AppendOrigin::Client } else { AppendOrigin::Coordinator };
            match states.prepare([batch], origin, append.transaction_version) {
                Ok(PreparedAppend::Append(update)) => update,
                Ok(PreparedAppend::Duplicate(batch)) => {
                    let (first, last) = (batch.first_offset(), batch.last_offset);
                    return format!("duplicate {first}..{last} {}", batch.timestamp);
                }
                Err(error) => return error.error_code().name().into(),
            }
        }
    };
    let mut text = String::from("ok");
    for completed in states.apply(update) {
        let (first, last) = (completed.first_offset, completed.last_offset);
        let _ = write!(text, " completed {first}..{last} {}", completed.is_aborted);
        let _ = write!(text, " {}", completed.last_stable_offset);
    }
    text
}

fn describe(states: &ProducerStates) -> String {
    let mut text = String::new();
    for state in states.iter() {
        let first = state.current_transaction_first_offset.unwrap_or(-1);
        let _ = write!(text, "producer {} {} ", state.producer_id, state.producer_epoch);
        let _ = write!(text, "{} {} {first}", state.coordinator_epoch, state.last_timestamp);
        // A snapshot keeps the last batch only.
        for batch in state.batches() {
            let _ = write!(text, " batch {}..{}", batch.first_sequence(), batch.last_sequence);
            let _ = write!(text, " {}..{} {}", batch.first_offset(), batch.last_offset, batch.timestamp);
        }
        text.push('\n');
    }
    text
}

#[test]
fn producers_are_judged_as_kafka_does() {
    let Some(folder) = prepared::folder() else { return };
    for mut seed in [1, 2, 3] {
        let appends = appends(&mut seed);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), appends.iter().map(Append::describe).collect::<String>())
            .expect("writable");
        let answers = prepared::java(&folder, "producers", file.path());
        let mut theirs = answers.lines();
        let mut states = ProducerStates::default();
        let mut tally = std::collections::BTreeMap::new();
        for (index, append) in appends.iter().enumerate() {
            let mut ours = apply(&mut states, append);
            *tally.entry(ours.split(' ').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
            states.on_high_watermark_updated(append.high_watermark);
            let _ = write!(ours, " unstable {}", states.first_unstable_offset().unwrap_or(-1));
            assert_eq!(theirs.next(), Some(ours.as_str()), "append {index}: {append:?}");
        }
        println!("note: {APPENDS} appends of producers judged alike: {tally:?}");
        assert_eq!(tally.len(), 6, "every outcome is among them: {tally:?}");
        let reloaded = ProducerStates::decode_snapshot(&states.encode_snapshot()).expect("readable");
        let mut copy = ProducerStates::default();
        copy.load(reloaded, 0, 0, i64::MAX);
        assert_eq!(theirs.map(|line| format!("{line}\n")).collect::<String>(), describe(&copy));
    }
}
