//! What a server asks of whoever handles its requests.

use std::{borrow::Cow, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use protocol::Encoded;

/// A boxed future that stays on its core.
pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Where a connection came from and where it lives.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Unique among the connections of this server.
    pub id: u64,
    /// Name of the listener that accepted it.
    pub listener: Arc<str>,
    /// The client's address; IPv4 clients of a dual-stack socket appear as IPv4.
    pub peer: SocketAddr,
    /// The address the client reached us at: what an unset `advertised.listeners` answers with.
    pub local: SocketAddr,
    /// Index of the core the connection lives on.
    pub core: usize,
}

/// Makes a handler for each connection, on the core where the connection will live.
pub trait ConnectionHandlerFactory: Send + Sync + 'static {
    /// The handler of one connection; it never leaves its core, so it need not be `Send`.
    type Handler: ConnectionHandler + 'static;

    /// A connection has been accepted.
    fn connected(&self, info: ConnectionInfo) -> Self::Handler;
}

/// Handles the requests of one connection, one after the other.
pub trait ConnectionHandler {
    /// Handles one frame (header and body, without the length prefix). All effects whose order matters belong
    /// before this future resolves: the next frame is handled only after it, and with [`Outcome::Pending`]
    /// perhaps before the reply is there.
    fn handle(&mut self, frame: Bytes) -> impl Future<Output = Outcome>;

    /// Whether the request of `frame` may take effect while earlier ones that admit a next one still wait for their
    /// replies; otherwise it is handled after those have gone out.
    fn may_overtake(&self, _frame: &[u8]) -> bool {
        true
    }

    /// Whether `frame` may be handled together with others of its kind that came with it. It must be one that may overtake.
    fn joins(&self, _frame: &[u8]) -> bool {
        false
    }

    /// Handles frames that all [`join`](Self::joins), in order, as if one after the other: their outcomes, in the same order.
    /// `None` if some of them need more than that; nothing has happened then, and each is handled by itself.
    fn handle_together(&mut self, _frames: &[Bytes]) -> Option<Vec<Outcome>> {
        None
    }

    /// Whether the peer may send frames of the full size. Asked after each request.
    fn authenticated(&self) -> bool {
        true
    }
}

/// What became of a request.
pub enum Outcome {
    /// The whole response frame, its length in front, as [`protocol::encode_response`] makes it.
    Reply(Encoded),
    /// There is no reply (produce with acks=0).
    None,
    /// The reply comes later.
    Pending {
        /// Polled once when it is returned, then when all earlier replies have gone out.
        reply: LocalBoxFuture<Result<Encoded, Close>>,
        /// Whether the next frame may be handled before this reply is there.
        admits_next: bool,
    },
    /// Earlier replies go out, then the connection is closed.
    Close(Close),
}

/// Why a handler wants a connection closed: for one line in the log, never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close(Cow<'static, str>);

impl Close {
    /// The reason in words, lowercase, without secrets.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// The reason as given.
    pub fn reason(&self) -> &str {
        &self.0
    }
}
