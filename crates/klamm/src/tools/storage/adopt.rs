//! `klamm storage adopt`: takes over the log directories of a stopped Apache Kafka node.
//!
//! Everything is checked before anything is written; what is written is a snapshot beside Kafka's and the mark that says
//! whose the metadata log is. Partition logs are Kafka's files before and after.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr, stdin};

use controller::features::SUPPORTED;
use metadata::{ConfigResourceType, MetadataImage, MetadataVersion};
use quorum::FoundMetadata;

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::now_ms;

use super::super::acls::words;
use super::kafka_directories::NodeDirectories;

/// How many of a kind are named before the rest is counted.
const NAMED_MAX: usize = 10;

/// Checks, asks, takes over.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let node = NodeDirectories::take(arguments)?;
    let (found, image) = node.read_metadata()?;
    if found.is_ours {
        println!("{} is Klamm's already: nothing to do.", node.paths[0].display());
        return Ok(());
    }
    let obstacles = obstacles(&node, &found, &image);
    if !obstacles.is_empty() {
        return Err(Failure::refused(format!(
            "This node cannot be taken over; nothing was changed:\n{}",
            obstacles.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
        )));
    }
    print!("{}", summary(&node, &found, &image));
    confirm(arguments, &unenforced(&image))?;
    if arguments.has("dry-run") {
        println!("All checks passed; nothing was changed.");
        return Ok(());
    }
    let version = image.features.metadata_version().unwrap_or(MetadataVersion::LATEST);
    let records = image.to_records(version).map_err(Failure::refused)?;
    let identity = (node.node_id, node.ids[0]);
    found
        .take_over(&node.disk, &node.metadata_log(), identity, now_ms(), records)
        .map_err(Failure::refused)?;
    println!(
        "Taken over: `klamm server` serves it now, with the same server.properties. `klamm storage hand-back` gives it back \
         to Kafka."
    );
    Ok(())
}

/// What keeps this build from serving the node, a line each: cause and fix.
fn obstacles(node: &NodeDirectories, found: &FoundMetadata, image: &MetadataImage) -> Vec<String> {
    let mut lines = Vec::new();
    voters(node, found, image, &mut lines);
    features(found, image, &mut lines);
    placement(node, image, &mut lines);
    let remote: Vec<String> = image
        .configs
        .iter()
        .filter(|(resource, values)| {
            resource.resource_type == ConfigResourceType::Topic
                && values.get("remote.storage.enable").is_some_and(|value| value == "true")
        })
        .map(|(resource, _)| resource.name.clone())
        .collect();
    if !remote.is_empty() {
        lines.push(format!(
            "topics with remote.storage.enable=true keep records where Klamm cannot read them: {}. Disable tiered storage \
             for them with Kafka first",
            named(&remote)
        ));
    }
    if found.torn_bytes > 0 && node.not_cleanly_stopped().is_empty() {
        lines.push(format!(
            "the metadata log ends with {} bytes that are no record batch although Kafka was stopped cleanly: restore it from \
             a backup, or start and stop Kafka once more",
            found.torn_bytes
        ));
    }
    lines
}

fn voters(node: &NodeDirectories, found: &FoundMetadata, image: &MetadataImage, lines: &mut Vec<String>) {
    let others = |ids: Vec<i32>| {
        let others: Vec<String> =
            ids.into_iter().filter(|id| *id != node.node_id).map(|id| id.to_string()).collect();
        (!others.is_empty()).then(|| others.join(", "))
    };
    let me = node.node_id;
    if let Some(ids) = others(found.voters.iter().map(|(id, _)| *id).collect()) {
        lines.push(format!(
            "the metadata quorum has other voters than node {me}: {ids}. Remove them first (kafka-metadata-quorum \
             remove-controller, or controller.quorum.voters of a static quorum), or move the topics with a mirroring tool"
        ));
    } else if let Some(ids) = others(image.cluster.controllers().keys().copied().collect()) {
        lines.push(format!(
            "other controllers than node {me} are registered: {ids}. Unregister them first (kafka-cluster unregister)"
        ));
    }
    if let Some(ids) = others(image.cluster.brokers().keys().copied().collect()) {
        lines.push(format!(
            "other brokers than node {me} are registered: {ids}. Move their replicas to node {me} \
             (kafka-reassign-partitions) and unregister them (kafka-cluster unregister --id ID)"
        ));
    }
    if !image.cluster.brokers().contains_key(&me) {
        lines.push(format!(
            "node {me} is no broker of this cluster, only a controller: take over a node with process.roles=broker,controller"
        ));
    }
    let foreign = found
        .voters
        .iter()
        .find(|(id, directory)| *id == me && directory.is_some_and(|directory| directory != node.ids[0]));
    if let Some((_, Some(directory))) = foreign {
        lines.push(format!(
            "the quorum's voter is directory {directory}, and {} is {}: name the directory that votes",
            node.paths[0].display(),
            node.ids[0]
        ));
    }
}

fn features(found: &FoundMetadata, image: &MetadataImage, lines: &mut Vec<String>) {
    if image.features.metadata_version().is_none() {
        lines.push(
            "the metadata log has no metadata.version: the node has never been up; start it with Kafka once"
                .to_owned(),
        );
    }
    for (name, level) in image.features.all() {
        let supported = SUPPORTED.iter().find(|feature| feature.name == name).map(|feature| feature.range());
        match supported {
            _ if level == 0 => {}
            Some(range) if range.contains(level) => {}
            Some(range) => lines.push(format!(
                "feature {name} is at level {level}; this build supports {} to {}. Downgrade it with kafka-features, or use a \
                 newer Klamm",
                range.min, range.max
            )),
            None => lines.push(format!(
                "feature {name} (level {level}) is not known to this build. Disable it with kafka-features, or use a newer Klamm"
            )),
        }
    }
    if found.kraft_version > 1 {
        lines.push(format!("kraft.version is {}; this build supports 0 and 1", found.kraft_version));
    }
}

