//! Request handlers and the partitions they work on: routes and translates, decides nothing.
//!
//! A frame goes `dispatch` → `handlers/<api>` → an engine or a log → back. [`Node`] puts a whole server together.

mod authorized_operations;
mod broker;
mod broker_config;
mod broker_lifecycle;
mod clock;
mod context;
mod controller_client;
mod controller_reports;
mod controller_service;
mod coordinator_log;
mod coordinator_runtime;
mod directory_failures;
mod dispatch;
mod fetch_read;
mod group_coordinator;
mod group_request;
mod handlers;
mod metadata_publisher;
mod metadata_view;
mod node;
mod parking;
mod partition;
mod partitions;
mod producer_ids;
mod replica_mover;
mod settings;
mod share_acknowledgements;
mod share_coordinator;
mod share_groups;
mod share_partitions;
mod share_state_request;
mod topic_creation;
mod transaction_coordinator;
mod transaction_verification;
mod verification;

pub use clock::{Clock, SystemClock};
pub use node::{Node, NodeError, NodeSeams};
