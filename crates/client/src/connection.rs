//! One connection to a broker: a task that writes requests as they come and hands answers out in their order.

mod driver;
mod frames;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode, Message, Request};
use tokio::sync::{mpsc, oneshot};

use crate::api_versions::ApiVersions;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::transport::BoxedStream;
use driver::{Outgoing, Shared, Waiting};

const SOFTWARE_NAME: &str = "klamm-client";

/// A connection whose versions are known. Dropping the last handle closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    next_correlation_id: AtomicI32,
    client_id: Arc<str>,
    versions: Arc<ApiVersions>,
}

/// An answer that is due. Dropping it gives the answer up, not the request.
pub(crate) struct Answer<R: Request> {
    connection: Arc<Shared>,
    version: i16,
    receiver: oneshot::Receiver<Result<Bytes, ClientError>>,
    marker: std::marker::PhantomData<fn() -> R>,
}

impl Connection {
    /// Takes the stream over and asks for the versions that the broker serves.
    pub(crate) async fn negotiate(
        stream: BoxedStream,
        endpoint: Arc<Endpoint>,
        client_id: Arc<str>,
        response_bytes_max: usize,
        timeout_ms: i64,
    ) -> Result<Self, ClientError> {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(endpoint));
        tokio::spawn(driver::run(stream, queue, Arc::clone(&shared), response_bytes_max));
        let versions = Arc::default();
        let next_correlation_id = AtomicI32::new(0);
        let mut connection = Self { shared, outgoing, next_correlation_id, client_id, versions };
        connection.versions = Arc::new(connection.ask_versions(timeout_ms).await?);
        Ok(connection)
    }

    /// Begins at the highest version. A broker that does not know it says so in version 0 and names its own (KIP-511).
    async fn ask_versions(&self, timeout_ms: i64) -> Result<ApiVersions, ClientError> {
        let api = ApiKey::ApiVersions;
        let mut version = *api.stable_versions().end();
        loop {
            let request = ApiVersionsRequest {
                client_software_name: if version >= 3 { SOFTWARE_NAME.to_owned() } else { String::new() },
                client_software_version: match version {
                    3.. => env!("CARGO_PKG_VERSION").to_owned(),
                    _ => String::new(),
                },
                ..ApiVersionsRequest::default()
            };
            let answer = self.start(version, &request)?;
            let frame = answer.frame(timeout_ms).await?;
            let (response, version_used) = decode_versions(frame, version)
                .map_err(|source| ClientError::Malformed { broker: self.endpoint(), api, source })?;
            if response.error_code != ErrorCode::UnsupportedVersion.as_i16() {
                ClientError::check(api, response.error_code, None)
                    .map_err(|error| error.by(&self.shared.endpoint))?;
                return Ok(ApiVersions::from(&response));
            }
            let lower = ApiVersions::from(&response).choose(api, version - 1).unwrap_or(0);
            if version_used == 0 && version == 0 {
                return Err(
                    ClientError::refused(api, ErrorCode::UnsupportedVersion).by(&self.shared.endpoint)
                );
            }
            version = lower;
        }
    }

    pub(crate) fn endpoint(&self) -> Arc<Endpoint> {
        Arc::clone(&self.shared.endpoint)
    }

    pub(crate) fn versions(&self) -> &Arc<ApiVersions> {
        &self.versions
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.outgoing.is_closed() || self.shared.is_closed()
    }

    /// How many answers are due.
    pub(crate) fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }

    /// The version to use for an API.
    pub(crate) fn version(&self, api: ApiKey, version_max: i16) -> Result<i16, ClientError> {
        self.versions.choose(api, version_max).ok_or_else(|| {
            let ours = api.stable_versions();
            let reason = match self.versions.served(api) {
                Some(theirs) => format!(
                    "it serves versions {} to {}, this client knows {} to {}",
                    theirs.start(),
                    theirs.end(),
                    ours.start(),
                    version_max.min(*ours.end())
                ),
                None => "it does not serve this API".to_owned(),
            };
            ClientError::UnsupportedVersion { api, broker: self.endpoint(), reason }
        })
    }

    /// Puts a request on its way. Requests leave, and are answered, in the order of these calls.
    pub(crate) fn start<R: Request>(&self, version: i16, request: &R) -> Result<Answer<R>, ClientError> {
        let (sender, receiver) = oneshot::channel();
        let correlation_id = self.next_correlation_id();
        let waiting = Waiting { correlation_id, api: R::API_KEY, version, reply: sender };
        self.put(version, correlation_id, request, Some(waiting), None)?;
        let connection = Arc::clone(&self.shared);
        Ok(Answer { connection, version, receiver, marker: std::marker::PhantomData })
    }

    /// Puts a request on its way that the broker does not answer: Produce with acks=0. See [`Self::written`].
    pub(crate) fn start_unanswered<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<oneshot::Receiver<()>, ClientError> {
        let (sender, receiver) = oneshot::channel();
        self.put(version, self.next_correlation_id(), request, None, Some(sender))?;
        Ok(receiver)
    }

    /// Waits until such a request has left, so that no more of them wait in memory than the broker takes.
    pub(crate) async fn written(
        &self,
        written: oneshot::Receiver<()>,
        timeout_ms: i64,
    ) -> Result<(), ClientError> {
        match tokio::time::timeout(Duration::from_millis(timeout_ms.max(0).unsigned_abs()), written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.shared.failure()),
            Err(_) => {
                self.shared.close(format!("it took no bytes for {timeout_ms} ms").into());
                Err(self.shared.failure())
            }
        }
    }

    fn put<R: Request>(
        &self,
        version: i16,
        correlation_id: i32,
        request: &R,
        waiting: Option<Waiting>,
        written: Option<oneshot::Sender<()>>,
    ) -> Result<(), ClientError> {
        let unencodable =
            |source| ClientError::Unencodable { broker: self.endpoint(), api: R::API_KEY, source };
        let encoded = protocol::encode_request(version, correlation_id, Some(&self.client_id), request)
            .map_err(unencodable)?;
        self.outgoing.send(Outgoing { encoded, waiting, written }).map_err(|_| self.shared.failure())
    }

    fn next_correlation_id(&self) -> i32 {
        self.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX
    }
}

