//! The numbers a server is started with.

use std::{collections::HashMap, net::IpAddr, time::Duration};

/// One listener, as `listeners` names it.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// The listener's name, such as `PLAINTEXT`.
    pub name: String,
    /// Host name or address to bind; `None` binds every IPv4 and IPv6 address.
    pub host: Option<String>,
    /// Port; 0 lets the operating system choose, see [`Server::listeners`](crate::Server::listeners).
    pub port: u16,
    /// `max.connections` of this listener; accepting pauses while it is reached.
    pub max_connections: usize,
    /// `max.connection.creation.rate` of this listener, connections per second; `None` is unlimited.
    pub max_connection_creation_rate: Option<u32>,
}

impl ListenerSettings {
    /// A listener without limits of its own.
    pub fn new(name: impl Into<String>, host: Option<&str>, port: u16) -> Self {
        Self {
            name: name.into(),
            host: host.map(str::to_owned),
            port,
            max_connections: usize::MAX,
            max_connection_creation_rate: None,
        }
    }
}

/// Everything [`Server::bind`](crate::Server::bind) needs. `Default` carries Kafka's defaults where Kafka has the setting.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The listeners, names distinct.
    pub listeners: Vec<ListenerSettings>,
    /// Number of core threads (`klamm.cores`), at least 1.
    pub cores: usize,
    /// `socket.request.max.bytes`: the largest frame of an authenticated connection, length prefix not counted.
    pub request_max_bytes: usize,
    /// The largest frame while [`ConnectionHandler::authenticated`](crate::ConnectionHandler::authenticated) is false.
    pub unauthenticated_request_max_bytes: usize,
    /// Bytes of large frames that may be in memory at once, all connections together. A frame waits its turn for
    /// its whole length; one larger than this number waits until it is alone.
    pub in_flight_bytes: usize,
    /// How many requests of one connection may await their replies at once.
    pub pipeline_depth: usize,
    /// `socket.send.buffer.bytes`; `None` leaves it to the operating system.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves it to the operating system.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub listen_backlog: u32,
    /// `connections.max.idle.ms`: without a request, or with a reply the peer does not take, for so long, a connection is closed.
    pub idle: Duration,
    /// A frame that has begun must be complete, or have grown by 64 KiB, within this time.
    pub frame_progress: Duration,
    /// An unauthenticated connection is closed after this time.
    pub authentication: Duration,
    /// `max.connections`; accepting pauses while it is reached.
    pub max_connections: usize,
    /// `max.connections.per.ip`; further connections of that address are closed at once.
    pub max_connections_per_ip: usize,
    /// `max.connections.per.ip.overrides`, host names resolved.
    pub max_connections_per_ip_overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate` of the whole server, connections per second; `None` is unlimited.
    pub max_connection_creation_rate: Option<u32>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            cores: 1,
            request_max_bytes: 100 * 1024 * 1024,
            unauthenticated_request_max_bytes: 64 * 1024,
            in_flight_bytes: 256 * 1024 * 1024,
            pipeline_depth: 128,
            send_buffer_bytes: Some(100 * 1024),
            receive_buffer_bytes: Some(100 * 1024),
            listen_backlog: 50,
            idle: Duration::from_secs(600),
            frame_progress: Duration::from_secs(30),
            authentication: Duration::from_secs(10),
            max_connections: usize::MAX,
            max_connections_per_ip: usize::MAX,
            max_connections_per_ip_overrides: HashMap::new(),
            max_connection_creation_rate: None,
        }
    }
}
