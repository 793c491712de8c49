//! What the generated filling of messages stands on: where values come from, and who looks at the messages.

use bytes::Bytes;
use protocol::{Message, Records, UnknownTaggedField, Uuid};

/// Gives the values of fields, in the order of the schema.
pub trait Source {
    fn bool(&mut self) -> bool;
    fn i8(&mut self) -> i8;
    fn i16(&mut self) -> i16;
    fn u16(&mut self) -> u16;
    fn i32(&mut self) -> i32;
    fn u32(&mut self) -> u32;
    fn i64(&mut self) -> i64;
    fn f64(&mut self) -> f64;
    fn uuid(&mut self) -> Uuid;
    fn string(&mut self) -> String;
    fn bytes(&mut self) -> Bytes;
    fn records(&mut self) -> Records;
    /// How many elements the next array has.
    fn count(&mut self) -> usize;
    /// Whether the next field is null, if it can be.
    fn is_null(&mut self, nullable: bool) -> bool;
    /// Tagged fields with other tags than those that the schema uses.
    fn unknown_tagged_fields(&mut self, known: &[u32]) -> Vec<UnknownTaggedField>;
}

/// A struct that can be filled with what a version can hold. Implementations are generated.
pub trait Fill: Message {
    fn fill(&mut self, source: &mut dyn Source, version: i16);

    fn filled(source: &mut dyn Source, version: i16) -> Self {
        let mut message = Self::default();
        message.fill(source, version);
        message
    }
}

/// An array of structs.
pub fn fill_all<T: Fill>(source: &mut dyn Source, version: i16) -> Vec<T> {
    many(source, |source| T::filled(source, version))
}

/// An array of anything.
pub fn many<T>(source: &mut dyn Source, mut one: impl FnMut(&mut dyn Source) -> T) -> Vec<T> {
    (0..source.count()).map(|_| one(source)).collect()
}

/// Is shown every message by `generated::visit_all`.
pub trait Visitor {
    fn visit<T: Fill>(&mut self);
}
