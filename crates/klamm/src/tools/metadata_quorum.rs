//! `kafka-metadata-quorum`: the metadata quorum's state and voters.

use klamm_client::{Admin, Uuid};
use protocol::messages::DescribeQuorumResponse;
use protocol::messages::describe_quorum_response::{PartitionData, ReplicaState};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, Verb, flag, integer, text};
use crate::text::calendar::now_ms;

use super::session::{properties, with_admin_of};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "metadata-quorum",
    classes: &["org.apache.kafka.tools.MetadataQuorumCommand"],
    about: "Shows the metadata quorum, and adds and removes its voters.",
    grammar: Grammar::Argparse,
    options: &[&[
        text("bootstrap-server", "host:port,...", "Some brokers of the cluster to connect to."),
        text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to."),
        text(
            "command-config",
            "file",
            "A properties file with settings; that of the new controller for add-controller.",
        ),
    ]],
    verbs: &[
        Verb {
            name: "describe",
            about: "Shows the quorum's state.",
            options: &[&[
                flag("status", "A summary."),
                flag("replication", "How far each replica is."),
                flag("human-readable", "Times as how long ago."),
            ]],
        },
        Verb {
            name: "add-controller",
            about: "Makes a controller a voter.",
            options: &[&[flag("dry-run", "Only says what would happen.")]],
        },
        Verb {
            name: "remove-controller",
            about: "Takes a controller out of the voters.",
            options: &[&[
                integer("controller-id", "ID", "The controller's id.").or(&["i"]).required(),
                text("controller-directory-id", "DIRECTORY", "Its metadata directory's id.")
                    .or(&["d"])
                    .required(),
                flag("dry-run", "Only says what would happen."),
            ]],
        },
    ],
    refusals: Refusals::PLAIN,
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut properties = properties(arguments)?;
    match (arguments.value("bootstrap-server")?, arguments.value("bootstrap-controller")?) {
        (None, None) => {
            return Err(Failure::usage(
                "one of the arguments --bootstrap-server --bootstrap-controller is required",
            ));
        }
        (None, Some(controllers)) => {
            properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
        }
        _ => {}
    }
    if arguments.verb_name() == "describe" {
        match (arguments.has("status"), arguments.has("replication")) {
            (true, true) => {
                return Err(Failure::refused(
                    "Only one of --status or --replication should be specified with describe sub-command",
                ));
            }
            (false, false) => {
                return Err(Failure::refused(
                    "One of --status or --replication must be specified with describe sub-command",
                ));
            }
            _ => {}
        }
    }
    let id: i32 = arguments.number("controller-id")?.unwrap_or(-1);
    let own = properties.clone();
    with_admin_of(properties, "adminclient-1", async |admin| match arguments.verb_name() {
        "describe" => describe(&admin, arguments).await,
        "remove-controller" => {
            let text = arguments.required("controller-directory-id")?;
            let directory: Uuid = text.parse().map_err(|_| {
                Failure::refused(format!("Failed to parse --controller-directory-id: {text}"))
            })?;
            if !arguments.has("dry-run") {
                admin.remove_raft_voter(id, directory).await.map_err(|error| full(&error))?;
            }
            let what = if arguments.has("dry-run") { "DRY RUN of removing " } else { "Removed " };
            println!("{what} KRaft controller {id} with directory id {directory}");
            Ok(())
        }
        _ => add(&admin, &own, arguments.has("dry-run")).await,
    })
}

fn full(error: &klamm_client::ClientError) -> Failure {
    Failure::refused(super::java_errors::full(error))
}

/// Adds the controller whose properties file was given.
async fn add(admin: &Admin, properties: &config::Properties, is_dry: bool) -> Result<(), Failure> {
    let get = |key: &str| properties.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let id: i32 = get("node.id").and_then(|id| id.parse().ok()).ok_or_else(|| {
        Failure::refused(
            "node.id not found in configuration file. Is this a valid controller configuration file?",
        )
    })?;
    let is_controller =
        get("process.roles").is_some_and(|roles| roles.split(',').any(|role| role.trim() == "controller"));
    if !is_controller {
        return Err(Failure::refused(
            "process.roles did not contain 'controller' in configuration file. Is this a valid controller configuration file?",
        ));
    }
    let directory = get("metadata.log.dir").or(get("log.dirs")).or(get("log.dir"));
    let directory = directory.map_or_else(super::storage::default_log_dir, str::to_owned);
    let directory = directory.split(',').next().unwrap_or_default().trim();
    let path = std::path::Path::new(directory).join("meta.properties");
    let missing = || Failure::refused(format!("Unable to read meta.properties from {directory}"));
    let bytes = std::fs::read(&path).map_err(|_| missing())?;
    let meta = config::properties::parse(&bytes).map_err(|_| missing())?;
    let directory_id: Uuid = meta
        .get("directory.id")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Failure::refused(format!("No directory id found in {directory}")))?;
    let names: Vec<_> =
        get("controller.listener.names").unwrap_or("CONTROLLER").split(',').map(str::trim).collect();
    let listeners = get("advertised.listeners").or(get("listeners")).unwrap_or_default();
    let listener = |text: &str| {
        let (name, address) = text.trim().split_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        let host = if host.is_empty() { "localhost" } else { host };
        Some((name.to_owned(), host.to_owned(), port.parse::<u16>().ok()?))
    };
    let listeners: Vec<_> = listeners
        .split(',')
        .filter_map(listener)
        .filter(|(name, _, _)| names.contains(&name.as_str()))
        .collect();
    let endpoints: Vec<_> =
        listeners.iter().map(|(name, host, port)| format!("{name}://{host}:{port}")).collect();
    if !is_dry {
        admin.add_raft_voter(id, directory_id, listeners).await.map_err(|error| full(&error))?;
    }
    println!(
        "{} controller {id} with directory id {directory_id} and endpoints: {}",
        if is_dry { "DRY RUN of adding" } else { "Added" },
        endpoints.join(", ")
    );
    Ok(())
}

