//! The bounded reader: nothing is allocated by a claimed count or length alone.

use bytes::Bytes;

use super::{
    DecodeError, Element, MAX_ARRAY_LENGTH, MAX_STRING_LENGTH, MAX_TAGGED_FIELDS, Message, UnknownTaggedField,
};
use crate::{Records, Uuid};

/// Heap bytes that decoding may take for each byte of input. Real messages stay below: the worst is an array of
/// structs of one small number.
const MEMORY_FACTOR: usize = 8;
/// Heap bytes that any input may take.
const MEMORY_FLOOR: usize = 64 * 1024;

/// Reads values off one buffer. Byte fields come out as slices that share it.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    position: usize,
    /// Where reading must stop: the end of the buffer, or of the tagged field being read.
    end: usize,
    memory_left: usize,
}

impl Reader {
    /// Reads from the start of these bytes, which are all there is.
    pub fn new(bytes: Bytes) -> Self {
        let end = bytes.len();
        Self {
            bytes,
            position: 0,
            end,
            memory_left: end.saturating_mul(MEMORY_FACTOR).saturating_add(MEMORY_FLOOR),
        }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// The bytes not read yet, as a slice of the buffer.
    pub fn rest(&self) -> Bytes {
        self.bytes.slice(self.position..self.end)
    }

    /// An error if bytes are left: a request must fill its frame.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    fn take(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        let start = self.position;
        self.skip(length)?;
        Ok(&self.bytes[start..start + length])
    }

    fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if length > remaining {
            return Err(DecodeError::Truncated { needed: length, remaining });
        }
        self.position += length;
        Ok(())
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// Counts heap bytes against what this input may take.
    fn reserve(&mut self, size: usize) -> Result<(), DecodeError> {
        self.memory_left = self.memory_left.checked_sub(size).ok_or(DecodeError::MemoryLimit)?;
        Ok(())
    }

