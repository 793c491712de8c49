//! Whether altered values may stand, resource by resource, in Kafka's words.

use super::{BrokerConfig, ConfigKey, Properties, Refusal, UpdateMode, Value, broker, group, topic};
use crate::topic::TopicConfig;

/// Whether a topic may have these values, all of its own being given.
///
/// # Errors
/// An unknown key, an invalid value, values that contradict each other.
pub fn check_topic(broker: &BrokerConfig, own: &Properties) -> Result<(), Refusal> {
    if let Some(name) = own.keys().find(|name| topic::key(name).is_none()) {
        return Err(Refusal::config(format!("Unknown topic config name: {name}")));
    }
    for (name, text) in own {
        topic::key(name).map(|key| key.parse(text)).transpose()?;
    }
    let resolved = TopicConfig::resolve(broker, own);
    if resolved.min_compaction_lag_ms > resolved.max_compaction_lag_ms {
        return Err(Refusal::config(format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            resolved.min_compaction_lag_ms, resolved.max_compaction_lag_ms
        )));
    }
    if resolved.remote_storage_enable && !broker.tiering.remote_log_storage_system_enable {
        return Err(Refusal::config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
             log storage.",
        ));
    }
    Ok(())
}

/// Whether a subscription may have these values; `name` is the subscription's.
///
/// # Errors
/// An empty name, an unknown key, an invalid value.
pub fn check_client_metrics(name: &str, own: &Properties) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::request("Subscription name can't be empty"));
    }
    for (name, text) in own {
        let Some(key) = crate::client_metrics::key(name) else {
            return Err(Refusal::request(format!("Unknown client metrics configuration: {name}")));
        };
        match key.parse(text)? {
            Value::Int(interval) if !(100..=3_600_000).contains(&interval) => {
                return Err(Refusal::request(format!(
                    "Invalid value {interval} for {name}, interval must be between 100 and 3600000 (1 hour)"
                )));
            }
            Value::List(patterns) if name == "match" => {
                patterns.iter().try_for_each(|pattern| client_pattern(pattern))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// `property=pattern`; the pattern itself is judged by those who compile it.
fn client_pattern(pattern: &str) -> Result<(), Refusal> {
    const PROPERTIES: [&str; 6] = [
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    ];
    match pattern.trim_end_matches('=').split_once('=') {
        Some((property, rest))
            if PROPERTIES.contains(&property.trim()) && !rest.is_empty() && !rest.contains('=') =>
        {
            Ok(())
        }
        _ => Err(Refusal::config(format!("Illegal client matching pattern: {pattern}"))),
    }
}

/// Whether a group may have these values.
///
/// # Errors
/// An unknown key, an invalid value, one outside the broker's bounds, a session no longer than a heartbeat.
pub fn check_group(config: &BrokerConfig, own: &Properties) -> Result<(), Refusal> {
    if let Some(name) = own.keys().find(|name| group::key(name).is_none()) {
        return Err(Refusal::config(format!("Unknown group config name: {name}")));
    }
    let tags = own.get("streams.rack.aware.assignment.tags").map_or("", |tags| tags.trim());
    let mut tags: Vec<&str> = tags.split(',').map(str::trim).collect();
    let count = tags.len();
    tags.sort_unstable();
    tags.dedup();
    if tags.len() != count {
        return Err(Refusal::config(
            "streams.rack.aware.assignment.tags must not contain duplicate tag keys.",
        ));
    }
    for (name, text) in own {
        group::key(name).map(|key| key.parse(text)).transpose()?;
    }
    bounds(config, own)?;
    let assignors = &config.streams.group_streams_assignors;
    if let Some(assignor) = own.get("streams.assignor.name").filter(|name| !assignors.contains(name)) {
        return Err(Refusal::config(format!(
            "streams.assignor.name '{assignor}' is not a registered task assignor. Registered assignors are: \
             [{}].",
            assignors.join(", ")
        )));
    }
    sessions(config, own)?;
    if own.get("errors.deadletterqueue.topic.name").is_some_and(|topic| topic.trim().starts_with("__")) {
        return Err(Refusal::config(
            "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'",
        ));
    }
    Ok(())
}

fn number(own: &Properties, name: &str) -> Option<i32> {
    match group::key(name)?.parse(own.get(name)?) {
        Ok(Value::Int(number)) => Some(number),
        _ => None,
    }
}

/// The broker's lower and upper bounds of a group's values.
fn bounds(config: &BrokerConfig, own: &Properties) -> Result<(), Refusal> {
    let (groups, share, streams) = (&config.groups, &config.share, &config.streams);
    #[rustfmt::skip]
    let bounds = [
        ("consumer.heartbeat.interval.ms", Some(groups.group_consumer_min_heartbeat_interval_ms), Some(groups.group_consumer_max_heartbeat_interval_ms)),
        ("consumer.session.timeout.ms", Some(groups.group_consumer_min_session_timeout_ms), Some(groups.group_consumer_max_session_timeout_ms)),
        ("consumer.assignment.interval.ms", Some(groups.group_consumer_min_assignment_interval_ms), Some(groups.group_consumer_max_assignment_interval_ms)),
        ("share.heartbeat.interval.ms", Some(share.group_share_min_heartbeat_interval_ms), Some(share.group_share_max_heartbeat_interval_ms)),
        ("share.session.timeout.ms", Some(share.group_share_min_session_timeout_ms), Some(share.group_share_max_session_timeout_ms)),
        ("share.record.lock.duration.ms", Some(share.group_share_min_record_lock_duration_ms), Some(share.group_share_max_record_lock_duration_ms)),
        ("share.delivery.count.limit", Some(share.group_share_min_delivery_count_limit), Some(share.group_share_max_delivery_count_limit)),
        ("share.partition.max.record.locks", Some(share.group_share_min_partition_max_record_locks), Some(share.group_share_max_partition_max_record_locks)),
        ("share.assignment.interval.ms", Some(share.group_share_min_assignment_interval_ms), Some(share.group_share_max_assignment_interval_ms)),
        ("streams.heartbeat.interval.ms", Some(streams.group_streams_min_heartbeat_interval_ms), Some(streams.group_streams_max_heartbeat_interval_ms)),
        ("streams.session.timeout.ms", Some(streams.group_streams_min_session_timeout_ms), Some(streams.group_streams_max_session_timeout_ms)),
        ("streams.num.standby.replicas", None, Some(streams.group_streams_max_standby_replicas)),
        ("streams.assignment.interval.ms", Some(streams.group_streams_min_assignment_interval_ms), Some(streams.group_streams_max_assignment_interval_ms)),
        ("streams.task.offset.interval.ms", Some(streams.group_streams_min_task_offset_interval_ms), None),
        ("streams.num.warmup.replicas", None, Some(streams.group_streams_max_warmup_replicas)),
    ];
    for (name, least, most) in bounds {
        let Some(value) = number(own, name) else { continue };
        if least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most) {
            continue;
        }
        return Err(Refusal::config(match (least, most) {
            (Some(least), Some(most)) => format!("{name} must be in the range {least} to {most} inclusive."),
            (Some(least), None) => format!("{name} must be greater than or equal to {least}"),
            (None, Some(most)) => format!("{name} must be less than or equal to {most}"),
            (None, None) => continue,
        }));
    }
    Ok(())
}

/// A session outlasts a heartbeat, whichever of the two the group sets itself.
fn sessions(config: &BrokerConfig, own: &Properties) -> Result<(), Refusal> {
    let (groups, share, streams) = (&config.groups, &config.share, &config.streams);
    for (kind, session_ms, heartbeat_ms) in [
        ("consumer", groups.group_consumer_session_timeout_ms, groups.group_consumer_heartbeat_interval_ms),
        ("share", share.group_share_session_timeout_ms, share.group_share_heartbeat_interval_ms),
        ("streams", streams.group_streams_session_timeout_ms, streams.group_streams_heartbeat_interval_ms),
    ] {
        let names = (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
        let (session, heartbeat) = (number(own, &names.0), number(own, &names.1));
        let set = session.is_some() || heartbeat.is_some();
        if set && session.unwrap_or(session_ms) <= heartbeat.unwrap_or(heartbeat_ms) {
            return Err(Refusal::config(format!("{} must be greater than {}", names.0, names.1)));
        }
    }
    Ok(())
}

/// Whether the values altered for one broker (`one_broker`), or for all, may stand.
///
/// # Errors
/// A key that needs a restart, a security key without its listener, an invalid value, a key that only one
/// broker can have, values that contradict others.
pub fn check_broker(config: &BrokerConfig, altered: &Properties, one_broker: bool) -> Result<(), Refusal> {
    let named = |refused: &dyn Fn(&str) -> bool| -> Vec<&str> {
        altered.keys().map(String::as_str).filter(|name| refused(name)).collect()
    };
    let refuse = |text: &str, names: Vec<&str>| match names.as_slice() {
        [] => Ok(()),
        names => Err(Refusal::request(format!("{text}: [{}]", names.join(", ")))),
    };
    let read_only = |name: &str| broker::key(name).is_some_and(|key| key.update_mode == UpdateMode::ReadOnly);
    refuse("Cannot update these configs dynamically", named(&read_only))?;
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        named(&is_listener_security),
    )?;
    for (name, text) in altered {
        let Some(key) = broker::key_of_any_form(name) else { continue };
        let value = key.parse(text).map_err(|error| Refusal::request(error.to_string()))?;
        if matches!(value, Value::Class(_)) && key.default_text() != Some(text.trim()) {
            return Err(Refusal::request(format!(
                "Invalid value {text} for configuration {name}: Class {text} could not be found."
            )));
        }
    }
    if !one_broker {
        let single = |name: &str| {
            let cluster_wide = |key: &ConfigKey| key.update_mode != UpdateMode::PerBroker;
            name.starts_with("listener.name.") || broker::key(name).is_some_and(|key| !cluster_wide(key))
        };
        refuse(
            "Cannot update these configs at default cluster level, broker id must be specified",
            named(&single),
        )?;
    }
    honoured(altered)?;
    thread_counts(config, altered)?;
    let layers = &config.layers;
    let (cluster, own) = if one_broker { (&layers.cluster, altered) } else { (altered, &layers.broker) };
    config.checked_with(cluster, own).map_err(|error| Refusal::request(error.to_string()))
}

/// The keys of TLS that can be altered at all: only for one listener.
fn is_listener_security(name: &str) -> bool {
    name.starts_with("ssl.") && broker::key(name).is_some_and(|key| key.update_mode == UpdateMode::PerBroker)
}

/// Kafka resizes its thread pools by a factor of two at most in one step.
fn thread_counts(config: &BrokerConfig, altered: &Properties) -> Result<(), Refusal> {
    let network = &config.network;
    for (name, now) in [
        ("num.io.threads", network.num_io_threads),
        ("num.replica.fetchers", config.replication.num_replica_fetchers),
        ("num.recovery.threads.per.data.dir", config.log.num_recovery_threads_per_data_dir),
        ("background.threads", network.background_threads),
    ] {
        let Some(Ok(new)) = altered.get(name).map(|text| text.trim().parse::<i32>()) else { continue };
        let limit = if new < now / 2 {
            format!("should be at least half the current value {now}")
        } else if i64::from(new) > i64::from(now) * 2 {
            format!("should not be greater than double the current value {now}")
        } else {
            continue;
        };
        return Err(Refusal::request(format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
             failed for {name}={new}, value {limit} for configuration Invalid dynamic configuration"
        )));
    }
    Ok(())
}

/// A start would stop on what must not be ignored; so does an alteration.
fn honoured(altered: &Properties) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    broker::refused(altered, &mut errors);
    match errors.into_iter().next() {
        Some(error) => Err(Refusal::request(error.to_string())),
        None => Ok(()),
    }
}
