//! `kafka-storage`: prepares log directories and tells about them.

mod adopt;
mod first_snapshot;
mod format;
mod hand_back;
mod kafka_directories;

pub use format::salted;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use protocol::Uuid;
use serde_json::json;

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, Verb, flag, text};

use super::features;

const CONFIG: &[crate::command_line::Opt] =
    &[text("config", "CONFIG", "The server's properties file.").or(&["c"]).required()];

const DIRECTORIES: &[crate::command_line::Opt] = &[
    text("directory", "DIR", "A log directory; the one with the metadata log first.").many().takes_words(),
    text("config", "CONFIG", "The server's properties file, whose log.dirs are meant.").or(&["c"]),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "storage",
    classes: &["kafka.tools.StorageTool", "org.apache.kafka.tools.StorageTool"],
    about: "Prepares log directories for a server, and tells how they are.",
    grammar: Grammar::Argparse,
    options: &[],
    verbs: &[
        Verb { name: "info", about: "Tells what the log directories of this node are.", options: &[CONFIG] },
        Verb {
            name: "format",
            about: "Writes the cluster's id and the first metadata into log directories.",
            options: &[
                CONFIG,
                &[
                    text("cluster-id", "CLUSTER_ID", "The id of the cluster; `random-uuid` makes one.")
                        .or(&["t"])
                        .required(),
                    text(
                        "add-scram",
                        "SCRAM",
                        "A user's credential, as SCRAM-SHA-256=[name=alice,password=...].",
                    )
                    .or(&["S"]),
                    flag("ignore-formatted", "Passes over directories that are formatted already.")
                        .or(&["g"]),
                    text(
                        "release-version",
                        "RELEASE",
                        "The release whose feature levels the cluster begins with.",
                    )
                    .or(&["r"]),
                    text("feature", "NAME=LEVEL", "The level that a feature begins with.").or(&["f"]),
                    flag("standalone", "Makes this controller the only voter of a dynamic quorum.")
                        .or(&["s"]),
                    flag("no-initial-controllers", "Leaves open who votes.").or(&["N"]),
                    text(
                        "initial-controllers",
                        "VOTERS",
                        "The voters, as id@host:port:directory pairs parted by commas.",
                    )
                    .or(&["I"]),
                ],
            ],
        },
        Verb {
            name: "version-mapping",
            about: "Shows the feature levels of a release.",
            options: &[&[
                text("release-version", "RELEASE", "The release; the newest if not given.").or(&["r"])
            ]],
        },
        Verb {
            name: "feature-dependencies",
            about: "Shows which features a level of a feature needs.",
            options: &[&[text("feature", "NAME=LEVEL", "The feature and its level.").or(&["f"]).required()]],
        },
        Verb {
            name: "adopt",
            about: "Takes over the log directories of a stopped Apache Kafka node.",
            options: &[
                DIRECTORIES,
                &[
                    flag(
                        "accept-unenforced",
                        "Takes over although the cluster has ACLs, users or quotas that Klamm does not enforce yet.",
                    ),
                    flag("dry-run", "Checks everything and changes nothing."),
                ],
            ],
        },
        Verb {
            name: "hand-back",
            about: "Gives the log directories of a cleanly stopped Klamm node back to Apache Kafka.",
            options: &[DIRECTORIES],
        },
        Verb { name: "random-uuid", about: "Prints a new id for a cluster.", options: &[] },
    ],
    refusals: Refusals::PLAIN,
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.verb_name() {
        "info" => info(&Node::read(arguments)?, arguments.json()),
        "format" => format::run(arguments, &Node::read(arguments)?),
        "adopt" => adopt::run(arguments),
        "hand-back" => hand_back::run(arguments),
        "version-mapping" => features::print_version_mapping(arguments),
        "feature-dependencies" => features::print_dependencies(arguments),
        _ => {
            match arguments.json() {
                true => println!("{}", json!({ "uuid": random_uuid().to_string() })),
                false => println!("{}", random_uuid()),
            }
            Ok(())
        }
    }
}

