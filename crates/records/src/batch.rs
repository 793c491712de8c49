//! Splitting bytes into batches, and one batch as a slice of them.

use bytes::Bytes;

use crate::control::EndTransactionMarker;
use crate::error::RecordsError;
use crate::header::{BatchHeader, CHECKSUMMED_FROM, checksum};
use crate::record::Records;
use crate::{BATCH_OVERHEAD, LOG_OVERHEAD};

/// Smallest length field Kafka's reader lets pass: the overhead of the oldest record format.
const MIN_BATCH_LENGTH: i32 = 14;
/// Control batches are small; this bounds a damaged one that is compressed.
const CONTROL_BATCH_BYTES_MAX: usize = 64 * 1024;
/// Bytes up to and including the magic byte.
const HEADER_UP_TO_MAGIC: usize = 17;

/// A whole batch: its parsed header and all its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The header as it stands in the bytes.
    pub header: BatchHeader,
    /// Header and records.
    pub bytes: Bytes,
}

impl Batch {
    /// Whether the stored checksum is that of the bytes.
    pub fn verify_crc(&self) -> Result<(), RecordsError> {
        let covered = self.bytes.get(CHECKSUMMED_FROM..).unwrap_or_default();
        if checksum(covered, &[]) == self.header.crc {
            Ok(())
        } else {
            Err(RecordsError::Corrupt("the checksum does not match"))
        }
    }

    /// The bytes after the header, compressed as they are.
    pub fn tail(&self) -> Bytes {
        self.bytes.slice(BATCH_OVERHEAD.min(self.bytes.len())..)
    }

    /// The end of a transaction this batch announces, with the time its record carries, ms; none for batches of
    /// data, of other control types, or without records. Only the first record counts, as in Kafka.
    pub fn end_transaction_marker(&self) -> Result<Option<(EndTransactionMarker, i64)>, RecordsError> {
        if !self.header.is_control() {
            return Ok(None);
        }
        let Some(record) = self.records(CONTROL_BATCH_BYTES_MAX)?.next().transpose()? else {
            return Ok(None);
        };
        Ok(EndTransactionMarker::parse(&record)?.map(|marker| (marker, record.timestamp)))
    }

    /// The records, decompressed at once into at most `limit` bytes. Uncompressed records are slices of the batch.
    pub fn records(&self, limit: usize) -> Result<Records, RecordsError> {
        if self.header.record_count < 0 {
            return Err(RecordsError::InvalidRecord("the number of records is negative"));
        }
        let codec = self.header.compression()?;
        if self.header.record_count == 0 {
            // Whatever stands behind an empty batch is nobody's record: Kafka does not look at it, either.
            return Ok(Records::new(self.header, Bytes::new()));
        }
        Ok(Records::new(self.header, codec.decompress(&self.tail(), limit)?))
    }
}

/// Iterator over the batches in some bytes; ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    failed: bool,
}

/// The batches in `bytes`, in order. A cut-off last batch ends the walk without an error, as a fetch may cut one;
/// [`Batches::rest`] tells how much was left.
pub fn batches(bytes: &Bytes) -> Batches {
    Batches { rest: bytes.clone(), failed: false }
}

impl Batches {
    /// What has not been walked yet: at the end of the walk, an incomplete batch or nothing.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// Size of the next batch if all of it is there.
    fn next_size(&self) -> Result<Option<usize>, RecordsError> {
        let Some(fixed) = self.rest.first_chunk::<LOG_OVERHEAD>() else { return Ok(None) };
        let length = i32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        if length < MIN_BATCH_LENGTH {
            return Err(RecordsError::Corrupt("the batch length is smaller than any record format allows"));
        }
        let Some(up_to_magic) = self.rest.first_chunk::<HEADER_UP_TO_MAGIC>() else { return Ok(None) };
        let magic = up_to_magic[HEADER_UP_TO_MAGIC - 1] as i8;
        if !(0..=crate::MAGIC).contains(&magic) {
            return Err(RecordsError::Corrupt("unknown magic"));
        }
        let size = length as usize + LOG_OVERHEAD;
        if self.rest.len() < size {
            return Ok(None);
        }
        match magic {
            crate::MAGIC if size < BATCH_OVERHEAD => {
                Err(RecordsError::Corrupt("the batch length is smaller than a header"))
            }
            crate::MAGIC => Ok(Some(size)),
            _ => Err(RecordsError::UnsupportedMagic(magic)),
        }
    }

    fn read(&mut self) -> Result<Option<Batch>, RecordsError> {
        let Some(size) = self.next_size()? else { return Ok(None) };
        let header = BatchHeader::parse(&self.rest)?;
        Ok(Some(Batch { header, bytes: self.rest.split_to(size) }))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
