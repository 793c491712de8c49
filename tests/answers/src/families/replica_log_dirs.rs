//! AlterReplicaLogDirs on a node with two log directories.

use anyhow::Result;
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::session::Session;

/// The directories, in the server's own folder.
pub const SETTINGS: &[(&str, &str)] = &[("log.dirs", "data,more")];

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("moved", 2)?;
    let (data, more) = (session.log_directory("data"), session.log_directory("more"));
    // Each server has a rule of its own for where a new replica lies.
    session.quietly(2, moving(&data, &[("moved", &[0, 1])]))?;
    session.ask_until_showing(
        "both replicas in the first directory",
        4,
        describing(),
        |response| lie_in(response, &data, &[0, 1]),
        shown,
    )?;
    for version in 1..=2 {
        let partition = i32::from(version) - 1;
        let request = moving(&more, &[("moved", &[partition])]);
        session.ask(&format!("move a replica, version {version}"), version, request)?;
    }
    session.ask_until_showing(
        "both replicas in the other directory",
        4,
        describing(),
        |response| lie_in(response, &more, &[0, 1]),
        shown,
    )?;
    session.ask("move replicas to where they lie", 2, moving(&more, &[("moved", &[0, 1])]))?;
    session.ask("move to an unknown directory", 2, moving("/no/such/directory", &[("moved", &[0])]))?;
    session.ask("move to a relative directory", 2, moving("more", &[("moved", &[0])]))?;
    session.ask("move to a directory without a name", 2, moving("", &[("moved", &[0])]))?;
    session.ask("move an unknown topic", 2, moving(&data, &[("unknown", &[0])]))?;
    session.ask("move an unknown partition", 2, moving(&data, &[("moved", &[7])]))?;
    session.ask("move a negative partition", 2, moving(&data, &[("moved", &[-1])]))?;
    session.ask(
        "move a known and an unknown topic",
        2,
        moving(&data, &[("moved", &[0]), ("unknown", &[0])]),
    )?;
    session.ask_until_showing(
        "one replica back in the first directory",
        4,
        describing(),
        |response| lie_in(response, &data, &[0]) && lie_in(response, &more, &[1]),
        shown,
    )?;
    session.ask("move no topics", 2, moving(&data, &[]))?;
    session.ask("move nothing", 2, AlterReplicaLogDirsRequest::default())?;
    Ok(())
}

fn moving(path: &str, topics: &[(&str, &[i32])]) -> AlterReplicaLogDirsRequest {
    let topic = |(name, partitions): &(&str, &[i32])| AlterReplicaLogDirTopic {
        name: (*name).to_owned(),
        partitions: partitions.to_vec(),
        ..Default::default()
    };
    let directory = AlterReplicaLogDir {
        path: path.to_owned(),
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    };
    AlterReplicaLogDirsRequest { dirs: vec![directory], ..Default::default() }
}

fn describing() -> DescribeLogDirsRequest {
    let topic =
        DescribableLogDirTopic { topic: "moved".to_owned(), partitions: vec![0, 1], ..Default::default() };
    DescribeLogDirsRequest { topics: Some(vec![topic]), ..Default::default() }
}

/// Where replicas are, and whether they are on their way.
fn places(response: &DescribeLogDirsResponse) -> Vec<(&str, i32, bool)> {
    let mut places: Vec<_> = response
        .results
        .iter()
        .flat_map(|directory| {
            let partitions = directory.topics.iter().flat_map(|topic| &topic.partitions);
            let path = directory.log_dir.as_str();
            partitions.map(move |partition| (path, partition.partition_index, partition.is_future_key))
        })
        .collect();
    places.sort_unstable();
    places
}

fn lie_in(response: &DescribeLogDirsResponse, path: &str, partitions: &[i32]) -> bool {
    let places = places(response);
    places.len() == 2 && partitions.iter().all(|partition| places.contains(&(path, *partition, false)))
}

fn shown(response: &DescribeLogDirsResponse) -> String {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let places = places(response);
    let lines = places.iter().map(|(path, partition, is_future)| {
        format!("moved-{partition} in {}, future: {is_future}", name(path))
    });
    lines.collect::<Vec<_>>().join("\n")
}
