//! What can go wrong while a server is started.

use std::{io, net::SocketAddr};

/// Failures of binding listeners and starting core threads. Failures of a single connection are logged, never returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Another process (or another listener of ours) holds the port.
    #[error("listener {listener}: port {} of {} is already in use", address.port(), address.ip())]
    AddressInUse {
        /// Name of the listener.
        listener: String,
        /// The address that could not be bound.
        address: SocketAddr,
    },
    /// The host of a listener does not resolve to an address of this machine, or the bind was refused.
    #[error("listener {listener}: cannot listen on {host}:{port}: {source}")]
    Listen {
        /// Name of the listener.
        listener: String,
        /// Host as configured; empty for all addresses.
        host: String,
        /// Port as configured.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// Two listeners have the same name.
    #[error("listener name {0} is used twice")]
    DuplicateListener(String),
    /// No core thread or no runtime could be started.
    #[error("cannot start core thread {core}: {source}")]
    Thread {
        /// Index of the core.
        core: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// [`Server::serve`](crate::Server::serve) was called a second time.
    #[error("the server is serving already")]
    AlreadyServing,
}
