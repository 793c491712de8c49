//! What cannot be written is refused, and what must not be copied is not.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::{FetchRequest, FetchResponse, MetadataRequest, ProduceRequest};
use protocol::{
    ApiKey, DecodeError, EncodeError, FileRegion, Message, Part, Reader, UnknownTaggedField, Writer,
    encode_response,
};

fn encode<T: Message>(message: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes()?.unwrap())
}

#[test]
fn a_field_the_version_lacks_is_refused_unless_it_may_be_dropped() {
    let mut request = FetchRequest { rack_id: "dropped".into(), ..FetchRequest::default() };
    assert!(encode(&request, 4).is_ok());
    request.replica_state.replica_id = 1;
    let field = "FetchRequest.ReplicaState";
    assert_eq!(encode(&request, 14), Err(EncodeError::NotRepresentable { field, version: 14 }));
    assert!(encode(&request, 15).is_ok());
}

#[test]
fn a_null_is_refused_where_the_version_knows_none() {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let field = "MetadataRequest.Topics";
    assert_eq!(encode(&request, 0), Err(EncodeError::UnexpectedNull { field, version: 0 }));
    assert!(encode(&request, 1).is_ok());
    let null_topics = Bytes::from_static(&[0xff; 4]);
    assert_eq!(MetadataRequest::decode(&mut Reader::new(null_topics), 0), Err(DecodeError::UnexpectedNull));
}

#[test]
fn versions_outside_the_schema_are_refused() {
    let name = "ProduceRequest";
    let request = ProduceRequest::default();
    for version in [-1, 2, 14] {
        assert_eq!(encode(&request, version), Err(EncodeError::UnsupportedVersion { name, version }));
        let decoded = ProduceRequest::decode(&mut Reader::new(Bytes::new()), version);
        assert_eq!(decoded, Err(DecodeError::UnsupportedVersion { name, version }));
    }
}

#[test]
fn unknown_tags_must_ascend_and_be_unknown() {
    let with_tags = |tags: &[u32]| FetchRequest {
        cluster_id: Some("set".into()),
        unknown_tagged_fields: tags
            .iter()
            .map(|tag| UnknownTaggedField { tag: *tag, data: Bytes::from_static(b"x") })
            .collect(),
        ..FetchRequest::default()
    };
    assert!(encode(&with_tags(&[7, 9]), 12).is_ok());
    assert_eq!(encode(&with_tags(&[9, 7]), 12), Err(EncodeError::InvalidTag { tag: 7 }));
    assert_eq!(encode(&with_tags(&[7, 7]), 12), Err(EncodeError::InvalidTag { tag: 7 }));
    assert_eq!(encode(&with_tags(&[0]), 12), Err(EncodeError::InvalidTag { tag: 0 }));
    assert_eq!(encode(&with_tags(&[7]), 11), Err(EncodeError::InvalidTag { tag: 7 }));
}

#[test]
fn strings_have_kafkas_limit() {
    let request = |length| FetchRequest { rack_id: "x".repeat(length), ..FetchRequest::default() };
    assert!(encode(&request(32767), 12).is_ok());
    assert_eq!(encode(&request(32768), 12), Err(EncodeError::TooLong(32768)));
}

#[test]
fn records_stay_where_they_are() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[7; 5000]).unwrap();
    let region = FileRegion { file: Arc::new(file), position: 100, length: 4000 };
    let in_memory = Bytes::from(vec![9; 3000]);
    let partition = |records| PartitionData { records: Some(records), ..PartitionData::default() };
    let topic = FetchableTopicResponse {
        partitions: vec![partition(region.clone().into()), partition(in_memory.clone().into())],
        ..FetchableTopicResponse::default()
    };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let encoded = encode_response(ApiKey::Fetch, 13, 5, &response).unwrap();
    assert!(encoded.parts.contains(&Part::Region(region)));
    let shared =
        encoded.parts.iter().any(|part| matches!(part, Part::Bytes(b) if b.as_ptr() == in_memory.as_ptr()));
    assert!(shared, "the records in memory were copied");
    let Part::Bytes(start) = &encoded.parts[0] else { panic!("a frame starts with its length") };
    assert_eq!(start[..4], (encoded.len() as i32 - 4).to_be_bytes());
    assert_eq!(encoded.to_bytes(), None);
}
