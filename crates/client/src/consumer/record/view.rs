//! Records borrowed from the bytes of their batch: parsed in place, nothing allocated.

use records::{BatchHeader, RecordsError, TimestampType};

/// A record of a batch, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: usize,
}

/// A record's header, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRef<'a> {
    /// Name.
    pub key: &'a [u8],
    /// Content, which may be null.
    pub value: Option<&'a [u8]>,
}

impl<'a> RecordRef<'a> {
    /// The headers in order; ends after the first that cannot be read.
    pub fn headers(&self) -> impl Iterator<Item = Result<HeaderRef<'a>, RecordsError>> + use<'a> {
        let mut cursor = Cursor(self.headers);
        let mut left = self.header_count;
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let header = cursor.header();
            if header.is_err() {
                left = 0;
            }
            Some(header)
        })
    }
}

/// The records of a batch; ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordRefs<'a> {
    cursor: Cursor<'a>,
    left: i32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
    first_offset: i64,
    last_offset: i64,
}

impl<'a> RecordRefs<'a> {
    pub(super) fn new(header: &BatchHeader, body: &'a [u8], first_offset: i64, last_offset: i64) -> Self {
        let is_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        Self {
            cursor: Cursor(body),
            left: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time: is_append_time.then_some(header.max_timestamp),
            first_offset,
            last_offset,
        }
    }

    fn read(&mut self) -> Result<RecordRef<'a>, RecordsError> {
        let size =
            self.cursor.length()?.ok_or(RecordsError::InvalidRecord("a record has a negative size"))?;
        let mut fields = Cursor(self.cursor.take(size)?);
        fields.take(1)?;
        let timestamp_delta = fields.varlong()?;
        let offset_delta = fields.varlong()?;
        let (key, value) = (fields.nullable()?, fields.nullable()?);
        let header_count =
            fields.length()?.ok_or(RecordsError::InvalidRecord("the number of headers is negative"))?;
        Ok(RecordRef {
            offset: self.base_offset.wrapping_add(offset_delta),
            timestamp_ms: self
                .append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers: fields.0,
            header_count,
        })
    }
}

impl<'a> Iterator for RecordRefs<'a> {
    type Item = Result<RecordRef<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            self.left -= 1;
            match self.read() {
                Ok(record) if record.offset > self.last_offset => self.left = 0,
                Ok(record) if record.offset >= self.first_offset => return Some(Ok(record)),
                Ok(_) => {}
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What is left to read.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a>(&'a [u8]);

const VARLONG_BYTES_MAX: u32 = 10;

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordsError> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(RecordsError::InvalidRecord("a record ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn varlong(&mut self) -> Result<i64, RecordsError> {
        // Nearly all lengths and deltas take one byte.
        if let Some((first, rest)) = self.0.split_first()
            && first & 0x80 == 0
        {
            self.0 = rest;
            return Ok(i64::from(first >> 1) ^ -i64::from(first & 1));
        }
        let mut value = 0_u64;
        for index in 0..VARLONG_BYTES_MAX {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(RecordsError::InvalidRecord("a variable-length number is too long"))
    }

    /// A length; none if it is negative.
    fn length(&mut self) -> Result<Option<usize>, RecordsError> {
        Ok(usize::try_from(self.varlong()?).ok())
    }

    fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordsError> {
        match self.length()? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    fn header(&mut self) -> Result<HeaderRef<'a>, RecordsError> {
        let key = self.nullable()?.ok_or(RecordsError::InvalidRecord("a header's name is null"))?;
        Ok(HeaderRef { key, value: self.nullable()? })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use records::{BatchBuilder, Codec, Compression, RecordHeader};

    use crate::consumer::record::ConsumerBatch;
    use crate::topic_partition::TopicPartition;

    fn open(codec: Codec, first_offset: i64) -> ConsumerBatch {
        let mut builder = BatchBuilder::new(100).compression(Compression::of(codec));
        for index in 0..300_i64 {
            let header = RecordHeader { key: Bytes::from_static(b"h"), value: None };
            let value = vec![index as u8; index as usize];
            builder.append(5_000 + index, Some(b"key"), (index % 2 == 0).then_some(&*value), &[header]);
        }
        let bytes = builder.build();
        let batch = records::batches(&bytes).next().unwrap().unwrap();
        ConsumerBatch::open(TopicPartition::new("t", 0), &batch, first_offset, true, 1 << 20).unwrap()
    }

    #[test]
    fn borrowed_and_owned_records_are_those_of_the_records_crate() {
        for codec in Codec::ALL {
            let batch = open(codec, 0);
            let owned: Vec<_> = batch.records().map(Result::unwrap).collect();
            assert_eq!(owned.len(), 300);
            for (index, (record, view)) in owned.iter().zip(batch.iter()).enumerate() {
                let view = view.unwrap();
                assert_eq!((record.offset, record.timestamp_ms), (100 + index as i64, 5_000 + index as i64));
                assert_eq!((record.key.as_deref(), record.value.as_deref()), (view.key, view.value));
                assert_eq!(view.value.map(<[u8]>::len), (index % 2 == 0).then_some(index));
                assert_eq!(view.headers().next().unwrap().unwrap().key, b"h");
                assert_eq!(record.headers.len(), 1);
            }
        }
    }

    #[test]
    fn records_before_the_position_are_passed_over() {
        let batch = open(Codec::None, 150);
        let offsets: Vec<i64> = batch.iter().map(|one| one.unwrap().offset).collect();
        assert_eq!(offsets, (150..400).collect::<Vec<_>>());
        assert_eq!(batch.next_offset(), 400);
    }

    #[test]
    fn damaged_records_are_told_and_end_the_batch() {
        let batch = open(Codec::None, 0);
        for cut in 0..200 {
            let body = &batch.body[..cut];
            let mut header = batch.header;
            header.record_count = 300;
            let count = super::RecordRefs::new(&header, body, 0, i64::MAX).filter(Result::is_err).count();
            assert_eq!(count, 1);
        }
    }
}
