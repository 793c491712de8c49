//! Broker keys: listeners, connections and requests.

use crate::table::config_table;

config_table! {
    /// Listeners, connections and requests.
    NetworkConfig {
        advertised_listeners: Option<Vec<String>> = "advertised.listeners" => null, High, crate::Valid::FILLED_LIST;

        background_threads: i32 = "background.threads" => "10", High, AtLeast(1), cluster_wide();

        connection_failed_authentication_delay_ms: i32 = "connection.failed.authentication.delay.ms" => "100",
            Low, AtLeast(0);

        connections_max_idle_ms: i64 = "connections.max.idle.ms" => "600000", Medium, Any;

        early_start_listeners: Option<Vec<String>> = "early.start.listeners" => null, High, crate::Valid::LIST;

        inter_broker_listener_name: Option<String> = "inter.broker.listener.name" => null, Medium, Any;

        listener_security_protocol_map: String = "listener.security.protocol.map" => "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
            Low, Any, per_broker();

        listeners: Vec<String> = "listeners" => "PLAINTEXT://:9092", High, crate::Valid::FILLED_LIST, per_broker();

        max_connection_creation_rate: i32 = "max.connection.creation.rate" => "2147483647", Medium, AtLeast(0),
            cluster_wide();

        max_connections: i32 = "max.connections" => "2147483647", Medium, AtLeast(0), cluster_wide();

        max_connections_per_ip: i32 = "max.connections.per.ip" => "2147483647", Medium, AtLeast(0),
            cluster_wide();

        max_connections_per_ip_overrides: String = "max.connections.per.ip.overrides" => "", Medium, Any,
            cluster_wide();

        num_io_threads: i32 = "num.io.threads" => "8", High, AtLeast(1), cluster_wide();

        num_network_threads: i32 = "num.network.threads" => "3", High, AtLeast(1), cluster_wide();

        queued_max_request_bytes: i64 = "queued.max.request.bytes" => "-1", Medium, Any;

        queued_max_requests: i32 = "queued.max.requests" => "500", High, AtLeast(1);

        request_timeout_ms: i32 = "request.timeout.ms" => "30000", High, Any;

        security_inter_broker_protocol: String = "security.inter.broker.protocol" => "PLAINTEXT",
            Medium, OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]);

        socket_connection_setup_timeout_max_ms: i64 = "socket.connection.setup.timeout.max.ms" => "30000",
            Medium, Any;

        socket_connection_setup_timeout_ms: i64 = "socket.connection.setup.timeout.ms" => "10000", Medium, Any;

        socket_listen_backlog_size: i32 = "socket.listen.backlog.size" => "50", Medium, AtLeast(1);

        socket_receive_buffer_bytes: i32 = "socket.receive.buffer.bytes" => "102400", High, Any;

        socket_request_max_bytes: i32 = "socket.request.max.bytes" => "104857600", High, AtLeast(1);

        socket_send_buffer_bytes: i32 = "socket.send.buffer.bytes" => "102400", High, Any;
    }
}
