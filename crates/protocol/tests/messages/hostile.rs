//! Mutated, cut, lying and random bytes: decoders answer, and their memory is bounded by what they were given.

use bytes::Bytes;
use protocol::{ApiKey, DecodeError, Message, Reader, RequestHeader, ResponseHeader, Writer};

use crate::counting_allocator::peak_while;
use crate::decoders;
use crate::fill::{Fill, Visitor};
use crate::fixed_values::{Minimal, Rich};
use crate::generated::visit_all;
use crate::mutation::Mutator;

const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 40;
/// What decoding may hold for each byte of its input, and beside it.
const FACTOR: usize = 8;
const CONSTANT: usize = 66 * 1024;
/// Long enough for the factor to matter beside the constant.
const BOMB_LENGTH: usize = 48 * 1024;
/// The first arrays of a message stand within so many bytes.
const LONGEST_START: usize = 24;

fn encoded<T: Message>(value: &T, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    value.encode(&mut writer, version).unwrap();
    writer.into_bytes().unwrap().unwrap().to_vec()
}

fn rich<T: Fill>(version: i16) -> Vec<u8> {
    encoded(&T::filled(&mut Rich::default(), version), version)
}

struct Memory {
    mutator: Mutator,
    decoded: usize,
    refused_for_memory: usize,
    highest_factor: f64,
}

impl Memory {
    fn decode<T: Message>(&mut self, input: &[u8], version: i16) {
        let bytes = Bytes::copy_from_slice(input);
        let (outcome, peak) = peak_while(|| T::decode(&mut Reader::new(bytes), version));
        self.decoded += 1;
        self.refused_for_memory += usize::from(matches!(outcome, Err(DecodeError::MemoryLimit)));
        if input.len() >= BOMB_LENGTH {
            self.highest_factor = self.highest_factor.max(peak as f64 / input.len() as f64);
        }
        assert!(
            peak <= FACTOR * input.len() + CONSTANT,
            "{} version {version}: {peak} bytes held for an input of {}, seed {SEED}",
            T::NAME,
            input.len()
        );
    }

    /// Valid starts of each length, then a count of as many elements as could be there, then bytes that make the
    /// smallest ones.
    fn bombs<T: Fill>(&mut self, version: i16) {
        let valid = encoded(&T::filled(&mut Minimal, version), version);
        for end in 0..=valid.len().min(LONGEST_START) {
            for element_size in [1, 3, 8, 24] {
                let count = (BOMB_LENGTH / element_size) as u32;
                let compact = [count as u8 | 0x80, (count >> 7) as u8 | 0x80, (count >> 14) as u8];
                for length in [&count.to_be_bytes()[..], &compact[..]] {
                    let mut bytes = [&valid[..end], length].concat();
                    bytes.resize(bytes.len() + BOMB_LENGTH, [0, 1, 2][self.mutator.below(3)]);
                    self.decode::<T>(&bytes, version);
                }
            }
        }
    }
}

impl Visitor for Memory {
    fn visit<T: Fill>(&mut self) {
        for version in T::VERSIONS {
            let valid = rich::<T>(version);
            for _ in 0..MUTATIONS {
                let mutated = self.mutator.mutated(&valid);
                self.decode::<T>(&mutated, version);
            }
            let random = self.mutator.random(300);
            self.decode::<T>(&random, version);
        }
        self.bombs::<T>(*T::VERSIONS.end());
    }
}

#[test]
fn decoding_holds_no_more_than_its_input_allows() {
    let mut memory =
        Memory { mutator: Mutator::new(SEED), decoded: 0, refused_for_memory: 0, highest_factor: 0.0 };
    visit_all(&mut memory);
    println!(
        "hostile inputs: {} decoded, {} refused for their memory, at most {:.1} bytes held per byte",
        memory.decoded, memory.refused_for_memory, memory.highest_factor
    );
    assert!(memory.refused_for_memory > 100, "the inputs no longer reach the limit");
    assert!(memory.highest_factor > 4.0, "the inputs no longer come near the limit");
}

/// Valid inputs of the fuzz targets' bodies.
#[derive(Default)]
struct Corpus {
    requests: Vec<Vec<u8>>,
    responses: Vec<Vec<u8>>,
}

impl Visitor for Corpus {
    fn visit<T: Fill>(&mut self) {
        for version in T::VERSIONS {
            let api = |suffix| ApiKey::all().find(|api| T::NAME.strip_suffix(suffix) == Some(api.name()));
            let mut writer = Writer::new();
            if let Some(api) = api("Request") {
                let header = RequestHeader {
                    request_api_key: api.as_i16(),
                    request_api_version: version,
                    client_id: Some("client".into()),
                    ..RequestHeader::default()
                };
                header.encode(&mut writer, protocol::request_header_version(api, version)).unwrap();
                writer.raw(&rich::<T>(version).into());
                self.requests.push(writer.into_bytes().unwrap().unwrap().to_vec());
            } else if let Some(api) = api("Response") {
                writer.i16(api.as_i16());
                writer.i16(version);
                let header = ResponseHeader::default();
                header.encode(&mut writer, protocol::response_header_version(api, version)).unwrap();
                writer.raw(&rich::<T>(version).into());
                self.responses.push(writer.into_bytes().unwrap().unwrap().to_vec());
            }
        }
    }
}

fn run(name: &str, body: fn(&[u8]), valid: &[Vec<u8>]) {
    let mut mutator = Mutator::new(SEED);
    let mut runs = 0;
    for input in valid {
        body(input);
        for _ in 0..MUTATIONS {
            body(&mutator.mutated(input));
        }
        body(&mutator.random(200));
        runs += 2 + MUTATIONS;
    }
    println!("fuzz body {name}: {runs} inputs");
    assert!(runs > 0);
}

#[test]
fn request_and_response_bodies_survive_hostile_frames() {
    let mut corpus = Corpus::default();
    visit_all(&mut corpus);
    assert_eq!(corpus.requests.len(), corpus.responses.len());
    run("requests", decoders::requests, &corpus.requests);
    run("responses", decoders::responses, &corpus.responses);
}

#[test]
fn record_bodies_survive_hostile_bytes() {
    // Types and versions stand in the first bytes of each of these.
    let starts = |second: std::ops::Range<u8>| -> Vec<Vec<u8>> {
        (0..32).flat_map(|first| second.clone().map(move |second| vec![first, second])).collect()
    };
    let framed: Vec<Vec<u8>> =
        starts(0..5).iter().map(|start| [&[1], &start[..], &[0; 40]].concat()).collect();
    run("metadata_records", decoders::metadata_records, &framed);
    let pairs: Vec<Vec<u8>> =
        starts(0..5).iter().map(|s| [&[12, 0, s[0]], &[0; 10][..], &[0, s[1]], &[1; 40]].concat()).collect();
    run("coordinator_records", decoders::coordinator_records, &pairs);
    let embedded: Vec<Vec<u8>> = starts(0..4).iter().map(|start| [&start[..], &[1; 60]].concat()).collect();
    run("embedded_messages", decoders::embedded_messages, &embedded);
}
