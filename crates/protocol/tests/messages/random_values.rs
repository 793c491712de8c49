//! Values made from a string of random bytes: when it is used up everything is zero, so smaller strings give smaller
//! values and failures shrink.

use bytes::Bytes;
use protocol::{Records, UnknownTaggedField, Uuid};

use crate::fill::Source;

/// Makes values out of bytes.
pub struct Random<'a> {
    pub bytes: &'a [u8],
}

impl Random<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// Bits for a number: often one of the values at which codecs break.
    fn bits(&mut self) -> u64 {
        match self.byte() {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX as u64,
            3 => i64::MIN as u64,
            4 => 1 << (self.byte() % 64),
            5..32 => u64::from(self.byte()),
            _ => u64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn length(&mut self) -> usize {
        match self.byte() {
            // Compact lengths grow to two bytes at 127 and 128.
            250 => 126,
            251 => 127,
            252 => 128,
            // Beyond what is copied into the small buffer.
            253 => 2047,
            254 => 2048,
            255 => 5000,
            other => usize::from(other % 12),
        }
    }
}

impl Source for Random<'_> {
    fn bool(&mut self) -> bool {
        self.byte() % 2 == 1
    }
    fn i8(&mut self) -> i8 {
        self.bits() as i8
    }
    fn i16(&mut self) -> i16 {
        self.bits() as i16
    }
    fn u16(&mut self) -> u16 {
        self.bits() as u16
    }
    fn i32(&mut self) -> i32 {
        self.bits() as i32
    }
    fn u32(&mut self) -> u32 {
        self.bits() as u32
    }
    fn i64(&mut self) -> i64 {
        self.bits() as i64
    }
    fn f64(&mut self) -> f64 {
        // No NaN: it would not equal itself.
        self.bits() as i64 as f64 / 3.0
    }
    fn uuid(&mut self) -> Uuid {
        Uuid::from_u128((u128::from(self.bits()) << 64) | u128::from(self.bits()))
    }
    fn string(&mut self) -> String {
        let length = self.length();
        (0..length).map(|_| char::from_u32(u32::from(self.byte()) * 300).unwrap_or('x')).collect()
    }
    fn bytes(&mut self) -> Bytes {
        let (length, fill) = (self.length(), self.byte());
        vec![fill; length].into()
    }
    fn records(&mut self) -> Records {
        self.bytes().into()
    }
    fn count(&mut self) -> usize {
        usize::from(self.byte() % 4)
    }
    fn is_null(&mut self, nullable: bool) -> bool {
        nullable && self.byte().is_multiple_of(3)
    }
    fn unknown_tagged_fields(&mut self, known: &[u32]) -> Vec<UnknownTaggedField> {
        let mut tag = 0;
        let count = self.byte().saturating_sub(250);
        let mut fields = Vec::new();
        for _ in 0..count {
            tag += 1 + u32::from(self.byte()) * u32::from(self.byte());
            if !known.contains(&tag) {
                fields.push(UnknownTaggedField { tag, data: self.bytes() });
            }
        }
        fields
    }
}
