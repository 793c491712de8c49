//! Broker keys: how quotas are measured.

use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// How quotas are measured.
    QuotasConfig {
        alter_log_dirs_replication_quota_window_num: i32 = "alter.log.dirs.replication.quota.window.num" => "11",
            Low, AtLeast(1);

        alter_log_dirs_replication_quota_window_size_seconds: i32 = "alter.log.dirs.replication.quota.window.size.seconds" => "1",
            Low, AtLeast(1);

        client_quota_callback_class: Option<Class> = "client.quota.callback.class" => null, Low, Any;

        controller_quota_window_num: i32 = "controller.quota.window.num" => "11", Low, AtLeast(1);

        controller_quota_window_size_seconds: i32 = "controller.quota.window.size.seconds" => "1",
            Low, AtLeast(1);

        quota_window_num: i32 = "quota.window.num" => "11", Low, AtLeast(1);

        quota_window_size_seconds: i32 = "quota.window.size.seconds" => "1", Low, AtLeast(1);

        replication_quota_window_num: i32 = "replication.quota.window.num" => "11", Low, AtLeast(1);

        replication_quota_window_size_seconds: i32 = "replication.quota.window.size.seconds" => "1",
            Low, AtLeast(1);
    }
}
