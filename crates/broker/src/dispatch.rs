//! From a frame to its handler and back: header, version, body, handler, answer.
//!
//! Everything that is the same for all APIs happens here; a handler sees a decoded request of a version we serve.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use network::{Close, ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, Outcome};
use protocol::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest};
use protocol::{ApiKey, RequestFrame, wire::Request};
use tracing::debug;

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::{self, api_versions, metadata, produce};

/// Makes a [`Connection`] for each socket that a listener accepts.
pub struct Connections {
    broker: Arc<Broker>,
}

/// One client's connection, on the core that it lives on.
pub struct Connection {
    broker: Arc<Broker>,
    info: Rc<ConnectionInfo>,
}

impl Connections {
    /// Connections whose requests `broker` answers.
    pub fn new(broker: Arc<Broker>) -> Self {
        Connections { broker }
    }
}

impl ConnectionHandlerFactory for Connections {
    type Handler = Connection;

    fn connected(&self, info: ConnectionInfo) -> Connection {
        Connection { broker: self.broker.clone(), info: Rc::new(info) }
    }
}

impl Drop for Connection {
    /// A share session ends with its connection: what its member holds is for others.
    fn drop(&mut self) {
        self.broker.shared.disconnected(self.info.id);
    }
}

impl ConnectionHandler for Connection {
    /// Kafka answers a connection's requests one by one. Only produces need not wait for each other: they say nothing about
    /// what others have written.
    fn may_overtake(&self, frame: &[u8]) -> bool {
        frame.starts_with(&ApiKey::Produce.as_i16().to_be_bytes())
    }

    fn joins(&self, frame: &[u8]) -> bool {
        self.may_overtake(frame)
    }

    fn handle_together(&mut self, frames: &[Bytes]) -> Option<Vec<Outcome>> {
        let mut requests = Vec::with_capacity(frames.len());
        for frame in frames {
            let frame = protocol::decode_request_frame(frame.clone()).ok()?;
            let context = RequestContext::new(self.broker.clone(), self.info.clone(), &frame.header);
            if frame.api_key != ApiKey::Produce || !handlers::serves(frame.api_key, context.api_version) {
                return None;
            }
            debug!(
                api = "Produce",
                version = context.api_version,
                client_id = context.client_id(),
                "request"
            );
            requests.push((context, frame.decode_body().ok()?));
        }
        produce::handle_together(requests)
    }

    async fn handle(&mut self, frame: Bytes) -> Outcome {
        let frame = match protocol::decode_request_frame(frame) {
            Ok(frame) => frame,
            Err(error) => return close(format!("a request header that cannot be read: {error}")),
        };
        let key = frame.api_key;
        let context = RequestContext::new(self.broker.clone(), self.info.clone(), &frame.header);
        debug!(api = key.name(), version = context.api_version, client_id = context.client_id(), "request");
        if !handlers::serves(key, context.api_version) {
            if key == ApiKey::ApiVersions {
                // Answered in v0 form: the client does not know yet what we speak (KIP-511).
                return context.encode_at::<ApiVersionsRequest>(0, &api_versions::unsupported_version());
            }
            let version = context.api_version;
            return close(format!("{key} version {version} is not served here; ApiVersions says what is"));
        }
        match key {
            ApiKey::ApiVersions => match decode::<ApiVersionsRequest>(frame) {
                Ok(request) => {
                    context.encode::<ApiVersionsRequest>(&api_versions::handle(&context, &request))
                }
                Err(close) => close,
            },
            ApiKey::Produce => match decode::<ProduceRequest>(frame) {
                Ok(request) => produce::handle(context, request).await,
                Err(close) => close,
            },
            ApiKey::Metadata => match decode::<MetadataRequest>(frame) {
                // Boxed so that an idle connection does not hold room for it.
                Ok(request) => Box::pin(metadata::answer(&context, request)).await,
                Err(close) => close,
            },
            _ => handlers::call(key, context, frame).await,
        }
    }
}

/// The body of a request, or the reason to close: a client that sends bytes we cannot read cannot be answered.
pub(crate) fn decode<R: Request>(frame: RequestFrame) -> Result<R, Outcome> {
    let version = frame.header.request_api_version;
    frame.decode_body::<R>().map_err(|error| {
        close(format!("{} request version {version} that cannot be read: {error}", R::API_KEY))
    })
}

/// Ends the connection with `reason` in the log.
pub(crate) fn close(reason: String) -> Outcome {
    Outcome::Close(Close::new(reason))
}
