//! DescribeQuorum and UpdateFeatures.

use anyhow::Result;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::describe_quorum_response::DescribeQuorumResponse;
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::{DescribeQuorumRequest, UpdateFeaturesRequest};

use crate::session::Session;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

pub fn ask(session: &mut Session) -> Result<()> {
    for version in 0..=2 {
        let request = describing("__cluster_metadata", &[0]);
        session.ask_showing(&format!("the quorum, version {version}"), version, request, show)?;
    }
    session.ask_showing("an unknown topic's quorum", 2, describing("plain", &[0]), show)?;
    session.ask_showing("an unknown partition's quorum", 2, describing("__cluster_metadata", &[1]), show)?;
    session.ask_showing("two partitions' quorum", 2, describing("__cluster_metadata", &[0, 1]), show)?;
    session.ask_showing("nothing's quorum", 2, DescribeQuorumRequest::default(), show)?;
    features(session)
}

fn features(session: &mut Session) -> Result<()> {
    for (name, feature, level, kind) in [
        ("an unknown feature", "no.such.feature", 1, UPGRADE),
        ("a level too high", "group.version", 99, UPGRADE),
        ("a negative level", "group.version", -1, UPGRADE),
        ("the level there is", "group.version", 1, UPGRADE),
        ("a downgrade that is called an upgrade", "group.version", 0, UPGRADE),
        ("an unknown kind of change", "group.version", 1, 9),
        ("an empty name", "", 1, UPGRADE),
        ("an old metadata version", "metadata.version", 2, SAFE_DOWNGRADE),
        ("a metadata version that loses data", "metadata.version", 7, SAFE_DOWNGRADE),
        ("a metadata version that loses data, unsafely", "metadata.version", 7, UNSAFE_DOWNGRADE),
        ("kraft version", "kraft.version", 5, UPGRADE),
    ] {
        for (version, suffix) in [(1, ""), (2, ", version 2")] {
            let request =
                UpdateFeaturesRequest { validate_only: true, ..updating(&[(feature, level, kind)]) };
            session.ask(&format!("{name}{suffix}"), version, request)?;
        }
    }
    let twice = updating(&[("group.version", 1, UPGRADE), ("group.version", 1, UPGRADE)]);
    session.ask("a feature twice", 1, UpdateFeaturesRequest { validate_only: true, ..twice })?;
    session.ask("no features", 1, updating(&[]))?;
    let old = UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: "no.such.feature".to_owned(),
            max_version_level: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    session.ask("an unknown feature, version 0", 0, old)?;
    Ok(())
}

/// Offsets and times of the metadata log move on by themselves.
fn show(response: &DescribeQuorumResponse) -> String {
    let mut response = response.clone();
    for listener in response.nodes.iter_mut().flat_map(|node| &mut node.listeners) {
        listener.port = listener.port.min(1);
    }
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.high_watermark = partition.high_watermark.min(1);
        for replica in partition.current_voters.iter_mut().chain(&mut partition.observers) {
            replica.log_end_offset = replica.log_end_offset.min(1);
            replica.last_fetch_timestamp = replica.last_fetch_timestamp.min(1);
            replica.last_caught_up_timestamp = replica.last_caught_up_timestamp.min(1);
        }
    }
    format!("{response:#?}")
}

fn describing(topic_name: &str, partitions: &[i32]) -> DescribeQuorumRequest {
    let partition = |index: &i32| PartitionData { partition_index: *index, ..Default::default() };
    let topic = TopicData {
        topic_name: topic_name.to_owned(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    DescribeQuorumRequest { topics: vec![topic], ..Default::default() }
}

fn updating(updates: &[(&str, i16, i8)]) -> UpdateFeaturesRequest {
    let update = |(feature, max_version_level, upgrade_type): &(&str, i16, i8)| FeatureUpdateKey {
        feature: (*feature).to_owned(),
        max_version_level: *max_version_level,
        upgrade_type: *upgrade_type,
        ..Default::default()
    };
    UpdateFeaturesRequest { feature_updates: updates.iter().map(update).collect(), ..Default::default() }
}
