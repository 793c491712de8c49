//! Broker keys: listeners, connections and requests.

use super::NO_ENCRYPTION;
use crate::table::config_table;

config_table! {
    /// Listeners, connections and requests.
    NetworkConfig {
        /// What clients are told to connect to: `name://host:port`, separated by commas. If it is not set
        /// the addresses of `listeners` are told; where those name no host, clients are told the address by
        /// which they reached the broker.
        advertised_listeners: Option<Vec<String>> = "advertised.listeners" => null, High, crate::Valid::FILLED_LIST;

        /// Threads for Kafka's background work.
        background_threads: i32 = "background.threads" => "10", High, AtLeast(1), cluster_wide(), inert();

        /// How long the answer to a failed authentication is held back, in milliseconds; it must be below
        /// `connections.max.idle.ms`.
        connection_failed_authentication_delay_ms: i32 = "connection.failed.authentication.delay.ms" => "100",
            Low, AtLeast(0), inert();

        /// How long a connection may be silent before it is closed, in milliseconds; below 0 it never is.
        connections_max_idle_ms: i64 = "connections.max.idle.ms" => "600000", Medium, Any;

        /// Names of listeners that may be opened before the authorizer is ready.
        early_start_listeners: Option<Vec<String>> = "early.start.listeners" => null, High, crate::Valid::LIST, inert();

        /// The listener on which brokers talk to each other; it must be an advertised one.
        inter_broker_listener_name: Option<String> = "inter.broker.listener.name" => null, Medium, Any;

        /// Which security protocol each listener name means, as `name:protocol` separated by commas; the
        /// protocols are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL.
        listener_security_protocol_map: String = "listener.security.protocol.map" => "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
            Low, Any, per_broker();

        /// Where connections are taken: `name://host:port`, separated by commas. Without a host all IPv4
        /// and IPv6 addresses are bound, with port 0 the system chooses one.
        listeners: Vec<String> = "listeners" => "PLAINTEXT://:9092", High, crate::Valid::FILLED_LIST, per_broker();

        /// Most new connections a second that the broker takes, over all listeners.
        max_connection_creation_rate: i32 = "max.connection.creation.rate" => "2147483647", Medium, AtLeast(0),
            cluster_wide();

        /// Most connections that the broker keeps open, over all listeners. Above it, the connection that
        /// was idle longest on another listener makes room for one of the inter-broker listener.
        max_connections: i32 = "max.connections" => "2147483647", Medium, AtLeast(0), cluster_wide();

        /// Most connections from one address; 0 only together with `max.connections.per.ip.overrides`.
        max_connections_per_ip: i32 = "max.connections.per.ip" => "2147483647", Medium, AtLeast(0),
            cluster_wide();

        /// Other limits for single addresses or host names: `host:count`, separated by commas.
        max_connections_per_ip_overrides: String = "max.connections.per.ip.overrides" => "", Medium, Any,
            cluster_wide();

        /// Threads of Kafka's request handlers. The cores decide here: see `klamm.cores`.
        num_io_threads: i32 = "num.io.threads" => "8", High, AtLeast(1), cluster_wide(), inert();

        /// Threads of Kafka's socket server for each listener. The cores decide here: see `klamm.cores`.
        num_network_threads: i32 = "num.network.threads" => "3", High, AtLeast(1), cluster_wide(), inert();

        /// Most bytes of requests that the broker holds in memory at once before it stops reading from
        /// sockets; below 1 it chooses by itself. It must not be below `socket.request.max.bytes`.
        queued_max_request_bytes: i64 = "queued.max.request.bytes" => "-1", Medium, Any;

        /// How many requests may wait for a handler thread. Requests never wait for a thread here.
        queued_max_requests: i32 = "queued.max.requests" => "500", High, AtLeast(1), inert();

        /// How long the broker waits for the answer to a request of its own before it tries again or gives
        /// up, in milliseconds.
        request_timeout_ms: i32 = "request.timeout.ms" => "30000", High, Any;

        /// The security protocol on which brokers talk to each other where `inter.broker.listener.name` is
        /// not set.
        security_inter_broker_protocol: String = "security.inter.broker.protocol" => "PLAINTEXT",
            Medium, OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), refused(NO_ENCRYPTION);

        /// How far the time for making an outgoing connection grows as tries fail, in milliseconds.
        socket_connection_setup_timeout_max_ms: i64 = "socket.connection.setup.timeout.max.ms" => "30000",
            Medium, Any, inert();

        /// How long an outgoing connection may take to be made at the first try, in milliseconds.
        socket_connection_setup_timeout_ms: i64 = "socket.connection.setup.timeout.ms" => "10000", Medium, Any,
            inert();

        /// How many connections the system may hold that were not accepted yet.
        socket_listen_backlog_size: i32 = "socket.listen.backlog.size" => "50", Medium, AtLeast(1);

        /// Size of the system's receive buffer of a connection, in bytes; -1 leaves it to the system.
        socket_receive_buffer_bytes: i32 = "socket.receive.buffer.bytes" => "102400", High, Any;

        /// Largest request that is read, in bytes; the connection that sends a larger one is closed.
        socket_request_max_bytes: i32 = "socket.request.max.bytes" => "104857600", High, AtLeast(1);

        /// Size of the system's send buffer of a connection, in bytes; -1 leaves it to the system.
        socket_send_buffer_bytes: i32 = "socket.send.buffer.bytes" => "102400", High, Any;
    }
}
