//! Broker keys: transactions and producer ids.

use crate::table::config_table;

config_table! {
    /// Transactions and producer ids.
    TransactionsConfig {
        add_partitions_to_txn_retry_backoff_max_ms: i32 = "add.partitions.to.txn.retry.backoff.max.ms" => "100",
            High, AtLeast(0);

        add_partitions_to_txn_retry_backoff_ms: i32 = "add.partitions.to.txn.retry.backoff.ms" => "20",
            High, AtLeast(1);

        producer_id_expiration_check_interval_ms: i32 = "producer.id.expiration.check.interval.ms" => "600000",
            Low, AtLeast(1), internal();

        producer_id_expiration_ms: i32 = "producer.id.expiration.ms" => "86400000", Low, AtLeast(1),
            cluster_wide();

        transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 = "transaction.abort.timed.out.transaction.cleanup.interval.ms" => "10000",
            Low, AtLeast(1);

        transaction_max_timeout_ms: i32 = "transaction.max.timeout.ms" => "900000", High, AtLeast(1);

        transaction_partition_verification_enable: bool = "transaction.partition.verification.enable" => "true",
            Low, Any, cluster_wide();

        transaction_remove_expired_transaction_cleanup_interval_ms: i32 = "transaction.remove.expired.transaction.cleanup.interval.ms" => "3600000",
            Low, AtLeast(1);

        transaction_state_log_load_buffer_size: i32 = "transaction.state.log.load.buffer.size" => "5242880",
            High, AtLeast(1);

        transaction_state_log_min_isr: i32 = "transaction.state.log.min.isr" => "2", High, AtLeast(1);

        transaction_state_log_num_partitions: i32 = "transaction.state.log.num.partitions" => "50",
            High, AtLeast(1);

        transaction_state_log_replication_factor: i16 = "transaction.state.log.replication.factor" => "3",
            High, AtLeast(1);

        transaction_state_log_segment_bytes: i32 = "transaction.state.log.segment.bytes" => "104857600",
            High, AtLeast(1);

        transaction_two_phase_commit_enable: bool = "transaction.two.phase.commit.enable" => "false", Low, Any;

        transactional_id_expiration_ms: i32 = "transactional.id.expiration.ms" => "604800000", High, AtLeast(1);
    }
}
