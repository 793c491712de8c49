//! Bytes on their way out: buffers and regions of files, so that records are never copied to be sent.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

/// A stretch of a file that is to be sent as it is (sendfile).
#[derive(Clone)]
pub struct FileRegion {
    /// The open file; reading never moves its cursor.
    pub file: Arc<File>,
    /// First byte, from the start of the file.
    pub position: u64,
    /// Number of bytes.
    pub length: usize,
}

impl PartialEq for FileRegion {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.position == other.position && self.length == other.length
    }
}

impl fmt::Debug for FileRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FileRegion({}..+{})", self.position, self.length)
    }
}

/// One piece of a `records` field.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordsPart {
    /// Record batches in memory.
    Bytes(Bytes),
    /// Record batches in a segment file.
    Region(FileRegion),
}

impl RecordsPart {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Region(region) => region.length,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A `records` field: whole record batches, never looked into here. Decoding yields a slice of the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// The pieces, in order.
    pub parts: Vec<RecordsPart>,
}

impl Records {
    /// Length in bytes over all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(RecordsPart::len).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes where all parts are in memory; one part is not copied. `None` if a part lies in a file.
    pub fn to_bytes(&self) -> Option<Bytes> {
        join(self.parts.iter().map(|part| match part {
            RecordsPart::Bytes(bytes) => Some(bytes),
            RecordsPart::Region(_) => None,
        }))
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self { parts: if bytes.is_empty() { Vec::new() } else { vec![RecordsPart::Bytes(bytes)] } }
    }
}

impl From<FileRegion> for Records {
    fn from(region: FileRegion) -> Self {
        Self { parts: vec![RecordsPart::Region(region)] }
    }
}

/// One piece of an encoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Bytes in memory, for a vectored write.
    Bytes(Bytes),
    /// A stretch of a file, for sendfile.
    Region(FileRegion),
}

impl Part {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Region(region) => region.length,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An encoded message or frame: parts in the order in which they go out; none is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// The pieces, in order.
    pub parts: Vec<Part>,
}

impl Encoded {
    /// Length in bytes over all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All bytes in one buffer (a single part is not copied). `None` if a part lies in a file.
    pub fn to_bytes(&self) -> Option<Bytes> {
        join(self.parts.iter().map(|part| match part {
            Part::Bytes(bytes) => Some(bytes),
            Part::Region(_) => None,
        }))
    }
}

fn join<'a>(parts: impl Iterator<Item = Option<&'a Bytes>>) -> Option<Bytes> {
    let parts: Vec<&Bytes> = parts.collect::<Option<_>>()?;
    match parts.as_slice() {
        [] => Some(Bytes::new()),
        [only] => Some(Bytes::clone(only)),
        many => {
            let mut joined = Vec::with_capacity(many.iter().map(|bytes| bytes.len()).sum());
            for bytes in many {
                joined.extend_from_slice(bytes);
            }
            Some(Bytes::from(joined))
        }
    }
}
