//! Broker keys: our own keys.

use crate::table::config_table;
use crate::value::Durability;

config_table! {
    /// Our own keys.
    KlammConfig {
        klamm_cores: i32 = "klamm.cores" => "0", Medium, AtLeast(0);

        klamm_durability: Durability = "klamm.durability" => "synced", High, OneOf(Durability::WORDS),
            cluster_wide();
    }
}
