//! Accepting: each new socket is set up, counted in, and handed to the core with the fewest connections.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    ConnectionHandlerFactory, ConnectionInfo, CoreHandle, ServerSettings,
    admission::{Admission, CreationRate, ListenerCount},
    connection,
};

/// How long accepting pauses when descriptors or memory have run out.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// What the acceptors of all listeners share.
pub(crate) struct Acceptors<F> {
    pub settings: Arc<ServerSettings>,
    pub admission: Arc<Admission>,
    pub cores: Vec<CoreHandle>,
    pub factory: Arc<F>,
    pub next_id: AtomicU64,
    pub creation_rate: Mutex<Option<CreationRate>>,
}

/// One listener's side of accepting.
pub(crate) struct Acceptor<F> {
    pub shared: Arc<Acceptors<F>>,
    pub listener: Arc<str>,
    pub count: Arc<ListenerCount>,
    pub creation_rate: Option<CreationRate>,
}

impl<F: ConnectionHandlerFactory> Acceptor<F> {
    /// Accepts until dropped.
    pub async fn run(mut self, socket: std::net::TcpListener) {
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                return tracing::error!(listener = %self.listener, %error, "cannot accept connections");
            }
        };
        let mut exhausted = false;
        loop {
            self.shared.admission.room(&self.count).await;
            match socket.accept().await {
                Ok((stream, peer)) => {
                    if std::mem::take(&mut exhausted) {
                        tracing::info!(listener = %self.listener, "accepting connections again");
                    }
                    self.hand_over(stream, peer);
                    self.slow_down().await;
                }
                Err(error) if peer_gave_up(&error) => {}
                Err(error) => {
                    // Descriptors are short (EMFILE, ENFILE) or memory is: trying at once would spin, and the
                    // client waits in the backlog anyway.
                    if !std::mem::replace(&mut exhausted, true) {
                        tracing::error!(listener = %self.listener, %error, "cannot accept connections, pausing");
                    }
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }

    fn hand_over(&self, stream: TcpStream, peer: SocketAddr) {
        let peer = canonical(peer);
        let Some(admitted) = self.shared.admission.admit(&self.count, peer.ip()) else {
            tracing::warn!(listener = %self.listener, %peer, "refusing connection: too many from this address");
            return;
        };
        let (stream, local) = match prepare(stream, &self.shared.settings) {
            Ok(prepared) => prepared,
            Err(error) => return tracing::debug!(%peer, %error, "connection lost while it was accepted"),
        };
        let info = ConnectionInfo {
            id: self.shared.next_id.fetch_add(1, Ordering::Relaxed),
            listener: self.listener.clone(),
            peer,
            local: canonical(local),
            core: admitted.core,
        };
        let factory = self.shared.factory.clone();
        let core = &self.shared.cores[admitted.core];
        // A core that has ended is a server that shuts down: the socket closes with the closure.
        core.run(Box::new(move |core| connection::start(core, stream, info, admitted, factory)));
    }

    async fn slow_down(&mut self) {
        let now = Instant::now();
        let own = self.creation_rate.as_mut().map(|rate| rate.record(now)).unwrap_or_default();
        let all = self.shared.creation_rate.lock().as_mut().map(|rate| rate.record(now)).unwrap_or_default();
        let delay = own.max(all);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

/// Errors of the connection that was to be accepted, not of accepting.
fn peer_gave_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    ) || matches!(
        error.raw_os_error(),
        Some(libc::EPROTO | libc::EPERM | libc::ENETDOWN | libc::EHOSTUNREACH)
    )
}

/// Sets the options and takes the socket out of the accepting core's event queue.
fn prepare(stream: TcpStream, settings: &ServerSettings) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let local = stream.local_addr()?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_keepalive(true)?;
    if let Some(bytes) = settings.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok((stream.into_std()?, local))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
