//! Our bytes are Kafka's own, for every message, version and kind of value.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::coordinator_records::{
    GroupCoordinatorRecord, ShareCoordinatorRecord, TransactionCoordinatorRecord,
};
use protocol::metadata_records::MetadataRecord;
use protocol::{EncodeError, Reader, Writer};

use crate::fill::{Fill, Visitor};
use crate::fixed_values::{Minimal, Rich};
use crate::generated::visit_all;
use crate::setup::vectors_file;

const DEFAULT: i8 = 0;
const MINIMAL: i8 = 1;
const RICH: i8 = 2;
const FRAMED: i8 = 3;

/// By name, version and kind; `None` where Kafka refuses the value.
type Vectors = BTreeMap<(String, i16, i8), Option<Bytes>>;

fn vectors() -> Option<Vectors> {
    let mut reader = Reader::new(vectors_file("messages.bin")?.into());
    let mut vectors = Vectors::new();
    while reader.remaining() > 0 {
        let name = reader.string(false).unwrap();
        let (version, kind) = (reader.i16().unwrap(), reader.i8().unwrap());
        let bytes = reader.nullable_bytes(false, true).unwrap();
        assert_eq!(vectors.insert((name, version, kind), bytes), None);
    }
    Some(vectors)
}

fn encode<T: Fill>(value: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    value.encode(&mut writer, version)?;
    Ok(writer.into_bytes()?.unwrap())
}

struct Comparison {
    vectors: Vectors,
    compared: usize,
    refused: usize,
    versions: usize,
    differences: Vec<String>,
}

impl Comparison {
    fn compare<T: Fill>(&mut self, value: &T, version: i16, kind: i8) {
        let place = format!("{} version {version} kind {kind}", T::NAME);
        let Some(theirs) = self.vectors.remove(&(T::NAME.to_owned(), version, kind)) else {
            self.differences.push(format!("{place}: Kafka has none"));
            return;
        };
        self.compared += 1;
        let ours = encode(value, version);
        let Some(theirs) = theirs else {
            self.refused += 1;
            if ours.is_ok() {
                self.differences.push(format!("{place}: Kafka refuses it, we do not"));
            }
            return;
        };
        if ours.as_ref() != Ok(&theirs) {
            self.differences.push(format!("{place}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
        let mut reader = Reader::new(theirs.clone());
        let decoded = T::decode(&mut reader, version);
        if decoded.as_ref() != Ok(value) || reader.finish().is_err() {
            self.differences.push(format!("{place}: decoded as {decoded:?}"));
        } else if decoded.is_ok_and(|decoded| encode(&decoded, version) != Ok(theirs)) {
            self.differences.push(format!("{place}: encoded differently after decoding"));
        }
    }
}

impl Visitor for Comparison {
    fn visit<T: Fill>(&mut self) {
        for version in T::VERSIONS {
            self.versions += 1;
            self.compare(&T::default(), version, DEFAULT);
            self.compare(&T::filled(&mut Minimal, version), version, MINIMAL);
            self.compare(&T::filled(&mut Rich::default(), version), version, RICH);
        }
    }
}

#[test]
fn our_bytes_are_kafkas() {
    let Some(mut vectors) = vectors() else { return };
    vectors.retain(|(_, _, kind), _| *kind != FRAMED);
    let mut comparison =
        Comparison { vectors, compared: 0, refused: 0, versions: 0, differences: Vec::new() };
    visit_all(&mut comparison);
    for (name, version, kind) in comparison.vectors.keys() {
        comparison.differences.push(format!("{name} version {version} kind {kind}: we have none"));
    }
    println!(
        "Kafka's vectors: {} of {} message versions, {} of them refused by Kafka",
        comparison.compared, comparison.versions, comparison.refused
    );
    let shown: Vec<_> = comparison.differences.iter().take(10).map(String::as_str).collect();
    assert!(
        comparison.differences.is_empty(),
        "{} differences\n{}",
        comparison.differences.len(),
        shown.join("\n")
    );
    assert!(comparison.compared > 2000, "the vectors have shrunk");
}

#[test]
fn our_metadata_frames_are_kafkas() {
    let Some(vectors) = vectors() else { return };
    let mut compared = 0;
    for ((name, version, _), bytes) in
        vectors.iter().filter(|((name, _, kind), _)| *kind == FRAMED && name.ends_with("Record"))
    {
        let bytes = bytes.clone().unwrap();
        let (record, found) = MetadataRecord::decode_framed_with_version(bytes.clone()).unwrap();
        assert_eq!(found, *version, "{name}");
        assert!(format!("{record:?}").contains(name), "{name}: {record:?}");
        assert_eq!(record.encode_framed_at(*version).unwrap(), bytes, "{name} version {version}");
        compared += 1;
    }
    println!("metadata frames: {compared}");
    assert!(compared >= 27);
}

#[test]
fn our_coordinator_records_are_kafkas() {
    let Some(vectors) = vectors() else { return };
    let mut compared = 0;
    let framed = |wanted: &str| -> Vec<(i16, Bytes)> {
        let found = vectors.iter().filter(|((name, _, kind), _)| *kind == FRAMED && name == wanted);
        found.map(|((_, version, _), bytes)| (*version, bytes.clone().unwrap())).collect()
    };
    for (name, ..) in vectors.keys().filter(|(name, _, kind)| *kind == FRAMED && name.ends_with("Key")) {
        let (_, key) = framed(name).remove(0);
        for (version, value) in framed(&name.replace("Key", "Value")) {
            let (shown, ours) = decode_and_encode(name, version, key.clone(), value.clone());
            assert!(shown.contains(name.as_str()), "{name}: {shown}");
            assert_eq!(ours, (key.clone(), Some(value)), "{name} version {version}");
            compared += 1;
        }
    }
    println!("coordinator records: {compared}");
    assert!(compared >= 25);
}

fn decode_and_encode(name: &str, version: i16, key: Bytes, value: Bytes) -> (String, (Bytes, Option<Bytes>)) {
    match name {
        "TransactionLogKey" => {
            let record = TransactionCoordinatorRecord::decode(key, Some(value)).unwrap();
            (format!("{record:?}"), record.encode(version).unwrap())
        }
        "ShareSnapshotKey" | "ShareUpdateKey" => {
            let record = ShareCoordinatorRecord::decode(key, Some(value)).unwrap();
            (format!("{record:?}"), record.encode(version).unwrap())
        }
        _ => {
            let record = GroupCoordinatorRecord::decode(key, Some(value)).unwrap();
            (format!("{record:?}"), record.encode(version).unwrap())
        }
    }
}
