//! What a handler knows of the request in hand: the broker, the connection, the header.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use network::{Close, ConnectionInfo, Outcome};
use protocol::messages::RequestHeader;
use protocol::wire::{Message, Request};
use protocol::{Encoded, Part};

use crate::broker::Broker;

/// One request's surroundings.
pub struct RequestContext {
    /// The broker that answers.
    pub broker: Arc<Broker>,
    /// The connection that the request came by.
    pub connection: Rc<ConnectionInfo>,
    /// The version that the client chose for this request.
    pub api_version: i16,
    /// Wall-clock time at which the request was taken up, in ms since the epoch.
    pub now_ms: i64,
    correlation_id: i32,
    client_id: Option<String>,
}

/// Where a client reaches a broker by the listener that it came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The broker.
    pub node_id: i32,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

impl RequestContext {
    /// The surroundings of a request with `header` on `connection`.
    pub fn new(broker: Arc<Broker>, connection: Rc<ConnectionInfo>, header: &RequestHeader) -> Self {
        RequestContext {
            now_ms: broker.clock.now_ms(),
            broker,
            connection,
            api_version: header.request_api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id.clone(),
        }
    }

    /// The client's name for itself, empty if it gave none.
    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client's address as coordinators record it: Java's `InetAddress.toString`, a slash before it.
    pub fn client_host(&self) -> String {
        format!("/{}", self.connection.peer.ip().to_canonical())
    }

    /// Answers `R` at the version that it came in.
    pub fn encode<R: Request>(&self, response: &R::Response) -> Outcome {
        self.encode_at::<R>(self.api_version, response)
    }

    /// Answers `R` at `version`, whatever version it came in.
    pub fn encode_at<R: Request>(&self, version: i16, response: &R::Response) -> Outcome {
        match self.encoded::<R>(version, response) {
            Ok(encoded) => Outcome::Reply(encoded),
            Err(close) => Outcome::Close(close),
        }
    }

    /// The frame of an answer to `R` at `version`.
    ///
    /// # Errors
    /// The connection must be closed: the answer has no form at this version, which is our mistake.
    pub fn encoded<R: Request>(&self, version: i16, response: &R::Response) -> Result<Encoded, Close> {
        protocol::encode_response(R::API_KEY, version, self.correlation_id, response).map_err(|error| {
            Close::new(format!("{} cannot be encoded at version {version}: {error}", R::Response::NAME))
        })
    }

    /// The frame of an answer that was encoded at this version before, as the answer to this request.
    pub fn again(&self, frame: &Bytes) -> Encoded {
        let (length, id) = (0..4, 4..8);
        let mut head = BytesMut::with_capacity(8);
        head.extend_from_slice(&frame[length]);
        head.extend_from_slice(&self.correlation_id.to_be_bytes());
        Encoded { parts: vec![Part::Bytes(head.freeze()), Part::Bytes(frame.slice(id.end..))] }
    }

    /// The brokers that are alive, as clients of this connection's listener reach them.
    pub fn alive_brokers(&self) -> Vec<Endpoint> {
        let image = self.broker.metadata.image();
        let alive = image.cluster.brokers().keys().filter(|id| image.cluster.is_active(**id));
        alive.filter_map(|id| self.endpoint(*id)).collect()
    }

    /// Whether clients of this connection's listener can reach broker `node_id`.
    pub fn is_reached(&self, node_id: i32) -> bool {
        self.broker.metadata.image().cluster.is_active(node_id) && self.endpoint(node_id).is_some()
    }

    /// Whom clients are told to take for the controller: any broker passes their requests on, so we name ourselves.
    pub fn controller_for_clients(&self) -> i32 {
        if self.is_reached(self.broker.node_id) { self.broker.node_id } else { -1 }
    }

    /// Where a client of this connection's listener reaches broker `node_id`.
    ///
    /// A listener of ours that advertises no address is reached where this client reached it.
    pub fn endpoint(&self, node_id: i32) -> Option<Endpoint> {
        let image = self.broker.metadata.image();
        let registration = image.cluster.broker(node_id)?;
        let rack = registration.rack.clone();
        let listener: &str = &self.connection.listener;
        if node_id == self.broker.node_id && self.broker.advertises_no_address(listener) {
            let local = self.connection.local;
            let (host, port) = (local.ip().to_canonical().to_string(), i32::from(local.port()));
            return Some(Endpoint { node_id, host, port, rack });
        }
        let endpoint = registration.listeners.get(listener)?;
        Some(Endpoint { node_id, host: endpoint.host.clone(), port: i32::from(endpoint.port), rack })
    }
}
