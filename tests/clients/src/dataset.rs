//! The records of the scenario: every byte follows from a seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Keys are shared by several records, whose order must not change.
const KEYS: u64 = 3000;
const MILLISECONDS_APART: i64 = 5;

/// One record as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentRecord {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// In order; a name may occur twice, one directly behind the other.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What a client cannot say, and the dataset therefore leaves out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Richness {
    /// Any bytes, nulls, headers that differ from record to record, timestamps of the test's choice.
    Everything,
    /// Text in lines, the same headers for all, the client's own timestamps.
    Lines,
}

/// The headers of every record where they cannot differ.
pub const FIXED_HEADERS: [(&str, &str); 2] = [("source", "scenario"), ("kind", "line of text")];

/// Records `first..first + count` of the dataset with this seed.
pub fn records(seed: u64, richness: Richness, start_ms: i64, first: u64, count: u64) -> Vec<SentRecord> {
    (first..first + count).map(|index| record(seed, richness, start_ms, index)).collect()
}

/// A start for timestamps, so that all of them lie in the past, but not far enough for retention.
pub fn recent_start_ms(count: u64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let span = i64::try_from(count).expect("a test's count") * MILLISECONDS_APART;
    let margin = Duration::from_secs(60);
    let start =
        i64::try_from((now - margin).as_millis()).expect("the clock is before the year 292 million") - span;
    start - start % 1000
}

fn record(seed: u64, richness: Richness, start_ms: i64, index: u64) -> SentRecord {
    let mut random =
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.wrapping_mul(0xd134_2543_de82_ef95));
    let key = format!("key-{}", random.below(KEYS)).into_bytes();
    let timestamp = start_ms + i64::try_from(index).expect("a test's count") * MILLISECONDS_APART;
    if richness == Richness::Lines {
        let value = format!(
            "record {index} says {}",
            "repeated words ".repeat(usize::try_from(random.below(9)).expect("below 9"))
        );
        let headers = FIXED_HEADERS.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        return SentRecord {
            timestamp,
            key: Some(key),
            value: Some(value.into_bytes()),
            headers: headers.to_vec(),
        };
    }
    let value = match random.below(50) {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some(value(&mut random, index)),
    };
    let mut headers =
        vec![("trace".to_owned(), random.bytes(8)), ("index".to_owned(), index.to_string().into_bytes())];
    match random.below(4) {
        0 => headers.push(("empty".to_owned(), Vec::new())),
        1 => headers.extend([("twice".to_owned(), b"one".to_vec()), ("twice".to_owned(), random.bytes(3))]),
        _ => {}
    }
    SentRecord { timestamp, key: Some(key), value, headers }
}

/// Half of it repeats, so that compression has something to find; half of it is random.
fn value(random: &mut Random, index: u64) -> Vec<u8> {
    let mut value = format!("record {index} ")
        .repeat(1 + usize::try_from(random.below(4)).expect("below 4"))
        .into_bytes();
    let length = usize::try_from(random.below(60)).expect("below 60");
    value.extend(random.bytes(length));
    value
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
