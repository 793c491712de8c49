//! Broker keys: transactions and producer ids.

use crate::table::config_table;

config_table! {
    /// Transactions and producer ids.
    TransactionsConfig {
        /// How long the server keeps trying to add a partition to a transaction before it answers with an
        /// error, in milliseconds.
        add_partitions_to_txn_retry_backoff_max_ms: i32 = "add.partitions.to.txn.retry.backoff.max.ms" => "100",
            High, AtLeast(0);

        /// Pause between tries of the server to add a partition to a transaction, in milliseconds.
        add_partitions_to_txn_retry_backoff_ms: i32 = "add.partitions.to.txn.retry.backoff.ms" => "20",
            High, AtLeast(1), inert();

        /// How often producer ids are looked at for old ones, in milliseconds.
        producer_id_expiration_check_interval_ms: i32 = "producer.id.expiration.check.interval.ms" => "600000",
            Low, AtLeast(1), internal();

        /// How long a partition remembers an idempotent producer that sends nothing, in milliseconds.
        producer_id_expiration_ms: i32 = "producer.id.expiration.ms" => "86400000", Low, AtLeast(1),
            cluster_wide();

        /// How often open transactions are looked at for those past their timeout, in milliseconds.
        transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 = "transaction.abort.timed.out.transaction.cleanup.interval.ms" => "10000",
            Low, AtLeast(1);

        /// Longest transaction timeout that a producer may ask for, in milliseconds.
        transaction_max_timeout_ms: i32 = "transaction.max.timeout.ms" => "900000", High, AtLeast(1);

        /// Whether a partition asks the transaction's coordinator before it takes the first record of a
        /// transaction.
        transaction_partition_verification_enable: bool = "transaction.partition.verification.enable" => "true",
            Low, Any, cluster_wide();

        /// How often transactional ids are looked at for unused ones, in milliseconds.
        transaction_remove_expired_transaction_cleanup_interval_ms: i32 = "transaction.remove.expired.transaction.cleanup.interval.ms" => "3600000",
            Low, AtLeast(1);

        /// Bytes that the transaction coordinator reads at a time when it loads its state.
        transaction_state_log_load_buffer_size: i32 = "transaction.state.log.load.buffer.size" => "5242880",
            High, AtLeast(1);

        /// In-sync replicas that `__transaction_state` needs for a write.
        transaction_state_log_min_isr: i32 = "transaction.state.log.min.isr" => "2", High, AtLeast(1);

        /// Partitions of `__transaction_state`; it must not change once the topic exists.
        transaction_state_log_num_partitions: i32 = "transaction.state.log.num.partitions" => "50",
            High, AtLeast(1);

        /// Replicas of `__transaction_state`; the topic cannot be created while there are fewer brokers.
        transaction_state_log_replication_factor: i16 = "transaction.state.log.replication.factor" => "3",
            High, AtLeast(1);

        /// Size at which a segment of `__transaction_state` is closed, in bytes.
        transaction_state_log_segment_bytes: i32 = "transaction.state.log.segment.bytes" => "104857600",
            High, AtLeast(1);

        /// Whether a transaction may stay open without timeout so that an outside coordinator can decide
        /// it.
        transaction_two_phase_commit_enable: bool = "transaction.two.phase.commit.enable" => "false", Low, Any,
            inert();

        /// How long an unused transactional id is remembered, in milliseconds.
        transactional_id_expiration_ms: i32 = "transactional.id.expiration.ms" => "604800000", High, AtLeast(1);
    }
}
