//! Kafka's primitive encodings: a bounded reader, a writer of parts, and the traits that messages implement.
//!
//! The schemas contain no recursive struct (code generation refuses one), so nesting is bounded by the tables.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::ApiKey;

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::{TaggedFields, Writer};

/// The longest string in bytes, compact or not; Kafka writes and reads no longer one.
pub const MAX_STRING_LENGTH: usize = 0x7fff;
/// The most elements of one array (Kafka 4.4's own cap).
pub const MAX_ARRAY_LENGTH: usize = 1_000_000;
/// The most tagged fields of one struct (Kafka 4.4's own cap).
pub const MAX_TAGGED_FIELDS: usize = 10_000;

/// A struct of a schema: a whole message or one nested in it.
pub trait Message: Sized + Clone + Debug + PartialEq + Default + 'static {
    /// The name in Kafka's schema.
    const NAME: &'static str;
    /// The versions this struct exists in.
    const VERSIONS: RangeInclusive<i16>;
    /// The fewest bytes it takes in any version: bounds the count of an array that holds it.
    const MIN_SIZE: usize;

    /// Reads one from the current position. Bytes behind it stay unread: see [`Reader::finish`].
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Appends the fields as they are in this version.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
}

/// A request and the response that answers it. Versions are in the [`ApiKey`] table.
pub trait Request: Message {
    /// The API it calls.
    const API_KEY: ApiKey;
    /// What answers it, at the same version.
    type Response: Message;
}

/// A tagged field that this version's schema does not name, kept byte for byte (KIP-482).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTaggedField {
    /// The tag number.
    pub tag: u32,
    /// The value, undecoded.
    pub data: Bytes,
}

/// Why bytes are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("{needed} bytes needed, {remaining} left")]
    Truncated {
        /// What the value takes, as far as known.
        needed: usize,
        /// What there is.
        remaining: usize,
    },
    /// The message has no such version.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        name: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The API key is none of Kafka's, or one whose API is gone.
    #[error("unknown API key {0}")]
    UnknownApiKey(i16),
    /// A count that the remaining bytes cannot hold, or beyond Kafka's caps.
    #[error("a count of {count} where {limit} is the most")]
    TooMany {
        /// The claimed count.
        count: usize,
        /// What is possible here.
        limit: usize,
    },
    /// Decoding would take far more memory than the bytes it reads.
    #[error("the message takes too much memory for its size")]
    MemoryLimit,
    /// A null where this version allows none.
    #[error("null in a field that is not nullable")]
    UnexpectedNull,
    /// A length below -1, a string beyond 32767 bytes, a variable-length number of more than five bytes.
    #[error("invalid length or variable-length number")]
    InvalidLength,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    InvalidString,
    /// A tag that this version's schema knows but does not use, or whose value has another size.
    #[error("tagged field {tag} is invalid")]
    InvalidTag {
        /// The tag number.
        tag: u32,
    },
    /// Bytes behind the message.
    #[error("{0} bytes behind the end of the message")]
    TrailingBytes(usize),
    /// A record frame of another version than 1, or a type of record that is unknown.
    #[error("unknown record type {record_type} in frame version {frame_version}")]
    UnknownRecord {
        /// The frame version.
        frame_version: u32,
        /// The type number.
        record_type: u32,
    },
}

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message has no such version.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        name: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is set which this version lacks and which may not be dropped.
    #[error("{field} cannot be represented in version {version}")]
    NotRepresentable {
        /// `Struct.field` in Kafka's words.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A null in a field that is not nullable in this version.
    #[error("{field} must not be null in version {version}")]
    UnexpectedNull {
        /// `Struct.field` in Kafka's words.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string beyond 32767 bytes, or an array or message beyond 2 GiB.
    #[error("a value of length {0} is too long")]
    TooLong(usize),
    /// Unknown tagged fields in a version without tags, out of order, or with a tag that the schema uses.
    #[error("tagged field {tag} cannot be written here")]
    InvalidTag {
        /// The tag number.
        tag: u32,
    },
}

impl EncodeError {
    #[cold]
    pub(crate) fn not_representable(field: &'static str, version: i16) -> Self {
        Self::NotRepresentable { field, version }
    }

    #[cold]
    pub(crate) fn unexpected_null(field: &'static str, version: i16) -> Self {
        Self::UnexpectedNull { field, version }
    }
}

pub(crate) fn check_decode<T: Message>(version: i16) -> Result<(), DecodeError> {
    if T::VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(DecodeError::UnsupportedVersion { name: T::NAME, version })
}

pub(crate) fn check_encode<T: Message>(version: i16) -> Result<(), EncodeError> {
    if T::VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(EncodeError::UnsupportedVersion { name: T::NAME, version })
}

/// What arrays can hold beside structs.
pub(crate) trait Element: Sized {
    const MIN_SIZE: usize;
    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError>;
}

macro_rules! number_elements {
    ($($number:ident)*) => {$(
        impl Element for $number {
            const MIN_SIZE: usize = size_of::<$number>();
            fn read(reader: &mut Reader, _: bool) -> Result<Self, DecodeError> {
                reader.$number()
            }
            fn write(&self, writer: &mut Writer, _: bool) -> Result<(), EncodeError> {
                writer.$number(*self);
                Ok(())
            }
        }
    )*};
}
number_elements!(i8 i16 i32 i64);

impl Element for crate::Uuid {
    const MIN_SIZE: usize = 16;
    fn read(reader: &mut Reader, _: bool) -> Result<Self, DecodeError> {
        reader.uuid()
    }
    fn write(&self, writer: &mut Writer, _: bool) -> Result<(), EncodeError> {
        writer.uuid(*self);
        Ok(())
    }
}

impl Element for String {
    const MIN_SIZE: usize = 1;
    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError> {
        reader.string(flexible)
    }
    fn write(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        writer.string(self, flexible)
    }
}
