//! The 61 bytes in front of a batch's records, parsed and written.

use crate::compression::Codec;
use crate::error::RecordsError;
use crate::{BATCH_OVERHEAD, LOG_OVERHEAD, NO_SEQUENCE};

const COMPRESSION_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

/// First byte the checksum covers: the attributes.
pub(crate) const CHECKSUMMED_FROM: usize = 21;

/// Who gave the records their timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer; each record carries its own.
    #[default]
    CreateTime,
    /// The broker at append; every record counts as having the batch's maximum.
    LogAppendTime,
}

/// The header of a batch, field by field in the order of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record (relative 0 in what a client produces).
    pub base_offset: i64,
    /// Bytes after this field, so the batch is this plus 12.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub partition_leader_epoch: i32,
    /// Record format, 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: i16,
    /// Last offset minus base offset; compaction keeps it even if the last record goes.
    pub last_offset_delta: i32,
    /// Timestamp the deltas of the records count from, ms; the delete horizon if that flag is set.
    pub base_timestamp: i64,
    /// Largest timestamp in the batch, or the append time, ms.
    pub max_timestamp: i64,
    /// Idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of that producer, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads a header. Nothing is judged but the length of the input and the magic byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordsError> {
        let head: &[u8; BATCH_OVERHEAD] =
            bytes.first_chunk().ok_or(RecordsError::Corrupt("fewer bytes than a batch header has"))?;
        let header = Self {
            base_offset: i64::from_be_bytes(field(head, 0)),
            batch_length: i32::from_be_bytes(field(head, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(head, 12)),
            magic: i8::from_be_bytes(field(head, 16)),
            crc: u32::from_be_bytes(field(head, 17)),
            attributes: i16::from_be_bytes(field(head, 21)),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        };
        match header.magic {
            2 => Ok(header),
            0 | 1 => Err(RecordsError::UnsupportedMagic(header.magic)),
            _ => Err(RecordsError::Corrupt("unknown magic")),
        }
    }

    /// The bytes of this header, checksum as it stands in the field.
    pub fn to_bytes(&self) -> [u8; BATCH_OVERHEAD] {
        let mut head = [0; BATCH_OVERHEAD];
        head[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        head[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        head[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        head[16..17].copy_from_slice(&self.magic.to_be_bytes());
        head[17..21].copy_from_slice(&self.crc.to_be_bytes());
        head[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        head[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        head[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        head[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        head[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        head[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        head[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        head
    }

    /// Checksum of this header's covered part followed by `tail`, the bytes after the header.
    pub fn compute_crc(&self, tail: &[u8]) -> u32 {
        checksum(&self.to_bytes()[CHECKSUMMED_FROM..], tail)
    }

    /// Bytes of the whole batch, header included; 0 if the length field is absurd.
    pub fn size_in_bytes(&self) -> usize {
        usize::try_from(self.batch_length).map_or(0, |length| length + LOG_OVERHEAD)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Offset of the batch that follows.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence of the last record, wrapping past 2^31-1, or -1 without sequences.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            NO_SEQUENCE
        } else {
            increment_sequence(self.base_sequence, self.last_offset_delta)
        }
    }

    /// The codec of the records.
    pub fn compression(&self) -> Result<Codec, RecordsError> {
        Codec::from_id((self.attributes & COMPRESSION_MASK) as u8)
    }

    /// Who gave the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds control records: never handed to applications.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// When tombstones of this batch may go, ms, if compaction has stamped it (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_BIT != 0).then_some(self.base_timestamp)
    }

    /// Whether the batch was written by an idempotent or transactional producer.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > crate::NO_PRODUCER_ID
    }
}

/// Attribute bits for a batch.
pub(crate) fn attributes(
    codec: Codec,
    timestamp_type: TimestampType,
    is_transactional: bool,
    is_control: bool,
    has_delete_horizon: bool,
) -> i16 {
    let mut bits = i16::from(codec.id());
    if timestamp_type == TimestampType::LogAppendTime {
        bits |= TIMESTAMP_TYPE_BIT;
    }
    if is_transactional {
        bits |= TRANSACTIONAL_BIT;
    }
    if is_control {
        bits |= CONTROL_BIT;
    }
    if has_delete_horizon {
        bits |= DELETE_HORIZON_BIT;
    }
    bits
}

/// CRC-32C over two pieces in a row.
pub(crate) fn checksum(head: &[u8], tail: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(head);
    digest.update(tail);
    digest.finalize() as u32
}

/// CRC-32C (Castagnoli), the checksum of batches and of producer snapshots.
pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(bytes, &[])
}

/// `sequence + increment`, from 2^31-1 back to 0 (Kafka's `DefaultRecordBatch`).
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    if i64::from(sequence) + i64::from(increment) > i64::from(i32::MAX) {
        increment.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1)
    } else {
        sequence.wrapping_add(increment)
    }
}

/// `sequence - decrement`, from 0 back to 2^31-1 (Kafka's `DefaultRecordBatch`).
pub fn decrement_sequence(sequence: i32, decrement: i32) -> i32 {
    if sequence < decrement {
        i32::MAX.wrapping_sub(decrement.wrapping_sub(sequence)).wrapping_add(1)
    } else {
        sequence.wrapping_sub(decrement)
    }
}

fn field<const N: usize>(head: &[u8; BATCH_OVERHEAD], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}
