//! Broker keys: metrics of the node and telemetry of its clients.

use crate::table::config_table;

config_table! {
    /// Metrics of the node and telemetry of its clients.
    MetricsConfig {
        kafka_metrics_polling_interval_secs: i32 = "kafka.metrics.polling.interval.secs" => "10",
            Low, AtLeast(1);

        kafka_metrics_reporters: Vec<String> = "kafka.metrics.reporters" => "", Low, crate::Valid::LIST;

        metric_reporters: Vec<String> = "metric.reporters" => "org.apache.kafka.common.metrics.JmxReporter",
            Low, crate::Valid::LIST, cluster_wide();

        metrics_num_samples: i32 = "metrics.num.samples" => "2", Low, AtLeast(1);

        metrics_recording_level: String = "metrics.recording.level" => "INFO", Low, Any;

        metrics_sample_window_ms: i64 = "metrics.sample.window.ms" => "30000", Low, AtLeast(1);

        telemetry_max_bytes: i32 = "telemetry.max.bytes" => "1048576", Low, AtLeast(1);
    }
}
