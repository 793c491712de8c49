//! `--generate`: proposes where the replicas of topics could be.

use std::collections::BTreeMap;

use klamm_client::Admin;
use rand::RngExt;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::plan::{Move, ids, to_json};
use super::{execute, executed, json_files};

/// Prints the present assignment and a proposal.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let brokers = brokers(arguments.required("broker-list")?)?;
    let path = arguments.required("topics-to-move-json-file")?;
    let topics = topics(path)?;
    let present = execute::current(admin, &topics).await?;
    if !arguments.json() {
        println!("Current partition replica assignment\n{}\n", to_json(&present));
    }
    let racks = racks(admin, &brokers, arguments.has("disable-rack-aware")).await?;
    let mut proposed = Vec::new();
    for topic in &topics {
        let of_topic: Vec<_> = present.iter().filter(|entry| *entry.partition.topic == **topic).collect();
        let factor = of_topic.first().map_or(0, |entry| entry.replicas.len());
        if factor > brokers.len() {
            return Err(Failure::refused(format!(
                "Replication factor: {factor} larger than available brokers: {}.",
                brokers.len()
            )));
        }
        let spread = spread(&brokers, &racks, of_topic.len(), factor);
        proposed.extend(of_topic.iter().zip(spread).map(|(entry, replicas)| Move {
            partition: entry.partition.clone(),
            directories: vec!["any".to_owned(); replicas.len()],
            replicas,
        }));
    }
    match arguments.json() {
        true => println!("{}", json!({ "current": to_json(&present), "proposed": to_json(&proposed) })),
        false => println!("Proposed partition reassignment configuration\n{}", to_json(&proposed)),
    }
    Ok(())
}

fn brokers(text: &str) -> Result<Vec<i32>, Failure> {
    let parse =
        |id: &str| id.trim().parse().map_err(|_| Failure::refused(format!("For input string: \"{id}\"")));
    let brokers = text.split(',').map(parse).collect::<Result<Vec<i32>, _>>()?;
    let twice = json_files::duplicates(&brokers);
    match twice.is_empty() {
        true => Ok(brokers),
        false => Err(Failure::refused(format!("Broker list contains duplicate entries: [{}]", ids(&twice)))),
    }
}

fn topics(path: &str) -> Result<Vec<String>, Failure> {
    let json: Value = serde_json::from_str(&json_files::read(path)?)
        .map_err(|error| Failure::refused(format!("Failed to parse {path}\nhint: {error}")))?;
    let list = json.get("topics").and_then(Value::as_array);
    let list = list.ok_or_else(|| Failure::refused("No such field exists: topics"))?;
    let name = |entry: &Value| entry.get("topic").and_then(Value::as_str).map(str::to_owned);
    let mut topics: Vec<String> = list
        .iter()
        .map(name)
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::refused("No such field exists: topic"))?;
    let twice = json_files::duplicates(&topics);
    if !twice.is_empty() {
        return Err(Failure::refused(format!(
            "List of topics to reassign contains duplicate entries: [{}]",
            twice.join(",")
        )));
    }
    topics.sort();
    Ok(topics)
}

/// The rack of each broker, where they all have one and it counts.
async fn racks(admin: &Admin, brokers: &[i32], is_disabled: bool) -> Result<BTreeMap<i32, String>, Failure> {
    let cluster = admin.describe_cluster(false).await.map_err(|error| executed(&error))?;
    let of = |id: &i32| {
        let node = cluster.nodes.iter().find(|node| node.id == *id)?;
        Some((*id, node.rack.clone()?))
    };
    let racks: BTreeMap<i32, String> = brokers.iter().filter_map(of).collect();
    if is_disabled || racks.is_empty() {
        return Ok(BTreeMap::new());
    }
    match racks.len() == brokers.len() {
        true => Ok(racks),
        false => Err(Failure::refused(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment \
             without rack information.",
        )),
    }
}

/// First replicas go round the brokers from a random one on; the others follow at a distance that grows with each round,
/// so that partitions share their load with different partners. Racks are taken in turns where they count.
fn spread(brokers: &[i32], racks: &BTreeMap<i32, String>, partitions: usize, factor: usize) -> Vec<Vec<i32>> {
    let order = alternate(brokers, racks);
    let count = order.len();
    if count == 0 {
        return vec![Vec::new(); partitions];
    }
    let mut random = rand::rng();
    let start = random.random_range(0..count);
    let mut shift = random.random_range(0..count);
    let mut spread = Vec::new();
    for partition in 0..partitions {
        if partition > 0 && partition % count == 0 {
            shift += 1;
        }
        let first = (partition + start) % count;
        let mut replicas = vec![order[first]];
        let mut step = 0;
        while replicas.len() < factor && step < count * count {
            let distance = 1 + (shift + step) % (count - 1).max(1);
            let candidate = order[(first + distance) % count];
            let rack_is_new = racks.is_empty()
                || replicas.iter().all(|id| racks.get(id) != racks.get(&candidate))
                || step >= count - 1;
            if rack_is_new && !replicas.contains(&candidate) {
                replicas.push(candidate);
            }
            step += 1;
        }
        spread.push(replicas);
    }
    spread
}

/// Brokers of different racks in turns.
fn alternate(brokers: &[i32], racks: &BTreeMap<i32, String>) -> Vec<i32> {
    let mut by_rack: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    for broker in sorted {
        by_rack.entry(racks.get(&broker).map_or("", String::as_str)).or_default().push(broker);
    }
    let longest = by_rack.values().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| by_rack.values().filter_map(move |ids| ids.get(turn).copied()));
    turns.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::spread;

    #[test]
    fn replicas_are_spread_over_brokers_and_racks() {
        let racks: BTreeMap<i32, String> = (0..6).map(|id| (id, format!("rack-{}", id % 3))).collect();
        for _ in 0..50 {
            let spread = spread(&[0, 1, 2, 3, 4, 5], &racks, 12, 3);
            for replicas in &spread {
                let different: BTreeSet<_> = replicas.iter().map(|id| &racks[id]).collect();
                assert_eq!(different.len(), 3, "{replicas:?}");
            }
            for broker in 0..6 {
                assert_eq!(spread.iter().filter(|replicas| replicas[0] == broker).count(), 2);
            }
        }
        assert_eq!(spread_one(), vec![vec![7]; 3]);
    }

    fn spread_one() -> Vec<Vec<i32>> {
        spread(&[7], &BTreeMap::new(), 3, 1)
    }
}
