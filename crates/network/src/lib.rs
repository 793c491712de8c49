//! Listeners, one runtime per core, framing, ordered replies and back-pressure.
//!
//! [`Server::bind`] claims the ports and starts the core threads, [`Server::serve`] begins to accept. Each
//! accepted connection is given to the core with the fewest connections and lives there until it closes: its
//! frames are read, handled, and answered by one task on that core's single-threaded runtime.

mod accept;
mod admission;
mod connection;
mod cores;
mod deadlines;
mod descriptors;
mod error;
mod handler;
mod input;
mod listener;
mod output;
mod receive_buffers;
mod server;
mod settings;

pub use cores::{CoreHandle, current_core};
pub use descriptors::{DescriptorShares, raise_descriptor_limit};
pub use error::NetworkError;
pub use handler::{
    Close, ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, LocalBoxFuture, Outcome,
};
pub use listener::BoundListener;
pub use server::Server;
pub use settings::{ListenerSettings, ServerSettings};
