//! Records written by the generated code are read back by the tables.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use protocol::Uuid;
use protocol::coordinator_records::{OffsetCommitKey, OffsetCommitValue};
use protocol::coordinator_records::{encode_coordinator_key, encode_coordinator_value};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord, TopicRecord};
use serde_json::json;

use super::{Coordinator, coordinator_record, metadata_record, tables};

#[test]
fn no_table_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tables");
    let count = |name: &str| fs::read_dir(folder.join(name)).expect("the tables are there").count();
    assert_eq!(tables::METADATA_RECORDS.len(), count("metadata_records"));
    assert_eq!(tables::COORDINATOR_RECORDS.len(), count("coordinator_records"));
    assert_eq!(tables::DATA.len(), count("control_records") + count("embedded"));
}

#[test]
fn a_committed_offset_is_shown_in_its_version() {
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 2 };
    let value = OffsetCommitValue { offset: 7, leader_epoch: 3, commit_timestamp: 99, ..Default::default() };
    let key = encode_coordinator_key(&key).expect("it is encoded");
    let value = encode_coordinator_value(&value, 3).expect("it is encoded");
    let shown = coordinator_record(Coordinator::Group, &key, Some(&value)).expect("it is read");
    assert_eq!(shown.key, json!({"group": "g", "topic": "t", "partition": 2}));
    let data = json!({"offset": 7, "leaderEpoch": 3, "metadata": "", "commitTimestamp": 99});
    assert_eq!(shown.value, Some((3, data)));
    assert!(coordinator_record(Coordinator::Group, &Bytes::from_static(&[0]), None).is_err());
}

#[test]
fn tagged_fields_are_shown_when_they_say_something() {
    let record = PartitionChangeRecord { partition_id: 1, leader: 5, ..Default::default() };
    let bytes = MetadataRecord::PartitionChange(record).encode_framed().expect("it is encoded");
    let shown = metadata_record(&bytes).expect("it is read");
    assert_eq!(shown["type"], "PARTITION_CHANGE_RECORD");
    assert_eq!(shown["data"], json!({"partitionId": 1, "topicId": Uuid::ZERO.to_string(), "leader": 5}));
    let record = TopicRecord { name: "one".into(), ..Default::default() };
    let bytes = MetadataRecord::Topic(record).encode_framed().expect("it is encoded");
    assert_eq!(metadata_record(&bytes).expect("it is read")["data"]["name"], "one");
}
