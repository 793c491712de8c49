//! CreatePartitions, AlterPartitionReassignments, ListPartitionReassignments and DescribeLogDirs.

use anyhow::Result;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_log_dirs_response::DescribeLogDirsResponse;
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, CreatePartitionsRequest, DescribeLogDirsRequest,
    ListPartitionReassignmentsRequest, MetadataRequest,
};

use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("growing", 1)?;
    session.create_topic("still", 2)?;
    create_partitions(session)?;
    reassign(session)?;
    log_dirs(session)
}

fn create_partitions(session: &mut Session) -> Result<()> {
    for version in 0..=3 {
        let request = growing(&[grow("growing", i32::from(version) + 2, None)]);
        session.ask(&format!("grow, version {version}"), version, request)?;
    }
    session.wait_for_topic("growing")?;
    session.ask("grow to the same number", 3, growing(&[grow("growing", 5, None)]))?;
    session.ask("shrink", 3, growing(&[grow("growing", 3, None)]))?;
    session.ask("grow to zero", 3, growing(&[grow("growing", 0, None)]))?;
    session.ask("grow to a negative number", 3, growing(&[grow("growing", -1, None)]))?;
    session.ask("grow beyond all limits", 3, growing(&[grow("growing", 200_000, None)]))?;
    session.ask("grow an unknown topic", 3, growing(&[grow("unknown", 3, None)]))?;
    session.ask("grow an empty name", 3, growing(&[grow("", 3, None)]))?;
    session.ask(
        "grow the same topic twice",
        3,
        growing(&[grow("still", 3, None), grow("still", 4, None)]),
    )?;
    session.ask("grow with assignments", 3, growing(&[grow("growing", 6, Some(&[&[1]]))]))?;
    session.ask("grow with too few assignments", 3, growing(&[grow("growing", 8, Some(&[&[1]]))]))?;
    session.ask("grow with too many assignments", 3, growing(&[grow("growing", 7, Some(&[&[1], &[1]]))]))?;
    session.ask("grow with an unknown broker", 3, growing(&[grow("growing", 7, Some(&[&[7]]))]))?;
    session.ask("grow with an empty assignment", 3, growing(&[grow("growing", 7, Some(&[&[]]))]))?;
    session.ask("grow with a broker twice", 3, growing(&[grow("growing", 7, Some(&[&[1, 1]]))]))?;
    session.ask("grow with no assignments at all", 3, growing(&[grow("growing", 7, Some(&[]))]))?;
    let validating = CreatePartitionsRequest { validate_only: true, ..growing(&[grow("growing", 9, None)]) };
    session.ask("grow, validate only", 3, validating)?;
    session.ask("grow nothing", 3, growing(&[]))?;
    session.wait_for_topic("growing")?;
    let topics = Some(vec![protocol::messages::metadata_request::MetadataRequestTopic {
        name: Some("growing".to_owned()),
        ..Default::default()
    }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    session.ask_until("what has grown", 12, request, |response| {
        response.topics.iter().all(|topic| topic.partitions.len() == 6)
    })?;
    Ok(())
}

fn reassign(session: &mut Session) -> Result<()> {
    session.ask("reassign to the same broker", 0, reassigning("still", &[(0, Some(&[1]))]))?;
    session.ask("reassign, version 1", 1, reassigning("still", &[(0, Some(&[1])), (1, Some(&[1]))]))?;
    session.ask("reassign an unknown topic", 1, reassigning("unknown", &[(0, Some(&[1]))]))?;
    session.ask("reassign an unknown partition", 1, reassigning("still", &[(7, Some(&[1]))]))?;
    session.ask("reassign to an unknown broker", 1, reassigning("still", &[(0, Some(&[5]))]))?;
    session.ask("reassign to a broker twice", 1, reassigning("still", &[(0, Some(&[1, 1]))]))?;
    session.ask("reassign to nobody", 1, reassigning("still", &[(0, Some(&[]))]))?;
    session.ask("reassign to a negative broker", 1, reassigning("still", &[(0, Some(&[-1]))]))?;
    session.ask("cancel what does not run", 1, reassigning("still", &[(0, None)]))?;
    session.ask("cancel on an unknown partition", 1, reassigning("still", &[(9, None)]))?;
    session.ask("reassign nothing", 1, AlterPartitionReassignmentsRequest::default())?;
    let keeping = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: false,
        ..reassigning("still", &[(0, Some(&[1]))])
    };
    session.ask("reassign without a new replication factor", 1, keeping)?;
    session.ask("list all reassignments", 0, ListPartitionReassignmentsRequest::default())?;
    let listing = |name: &str, partition_indexes: &[i32]| ListPartitionReassignmentsRequest {
        topics: Some(vec![ListPartitionReassignmentsTopics {
            name: name.to_owned(),
            partition_indexes: partition_indexes.to_vec(),
            ..Default::default()
        }]),
        ..Default::default()
    };
    session.ask("list a topic's reassignments", 0, listing("still", &[0, 1]))?;
    session.ask("list an unknown topic's reassignments", 0, listing("unknown", &[0]))?;
    session.ask("list an unknown partition's reassignments", 0, listing("still", &[17]))?;
    Ok(())
}

fn log_dirs(session: &mut Session) -> Result<()> {
    let request = |topics: &[(&str, &[i32])]| DescribeLogDirsRequest {
        topics: Some(
            topics
                .iter()
                .map(|(topic, partitions)| DescribableLogDirTopic {
                    topic: (*topic).to_owned(),
                    partitions: partitions.to_vec(),
                    ..Default::default()
                })
                .collect(),
        ),
        ..Default::default()
    };
    for version in 1..=5 {
        let name = format!("log directories, version {version}");
        session.ask_showing(&name, version, request(&[("still", &[0])]), show_log_dirs)?;
    }
    session.ask_showing(
        "log directories of everything",
        4,
        DescribeLogDirsRequest { topics: None, ..Default::default() },
        show_log_dirs,
    )?;
    session.ask_showing(
        "log directories of an unknown topic",
        4,
        request(&[("unknown", &[0])]),
        show_log_dirs,
    )?;
    session.ask_showing(
        "log directories of an unknown partition",
        4,
        request(&[("still", &[9])]),
        show_log_dirs,
    )?;
    session.ask_showing("log directories of nothing", 4, request(&[]), show_log_dirs)?;
    Ok(())
}

/// Without the sizes of the disk, with topics in the order of their names.
fn show_log_dirs(response: &DescribeLogDirsResponse) -> String {
    let mut response = response.clone();
    for directory in &mut response.results {
        directory.total_bytes = directory.total_bytes.min(1);
        directory.usable_bytes = directory.usable_bytes.min(1);
        directory.topics.sort_by(|a, b| a.name.cmp(&b.name));
        for topic in &mut directory.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    }
    format!("{response:#?}")
}

fn growing(topics: &[CreatePartitionsTopic]) -> CreatePartitionsRequest {
    CreatePartitionsRequest { topics: topics.to_vec(), timeout_ms: 10_000, ..Default::default() }
}

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment =
        |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec(), ..Default::default() };
    CreatePartitionsTopic {
        name: name.to_owned(),
        count,
        assignments: assignments.map(|all| all.iter().map(assignment).collect()),
        ..Default::default()
    }
}

fn reassigning(name: &str, partitions: &[(i32, Option<&[i32]>)]) -> AlterPartitionReassignmentsRequest {
    let partition = |(partition_index, replicas): &(i32, Option<&[i32]>)| ReassignablePartition {
        partition_index: *partition_index,
        replicas: replicas.map(<[i32]>::to_vec),
        ..Default::default()
    };
    let topic = ReassignableTopic {
        name: name.to_owned(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    AlterPartitionReassignmentsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}
