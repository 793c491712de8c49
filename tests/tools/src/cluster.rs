//! The tools that look at the cluster: API versions, ids, features, quorum, elections, reassignments, directories.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::tool::Tools;

#[test]
fn the_cluster_is_described() -> Result<()> {
    let Some((server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("one", &["--partitions", "2"])?;
    let versions = tools.lines("BrokerApiVersionsCommand", &[])?;
    for api in
        ["Produce(0): 0 to ", "Fetch(1): 4 to ", "ApiVersions(18): 0 to ", "ListConfigResources(74): 0 to "]
    {
        ensure!(versions.iter().any(|line| line.starts_with(api)), "{api}: {versions:?}");
    }
    let id = tools.run("ClusterTool", &["cluster-id"])?;
    ensure!(id.trim().strip_prefix("Cluster ID: ").is_some_and(|id| id.len() == 22), "{id}");
    let endpoints = tools.lines("ClusterTool", &["list-endpoints"])?;
    let wanted = format!("1 127.0.0.1 {} null unfenced broker", server.port());
    ensure!(endpoints.contains(&wanted), "{endpoints:?}");

    let features = tools.lines("FeatureCommand", &["describe"])?;
    let version = features.iter().find(|line| line.starts_with("Feature: metadata.version "));
    let version = version.with_context(|| format!("{features:?}"))?;
    ensure!(version.contains("SupportedMinVersion: 3.3-IV3"), "{version}");
    ensure!(!version.contains("FinalizedVersionLevel: UNKNOWN 0"), "{version}");

    let status = tools.lines("MetadataQuorumCommand", &["describe", "--status"])?;
    ensure!(status.contains(&"LeaderId: 1".to_owned()), "{status:?}");
    ensure!(status.contains(&"MaxFollowerLag: 0".to_owned()), "{status:?}");
    let replication = tools.lines("MetadataQuorumCommand", &["describe", "--replication"])?;
    ensure!(replication.len() == 2 && replication[1].ends_with(" Leader"), "{replication:?}");

    let directories = tools.run("LogDirsCommand", &["--describe", "--topic-list", "one"])?;
    ensure!(directories.contains(&format!("\"logDir\":\"{}\"", server.data().display())), "{directories}");
    for partition in ["one-0", "one-1"] {
        ensure!(
            directories.contains(&format!("{{\"partition\":\"{partition}\",\"size\":0")),
            "{directories}"
        );
    }
    Ok(())
}

#[test]
fn elections_and_reassignments_on_one_node() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("one", &["--partitions", "1"])?;
    let elect = ["--election-type", "preferred", "--topic", "one", "--partition", "0"];
    let elected = tools.run("LeaderElectionCommand", &elect)?;
    ensure!(elected.contains("Valid replica already elected for partitions one-0"), "{elected}");
    tools.run("LeaderElectionCommand", &["--election-type", "preferred", "--all-topic-partitions"])?;

    let reassign = |options: &[&str]| tools.run("reassign.ReassignPartitionsCommand", options);
    let listed = reassign(&["--list"])?;
    ensure!(listed.contains("No partition reassignments found."), "{listed}");
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let topics = file("topics.json", r#"{"topics": [{"topic": "one"}], "version": 1}"#)?;
    let proposed = reassign(&["--generate", "--topics-to-move-json-file", &topics, "--broker-list", "1"])?;
    ensure!(
        proposed.contains(r#"{"topic":"one","partition":0,"replicas":[1],"log_dirs":["any"]}"#),
        "{proposed}"
    );
    let plan = |replica: u32| {
        let partition = format!(r#"{{"topic": "one", "partition": 0, "replicas": [{replica}]}}"#);
        file("plan.json", &format!(r#"{{"partitions": [{partition}], "version": 1}}"#))
    };
    let same = plan(1)?;
    let started = reassign(&["--execute", "--reassignment-json-file", &same])?;
    ensure!(started.contains("Successfully started partition reassignment for one-0"), "{started}");
    let verified = reassign(&["--verify", "--reassignment-json-file", &same])?;
    ensure!(verified.contains("Reassignment of partition one-0 is completed."), "{verified}");
    let other = plan(2)?;
    let options = ["--execute", "--reassignment-json-file", &other];
    let refused = tools.refusal("reassign.ReassignPartitionsCommand", &options)?;
    ensure!(refused.contains("Unknown broker id 2"), "{refused}");
    Ok(())
}

#[test]
fn a_replica_moves_to_another_log_directory() -> Result<()> {
    let Some((server, tools)) = Tools::with_server(&[("log.dirs", "data,more")])? else { return Ok(()) };
    tools.create_topic("one", &["--partitions", "1"])?;
    let text: String = (0..3_000).map(|number| format!("{number:01000}\n")).collect();
    tools.produce("one", &text, &[])?;
    let places = || -> Result<Vec<(String, bool)>> {
        let described = tools.run("LogDirsCommand", &["--describe", "--topic-list", "one"])?;
        let json = described.lines().find(|line| line.starts_with('{')).context("JSON")?;
        let json: serde_json::Value = serde_json::from_str(json)?;
        let directories = json["brokers"][0]["logDirs"].as_array().context("directories")?;
        let mut places = Vec::new();
        for directory in directories {
            for partition in directory["partitions"].as_array().context("partitions")? {
                let path = directory["logDir"].as_str().context("a path")?;
                places.push((path.to_owned(), partition["isFuture"].as_bool().context("a boolean")?));
            }
        }
        Ok(places)
    };
    let before = places()?;
    ensure!(before.len() == 1 && !before[0].1, "{before:?}");
    let more = server.data().with_file_name("more");
    let other = if before[0].0.ends_with("/more") { server.data() } else { more };
    let other = other.to_str().context("a name in UTF-8")?;
    let folder = tempfile::tempdir()?;
    let plan = folder.path().join("plan.json");
    let partition =
        format!(r#"{{"topic": "one", "partition": 0, "replicas": [1], "log_dirs": ["{other}"]}}"#);
    fs::write(&plan, format!(r#"{{"partitions": [{partition}], "version": 1}}"#))?;
    let plan = plan.to_str().context("a name in UTF-8")?;
    let reassign = |options: &[&str]| tools.run("reassign.ReassignPartitionsCommand", options);
    // So slow that the move is seen.
    let slowly = ["--replica-alter-log-dirs-throttle", "1000"];
    let execute = ["--execute", "--reassignment-json-file", plan];
    let started = reassign(&[&execute[..], &slowly].concat())?;
    ensure!(
        started.contains(&format!("Successfully started moving log directory to {other} for replica one-0")),
        "{started}"
    );
    let meanwhile = places()?;
    ensure!(meanwhile.contains(&(other.to_owned(), true)) && meanwhile.contains(&before[0]), "{meanwhile:?}");
    let verify = ["--verify", "--reassignment-json-file", plan];
    let verified = reassign(&[&verify[..], &["--preserve-throttles"]].concat())?;
    ensure!(verified.contains("Reassignment of replica one-0-1 is still in progress."), "{verified}");
    tools.produce("one", "during the move\n", &[])?;
    reassign(&[&execute[..], &["--additional", "--replica-alter-log-dirs-throttle", "1000000000"]].concat())?;
    let mut verified = String::new();
    for _ in 0..20 {
        verified = reassign(&verify)?;
        if verified.contains("Reassignment of replica one-0-1 completed successfully.") {
            break;
        }
    }
    ensure!(verified.contains("Reassignment of replica one-0-1 completed successfully."), "{verified}");
    let after = places()?;
    ensure!(after == [(other.to_owned(), false)], "{after:?}");
    let read = tools.consume("one", 3_001, &[])?;
    ensure!(read == text + "during the move\n", "{} bytes", read.len());
    Ok(())
}
