//! What the scenario asks of a client, whatever it is written in. A step that a client has no call for is `None`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::dataset::{Richness, SentRecord};

/// A partition and an offset for each.
pub type Offsets = BTreeMap<i32, i64>;

/// Where a server answers, and the topic.
#[derive(Clone, Copy)]
pub struct Topic<'a> {
    pub bootstrap: &'a str,
    pub name: &'a str,
    pub partitions: i32,
}

/// A record as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadRecord {
    pub partition: i32,
    pub offset: i64,
    pub record: SentRecord,
}

/// One client library or tool.
pub trait Client {
    fn name(&self) -> String;

    fn richness(&self) -> Richness;

    fn create(&self, topic: Topic<'_>) -> Result<Option<()>>;

    /// Sends the records in order; the partition and offset of each.
    fn produce(&self, topic: Topic<'_>, codec: &str, records: &[SentRecord]) -> Result<Produced>;

    /// Reads from the earliest record of each partition until the end offsets are reached.
    fn consume(&self, topic: Topic<'_>, ends: &Offsets) -> Result<Vec<ReadRecord>>;

    /// Joins a group that reads the topic.
    fn join(&self, topic: Topic<'_>, group: &str) -> Result<Box<dyn Member>>;

    /// The group's committed offsets, -1 where there is none.
    fn committed(&self, topic: Topic<'_>, group: &str) -> Result<Option<Offsets>>;

    /// The first offset at or after a time, -1 where there is none.
    fn offsets_for_time(&self, topic: Topic<'_>, timestamp: i64) -> Result<Option<Offsets>>;

    /// First and next offset of each partition.
    fn first_and_next(&self, topic: Topic<'_>) -> Result<Option<(Offsets, Offsets)>>;

    /// Deletes what lies before the offsets; the new first offsets.
    fn delete_records(&self, topic: Topic<'_>, before: &Offsets) -> Result<Option<Offsets>>;
}

/// What a producer learned.
pub enum Produced {
    /// Partition and offset of each record, in the order of sending.
    Places(Vec<(i32, i64)>),
    /// Everything was acknowledged; the client does not say where it lies.
    Somewhere,
}

/// A member of a group, running by itself.
pub trait Member {
    /// Listens for a while; what the member owns and has committed by then.
    fn listen(&mut self, wait: Duration) -> Result<()>;

    /// Partitions it owns now.
    fn owned(&self) -> &[i32];

    /// What it has committed, `None` if it does not tell.
    fn committed(&self) -> Option<&Offsets>;

    /// Everything it has read so far.
    fn read(&self) -> Result<Vec<ReadRecord>>;

    /// Leaves the group in good order; everything it has read.
    fn leave(self: Box<Self>) -> Result<Vec<ReadRecord>>;

    /// What it has said, to explain a failure.
    fn said(&self) -> String;
}
