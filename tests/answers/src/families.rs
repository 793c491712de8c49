//! One test per family of questions; each runs on a fresh server.

mod acls;
mod api_versions;
mod bytes_on_the_wire;
mod client_quotas;
mod configs;
mod consumer_groups;
mod coordinators;
mod fetch;
mod group_admin;
mod group_configs;
mod group_membership;
mod group_offsets;
mod idempotence;
mod leaders;
mod list_offsets;
mod metadata;
pub mod produce;
mod quorum;
mod replica_log_dirs;
mod scram;
mod share_groups;
mod share_records;
mod share_state;
mod static_members;
mod streams_groups;
mod topic_admin;
mod topics;
mod transaction_admin;
mod transactions;

use anyhow::Result;

use crate::recording::{check_family, check_family_with};

#[test]
fn replica_log_dirs() -> Result<()> {
    check_family_with("replica_log_dirs", replica_log_dirs::SETTINGS, replica_log_dirs::ask)
}

macro_rules! families {
    ($($family:ident)*) => {
        $(
            #[test]
            fn $family() -> Result<()> {
                check_family(stringify!($family), $family::ask)
            }
        )*
    };
}

families! {
    acls
    api_versions
    bytes_on_the_wire
    client_quotas
    configs
    consumer_groups
    coordinators
    fetch
    group_admin
    group_configs
    group_membership
    group_offsets
    idempotence
    leaders
    list_offsets
    metadata
    produce
    quorum
    scram
    share_groups
    share_records
    share_state
    static_members
    streams_groups
    topic_admin
    topics
    transaction_admin
    transactions
}
