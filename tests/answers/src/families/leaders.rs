//! ElectLeaders.

use anyhow::Result;
use protocol::messages::ElectLeadersRequest;
use protocol::messages::elect_leaders_request::TopicPartitions;

use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 2)?;
    for version in 0..=2 {
        session.ask(
            &format!("the preferred leader, version {version}"),
            version,
            electing(0, "plain", &[0]),
        )?;
    }
    session.ask("an unclean leader", 2, electing(1, "plain", &[0, 1]))?;
    session.ask("an unknown kind of election", 2, electing(7, "plain", &[0]))?;
    session.ask("an unknown topic", 2, electing(0, "unknown", &[0]))?;
    session.ask("an unknown partition", 2, electing(0, "plain", &[9]))?;
    session.ask("known and unknown partitions", 2, electing(0, "plain", &[0, 9]))?;
    session.ask("everywhere", 2, ElectLeadersRequest { topic_partitions: None, ..electing(0, "", &[]) })?;
    session.ask(
        "nowhere",
        2,
        ElectLeadersRequest { topic_partitions: Some(Vec::new()), ..electing(0, "", &[]) },
    )?;
    Ok(())
}

fn electing(election_type: i8, topic: &str, partitions: &[i32]) -> ElectLeadersRequest {
    let topic =
        TopicPartitions { topic: topic.to_owned(), partitions: partitions.to_vec(), ..Default::default() };
    ElectLeadersRequest {
        election_type,
        topic_partitions: Some(vec![topic]),
        timeout_ms: 10_000,
        ..Default::default()
    }
}
