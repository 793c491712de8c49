//! Cluster decisions: a request and the metadata image in, records and a response out.
//!
//! [`Controller`] has one method per request of the controller; each is a function of its arguments: time and
//! randomness come in as values, records and the answer go out as a [`ControllerResult`]. What is not in the image
//! (when brokers were heard of, what is due when) is held by [`BrokerHeartbeats`] and [`PeriodicTasks`].

mod alter_partition;
pub mod bootstrap;
mod brokers;
mod client_quotas;
mod configs;
mod controllers;
mod directories;
mod elections;
pub mod features;
mod leader_and_isr;
mod partition_change;
mod periodic;
mod placement;
mod producer_ids;
mod randomness;
mod reassignment;
mod reassignments;
mod result;
mod scram;
mod settings;
pub mod topics;

pub use bootstrap::bootstrap_features;
pub use brokers::BrokerHeartbeats;
pub use configs::{AlterLoggers, LoggerChange, logger_changes};
pub use elections::ELECTIONS_PER_STEP_MAX;
pub use features::SupportedFeature;
pub use periodic::PeriodicTasks;
pub use placement::{UsableBroker, place};
pub use producer_ids::PRODUCER_ID_BLOCK_SIZE;
pub use randomness::Randomness;
pub use result::{ApiError, ControllerResult};
pub use settings::{Controller, ControllerSettings};
pub use topics::{DeleteAccess, TopicAccess};
