//! The group coordinator's rules, each as events and what comes of them.

mod admin;
mod bench;
mod cluster;
mod consumer;
mod expiry;
mod hostile;
mod join;
mod leave;
mod offsets;
mod rebalance;
mod records;
mod refusals;
mod replay;
mod share_groups;
mod static_members;
mod streams;
mod sync;
mod transactions;
