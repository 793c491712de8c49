//! A whole node in this process, on simulated disks: restarts, power cuts, disk failures, what waits and what is told.

#[path = "node/cold_reads.rs"]
mod cold_reads;
#[path = "node/cordons.rs"]
mod cordons;
#[path = "node/deleted_topics.rs"]
mod deleted_topics;
#[path = "node/disk_failures.rs"]
mod disk_failures;
#[path = "node/durability.rs"]
mod durability;
#[path = "node/fetch_waits.rs"]
mod fetch_waits;
#[path = "node/group_state.rs"]
mod group_state;
#[path = "node/harness.rs"]
mod harness;
#[path = "node/late_ends.rs"]
mod late_ends;
#[path = "node/moving_replicas.rs"]
mod moving_replicas;
#[path = "node/pipelined.rs"]
mod pipelined;
#[path = "node/replicas_reported.rs"]
mod replicas_reported;
#[path = "node/restarts.rs"]
mod restarts;
#[path = "node/share_groups.rs"]
mod share_groups;
#[path = "node/slow_disk.rs"]
mod slow_disk;
