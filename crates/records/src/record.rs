//! One record, and the iterator over a batch's records.

use bytes::Bytes;

use crate::error::RecordsError;
use crate::header::{BatchHeader, TimestampType};
use crate::varint::{read_varint, read_varlong, size_of_varlong, write_varint, write_varlong};

/// A header of a record. The key is text in UTF-8 by convention and kept as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordHeader {
    /// Name.
    pub key: Bytes,
    /// Content, which may be null.
    pub value: Option<Bytes>,
}

/// One record with absolute offset and timestamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds, or -1; the batch's append time where the broker gave it.
    pub timestamp: i64,
    /// Sequence of an idempotent producer, or -1.
    pub sequence: i32,
    /// Key, if any.
    pub key: Option<Bytes>,
    /// Value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order; names may repeat.
    pub headers: Vec<RecordHeader>,
}

/// Records of one batch, in order; ends after the first error.
#[derive(Debug)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
    position: usize,
    left: i32,
}

impl Records {
    /// `body` holds the records decompressed.
    pub(crate) fn new(header: BatchHeader, body: Bytes) -> Self {
        Self { left: header.record_count, header, body, position: 0 }
    }

    fn read(&mut self) -> Result<Record, RecordsError> {
        let mut cursor = Cursor { bytes: &self.body, position: self.position };
        let size = cursor.varint()?;
        let size =
            usize::try_from(size).map_err(|_| RecordsError::InvalidRecord("a record has a negative size"))?;
        let end = cursor.position.checked_add(size).filter(|end| *end <= self.body.len());
        let end = end.ok_or(RecordsError::InvalidRecord("a record is longer than its batch"))?;
        let mut fields = Cursor { bytes: &self.body.slice(..end), position: cursor.position };
        fields.byte()?;
        let timestamp_delta = fields.varlong()?;
        let offset_delta = fields.varint()?;
        let key = fields.nullable_bytes()?;
        let value = fields.nullable_bytes()?;
        let headers = fields.headers()?;
        if fields.position != end {
            return Err(RecordsError::InvalidRecord("a record's size differs from its content"));
        }
        self.position = end;
        Ok(Record {
            offset: self.header.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: match self.header.timestamp_type() {
                TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(timestamp_delta),
                TimestampType::LogAppendTime => self.header.max_timestamp,
            },
            sequence: if self.header.base_sequence < 0 {
                crate::NO_SEQUENCE
            } else {
                crate::increment_sequence(self.header.base_sequence, offset_delta)
            },
            key,
            value,
            headers,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let mut record = self.read();
        if self.left == 0 && record.is_ok() && self.position != self.body.len() {
            record = Err(RecordsError::InvalidRecord("bytes are left after the last record"));
        }
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

struct Cursor<'a> {
    bytes: &'a Bytes,
    position: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn byte(&mut self) -> Result<u8, RecordsError> {
        let byte = *self.rest().first().ok_or(RecordsError::InvalidRecord("a record ends early"))?;
        self.position += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<i32, RecordsError> {
        let (value, taken) = read_varint(self.rest())?;
        self.position += taken;
        Ok(value)
    }

    fn varlong(&mut self) -> Result<i64, RecordsError> {
        let (value, taken) = read_varlong(self.rest())?;
        self.position += taken;
        Ok(value)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, RecordsError> {
        if length > self.rest().len() {
            return Err(RecordsError::InvalidRecord("a field is longer than its record"));
        }
        let taken = self.bytes.slice(self.position..self.position + length);
        self.position += length;
        Ok(taken)
    }

    // KAFKA: every negative length means null, not only -1.
    fn nullable_bytes(&mut self) -> Result<Option<Bytes>, RecordsError> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn headers(&mut self) -> Result<Vec<RecordHeader>, RecordsError> {
        let count = usize::try_from(self.varint()?)
            .map_err(|_| RecordsError::InvalidRecord("the number of headers is negative"))?;
        if count > self.rest().len() {
            return Err(RecordsError::InvalidRecord("more headers are claimed than bytes are left"));
        }
        let mut headers = Vec::new();
        for _ in 0..count {
            let key_length = usize::try_from(self.varint()?)
                .map_err(|_| RecordsError::InvalidRecord("a header's name has a negative length"))?;
            let key = self.take(key_length)?;
            headers.push(RecordHeader { key, value: self.nullable_bytes()? });
        }
        Ok(headers)
    }
}

/// Appends a record in its wire form.
pub(crate) fn write_record(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader],
) {
    let size = body_size(timestamp_delta, offset_delta, key, value, headers);
    write_varlong(out, size as i64);
    out.push(0);
    write_varlong(out, timestamp_delta);
    write_varint(out, offset_delta);
    write_nullable(out, key);
    write_nullable(out, value);
    write_varlong(out, headers.len() as i64);
    for header in headers {
        write_nullable(out, Some(&header.key));
        write_nullable(out, header.value.as_deref());
    }
}

/// Bytes of a record after its size field.
fn body_size(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader],
) -> usize {
    let of_headers: usize = headers
        .iter()
        .map(|header| nullable_size(Some(&header.key)) + nullable_size(header.value.as_deref()))
        .sum();
    1 + size_of_varlong(timestamp_delta)
        + size_of_varlong(i64::from(offset_delta))
        + nullable_size(key)
        + nullable_size(value)
        + size_of_varlong(headers.len() as i64)
        + of_headers
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| size_of_varlong(bytes.len() as i64) + bytes.len())
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            write_varlong(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => write_varint(out, -1),
    }
}
