//! `kafka-cluster`: the cluster's id and nodes.

use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, Verb, flag, integer, text};

use super::java_errors;
use super::session::with_admin_of;

const CONNECTION: &[Opt] = &[
    text("bootstrap-server", "host:port,...", "Some brokers of the cluster to connect to.").or(&["b"]),
    text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to.")
        .or(&["C"]),
    text("command-config", "file", "A properties file with settings of the client.").or(&["c"]),
    text("config", "file", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "cluster",
    classes: &["org.apache.kafka.tools.ClusterTool", "kafka.tools.ClusterTool"],
    about: "Shows the id and the nodes of a cluster, and unregisters brokers.",
    grammar: Grammar::Argparse,
    options: &[],
    verbs: &[
        Verb { name: "cluster-id", about: "Shows the cluster's id.", options: &[CONNECTION] },
        Verb {
            name: "unregister",
            about: "Forgets a broker that is gone for good.",
            options: &[CONNECTION, &[integer("id", "ID", "The broker's id.").or(&["i"]).required()]],
        },
        Verb {
            name: "list-endpoints",
            about: "Lists the nodes with their addresses.",
            options: &[CONNECTION, &[flag("include-fenced-brokers", "Lists fenced brokers too.")]],
        },
    ],
    refusals: Refusals::PLAIN,
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut properties = super::session::properties(arguments)?;
    if let Some(path) = arguments.value("config")? {
        properties.extend(super::session::read_properties(path)?);
    }
    match (arguments.value("bootstrap-server")?, arguments.value("bootstrap-controller")?) {
        (None, None) => {
            return Err(Failure::usage(
                "one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::usage(
                "argument --bootstrap-controller/-C: not allowed with argument --bootstrap-server/-b",
            ));
        }
        (None, Some(controllers)) => {
            properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
        }
        _ => {}
    }
    let id: Option<i32> = arguments.number("id")?;
    with_admin_of(properties, "adminclient-1", async |admin| {
        match arguments.verb_name() {
            "cluster-id" => {
                let cluster = admin.describe_cluster(false).await?;
                if arguments.json() {
                    println!("{}", json!({ "clusterId": cluster.cluster_id }));
                } else {
                    println!("Cluster ID: {}", cluster.cluster_id);
                }
            }
            "unregister" => match admin.unregister_broker(id.unwrap_or(-1)).await {
                Ok(()) => arguments.say(format_args!("Broker {} is no longer registered.", id.unwrap_or(-1))),
                Err(klamm_client::ClientError::UnsupportedVersion { .. }) => {
                    arguments.say("The target cluster does not support the broker unregistration API.");
                }
                Err(error) => return Err(Failure::refused(java_errors::full(&error))),
            },
            _ => list(&admin.describe_cluster(arguments.has("include-fenced-brokers")).await?, arguments),
        }
        Ok(())
    })
}

fn list(cluster: &klamm_client::admin::ClusterDescription, arguments: &Arguments) {
    let kind = if cluster.are_controllers { "controller" } else { "broker" };
    if arguments.json() {
        let row = |node: &klamm_client::admin::ClusterNode| json!({ "id": node.id, "host": node.host, "port": node.port, "rack": node.rack, "fenced": node.is_fenced, "endpointType": kind });
        println!("{}", Value::Array(cluster.nodes.iter().map(row).collect()));
        return;
    }
    let longest_host = cluster.nodes.iter().map(|node| node.host.len()).max().unwrap_or(0);
    let rack =
        |node: &klamm_client::admin::ClusterNode| node.rack.clone().unwrap_or_else(|| "null".to_owned());
    let longest_rack = cluster.nodes.iter().map(|node| rack(node).len()).max().unwrap_or(0).max(10);
    println!(
        "{:<10} {:<longest_host$} {:<10} {:<longest_rack$} {:<10} {:<15}",
        "ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"
    );
    for node in &cluster.nodes {
        let state = if node.is_fenced { "fenced" } else { "unfenced" };
        println!(
            "{:<10} {:<longest_host$} {:<10} {:<longest_rack$} {state:<10} {kind:<15}",
            node.id,
            node.host,
            node.port,
            rack(node)
        );
    }
}
