//! Producer state as bytes: Kafka's `.snapshot` files, version 1.
//!
//! A version, a CRC-32C of what follows it, the number of entries, and entries of fixed size in the order of their ids.

use bytes::{BufMut, Bytes, BytesMut};

use super::{ProducerBatch, ProducerState, ProducerStates};
use crate::error::ReplicaError;

const VERSION: i16 = 1;
/// Version, checksum and number of entries.
const FRONT_BYTES: usize = 10;
/// First byte the checksum covers.
const CHECKSUMMED_FROM: usize = 6;
const ENTRY_BYTES: usize = 46;

impl ProducerStates {
    /// The content of a snapshot file of the present state.
    pub fn encode_snapshot(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(FRONT_BYTES + self.producers.len() * ENTRY_BYTES);
        bytes.put_i16(VERSION);
        bytes.put_u32(0);
        bytes
            .put_i32(i32::try_from(self.producers.len()).expect("a partition has fewer than 2^31 producers"));
        for state in self.producers.values() {
            bytes.put_i64(state.producer_id);
            bytes.put_i16(state.producer_epoch);
            bytes.put_i32(state.last_sequence());
            bytes.put_i64(state.last_offset());
            bytes.put_i32(state.batches().last().map_or(0, |batch| batch.offset_delta));
            bytes.put_i64(state.last_timestamp);
            bytes.put_i32(state.coordinator_epoch);
            bytes.put_i64(state.current_transaction_first_offset.unwrap_or(-1));
        }
        let crc = records::crc32c(&bytes[CHECKSUMMED_FROM..]);
        bytes[2..CHECKSUMMED_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes.freeze()
    }

    /// Reads the content of a snapshot file.
    pub fn decode_snapshot(bytes: &[u8]) -> Result<Vec<ProducerState>, ReplicaError> {
        let corrupt = ReplicaError::CorruptSnapshot;
        let (front, entries) =
            bytes.split_first_chunk::<FRONT_BYTES>().ok_or(corrupt("shorter than its fixed part"))?;
        let [v0, v1, c0, c1, c2, c3, n0, n1, n2, n3] = *front;
        if i16::from_be_bytes([v0, v1]) != VERSION {
            return Err(corrupt("unknown version"));
        }
        if u32::from_be_bytes([c0, c1, c2, c3]) != records::crc32c(&bytes[CHECKSUMMED_FROM..]) {
            return Err(corrupt("the checksum does not match"));
        }
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || i64::from(i32::from_be_bytes([n0, n1, n2, n3])) != entries.len() as i64 {
            return Err(corrupt("the number of entries differs"));
        }
        Ok(entries.iter().map(decode_entry).collect())
    }
}

fn decode_entry(entry: &[u8; ENTRY_BYTES]) -> ProducerState {
    let timestamp = i64::from_be_bytes(field(entry, 26));
    let current_transaction_first_offset = i64::from_be_bytes(field(entry, 38));
    let mut state = ProducerState {
        producer_epoch: i16::from_be_bytes(field(entry, 8)),
        coordinator_epoch: i32::from_be_bytes(field(entry, 34)),
        last_timestamp: timestamp,
        current_transaction_first_offset: Some(current_transaction_first_offset).filter(|first| *first >= 0),
        ..ProducerState::unknown(i64::from_be_bytes(field(entry, 0)))
    };
    let last_offset = i64::from_be_bytes(field(entry, 14));
    if last_offset >= 0 {
        let batch = ProducerBatch {
            last_sequence: i32::from_be_bytes(field(entry, 10)),
            last_offset,
            offset_delta: i32::from_be_bytes(field(entry, 22)),
            timestamp,
        };
        state.add_batch(state.producer_epoch, batch);
    }
    state
}

fn field<const N: usize>(entry: &[u8; ENTRY_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&entry[at..at + N]);
    bytes
}
