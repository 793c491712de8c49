//! Kafka's messages: generated requests, responses and records, error codes, the API table, framing.

mod api_key;
mod coordinator_type;
mod encoded;
mod error_code;
mod frames;
mod generated;
mod record_frames;
mod uuid;
pub mod wire;

pub use api_key::ApiKey;
pub use coordinator_type::CoordinatorType;
pub use encoded::{Encoded, FileRegion, Part, Records, RecordsPart};
pub use error_code::ErrorCode;
pub use frames::{
    RequestFrame, decode_request, decode_request_frame, decode_response, decode_response_frame,
    encode_request, encode_response, request_header_version, response_header_version,
};
pub use generated::{
    control_records, coordinator_records, embedded, messages, metadata_records, remote_log_records,
};
pub use messages::{RequestHeader, ResponseHeader};
pub use uuid::Uuid;
pub use wire::{DecodeError, EncodeError, Message, Reader, Request, UnknownTaggedField, Writer};
