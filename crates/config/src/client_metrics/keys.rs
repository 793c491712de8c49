//!

use crate::table::config_table;

config_table! {
    /// A subscription to metrics of clients.
    ClientMetricsConfig {
        interval_ms: i32 = "interval.ms" => "300000", Medium, Any;

        match_: Vec<String> = "match" => "", Medium, crate::Valid::LIST;

        metrics: Vec<String> = "metrics" => "", Medium, crate::Valid::LIST;
    }
}
