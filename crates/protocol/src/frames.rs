//! Frames: a length, a header in the version that its API asks for, a body.

use bytes::Bytes;

use crate::messages::{RequestHeader, ResponseHeader};
use crate::wire::{DecodeError, EncodeError, Message, Reader, Request, Writer};
use crate::{ApiKey, Encoded};

/// The version of a request's header.
pub fn request_header_version(api_key: ApiKey, version: i16) -> i16 {
    if api_key.is_flexible(version) { 2 } else { 1 }
}

/// The version of a response's header. ApiVersions always has version 0: whoever asks does not know yet what
/// the server speaks (KIP-511).
pub fn response_header_version(api_key: ApiKey, version: i16) -> i16 {
    i16::from(api_key != ApiKey::ApiVersions && api_key.is_flexible(version))
}

/// A request frame with its header read and its body not yet.
#[derive(Debug)]
pub struct RequestFrame {
    /// The header. For an ApiVersions request of an unknown version only key, version and correlation id are
    /// certain: the answer to it is an ApiVersions response of version 0.
    pub header: RequestHeader,
    /// The API, known to be one of ours; its version is in range unless `is_version_supported` is false.
    pub api_key: ApiKey,
    /// Whether the body can be decoded.
    pub is_version_supported: bool,
    /// Stands at the first byte of the body.
    pub body: Reader,
}

impl RequestFrame {
    /// Reads the body. Bytes behind it are left alone, as Kafka leaves them.
    pub fn decode_body<R: Request>(mut self) -> Result<R, DecodeError> {
        R::decode(&mut self.body, self.header.request_api_version)
    }
}

/// Reads the header of a request frame, given without its length prefix.
pub fn decode_request_frame(frame: Bytes) -> Result<RequestFrame, DecodeError> {
    let mut reader = Reader::new(frame.clone());
    let (key, version) = (reader.i16()?, reader.i16()?);
    let api_key = ApiKey::from_i16(key).ok_or(DecodeError::UnknownApiKey(key))?;
    let is_version_supported = api_key.versions().contains(&version);
    if !is_version_supported && api_key == ApiKey::ApiVersions {
        let correlation_id = reader.i32()?;
        let header = RequestHeader {
            request_api_key: key,
            request_api_version: version,
            correlation_id,
            ..RequestHeader::default()
        };
        return Ok(RequestFrame { header, api_key, is_version_supported, body: reader });
    }
    let mut body = Reader::new(frame);
    let header = RequestHeader::decode(&mut body, request_header_version(api_key, version))?;
    Ok(RequestFrame { header, api_key, is_version_supported, body })
}

/// A response frame, its length in front.
pub fn encode_response<M: Message>(
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &M,
) -> Result<Encoded, EncodeError> {
    let mut writer = Writer::framed();
    let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
    header.encode(&mut writer, response_header_version(api_key, version))?;
    response.encode(&mut writer, version)?;
    writer.finish()
}

/// A request frame, its length in front.
pub fn encode_request<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    request: &R,
) -> Result<Encoded, EncodeError> {
    let mut writer = Writer::framed();
    let header = RequestHeader {
        request_api_key: R::API_KEY.as_i16(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
        ..RequestHeader::default()
    };
    header.encode(&mut writer, request_header_version(R::API_KEY, version))?;
    request.encode(&mut writer, version)?;
    writer.finish()
}

/// Reads a whole request frame, given without its length prefix, of a request that is known by its type.
pub fn decode_request<R: Request>(frame: Bytes) -> Result<(RequestHeader, R), DecodeError> {
    let frame = decode_request_frame(frame)?;
    if frame.api_key != R::API_KEY {
        return Err(DecodeError::UnknownApiKey(frame.api_key.as_i16()));
    }
    let header = frame.header.clone();
    Ok((header, frame.decode_body()?))
}

/// Reads the header of a response frame, given without its length prefix; the reader stands at the body.
pub fn decode_response_frame(
    api_key: ApiKey,
    version: i16,
    frame: Bytes,
) -> Result<(ResponseHeader, Reader), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = ResponseHeader::decode(&mut reader, response_header_version(api_key, version))?;
    Ok((header, reader))
}

/// Reads a whole response frame, given without its length prefix: the correlation id and the response, which must end
/// with the frame.
pub fn decode_response<R: Request>(version: i16, frame: Bytes) -> Result<(i32, R::Response), DecodeError> {
    let (header, mut reader) = decode_response_frame(R::API_KEY, version, frame)?;
    let response = R::Response::decode(&mut reader, version)?;
    reader.finish()?;
    Ok((header.correlation_id, response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse};

    fn frame(encoded: Encoded) -> Bytes {
        let bytes = encoded.to_bytes().unwrap();
        assert_eq!(bytes[..4], (bytes.len() as i32 - 4).to_be_bytes());
        bytes.slice(4..)
    }

    #[test]
    fn requests_and_responses_pass_in_every_version() {
        for version in ApiKey::Metadata.versions() {
            let request = MetadataRequest::default();
            let bytes = frame(encode_request(version, 7, Some("me"), &request).unwrap());
            let (header, decoded) = decode_request::<MetadataRequest>(bytes).unwrap();
            assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, Some("me")));
            assert_eq!(decoded, request);
            let response = MetadataResponse::default();
            let bytes = frame(encode_response(ApiKey::Metadata, version, 7, &response).unwrap());
            assert_eq!(decode_response::<MetadataRequest>(version, bytes).unwrap(), (7, response));
        }
    }

    #[test]
    fn api_versions_of_an_unknown_version_can_be_answered() {
        let bytes = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0xff]);
        let frame = decode_request_frame(bytes).unwrap();
        assert!(!frame.is_version_supported);
        assert_eq!((frame.api_key, frame.header.correlation_id), (ApiKey::ApiVersions, 5));
    }

    #[test]
    fn api_versions_responses_have_a_plain_header() {
        let bytes =
            frame(encode_response(ApiKey::ApiVersions, 3, 1, &ApiVersionsResponse::default()).unwrap());
        let mut reader = Reader::new(bytes);
        assert_eq!((reader.i32().unwrap(), reader.i16().unwrap()), (1, 0));
    }

    #[test]
    fn bytes_behind_a_request_are_ignored() {
        let mut bytes = frame(encode_request(0, 1, None, &ApiVersionsRequest::default()).unwrap()).to_vec();
        bytes.push(0);
        assert_eq!(
            decode_request::<ApiVersionsRequest>(bytes.into()).unwrap().1,
            ApiVersionsRequest::default()
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        let bytes = Bytes::from_static(&[0, 4, 0, 0, 0, 0, 0, 5, 0xff, 0xff]);
        assert_eq!(decode_request_frame(bytes).unwrap_err(), DecodeError::UnknownApiKey(4));
    }
}