fn decode_versions(frame: Bytes, version: i16) -> Result<(ApiVersionsResponse, i16), protocol::DecodeError> {
    let (_, mut body) = protocol::decode_response_frame(ApiKey::ApiVersions, version, frame)?;
    let refused = body.rest().starts_with(&ErrorCode::UnsupportedVersion.as_i16().to_be_bytes());
    let version = if refused { 0 } else { version };
    Ok((ApiVersionsResponse::decode(&mut body, version)?, version))
}

impl<R: Request> Answer<R> {
    /// The answer. If none comes in time the connection is closed: what follows on it would wait as well.
    pub(crate) async fn response(self, timeout_ms: i64) -> Result<R::Response, ClientError> {
        let (connection, version) = (Arc::clone(&self.connection), self.version);
        let frame = self.frame(timeout_ms).await?;
        let decoded = protocol::decode_response::<R>(version, frame);
        decoded.map(|(_, response)| response).map_err(|source| {
            connection.close("it sent a malformed answer".into());
            ClientError::Malformed { broker: Arc::clone(&connection.endpoint), api: R::API_KEY, source }
        })
    }

    async fn frame(self, timeout_ms: i64) -> Result<Bytes, ClientError> {
        let limit = Duration::from_millis(timeout_ms.max(0).unsigned_abs());
        match tokio::time::timeout(limit, self.receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.connection.failure()),
            Err(_) => {
                let what = format!("{} at {}", R::API_KEY, self.connection.endpoint);
                self.connection.close(format!("no answer to {} in {timeout_ms} ms", R::API_KEY).into());
                let setting = "request.timeout.ms";
                Err(ClientError::TimedOut { what, limit_ms: timeout_ms, setting, last: None })
            }
        }
    }
}

impl Shared {
    fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, state: Mutex::default(), close_asked: tokio::sync::Notify::new() }
    }
}
