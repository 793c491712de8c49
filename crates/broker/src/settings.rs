//! The configuration's values as each part of the node takes them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{BrokerConfig, Properties, TopicConfig};
use groups::{
    BoundedSetting, ConsumerGroupConfig, GroupCoordinatorConfig, GroupShardConfig, MigrationPolicy,
    ShareGroupConfig, StreamsGroupConfig,
};
use metadata::MetadataImage;
use network::{BoundListener, DescriptorShares, ListenerSettings, ServerSettings};
use quorum::QuorumSettings;
use storage::{CleanerConfig, LogManagerConfig};
use transactions::TransactionCoordinatorConfig;

use crate::node::NodeError;

/// What bytes of frames under way may take when `queued.max.request.bytes` leaves it open.
const IN_FLIGHT_BYTES: usize = 256 * 1024 * 1024;

/// Listeners, connections and cores.
///
/// # Errors
/// A host of `max.connections.per.ip.overrides` that is no address.
pub fn server(config: &BrokerConfig, descriptors: DescriptorShares) -> Result<ServerSettings, NodeError> {
    let network = &config.network;
    let listeners = config.endpoints.broker.iter().map(|listener| {
        ListenerSettings::new(listener.name.clone(), listener.host.as_deref(), listener.port)
    });
    let mut overrides = HashMap::new();
    for (host, limit) in network.connections_per_ip() {
        let address: IpAddr = host.parse().map_err(|_| {
            NodeError::Unsupported(format!(
                "max.connections.per.ip.overrides: {host} is a name; give its address"
            ))
        })?;
        overrides.insert(address, positive(limit));
    }
    let defaults = ServerSettings::default();
    let idle = match network.connections_max_idle_ms {
        ms if ms < 0 => Duration::from_secs(u32::MAX.into()),
        ms => Duration::from_millis(ms.unsigned_abs()),
    };
    Ok(ServerSettings {
        listeners: listeners.collect(),
        cores: cores(config),
        request_max_bytes: positive(network.socket_request_max_bytes),
        in_flight_bytes: match network.queued_max_request_bytes {
            bytes if bytes > 0 => usize::try_from(bytes).unwrap_or(usize::MAX),
            _ => IN_FLIGHT_BYTES,
        },
        send_buffer_bytes: buffer(network.socket_send_buffer_bytes),
        receive_buffer_bytes: buffer(network.socket_receive_buffer_bytes),
        listen_backlog: network.socket_listen_backlog_size.unsigned_abs(),
        idle,
        // Who stands still in the middle of a request is idle, too.
        frame_progress: defaults.frame_progress.min(idle),
        max_connections: positive(network.max_connections).min(descriptors.sockets),
        max_connections_per_ip: positive(network.max_connections_per_ip),
        max_connections_per_ip_overrides: overrides,
        max_connection_creation_rate: Some(network.max_connection_creation_rate.unsigned_abs())
            .filter(|rate| *rate < i32::MAX.unsigned_abs()),
        ..defaults
    })
}

fn cores(config: &BrokerConfig) -> usize {
    match config.klamm.klamm_cores {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        cores => positive(cores),
    }
}

fn buffer(bytes: i32) -> Option<usize> {
    usize::try_from(bytes).ok()
}

fn positive(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// Where each listener is advertised, given the ports that the operating system chose.
pub fn advertised<'a>(
    config: &'a BrokerConfig,
    bound: &[BoundListener],
) -> Vec<(&'a config::Listener, String, u16)> {
    let port_of =
        |name: &str| bound.iter().find(|listener| *listener.name == *name).map(|l| l.address.port());
    config
        .endpoints
        .advertised
        .iter()
        .map(|listener| {
            let host = listener.host.clone().unwrap_or_else(|| "localhost".to_string());
            let port = if listener.port == 0 { port_of(&listener.name).unwrap_or(0) } else { listener.port };
            (listener, host, port)
        })
        .collect()
}

/// The listeners whose clients are told the address that they reached us by.
pub fn listeners_without_address(config: &BrokerConfig) -> Vec<String> {
    let without = config.endpoints.advertised.iter().filter(|listener| listener.host.is_none());
    without.map(|listener| listener.name.clone()).collect()
}

