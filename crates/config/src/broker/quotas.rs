//! Broker keys: how quotas are measured.

use super::NO_CLASSES;
use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// How quotas are measured.
    QuotasConfig {
        /// How many windows the rate of moving replicas between directories is measured over.
        alter_log_dirs_replication_quota_window_num: i32 = "alter.log.dirs.replication.quota.window.num" => "11",
            Low, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        alter_log_dirs_replication_quota_window_size_seconds: i32 = "alter.log.dirs.replication.quota.window.size.seconds" => "1",
            Low, AtLeast(1), inert();

        /// Java class that decides clients' quotas. It cannot be loaded.
        client_quota_callback_class: Option<Class> = "client.quota.callback.class" => null, Low, Any,
            refused(NO_CLASSES);

        /// How many windows the rate of changes to topics is measured over.
        controller_quota_window_num: i32 = "controller.quota.window.num" => "11", Low, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        controller_quota_window_size_seconds: i32 = "controller.quota.window.size.seconds" => "1",
            Low, AtLeast(1), inert();

        /// Most bytes a second that this broker fetches for throttled replicas.
        follower_replication_throttled_rate: i64 = "follower.replication.throttled.rate" => "9223372036854775807",
            Medium, AtLeast(0), cluster_wide(), inert(), dynamic_only();

        /// Most bytes a second that this broker hands out of throttled replicas.
        leader_replication_throttled_rate: i64 = "leader.replication.throttled.rate" => "9223372036854775807",
            Medium, AtLeast(0), cluster_wide(), inert(), dynamic_only();

        /// How many windows clients' rates are measured over.
        quota_window_num: i32 = "quota.window.num" => "11", Low, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        quota_window_size_seconds: i32 = "quota.window.size.seconds" => "1", Low, AtLeast(1), inert();

        /// Most bytes a second for moving replicas between log directories.
        replica_alter_log_dirs_io_max_bytes_per_second: i64 = "replica.alter.log.dirs.io.max.bytes.per.second" => "9223372036854775807",
            Medium, AtLeast(0), cluster_wide(), dynamic_only();

        /// How many windows the rate of replication is measured over.
        replication_quota_window_num: i32 = "replication.quota.window.num" => "11", Low, AtLeast(1), inert();

        /// Length of one such window, in seconds.
        replication_quota_window_size_seconds: i32 = "replication.quota.window.size.seconds" => "1",
            Low, AtLeast(1), inert();
    }
}