/// Every replica must be on this node, in a directory that was named.
fn placement(node: &NodeDirectories, image: &MetadataImage, lines: &mut Vec<String>) {
    let (mut elsewhere, mut unnamed) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for topic in image.topics.iter() {
        for (partition, registration) in topic.partitions() {
            let name = format!("{}-{partition}", topic.name());
            if *registration.replicas != [node.node_id] {
                elsewhere.push(name);
                continue;
            }
            let directory = registration.directory(node.node_id).unwrap_or_default();
            if !metadata::directory_id::is_reserved(directory) && !node.ids.contains(&directory) {
                unnamed.entry(directory.to_string()).or_default().push(name);
            }
        }
    }
    if !elsewhere.is_empty() {
        lines.push(format!(
            "partitions have replicas on other nodes: {}. Reassign them to node {} first",
            named(&elsewhere),
            node.node_id
        ));
    }
    for (directory, partitions) in unnamed {
        lines.push(format!(
            "the log directory with directory.id {directory} was not named, and holds {}: name every one of log.dirs",
            named(&partitions)
        ));
    }
}

/// What the cluster's administrators have set and Klamm does not enforce, a line each.
fn unenforced(image: &MetadataImage) -> Vec<String> {
    let mut lines = Vec::new();
    let acls: Vec<String> = image
        .acls
        .iter()
        .map(|(_, entry)| {
            let resource = words::resource_name(entry.resource_type);
            let pattern = words::pattern_name(entry.pattern_type);
            let permission = words::permission_name(entry.permission_type);
            let operation = words::operation_name(entry.operation);
            let (name, who, host) = (&entry.resource_name, &entry.principal, &entry.host);
            format!("{permission} {operation} on {pattern} {resource} {name} to {who} from {host}")
        })
        .collect();
    if !acls.is_empty() {
        lines.push(format!("{} ACLs (anybody may do anything): {}", acls.len(), named(&acls)));
    }
    let users: Vec<String> =
        image.scram.iter().map(|(mechanism, user, _)| format!("{user} ({mechanism:?})")).collect();
    if !users.is_empty() {
        lines.push(format!("{} SCRAM users (nobody is asked who they are): {}", users.len(), named(&users)));
    }
    let quotas: Vec<String> = image
        .client_quotas
        .iter()
        .map(|(entity, values)| {
            let entity: Vec<String> = entity
                .iter()
                .map(|(kind, name)| format!("{kind} {}", name.as_deref().unwrap_or("<default>")))
                .collect();
            let values: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{}: {}", entity.join(", "), values.join(", "))
        })
        .collect();
    if !quotas.is_empty() {
        lines.push(format!("{} client quotas (nobody is slowed down): {}", quotas.len(), named(&quotas)));
    }
    let tokens: Vec<String> = image.delegation_tokens.tokens().keys().cloned().collect();
    if !tokens.is_empty() {
        lines.push(format!("{} delegation tokens (not accepted): {}", tokens.len(), named(&tokens)));
    }
    lines
}

fn confirm(arguments: &Arguments, unenforced: &[String]) -> Result<(), Failure> {
    if unenforced.is_empty() {
        return Ok(());
    }
    let mut list = "The cluster has settings that Klamm keeps but does not enforce yet:\n".to_owned();
    for line in unenforced {
        _ = writeln!(list, "  - {line}");
    }
    if arguments.has("accept-unenforced") {
        print!("{list}");
        return Ok(());
    }
    if stdin().is_terminal() && stderr().is_terminal() {
        eprint!("{list}Take it over without them? [y/N] ");
        stderr().flush()?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        return Err(Failure::refused("Nothing was changed."));
    }
    Err(Failure::refused(format!(
        "{list}Nothing was changed. --accept-unenforced takes it over all the same."
    )))
}

fn summary(node: &NodeDirectories, found: &FoundMetadata, image: &MetadataImage) -> String {
    let partitions: usize = image.topics.iter().map(|topic| topic.partition_count()).sum();
    let unclean = node.not_cleanly_stopped();
    let mut text = format!(
        "Node {} of cluster {}: metadata log up to offset {} (epoch {}), metadata.version {}, {} topics with {partitions} \
         partitions, {} resources with settings, next producer id {}.\n",
        node.node_id,
        node.cluster_id,
        found.end_offset,
        found.epoch,
        image.features.metadata_version().map_or("none".to_owned(), |version| version.to_string()),
        image.topics.len(),
        image.configs.iter().count(),
        image.producer_ids.next_producer_id(),
    );
    if found.torn_bytes > 0 {
        _ = writeln!(
            text,
            "The metadata log ends with a batch cut short ({} bytes), which a crash leaves.",
            found.torn_bytes
        );
    }
    if !unclean.is_empty() {
        text.push_str("Kafka was not stopped cleanly: logs are verified at the first start.\n");
    }
    text
}

/// The first of a list, and how many more.
fn named(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > NAMED_MAX {
        _ = write!(text, "; and {} more", all.len() - NAMED_MAX);
    }
    text
}
