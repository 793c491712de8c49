//! Values that depend only on the order of the fields: the same rule as in tests/vectors/…/Filler.java.

use bytes::Bytes;
use protocol::{Records, UnknownTaggedField, Uuid};

use crate::fill::Source;

const RECORDS_LENGTH: usize = 2500;

/// Zero, empty and null wherever that is possible.
pub struct Minimal;

impl Source for Minimal {
    fn bool(&mut self) -> bool {
        false
    }
    fn i8(&mut self) -> i8 {
        0
    }
    fn i16(&mut self) -> i16 {
        0
    }
    fn u16(&mut self) -> u16 {
        0
    }
    fn i32(&mut self) -> i32 {
        0
    }
    fn u32(&mut self) -> u32 {
        0
    }
    fn i64(&mut self) -> i64 {
        0
    }
    fn f64(&mut self) -> f64 {
        0.0
    }
    fn uuid(&mut self) -> Uuid {
        Uuid::ZERO
    }
    fn string(&mut self) -> String {
        String::new()
    }
    fn bytes(&mut self) -> Bytes {
        Bytes::new()
    }
    fn records(&mut self) -> Records {
        Records::default()
    }
    fn count(&mut self) -> usize {
        0
    }
    fn is_null(&mut self, nullable: bool) -> bool {
        nullable
    }
    fn unknown_tagged_fields(&mut self, _: &[u32]) -> Vec<UnknownTaggedField> {
        Vec::new()
    }
}

/// Everything set, each value made from how many came before it.
#[derive(Default)]
pub struct Rich {
    counter: i32,
}

impl Rich {
    fn next(&mut self) -> i32 {
        self.counter += 1;
        self.counter
    }
}

impl Source for Rich {
    fn bool(&mut self) -> bool {
        self.next() % 2 == 1
    }
    fn i8(&mut self) -> i8 {
        (self.next() % 127 + 1) as i8
    }
    fn i16(&mut self) -> i16 {
        ((self.next() * 7 + 300) % 32768) as i16
    }
    fn u16(&mut self) -> u16 {
        ((self.next() * 7 + 40000) % 65536) as u16
    }
    fn i32(&mut self) -> i32 {
        self.next() * 100_003 + 70_000
    }
    fn u32(&mut self) -> u32 {
        3_000_000_000 + self.next() as u32
    }
    fn i64(&mut self) -> i64 {
        i64::from(self.next()) * 10_000_000_019 + (1 << 40)
    }
    fn f64(&mut self) -> f64 {
        f64::from(self.next()) + 0.5
    }
    fn uuid(&mut self) -> Uuid {
        let n = self.next() as u128;
        Uuid::from_u128(((n + (1 << 50)) << 64) | (n * 31))
    }
    fn string(&mut self) -> String {
        format!("s{}-\u{fc}", self.next())
    }
    fn bytes(&mut self) -> Bytes {
        let n = self.next();
        vec![n as u8, (n >> 8) as u8, 0xff].into()
    }
    fn records(&mut self) -> Records {
        let n = self.next() as usize;
        Bytes::from_iter((0..RECORDS_LENGTH).map(|index| (index + n) as u8)).into()
    }
    fn count(&mut self) -> usize {
        2
    }
    fn is_null(&mut self, _: bool) -> bool {
        false
    }
    fn unknown_tagged_fields(&mut self, known: &[u32]) -> Vec<UnknownTaggedField> {
        let free = (0..).find(|tag| !known.contains(tag)).unwrap();
        [free, 1000].map(|tag| UnknownTaggedField { tag, data: self.bytes() }).into()
    }
}
