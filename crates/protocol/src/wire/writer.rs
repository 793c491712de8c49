//! The writer: one buffer for the small fields, large byte fields and file regions as parts of their own.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Element, EncodeError, MAX_STRING_LENGTH, Message, UnknownTaggedField};
use crate::{Encoded, Part, Records, RecordsPart, Uuid};

/// Byte fields from this length on are sent as they are; below it a copy is cheaper than another entry of a vectored
/// write.
const OWN_PART_LENGTH: usize = 2048;
const LENGTH_PREFIX: usize = 4;

/// Collects an encoded message.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    /// Parts that belong between the bytes of the buffer, each at its position there.
    own_parts: Vec<(usize, Part)>,
    framed: bool,
}

impl Writer {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a frame: its first four bytes will be the length of the rest.
    pub fn framed() -> Self {
        let mut writer = Self { framed: true, ..Self::default() };
        writer.buffer.reserve(256);
        writer.i32(0);
        writer
    }

    /// Bytes written so far, parts of their own included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.own_parts.iter().map(|(_, part)| part.len()).sum::<usize>()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, in order; a frame's length is filled in here.
    pub fn finish(mut self) -> Result<Encoded, EncodeError> {
        if self.framed {
            let length = self.len() - LENGTH_PREFIX;
            let prefix = i32::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
            self.buffer[..LENGTH_PREFIX].copy_from_slice(&prefix.to_be_bytes());
        }
        let buffer = self.buffer.freeze();
        let mut parts = Vec::with_capacity(2 * self.own_parts.len() + 1);
        let mut start = 0;
        for (position, part) in self.own_parts {
            if position > start {
                parts.push(Part::Bytes(buffer.slice(start..position)));
            }
            start = position;
            parts.push(part);
        }
        if buffer.len() > start {
            parts.push(Part::Bytes(buffer.slice(start..)));
        }
        Ok(Encoded { parts })
    }

    /// What was written, in one buffer. `None` if a part lies in a file.
    pub fn into_bytes(self) -> Result<Option<Bytes>, EncodeError> {
        if self.own_parts.is_empty() && !self.framed {
            return Ok(Some(self.buffer.freeze()));
        }
        Ok(self.finish()?.to_bytes())
    }

