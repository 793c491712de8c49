//! Kafka's 128-bit ids, shown as url-safe base64 without padding.

use std::fmt;
use std::str::FromStr;

/// An id of a topic, directory or member: 16 bytes, big endian on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 128 bits at 6 bits a character.
const TEXT_LENGTH: usize = 22;

impl Uuid {
    /// No id: "absent" in every schema.
    pub const ZERO: Self = Self([0; 16]);
    /// The topic id of `__cluster_metadata`.
    pub const METADATA_TOPIC_ID: Self = Self::from_u128(1);

    /// The id whose big-endian bytes are this number's.
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// The bytes read as one big-endian number.
    pub const fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 22 characters hold 132 bits: the last one carries two bits of the id and four of padding.
        let value = self.as_u128();
        let mut text = [0u8; TEXT_LENGTH];
        for (index, character) in text.iter_mut().enumerate() {
            let shift = 122 - 6 * index as i32;
            let bits = if shift >= 0 { value >> shift } else { value << -shift };
            *character = ALPHABET[(bits & 0x3f) as usize];
        }
        formatter.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The text is not a Kafka id: 22 characters of url-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 22 characters of url-safe base64")]
pub struct InvalidUuid;

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidUuid);
        }
        let mut value = 0u128;
        for (index, character) in text.bytes().enumerate() {
            let bits = ALPHABET.iter().position(|&known| known == character).ok_or(InvalidUuid)? as u128;
            let shift = 122 - 6 * index as i32;
            value |= if shift >= 0 { bits << shift } else { bits >> -shift };
        }
        Ok(Self::from_u128(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::METADATA_TOPIC_ID.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(id.to_string(), "ASNFZ4mrze_-3LqYdlQyEA");
        assert_eq!("ASNFZ4mrze_-3LqYdlQyEA".parse(), Ok(id));
        assert_eq!("short".parse::<Uuid>(), Err(InvalidUuid));
        assert_eq!("ASNFZ4mrze/-3LqYdlQyEA".parse::<Uuid>(), Err(InvalidUuid));
    }
}
