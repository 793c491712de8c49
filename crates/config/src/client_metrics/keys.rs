//! Keys of subscriptions to metrics of clients.

use crate::table::config_table;

config_table! {
    /// A subscription to metrics of clients.
    ClientMetricsConfig {
        /// How often the matching clients push their metrics, in milliseconds.
        interval_ms: i32 = "interval.ms" => "300000", Medium, Any, inert();

        /// Which clients push: `property=regular expression`, separated by commas, all of which must match;
        /// empty for all clients.
        match_: Vec<String> = "match" => "", Medium, crate::Valid::LIST, inert();

        /// What the names of the wanted metrics begin with, separated by commas; `*` for all.
        metrics: Vec<String> = "metrics" => "", Medium, crate::Valid::LIST, inert();
    }
}