async fn describe(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let quorum = admin.describe_quorum().await?;
    let partition = quorum.topics.first().and_then(|topic| topic.partitions.first());
    let partition = partition.ok_or_else(|| Failure::refused("the quorum told nothing of itself"))?;
    if arguments.has("replication") {
        replication(partition, arguments);
        return Ok(());
    }
    let cluster = admin.describe_cluster(false).await?.cluster_id;
    let leader_end = partition
        .current_voters
        .iter()
        .find(|voter| voter.replica_id == partition.leader_id)
        .map_or(0, |voter| voter.log_end_offset);
    let voters = || partition.current_voters.iter();
    let max_lag = voters().map(|voter| leader_end - voter.log_end_offset).max().unwrap_or(0);
    let slowest = voters().map(|voter| voter.last_caught_up_timestamp).min().unwrap_or(-1);
    let fastest = voters()
        .find(|voter| voter.replica_id == partition.leader_id)
        .map_or(-1, |voter| voter.last_caught_up_timestamp);
    let lag_ms = match max_lag {
        0 => 0,
        _ if slowest < 0 || fastest < 0 => -1,
        _ => fastest - slowest,
    };
    let rows = [
        ("ClusterId:", cluster),
        ("LeaderId:", partition.leader_id.to_string()),
        ("LeaderEpoch:", partition.leader_epoch.to_string()),
        ("HighWatermark:", partition.high_watermark.to_string()),
        ("MaxFollowerLag:", max_lag.to_string()),
        ("MaxFollowerLagTimeMs:", lag_ms.to_string()),
        ("CurrentVoters:", replicas(&partition.current_voters, &quorum)),
        ("CurrentObservers:", replicas(&partition.observers, &quorum)),
    ];
    if arguments.json() {
        let fields =
            rows.iter().map(|(name, value)| (name.trim_end_matches(':').to_owned(), cell(name, value)));
        println!("{}", Value::Object(fields.collect()));
        return Ok(());
    }
    for (name, value) in rows {
        println!("{name:<23} {value}");
    }
    Ok(())
}

/// A cell of a table as JSON: numbers and lists are no texts.
fn cell(name: &str, text: &str) -> Value {
    match name {
        "ClusterId:" | "DirectoryId" => json!(text),
        _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    }
}

fn replicas(states: &[ReplicaState], quorum: &DescribeQuorumResponse) -> String {
    let entry = |state: &ReplicaState| {
        let mut text = format!("{{\"id\": {}", state.replica_id);
        if state.replica_directory_id != Uuid::ZERO {
            text += &format!(", \"directoryId\": \"{}\"", state.replica_directory_id);
        }
        let node = quorum.nodes.iter().find(|node| node.node_id == state.replica_id);
        if let Some(node) = node.filter(|node| !node.listeners.is_empty()) {
            let endpoints = node
                .listeners
                .iter()
                .map(|listener| format!("\"{}://{}:{}\"", listener.name, listener.host, listener.port));
            text += &format!(", \"endpoints\": [{}]", endpoints.collect::<Vec<_>>().join(", "));
        }
        text + "}"
    };
    format!("[{}]", states.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn replication(partition: &PartitionData, arguments: &Arguments) {
    const HEADERS: [&str; 7] = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    let is_readable = arguments.has("human-readable");
    let leader_end = partition
        .current_voters
        .iter()
        .find(|voter| voter.replica_id == partition.leader_id)
        .map_or(0, |voter| voter.log_end_offset);
    let time = |timestamp: i64| match timestamp {
        timestamp if timestamp < 0 => timestamp.to_string(),
        timestamp if is_readable => format!("{} ms ago", (now_ms() - timestamp).max(0)),
        timestamp => timestamp.to_string(),
    };
    let row = |state: &ReplicaState, status: &str| {
        [
            state.replica_id.to_string(),
            state.replica_directory_id.to_string(),
            state.log_end_offset.to_string(),
            (leader_end - state.log_end_offset).to_string(),
            time(state.last_fetch_timestamp),
            time(state.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let mut rows = Vec::new();
    let is_leader = |state: &&ReplicaState| state.replica_id == partition.leader_id;
    rows.extend(partition.current_voters.iter().filter(is_leader).map(|state| row(state, "Leader")));
    let followers = partition.current_voters.iter().filter(|state| !is_leader(state));
    rows.extend(followers.map(|state| row(state, "Follower")));
    rows.extend(partition.observers.iter().map(|state| row(state, "Observer")));
    if arguments.json() {
        let object = |row: &[String; 7]| {
            Value::Object(
                HEADERS.iter().zip(row).map(|(name, text)| ((*name).to_owned(), cell(name, text))).collect(),
            )
        };
        println!("{}", Value::Array(rows.iter().map(object).collect()));
        return;
    }
    let width = |column: usize| {
        rows.iter().map(|row| row[column].len()).chain([HEADERS[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            format!("{cell:<width$}\t")
        });
        println!("{}", padded.collect::<String>());
    };
    line(HEADERS.to_vec());
    rows.iter().for_each(|row| line(row.iter().map(String::as_str).collect()));
}