/// Log directories and their upkeep.
pub fn logs(config: &BrokerConfig, defaults: LogManagerConfig) -> LogManagerConfig {
    let (log, transactions) = (&config.log, &config.transactions);
    LogManagerConfig {
        recovery_threads_per_directory: positive(log.num_recovery_threads_per_data_dir).max(1),
        producer_id_expiration_ms: transactions.producer_id_expiration_ms.into(),
        recovery_point_checkpoint_interval_ms: log.log_flush_offset_checkpoint_interval_ms.into(),
        log_start_offset_checkpoint_interval_ms: log.log_flush_start_offset_checkpoint_interval_ms.into(),
        high_watermark_checkpoint_interval_ms: config
            .replication
            .replica_high_watermark_checkpoint_interval_ms,
        retention_check_interval_ms: log.log_retention_check_interval_ms,
        producer_id_expiration_check_interval_ms: transactions
            .producer_id_expiration_check_interval_ms
            .into(),
        cleaner: cleaner(config),
        ..defaults
    }
}

/// How logs are compacted.
pub fn cleaner(config: &BrokerConfig) -> CleanerConfig {
    let log = &config.log;
    CleanerConfig {
        threads: positive(log.log_cleaner_threads),
        dedupe_buffer_bytes: log.log_cleaner_dedupe_buffer_size.max(0).unsigned_abs(),
        load_factor: log.log_cleaner_io_buffer_load_factor,
        io_buffer_bytes: log.log_cleaner_io_buffer_size.max(0).unsigned_abs().into(),
        io_bytes_per_second_max: log.log_cleaner_io_max_bytes_per_second,
        backoff_ms: log.log_cleaner_backoff_ms.max(0).unsigned_abs(),
    }
}

/// The metadata log: always synced, and kept until a snapshot covers it.
pub fn metadata_log(config: &BrokerConfig) -> TopicConfig {
    let node = &config.node;
    let own = [
        ("segment.bytes", node.metadata_log_segment_bytes.to_string()),
        ("segment.ms", node.metadata_log_segment_ms.to_string()),
        ("retention.ms", "-1".to_string()),
        ("retention.bytes", "-1".to_string()),
        ("max.message.bytes", i32::MAX.to_string()),
        ("klamm.durability", "synced".to_string()),
    ];
    let own: Properties = own.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    TopicConfig::resolve(config, &own)
}

/// Elections and snapshots of the metadata quorum.
pub fn quorum(config: &BrokerConfig, defaults: QuorumSettings) -> QuorumSettings {
    let node = &config.node;
    let limit = |value: i64| u64::try_from(value).ok();
    let ms = |value: i32| Duration::from_millis(value.unsigned_abs().into());
    QuorumSettings {
        election_timeout: ms(node.controller_quorum_election_timeout_ms),
        request_timeout: ms(node.controller_quorum_request_timeout_ms),
        max_record_bytes_between_snapshots: node
            .metadata_log_max_record_bytes_between_snapshots
            .unsigned_abs(),
        max_snapshot_interval: Duration::from_millis(
            node.metadata_log_max_snapshot_interval_ms.unsigned_abs(),
        ),
        retention_bytes: limit(node.metadata_max_retention_bytes),
        retention: limit(node.metadata_max_retention_ms).map(Duration::from_millis),
        ..defaults
    }
}

/// What group shards begin with.
pub fn group_shards(config: &BrokerConfig, metadata: Arc<MetadataImage>) -> GroupShardConfig {
    GroupShardConfig { settings: groups(config), metadata }
}

/// Timeouts and limits of groups.
pub fn groups(config: &BrokerConfig) -> GroupCoordinatorConfig {
    let groups = &config.groups;
    GroupCoordinatorConfig {
        group_min_session_timeout_ms: groups.group_min_session_timeout_ms,
        group_max_session_timeout_ms: groups.group_max_session_timeout_ms,
        group_max_size: groups.group_max_size,
        group_initial_rebalance_delay_ms: groups.group_initial_rebalance_delay_ms,
        offset_metadata_max_bytes: positive(groups.offset_metadata_max_bytes),
        offsets_retention_ms: i64::from(groups.offsets_retention_minutes) * 60_000,
        offsets_retention_check_interval_ms: groups.offsets_retention_check_interval_ms,
        max_batch_bytes: positive(config.log.message_max_bytes),
        consumer: consumer_groups(config),
        share: share_groups(config),
        streams: streams_groups(config),
        ..GroupCoordinatorConfig::default()
    }
}

fn share_groups(config: &BrokerConfig) -> ShareGroupConfig {
    let share = &config.share;
    let bounded = |default, min, max| BoundedSetting { default, min, max };
    ShareGroupConfig {
        max_size: positive(share.group_share_max_size),
        session_timeout_ms: bounded(
            share.group_share_session_timeout_ms,
            share.group_share_min_session_timeout_ms,
            share.group_share_max_session_timeout_ms,
        ),
        heartbeat_interval_ms: bounded(
            share.group_share_heartbeat_interval_ms,
            share.group_share_min_heartbeat_interval_ms,
            share.group_share_max_heartbeat_interval_ms,
        ),
        assignment_interval_ms: bounded(
            share.group_share_assignment_interval_ms,
            share.group_share_min_assignment_interval_ms,
            share.group_share_max_assignment_interval_ms,
        ),
        initialize_retry_interval_ms: share.group_share_initialize_retry_interval_ms.into(),
    }
}

