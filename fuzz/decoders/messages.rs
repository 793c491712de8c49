//! Decoders of messages, fed with any bytes: they answer with a value or an error, and a value that can be written
//! again is read again as itself.

use bytes::Bytes;
use protocol::coordinator_records::{
    GroupCoordinatorRecord, ShareCoordinatorRecord, TransactionCoordinatorRecord,
};
use protocol::metadata_records::MetadataRecord;
use protocol::remote_log_records::RemoteLogRecord;
use protocol::{ApiKey, Message, Reader, Writer, control_records, embedded, messages};

fn read<T: Message>(reader: &mut Reader, version: i16) {
    let Ok(value) = T::decode(reader, version) else { return };
    let mut writer = Writer::new();
    // What reads leniently need not be writable: tags out of order, for one.
    if value.encode(&mut writer, version).is_err() {
        return;
    }
    let bytes = writer.into_bytes().expect("it is short").expect("it has no file region");
    let again = T::decode(&mut Reader::new(bytes), version).expect("what was written can be read");
    // By text, for a NaN does not equal itself.
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
}

/// A request frame without its length.
pub fn requests(data: &[u8]) {
    let Ok(mut frame) = protocol::decode_request_frame(Bytes::copy_from_slice(data)) else { return };
    let version = frame.header.request_api_version;
    macro_rules! body {
        ($($api:ident: $request:ident, $response:ident;)*) => {
            match frame.api_key { $(ApiKey::$api => read::<messages::$request>(&mut frame.body, version),)* }
        };
    }
    protocol::for_each_api!(body);
}

/// The key and version of the request, then a response frame without its length.
pub fn responses(data: &[u8]) {
    let Some(([_, key, _, version], frame)) = data.split_first_chunk() else { return };
    let Some(api_key) = ApiKey::from_i16(i16::from(*key)) else { return };
    let version = i16::from(*version);
    let frame = Bytes::copy_from_slice(frame);
    let Ok((_, mut reader)) = protocol::decode_response_frame(api_key, version, frame) else { return };
    macro_rules! body {
        ($($api:ident: $request:ident, $response:ident;)*) => {
            match api_key { $(ApiKey::$api => read::<messages::$response>(&mut reader, version),)* }
        };
    }
    protocol::for_each_api!(body);
}

/// A record of the metadata log or of the remote log's topic.
pub fn metadata_records(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    if let Ok((record, version)) = MetadataRecord::decode_framed_with_version(data.clone())
        && let Ok(bytes) = record.encode_framed_at(version)
    {
        let again = MetadataRecord::decode_framed(bytes).expect("what was written can be read");
        assert_eq!(format!("{record:?}"), format!("{again:?}"));
    }
    if let Ok((record, version)) = RemoteLogRecord::decode_framed_with_version(data)
        && let Ok(bytes) = record.encode_framed_at(version)
    {
        assert_eq!(RemoteLogRecord::decode_framed(bytes), Ok(record));
    }
}

/// One byte with the length of the key, the key, the value.
pub fn coordinator_records(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
    let version = i16::from(value.get(1).copied().unwrap_or_default());
    macro_rules! record {
        ($($kind:ident)*) => {$(
            if let Ok(record) = $kind::decode(key.clone(), Some(value.clone()))
                && let Ok((key, value)) = record.encode(version)
            {
                assert_eq!($kind::decode(key, value), Ok(record));
            }
        )*};
    }
    record!(GroupCoordinatorRecord TransactionCoordinatorRecord ShareCoordinatorRecord);
}

/// One byte that picks a type, one with its version, then its bytes: control records, files with a schema, and what
/// clients put into the byte fields of the group protocol.
pub fn embedded_messages(data: &[u8]) {
    let Some(([kind, version], rest)) = data.split_first_chunk() else { return };
    let (mut reader, version) = (Reader::new(Bytes::copy_from_slice(rest)), i16::from(*version));
    macro_rules! pick {
        ($($number:literal $type:ty;)*) => {
            match kind { $($number => read::<$type>(&mut reader, version),)* _ => {} }
        };
    }
    pick! {
        0 embedded::ConsumerProtocolSubscription;
        1 embedded::ConsumerProtocolAssignment;
        2 embedded::DefaultPrincipalData;
        3 control_records::AbortedTxn;
        4 control_records::ControlRecordTypeSchema;
        5 control_records::EndTxnMarker;
        6 control_records::KRaftVersionRecord;
        7 control_records::LeaderChangeMessage;
        8 control_records::ProducerSnapshot;
        9 control_records::QuorumStateData;
        10 control_records::SnapshotFooterRecord;
        11 control_records::SnapshotHeaderRecord;
        12 control_records::VotersRecord;
    }
}
