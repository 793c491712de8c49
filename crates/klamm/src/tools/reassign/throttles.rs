//! Limits on how fast replicas are moved: settings of brokers and topics.

use std::collections::{BTreeMap, BTreeSet};

use klamm_client::admin::{AlterConfigOp, ConfigResourceType};
use klamm_client::{Admin, TopicPartition};

use crate::command_line::{Arguments, Failure};

use super::executed;
use super::plan::{Move, Plan, ids};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const DIRECTORY_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// Limits the brokers and topics of a reassignment, bytes per second.
pub async fn set(
    arguments: &Arguments,
    admin: &Admin,
    plan: &Plan,
    current: &[Move],
    between_brokers: Option<i64>,
    between_directories: Option<i64>,
) -> Result<(), Failure> {
    let set = |key: &str, value: String| AlterConfigOp::Set(key.to_owned(), value);
    let brokers: BTreeSet<i32> =
        plan.moves.iter().chain(current).flat_map(|entry| entry.replicas.iter().copied()).collect();
    if let Some(rate) = between_brokers {
        let mut leaders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut followers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for entry in &plan.moves {
            let present = present(current, &entry.partition);
            let number = entry.partition.partition;
            let topic = &*entry.partition.topic;
            leaders.entry(topic).or_default().extend(present.iter().map(|id| format!("{number}:{id}")));
            let added = entry.replicas.iter().filter(|id| !present.contains(id));
            followers.entry(topic).or_default().extend(added.map(|id| format!("{number}:{id}")));
        }
        for topic in plan.topics() {
            let list = |of: &BTreeMap<&str, Vec<String>>| of.get(topic.as_str()).map(|ids| ids.join(","));
            let changes = vec![
                set(LEADER_REPLICAS, list(&leaders).unwrap_or_default()),
                set(FOLLOWER_REPLICAS, list(&followers).unwrap_or_default()),
            ];
            alter(admin, ConfigResourceType::Topic, &topic, changes).await?;
        }
        for broker in &brokers {
            let changes = vec![set(LEADER_RATE, rate.to_string()), set(FOLLOWER_RATE, rate.to_string())];
            alter(admin, ConfigResourceType::Broker, &broker.to_string(), changes).await?;
        }
        arguments.say(format_args!("The inter-broker throttle limit was set to {rate} B/s"));
    }
    if let Some(rate) = between_directories {
        let moving: BTreeSet<i32> = super::execute::directory_moves(plan).into_keys().collect();
        for broker in moving {
            let changes = vec![set(DIRECTORY_RATE, rate.to_string())];
            alter(admin, ConfigResourceType::Broker, &broker.to_string(), changes).await?;
        }
        arguments.say(format_args!("The replica-alter-dir throttle limit was set to {rate} B/s"));
    }
    Ok(())
}

fn present<'a>(current: &'a [Move], partition: &TopicPartition) -> &'a [i32] {
    let found = current.iter().find(|entry| entry.partition == *partition);
    found.map_or(&[], |entry| &entry.replicas)
}

async fn alter(
    admin: &Admin,
    kind: ConfigResourceType,
    name: &str,
    changes: Vec<AlterConfigOp>,
) -> Result<(), Failure> {
    admin.incremental_alter_configs(kind, name, changes).await.map_err(|error| executed(&error))
}

/// Takes every limit away again.
pub async fn clear(arguments: &Arguments, admin: &Admin, plan: &Plan) -> Result<(), Failure> {
    let delete = |keys: &[&str]| keys.iter().map(|key| AlterConfigOp::Delete((*key).to_owned())).collect();
    let live = admin.describe_cluster(false).await.map_err(|error| executed(&error))?.nodes;
    let live: BTreeSet<i32> = live.into_iter().map(|node| node.id).collect();
    let named = plan.moves.iter().flat_map(|entry| entry.replicas.iter().copied());
    let brokers: Vec<i32> = named.chain(live.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let count = brokers.len();
    arguments.say(format_args!(
        "Clearing broker-level throttles on broker{} {}",
        plural(count),
        ids(&brokers)
    ));
    for broker in brokers.iter().filter(|id| live.contains(id)) {
        let changes = delete(&[LEADER_RATE, FOLLOWER_RATE, DIRECTORY_RATE]);
        alter(admin, ConfigResourceType::Broker, &broker.to_string(), changes).await?;
    }
    let topics = plan.topics();
    let names = topics.join(",");
    arguments.say(format_args!("Clearing topic-level throttles on topic{} {names}", plural(topics.len())));
    for topic in topics {
        let changes = delete(&[LEADER_REPLICAS, FOLLOWER_REPLICAS]);
        alter(admin, ConfigResourceType::Topic, &topic, changes).await?;
    }
    Ok(())
}
