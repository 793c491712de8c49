//! The loader publishes images per batch, and holds back metadata transactions (KIP-868).

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use metadata::{MetadataBatch, MetadataError, MetadataImage, MetadataLoader, Provenance};
use protocol::Uuid;
use protocol::metadata_records::*;

fn topic(name: &str) -> MetadataRecord {
    let id = name.bytes().fold(1000u128, |id, byte| id * 256 + u128::from(byte));
    MetadataRecord::Topic(TopicRecord {
        name: name.into(),
        topic_id: Uuid::from_u128(id),
        ..Default::default()
    })
}

fn begin() -> MetadataRecord {
    MetadataRecord::BeginTransaction(BeginTransactionRecord::default())
}

fn end() -> MetadataRecord {
    MetadataRecord::EndTransaction(EndTransactionRecord::default())
}

fn abort() -> MetadataRecord {
    MetadataRecord::AbortTransaction(AbortTransactionRecord::default())
}

struct Log {
    loader: MetadataLoader,
    next_offset: i64,
}

impl Log {
    fn new() -> Self {
        Self { loader: MetadataLoader::new(MetadataImage::empty()), next_offset: 0 }
    }

    /// For each image published: the offset it stands at and its topics.
    fn append(&mut self, records: &[MetadataRecord]) -> Result<Vec<(i64, Vec<String>)>, MetadataError> {
        let base_offset = self.next_offset;
        self.next_offset += i64::try_from(records.len()).unwrap();
        let batch = MetadataBatch { base_offset, epoch: 3, append_timestamp_ms: 77, records };
        let published = self.loader.replay(batch)?;
        Ok(published
            .iter()
            .map(|p| {
                let names = p.image.topics.iter().map(|t| t.name().to_owned()).collect();
                (p.image.provenance.last_contained_offset, names)
            })
            .collect())
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_batch_gives_an_image_at_its_last_offset() {
    let mut log = Log::new();
    assert_eq!(log.append(&[topic("a"), topic("b")]).unwrap(), [(1, names(&["a", "b"]))]);
    assert_eq!(log.append(&[topic("c")]).unwrap(), [(2, names(&["a", "b", "c"]))]);
    assert_eq!(log.append(&[]).unwrap(), []);
    let provenance =
        Provenance { last_contained_offset: 2, last_contained_epoch: 3, last_contained_log_time_ms: 77 };
    assert_eq!(log.loader.image().provenance, provenance);
}

#[test]
fn nothing_of_a_transaction_is_seen_before_its_end() {
    let mut log = Log::new();
    assert_eq!(log.append(&[topic("a"), begin(), topic("b")]).unwrap(), [(0, names(&["a"]))]);
    assert_eq!(log.loader.open_transaction(), Some(1));
    assert_eq!(log.append(&[topic("c")]).unwrap(), []);
    assert_eq!(log.append(&[end(), topic("d")]).unwrap(), [(5, names(&["a", "b", "c", "d"]))]);
    assert_eq!(log.loader.open_transaction(), None);
}

#[test]
fn an_aborted_transaction_leaves_nothing_behind() {
    let mut log = Log::new();
    log.append(&[topic("a"), begin(), topic("b")]).unwrap();
    assert_eq!(log.append(&[abort(), topic("c")]).unwrap(), [(4, names(&["a", "c"]))]);
    assert_eq!(log.append(&[begin(), topic("b"), end()]).unwrap(), [(7, names(&["a", "b", "c"]))]);
}

#[test]
fn markers_out_of_turn_are_errors() {
    assert!(matches!(Log::new().append(&[end()]), Err(MetadataError::Transaction(_))));
    assert!(matches!(Log::new().append(&[abort()]), Err(MetadataError::Transaction(_))));
    assert!(matches!(Log::new().append(&[begin(), begin()]), Err(MetadataError::Transaction(_))));
}
