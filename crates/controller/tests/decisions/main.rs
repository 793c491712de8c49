//! The controller's decisions, driven as a broker drives them: request in, records replayed, answer out.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod brokers;
mod cluster;
mod configs;
mod elections;
mod features;
mod invariants;
mod quotas_and_credentials;
mod reassignments;
mod topics;
