//! Encode, decode, encode again: every message in every version, with random values that the version can hold.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::{Reader, Writer};

use crate::fill::{Fill, Visitor};
use crate::generated::visit_all;
use crate::random_values::Random;

const CASES: u32 = 24;

struct RoundTrips {
    messages: usize,
    versions: usize,
    values: Cell<usize>,
}

impl Visitor for RoundTrips {
    fn visit<T: Fill>(&mut self) {
        self.messages += 1;
        for version in T::VERSIONS {
            self.versions += 1;
            // A runner counts its cases over all its runs: each version has its own.
            let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
            let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..600), |bytes| {
                self.values.set(self.values.get() + 1);
                round_trip(&T::filled(&mut Random { bytes: &bytes }, version), version)
            });
            if let Err(failure) = outcome {
                panic!("{} version {version}: {failure}", T::NAME);
            }
        }
    }
}

fn round_trip<T: Fill>(value: &T, version: i16) -> Result<(), TestCaseError> {
    let mut writer = Writer::new();
    value.encode(&mut writer, version).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let length = writer.len();
    let bytes = writer.into_bytes().unwrap().unwrap();
    prop_assert_eq!(bytes.len(), length);
    prop_assert!(length >= T::MIN_SIZE, "{} bytes are below MIN_SIZE", length);
    let mut reader = Reader::new(bytes.clone());
    let decoded = T::decode(&mut reader, version).map_err(|error| TestCaseError::fail(error.to_string()))?;
    reader.finish().map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&decoded, value);
    let mut writer = Writer::new();
    decoded.encode(&mut writer, version).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(writer.into_bytes().unwrap().unwrap(), bytes);
    Ok(())
}

#[test]
fn every_message_in_every_version_survives() {
    let mut round_trips = RoundTrips { messages: 0, versions: 0, values: Cell::new(0) };
    visit_all(&mut round_trips);
    let RoundTrips { messages, versions, values } = round_trips;
    let values = values.get();
    println!("round trips: {messages} messages, {versions} message versions, {values} random values");
    assert!(messages >= 278, "the list of messages has shrunk");
    assert_eq!(values, versions * CASES as usize);
}