    /// A byte: 1 or 0.
    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    /// An int8.
    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    /// An int16.
    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    /// A uint16.
    pub fn u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    /// An int32.
    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    /// A uint32.
    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    /// An int64.
    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    /// A float64.
    pub fn f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    /// A uuid: 16 bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(&value.0);
    }

    /// An unsigned varint: seven bits a byte, the lowest first.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    fn length(&mut self, length: Option<usize>, flexible: bool, short: bool) -> Result<(), EncodeError> {
        let limit = if short { MAX_STRING_LENGTH } else { i32::MAX as usize - 1 };
        if let Some(too_long) = length.filter(|&length| length > limit) {
            return Err(EncodeError::TooLong(too_long));
        }
        match (flexible, short) {
            (true, _) => self.unsigned_varint(length.map_or(0, |length| length as u32 + 1)),
            (false, true) => self.i16(length.map_or(-1, |length| length as i16)),
            (false, false) => self.i32(length.map_or(-1, |length| length as i32)),
        }
        Ok(())
    }

    /// A string.
    pub fn string(&mut self, value: &str, flexible: bool) -> Result<(), EncodeError> {
        self.nullable_string(Some(value), flexible)
    }

    /// A string or null.
    pub fn nullable_string(&mut self, value: Option<&str>, flexible: bool) -> Result<(), EncodeError> {
        self.length(value.map(str::len), flexible, true)?;
        self.buffer.put_slice(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Bytes; long ones become a part of their own.
    pub fn bytes(&mut self, value: &Bytes, flexible: bool) -> Result<(), EncodeError> {
        self.nullable_bytes(Some(value), flexible)
    }

    /// Bytes or null; long ones become a part of their own.
    pub fn nullable_bytes(&mut self, value: Option<&Bytes>, flexible: bool) -> Result<(), EncodeError> {
        self.length(value.map(Bytes::len), flexible, false)?;
        if let Some(bytes) = value {
            self.raw(bytes);
        }
        Ok(())
    }

    /// Bytes without a length; long ones become a part of their own.
    pub fn raw(&mut self, bytes: &Bytes) {
        if bytes.len() < OWN_PART_LENGTH {
            self.buffer.put_slice(bytes);
        } else {
            self.own_parts.push((self.buffer.len(), Part::Bytes(bytes.clone())));
        }
    }

    /// Record batches or null: file regions and long bytes become parts of their own.
    pub fn records(&mut self, value: Option<&Records>, flexible: bool) -> Result<(), EncodeError> {
        self.length(value.map(Records::len), flexible, false)?;
        for part in value.iter().flat_map(|records| &records.parts) {
            match part {
                RecordsPart::Bytes(bytes) => self.raw(bytes),
                RecordsPart::Region(region) if region.length > 0 => {
                    self.own_parts.push((self.buffer.len(), Part::Region(region.clone())));
                }
                RecordsPart::Region(_) => {}
            }
        }
        Ok(())
    }

    pub(crate) fn array<T: Element>(&mut self, items: &[T], flexible: bool) -> Result<(), EncodeError> {
        self.nullable_array(Some(items), flexible)
    }

    pub(crate) fn nullable_array<T: Element>(
        &mut self,
        items: Option<&[T]>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        self.length(items.map(<[T]>::len), flexible, false)?;
        items.unwrap_or_default().iter().try_for_each(|item| item.write(self, flexible))
    }

    pub(crate) fn messages<T: Message>(
        &mut self,
        items: &[T],
        flexible: bool,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.nullable_messages(Some(items), flexible, version)
    }

    pub(crate) fn nullable_messages<T: Message>(
        &mut self,
        items: Option<&[T]>,
        flexible: bool,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.length(items.map(<[T]>::len), flexible, false)?;
        items.unwrap_or_default().iter().try_for_each(|item| item.encode(self, version))
    }

    /// A struct behind the byte that says whether it is there; without that byte where it cannot be null.
    pub(crate) fn nullable_message<T: Message>(
        &mut self,
        item: Option<&T>,
        version: i16,
        nullable: bool,
    ) -> Result<(), EncodeError> {
        if nullable {
            self.i8(if item.is_some() { 1 } else { -1 });
        }
        item.map_or(Ok(()), |item| item.encode(self, version))
    }

    /// A tagged struct that can be null: there the byte is an unsigned varint, 0 for null.
    pub(crate) fn tagged_message<T: Message>(
        &mut self,
        item: Option<&T>,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.unsigned_varint(u32::from(item.is_some()));
        item.map_or(Ok(()), |item| item.encode(self, version))
    }

    /// The tagged section of a struct without tags of its own.
    pub(crate) fn unknown_tagged_fields(
        &mut self,
        unknown: &[UnknownTaggedField],
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match (flexible, unknown.first()) {
            (true, _) => TaggedFields::default().finish(self, unknown),
            (false, None) => Ok(()),
            (false, Some(field)) => Err(EncodeError::InvalidTag { tag: field.tag }),
        }
    }
}

/// The tagged section of a struct while it is written: known fields are added in the order of their tags.
#[derive(Debug, Default)]
pub struct TaggedFields {
    known: Vec<(u32, Bytes)>,
}

impl TaggedFields {
    /// Adds a field whose value `write` writes.
    pub fn add(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut value = Writer::new();
        write(&mut value)?;
        // Only `records` fields can lie in files, and none of them is tagged.
        let bytes = value.into_bytes()?.ok_or(EncodeError::InvalidTag { tag })?;
        self.known.push((tag, bytes));
        Ok(())
    }

    /// Writes known and unknown fields merged in ascending order of their tags.
    pub fn finish(self, writer: &mut Writer, unknown: &[UnknownTaggedField]) -> Result<(), EncodeError> {
        let count = self.known.len() + unknown.len();
        writer.unsigned_varint(u32::try_from(count).map_err(|_| EncodeError::TooLong(count))?);
        let mut fields: Vec<(u32, &Bytes)> = Vec::new();
        if count > 0 {
            fields.extend(self.known.iter().map(|(tag, data)| (*tag, data)));
            if let Some(pair) = unknown.windows(2).find(|pair| pair[0].tag >= pair[1].tag) {
                return Err(EncodeError::InvalidTag { tag: pair[1].tag });
            }
            fields.extend(unknown.iter().map(|field| (field.tag, &field.data)));
            fields.sort_by_key(|(tag, _)| *tag);
            if let Some(pair) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(EncodeError::InvalidTag { tag: pair[1].0 });
            }
        }
        for (tag, data) in fields {
            writer.unsigned_varint(tag);
            writer.unsigned_varint(u32::try_from(data.len()).map_err(|_| EncodeError::TooLong(data.len()))?);
            writer.raw(data);
        }
        Ok(())
    }
}