fn consumer_groups(config: &BrokerConfig) -> ConsumerGroupConfig {
    let groups = &config.groups;
    let built_in = ConsumerGroupConfig::default().assignors;
    let named = groups.group_consumer_assignors.iter().filter(|name| built_in.contains(name)).cloned();
    let assignors: Vec<String> = named.collect();
    let policy = groups.group_consumer_migration_policy.to_ascii_uppercase();
    let bounded = |default, min, max| BoundedSetting { default, min, max };
    ConsumerGroupConfig {
        assignors: if assignors.is_empty() { built_in } else { assignors },
        max_size: positive(groups.group_consumer_max_size),
        migration_policy: MigrationPolicy {
            upgrade: policy == "UPGRADE" || policy == "BIDIRECTIONAL",
            downgrade: policy == "DOWNGRADE" || policy == "BIDIRECTIONAL",
        },
        regex_refresh_interval_ms: groups.group_consumer_regex_refresh_interval_ms.into(),
        session_timeout_ms: bounded(
            groups.group_consumer_session_timeout_ms,
            groups.group_consumer_min_session_timeout_ms,
            groups.group_consumer_max_session_timeout_ms,
        ),
        heartbeat_interval_ms: bounded(
            groups.group_consumer_heartbeat_interval_ms,
            groups.group_consumer_min_heartbeat_interval_ms,
            groups.group_consumer_max_heartbeat_interval_ms,
        ),
        assignment_interval_ms: bounded(
            groups.group_consumer_assignment_interval_ms,
            groups.group_consumer_min_assignment_interval_ms,
            groups.group_consumer_max_assignment_interval_ms,
        ),
    }
}

/// Timeouts and limits of transactions, at this level of `transaction.version`.
pub fn transactions(config: &BrokerConfig, transaction_version: i16) -> TransactionCoordinatorConfig {
    let transactions = &config.transactions;
    TransactionCoordinatorConfig {
        transaction_max_timeout_ms: transactions.transaction_max_timeout_ms,
        transactional_id_expiration_ms: transactions.transactional_id_expiration_ms.into(),
        abort_timed_out_interval_ms: transactions
            .transaction_abort_timed_out_transaction_cleanup_interval_ms
            .into(),
        remove_expired_interval_ms: transactions
            .transaction_remove_expired_transaction_cleanup_interval_ms
            .into(),
        add_partitions_wait_ms: transactions.add_partitions_to_txn_retry_backoff_max_ms.into(),
        transaction_version,
    }
}

fn streams_groups(config: &BrokerConfig) -> StreamsGroupConfig {
    let streams = &config.streams;
    let bounded = |default, min, max| BoundedSetting { default, min, max };
    StreamsGroupConfig {
        max_size: positive(streams.group_streams_max_size),
        session_timeout_ms: bounded(
            streams.group_streams_session_timeout_ms,
            streams.group_streams_min_session_timeout_ms,
            streams.group_streams_max_session_timeout_ms,
        ),
        heartbeat_interval_ms: bounded(
            streams.group_streams_heartbeat_interval_ms,
            streams.group_streams_min_heartbeat_interval_ms,
            streams.group_streams_max_heartbeat_interval_ms,
        ),
        assignment_interval_ms: bounded(
            streams.group_streams_assignment_interval_ms,
            streams.group_streams_min_assignment_interval_ms,
            streams.group_streams_max_assignment_interval_ms,
        ),
        num_standby_replicas: bounded(
            streams.group_streams_num_standby_replicas,
            0,
            streams.group_streams_max_standby_replicas,
        ),
        task_offset_interval_ms: bounded(
            streams.group_streams_task_offset_interval_ms,
            streams.group_streams_min_task_offset_interval_ms,
            i32::MAX,
        ),
        initial_rebalance_delay_ms: streams.group_streams_initial_rebalance_delay_ms,
        acceptable_recovery_lag: streams.group_streams_acceptable_recovery_lag,
        rack_aware_assignment_tags: streams.group_streams_rack_aware_assignment_tags.clone(),
    }
}

/// The controller's. A quorum of one writes no NoOp records: nobody is there to see by them that the leader lives.
pub fn controller(config: &BrokerConfig) -> BrokerConfig {
    let mut config = config.clone();
    if config.is_sole_voter() {
        config.node.metadata_max_idle_interval_ms = 0;
    }
    config
}
