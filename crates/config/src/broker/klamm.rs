//! Broker keys: our own keys.

use crate::table::config_table;
use crate::value::Durability;

config_table! {
    /// Our own keys.
    KlammConfig {
        /// How many event loops serve connections, each on a thread of its own; 0 takes one per core that
        /// the process may use.
        klamm_cores: i32 = "klamm.cores" => "0", Medium, AtLeast(0);

        /// What an acknowledgement promises: with `synced` a record counts as written once the disk has it,
        /// so a power cut takes back nothing that was acknowledged with acks=all; with `page-cache` it
        /// counts once the operating system has it, as in Apache Kafka, and a power cut on all replicas at
        /// once loses the last seconds. Topics can choose for themselves.
        klamm_durability: Durability = "klamm.durability" => "synced", High, OneOf(Durability::WORDS),
            cluster_wide();
    }
}
