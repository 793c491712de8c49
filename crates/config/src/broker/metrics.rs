//! Broker keys: metrics of the node and telemetry of its clients.

use crate::table::config_table;

config_table! {
    /// Metrics of the node and telemetry of its clients.
    MetricsConfig {
        /// How often Kafka's reporters of `kafka.metrics.reporters` are fed, in seconds.
        kafka_metrics_polling_interval_secs: i32 = "kafka.metrics.polling.interval.secs" => "10",
            Low, AtLeast(1), inert();

        /// Java classes that report Kafka's older metrics. They cannot be loaded.
        kafka_metrics_reporters: Vec<String> = "kafka.metrics.reporters" => "", Low, crate::Valid::LIST, inert();

        /// Java classes that report metrics. They cannot be loaded; metrics are offered over HTTP instead.
        metric_reporters: Vec<String> = "metric.reporters" => "org.apache.kafka.common.metrics.JmxReporter",
            Low, crate::Valid::LIST, cluster_wide(), inert();

        /// How many samples a metric is computed from.
        metrics_num_samples: i32 = "metrics.num.samples" => "2", Low, AtLeast(1), inert();

        /// Up to which level of detail metrics are recorded: INFO, DEBUG or TRACE.
        metrics_recording_level: String = "metrics.recording.level" => "INFO", Low, Any, inert();

        /// Length of one sample of a metric, in milliseconds.
        metrics_sample_window_ms: i64 = "metrics.sample.window.ms" => "30000", Low, AtLeast(1), inert();

        /// Most bytes of metrics that a client may push at once, as sent.
        telemetry_max_bytes: i32 = "telemetry.max.bytes" => "1048576", Low, AtLeast(1), inert();
    }
}