/// A random id that no command line takes for an option.
pub fn random_uuid() -> Uuid {
    loop {
        let id = Uuid::from_u128(rand::random());
        if !id.to_string().starts_with('-') && id != Uuid::METADATA_TOPIC_ID && id != Uuid::ZERO {
            return id;
        }
    }
}

/// What a properties file says about a node.
struct Node {
    properties: config::Properties,
    directories: BTreeSet<String>,
    /// `log.dirs` in the order given.
    listed: Vec<String>,
    metadata_directory: String,
}

impl Node {
    fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let path = arguments.required("config")?;
        let bytes = fs::read(path).map_err(|_| {
            Failure::bare(format!("Exception in thread \"main\" java.nio.file.NoSuchFileException: {path}"))
        })?;
        let properties = config::properties::parse(&bytes)
            .map_err(|error| Failure::refused(format!("{path}: {error}")))?;
        let get = |key: &str| properties.get(key).map(String::as_str).filter(|text| !text.is_empty());
        let text = get("log.dirs").or(get("log.dir")).map_or_else(default_log_dir, str::to_owned);
        let listed: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        let first = listed.first().cloned().unwrap_or_default();
        let metadata_directory = get("metadata.log.dir").map_or(first, str::to_owned);
        let mut directories: BTreeSet<String> = listed.iter().cloned().collect();
        directories.insert(metadata_directory.clone());
        Ok(Self { properties, directories, listed, metadata_directory })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn roles(&self) -> Vec<&str> {
        self.get("process.roles").map_or(Vec::new(), |roles| roles.split(',').map(str::trim).collect())
    }
}

/// Where data lie when no setting says it.
pub fn default_log_dir() -> String {
    let key = config::broker::keys().iter().find(|key| key.name == "log.dir");
    key.and_then(|key| key.default_text()).unwrap_or_default().to_owned()
}

/// What `meta.properties` of a directory says, sorted by key; `None` where the directory is not formatted.
fn meta_properties(directory: &str) -> Result<Option<config::Properties>, String> {
    match fs::read(Path::new(directory).join("meta.properties")) {
        Ok(bytes) => config::properties::parse(&bytes).map(Some).map_err(|error| error.to_string()),
        Err(_) => Ok(None),
    }
}

fn info(node: &Node, is_json: bool) -> Result<(), Failure> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut metadata: Option<config::Properties> = None;
    for directory in &node.directories {
        let path = Path::new(directory);
        if !path.exists() {
            problems.push(format!("{directory} does not exist"));
            continue;
        }
        if !path.is_dir() {
            problems.push(format!("{directory} is not a directory"));
            continue;
        }
        found.push(directory);
        match (meta_properties(directory), &metadata) {
            (Err(reason), _) => problems.push(format!("Error loading {directory}/meta.properties: {reason}")),
            (Ok(None), _) => problems.push(format!("{directory} is not formatted.")),
            (Ok(Some(read)), None) => metadata = Some(read),
            (Ok(Some(read)), Some(first)) => {
                if read.get("cluster.id") != first.get("cluster.id") {
                    problems.push("Mismatched cluster IDs between storage directories.".to_owned());
                } else if read.get("node.id") != first.get("node.id") {
                    problems.push("Mismatched node IDs between storage directories.".to_owned());
                }
            }
        }
    }
    if is_json {
        println!("{}", json!({ "directories": found, "metadata": metadata, "problems": problems }));
        return if problems.is_empty() { Ok(()) } else { Err(Failure::Ended(1)) };
    }
    if !found.is_empty() {
        println!("Found log {}:", if found.len() == 1 { "directory" } else { "directories" });
        found.iter().for_each(|directory| println!("  {directory}"));
        println!();
    }
    if let Some(metadata) = metadata {
        let entries: Vec<_> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        println!("Found metadata: {{{}}}\n", entries.join(", "));
    }
    if problems.is_empty() {
        return Ok(());
    }
    println!("Found {}:", if problems.len() == 1 { "problem" } else { "problems" });
    problems.iter().for_each(|problem| println!("  {problem}"));
    println!();
    Err(Failure::Ended(1))
}
