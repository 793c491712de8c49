//! A broker in the test's own process, and a raw protocol client to talk to it.

pub mod bounded;
pub mod calls;
pub mod gated_disk;
pub mod in_process_node;
pub mod prepared;
pub mod raw_client;
pub mod server_process;
