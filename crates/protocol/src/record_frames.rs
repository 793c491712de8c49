//! The few bytes in front of records: metadata records' frame, coordinator records' type and version.

use bytes::Bytes;

use crate::wire::{DecodeError, EncodeError, Message, Reader, Writer};

/// The only version of the frame around metadata records.
const FRAME_VERSION: u32 = 1;

pub(crate) fn start(record_type: u32, version: i16) -> Writer {
    let mut writer = Writer::new();
    writer.unsigned_varint(FRAME_VERSION);
    writer.unsigned_varint(record_type);
    writer.unsigned_varint(u32::from(version.unsigned_abs()));
    writer
}

pub(crate) fn finish(writer: Writer) -> Result<Bytes, EncodeError> {
    Ok(writer.into_bytes()?.expect("no record has a field that can lie in a file"))
}

pub(crate) fn read_head(reader: &mut Reader) -> Result<(u32, i16), DecodeError> {
    let frame_version = reader.unsigned_varint()?;
    let record_type = reader.unsigned_varint()?;
    if frame_version != FRAME_VERSION {
        return Err(DecodeError::UnknownRecord { frame_version, record_type });
    }
    let version = i16::try_from(reader.unsigned_varint()?).map_err(|_| DecodeError::InvalidLength)?;
    Ok((record_type, version))
}

/// A key in a coordinator's topic. Its type number stands in front of it, and says what the value is.
pub trait CoordinatorKey: Message {
    /// The number in front of the key.
    const TYPE: i16;
    /// What stands under such a key.
    type Value: Message;
}

/// The key's bytes: its int16 type, then its fields.
pub fn encode_coordinator_key<K: CoordinatorKey>(key: &K) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(K::TYPE);
    key.encode(&mut writer, *K::VERSIONS.start())?;
    finish(writer)
}

/// The value's bytes: its int16 version, then its fields.
pub fn encode_coordinator_value<V: Message>(value: &V, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    value.encode(&mut writer, version)?;
    finish(writer)
}

/// Reads a value behind its version. Bytes behind it are let be, as Kafka does.
pub fn decode_coordinator_value<V: Message>(bytes: Bytes) -> Result<V, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    V::decode(&mut reader, version)
}

pub(crate) fn encode_pair<K: CoordinatorKey>(
    key: &K,
    value: Option<&K::Value>,
    value_version: i16,
) -> Result<(Bytes, Option<Bytes>), EncodeError> {
    let value = value.map(|value| encode_coordinator_value(value, value_version)).transpose()?;
    Ok((encode_coordinator_key(key)?, value))
}

pub(crate) fn decode_pair<K: CoordinatorKey>(
    mut reader: Reader,
    value: Option<Bytes>,
) -> Result<(K, Option<K::Value>), DecodeError> {
    let key = K::decode(&mut reader, *K::VERSIONS.start())?;
    Ok((key, value.map(decode_coordinator_value).transpose()?))
}

pub(crate) fn unknown_key(record_type: i16) -> DecodeError {
    DecodeError::UnknownRecord { frame_version: 0, record_type: u32::from(record_type.cast_unsigned()) }
}