    /// A byte; anything but zero is true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.array_of::<1>()? != [0])
    }

    /// An int8.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    /// An int16.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array_of()?))
    }

    /// A uint16.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array_of()?))
    }

    /// An int32.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    /// A uint32.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array_of()?))
    }

    /// An int64.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array_of()?))
    }

    /// A float64.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.array_of()?))
    }

    /// A uuid: 16 bytes.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.array_of()?))
    }

    /// An unsigned varint of at most five bytes.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array_of::<1>()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::InvalidLength)
    }

    /// A length or count; `None` is null. Compact ones are unsigned varints of the length plus one.
    fn length(&mut self, flexible: bool, short: bool) -> Result<Option<usize>, DecodeError> {
        let length = match (flexible, short) {
            (true, _) => i64::from(self.unsigned_varint()?) - 1,
            (false, true) => i64::from(self.i16()?),
            (false, false) => i64::from(self.i32()?),
        };
        if length >= i64::from(i32::MAX) {
            return Err(DecodeError::InvalidLength);
        }
        // Kafka reads every negative length as null.
        Ok(usize::try_from(length).ok())
    }

    /// A string that is never null.
    pub fn string(&mut self, flexible: bool) -> Result<String, DecodeError> {
        self.nullable_string(flexible, false)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// A string that may be null where `nullable`.
    pub fn nullable_string(&mut self, flexible: bool, nullable: bool) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.length(flexible, true)? else { return null(nullable) };
        if length > MAX_STRING_LENGTH {
            return Err(DecodeError::InvalidLength);
        }
        self.reserve(length.min(self.remaining()))?;
        // As Java reads them: a client that names itself in another encoding is served all the same.
        let text = String::from_utf8_lossy(self.take(length)?);
        if text.len() > MAX_STRING_LENGTH {
            return Err(DecodeError::InvalidString);
        }
        let grown = text.len() - length;
        let text = text.into_owned();
        self.reserve(grown)?;
        Ok(Some(text))
    }

    /// Bytes that are never null, sharing the buffer.
    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(flexible, false)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Bytes that may be null where `nullable`, sharing the buffer.
    pub fn nullable_bytes(&mut self, flexible: bool, nullable: bool) -> Result<Option<Bytes>, DecodeError> {
        let Some(length) = self.length(flexible, false)? else { return null(nullable) };
        self.slice(length).map(Some)
    }

    fn slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let start = self.position;
        self.skip(length)?;
        Ok(self.bytes.slice(start..start + length))
    }

    /// Record batches, sharing the buffer.
    pub fn records(&mut self, flexible: bool, nullable: bool) -> Result<Option<Records>, DecodeError> {
        let Some(bytes) = self.nullable_bytes(flexible, nullable)? else { return Ok(None) };
        self.reserve(size_of::<crate::RecordsPart>())?;
        Ok(Some(Records::from(bytes)))
    }

    fn collect<T>(
        &mut self,
        count: usize,
        min_size: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let limit = MAX_ARRAY_LENGTH.min(self.remaining() / min_size.max(1));
        if count > limit {
            return Err(DecodeError::TooMany { count, limit });
        }
        self.reserve(count * size_of::<T>())?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    pub(crate) fn array<T: Element>(&mut self, flexible: bool) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(flexible, false)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_array<T: Element>(
        &mut self,
        flexible: bool,
        nullable: bool,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length(flexible, false)? else { return null(nullable) };
        self.collect(count, T::MIN_SIZE, |reader| T::read(reader, flexible)).map(Some)
    }

    pub(crate) fn messages<T: Message>(
        &mut self,
        flexible: bool,
        version: i16,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_messages(flexible, version, false)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_messages<T: Message>(
        &mut self,
        flexible: bool,
        version: i16,
        nullable: bool,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length(flexible, false)? else { return null(nullable) };
        self.collect(count, T::MIN_SIZE, |reader| T::decode(reader, version)).map(Some)
    }

    /// A struct behind the byte that says whether it is there; without that byte where it cannot be null.
    pub(crate) fn nullable_message<T: Message>(
        &mut self,
        version: i16,
        nullable: bool,
    ) -> Result<Option<T>, DecodeError> {
        if nullable && self.i8()? < 0 {
            return Ok(None);
        }
        T::decode(self, version).map(Some)
    }

    /// A tagged struct that can be null: there the byte is an unsigned varint, 0 for null.
    pub(crate) fn tagged_message<T: Message>(&mut self, version: i16) -> Result<Option<T>, DecodeError> {
        if self.unsigned_varint()? == 0 {
            return Ok(None);
        }
        T::decode(self, version).map(Some)
    }

    pub(crate) fn tagged_field_count(&mut self) -> Result<usize, DecodeError> {
        let count = self.unsigned_varint()? as usize;
        // A tagged field takes at least its tag and its size.
        let limit = MAX_TAGGED_FIELDS.min(self.remaining() / 2);
        if count > limit {
            return Err(DecodeError::TooMany { count, limit });
        }
        Ok(count)
    }

    /// Reads the tagged section of a struct: `known` reads the value of a tag that the schema names and returns false for
    /// any other, whose bytes are kept.
    pub(crate) fn tagged_fields(
        &mut self,
        mut known: impl FnMut(&mut Self, u32) -> Result<bool, DecodeError>,
    ) -> Result<Vec<UnknownTaggedField>, DecodeError> {
        let count = self.tagged_field_count()?;
        let mut unknown = Vec::new();
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()? as usize;
            if size > self.remaining() {
                return Err(DecodeError::Truncated { needed: size, remaining: self.remaining() });
            }
            let outer_end = std::mem::replace(&mut self.end, self.position + size);
            if !known(self, tag)? {
                if unknown.is_empty() {
                    self.reserve(count * size_of::<UnknownTaggedField>())?;
                    unknown.reserve_exact(count);
                }
                unknown.push(UnknownTaggedField { tag, data: self.slice(size)? });
            }
            if self.position != self.end {
                return Err(DecodeError::InvalidTag { tag });
            }
            self.end = outer_end;
        }
        Ok(unknown)
    }

    pub(crate) fn unknown_tagged_fields(
        &mut self,
        flexible: bool,
    ) -> Result<Vec<UnknownTaggedField>, DecodeError> {
        if !flexible {
            return Ok(Vec::new());
        }
        self.tagged_fields(|_, _| Ok(false))
    }
}

fn null<T>(nullable: bool) -> Result<Option<T>, DecodeError> {
    if nullable { Ok(None) } else { Err(DecodeError::UnexpectedNull) }
}
