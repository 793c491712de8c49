//! The values a shard is configured with.

/// What a shard needs to know of the broker's configuration. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionCoordinatorConfig {
    /// `transaction.max.timeout.ms`: a longer timeout is refused with INVALID_TRANSACTION_TIMEOUT.
    pub transaction_max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`: how long an id without an open transaction is remembered.
    pub transactional_id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: pause between looks at open transactions.
    pub abort_timed_out_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: pause between looks at unused ids.
    pub remove_expired_interval_ms: i64,
    /// `add.partitions.to.txn.retry.backoff.max.ms`: how long adding partitions waits for the transaction before to end.
    pub add_partitions_wait_ms: i64,
    /// The finalised level of the feature `transaction.version`, by which transactions are ended that no client ends.
    pub transaction_version: i16,
}

impl Default for TransactionCoordinatorConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            transaction_max_timeout_ms: 900_000,
            transactional_id_expiration_ms: 604_800_000,
            abort_timed_out_interval_ms: 10_000,
            remove_expired_interval_ms: 3_600_000,
            add_partitions_wait_ms: 100,
            transaction_version: 2,
        }
    }
}
