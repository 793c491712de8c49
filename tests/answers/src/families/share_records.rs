//! ShareFetch and ShareAcknowledge: sessions, acquired records, and every kind of acknowledgement.

use anyhow::Result;
use protocol::Uuid;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::share_acknowledge_request::{self, AcknowledgePartition, AcknowledgeTopic};
use protocol::messages::share_fetch_request::{
    AcknowledgementBatch, FetchPartition, FetchTopic, ForgottenTopic,
};
use protocol::messages::{
    IncrementalAlterConfigsRequest, ShareAcknowledgeRequest, ShareFetchRequest, ShareFetchResponse,
    ShareGroupHeartbeatRequest,
};

use super::group_membership::wait_for_coordinator;
use super::produce::{batch, producing};
use crate::rendering::show_records;
use crate::session::Session;

const GROUP: &str = "sharers";
const MEMBER: &str = "0hkzdNcgRt-zaOWYqbfrGA";
const OTHER_MEMBER: &str = "8I6bGxrQTVyZ3nTFhVE1uw";

const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const RENEW: i8 = 4;

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 2)?;
    session.quietly(9, producing("plain", 0, batch(&["a", "b", "c", "d"])))?;
    session.quietly(9, producing("plain", 0, batch(&["e", "f", "g", "h"])))?;
    wait_for_coordinator(session)?;
    read_from_the_start(session)?;
    join(session, MEMBER)?;
    refused(session, id)?;
    fetch(session, id)?;
    acknowledge(session, id)?;
    piggybacked(session, id)?;
    session_ends(session, id)
}

fn read_from_the_start(session: &mut Session) -> Result<()> {
    const GROUP_RESOURCE: i8 = 32;
    let config = AlterableConfig {
        name: "share.auto.offset.reset".to_owned(),
        value: Some("earliest".to_owned()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: GROUP_RESOURCE,
        resource_name: GROUP.to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    session.ask("a share group's setting", 1, request)?;
    Ok(())
}

fn join(session: &mut Session, member: &str) -> Result<()> {
    let request = ShareGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member.to_owned(),
        subscribed_topic_names: Some(vec!["plain".to_owned()]),
        ..Default::default()
    };
    session.until(1, request, |response| {
        response.assignment.as_ref().is_some_and(|assignment| !assignment.topic_partitions.is_empty())
    })?;
    Ok(())
}

fn refused(session: &mut Session, id: Uuid) -> Result<()> {
    let opening = || fetching(id, 0, &[0]);
    let with = |change: &dyn Fn(&mut ShareFetchRequest)| {
        let mut request = opening();
        change(&mut request);
        request
    };
    for (name, request) in [
        ("no group", with(&|fetch| fetch.group_id = None)),
        ("an empty group", with(&|fetch| fetch.group_id = Some(String::new()))),
        ("no member", with(&|fetch| fetch.member_id = None)),
        ("an empty member", with(&|fetch| fetch.member_id = Some(String::new()))),
        ("a session that is not open", fetching(id, 3, &[0])),
        ("a negative epoch", fetching(id, -7, &[0])),
        ("the end of a session that is not open", fetching(id, -1, &[])),
        (
            "an acknowledgement in the first request",
            with(&|fetch| {
                fetch.topics[0].partitions[0].acknowledgement_batches = batches(&[(0, 0, &[ACCEPT])]);
            }),
        ),
    ] {
        session.ask_showing(&format!("fetch with {name}"), 1, request, show)?;
    }
    session.ask("acknowledge without a session", 1, acknowledging(id, 1, &[(0, 0, &[ACCEPT])]))?;
    session.ask("acknowledge with epoch 0", 1, acknowledging(id, 0, &[(0, 0, &[ACCEPT])]))?;
    session.ask(
        "acknowledge without a group",
        1,
        ShareAcknowledgeRequest { group_id: None, ..acknowledging(id, 1, &[(0, 0, &[ACCEPT])]) },
    )?;
    session.ask(
        "acknowledge without a member",
        1,
        ShareAcknowledgeRequest { member_id: None, ..acknowledging(id, 1, &[(0, 0, &[ACCEPT])]) },
    )?;
    Ok(())
}

fn fetch(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask_until_showing("a session is opened", 2, fetching(id, 0, &[0, 1]), has_records, show)?;
    session.ask_showing("nothing is left", 2, fetching(id, 1, &[]), show)?;
    session.ask_showing("an old epoch", 2, fetching(id, 1, &[]), show)?;
    session.ask_showing("an epoch too high", 2, fetching(id, 7, &[]), show)?;
    session.ask_showing("an unknown topic", 2, fetching(Uuid::from_u128(u128::MAX / 7), 2, &[0]), show)?;
    session.ask_showing("an unknown partition", 2, fetching(id, 3, &[9]), show)?;
    let forgetting = ShareFetchRequest {
        forgotten_topics_data: vec![ForgottenTopic {
            topic_id: id,
            partitions: vec![9],
            ..Default::default()
        }],
        ..fetching(id, 4, &[])
    };
    session.ask_showing("a partition is forgotten", 2, forgetting, show)?;
    Ok(())
}

fn acknowledge(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask("accept one", 1, acknowledging(id, 5, &[(0, 0, &[ACCEPT])]))?;
    session.ask("accept it again", 2, acknowledging(id, 6, &[(0, 0, &[ACCEPT])]))?;
    session.ask("release, reject and skip", 2, acknowledging(id, 7, &[(1, 3, &[RELEASE, REJECT, GAP])]))?;
    session.ask("accept the rest of a batch", 2, acknowledging(id, 8, &[(4, 5, &[ACCEPT])]))?;
    session.ask("offsets that nobody has", 2, acknowledging(id, 9, &[(70, 71, &[ACCEPT])]))?;
    session.ask("an unknown kind", 2, acknowledging(id, 10, &[(6, 6, &[9])]))?;
    session.ask("kinds that do not fit", 2, acknowledging(id, 11, &[(6, 7, &[ACCEPT, ACCEPT, ACCEPT])]))?;
    session.ask("no kinds", 2, acknowledging(id, 11, &[(6, 7, &[])]))?;
    session.ask("offsets the wrong way round", 2, acknowledging(id, 11, &[(7, 6, &[ACCEPT])]))?;
    session.ask("batches that overlap", 2, acknowledging(id, 11, &[(6, 7, &[ACCEPT]), (7, 7, &[ACCEPT])]))?;
    session.ask("renewal that is not announced", 2, acknowledging(id, 11, &[(6, 6, &[RENEW])]))?;
    session.ask(
        "renewal",
        2,
        ShareAcknowledgeRequest { is_renew_ack: true, ..acknowledging(id, 11, &[(6, 6, &[RENEW])]) },
    )?;
    session.ask("renewal before version 2", 1, acknowledging(id, 12, &[(6, 6, &[RENEW])]))?;
    session.ask(
        "an unknown topic's record",
        2,
        acknowledging(Uuid::from_u128(u128::MAX / 7), 12, &[(6, 6, &[ACCEPT])]),
    )?;
    let mut elsewhere = acknowledging(id, 13, &[(6, 6, &[ACCEPT])]);
    elsewhere.topics[0].partitions[0].partition_index = 9;
    session.ask("an unknown partition's record", 2, elsewhere)?;
    session.ask("an epoch too high, acknowledged", 2, acknowledging(id, 40, &[(6, 6, &[ACCEPT])]))?;
    Ok(())
}

fn piggybacked(session: &mut Session, id: Uuid) -> Result<()> {
    let mut request = fetching(id, 14, &[0]);
    request.topics[0].partitions[0].acknowledgement_batches = batches(&[(6, 7, &[ACCEPT])]);
    session.ask_showing("what was released comes again", 2, request, show)?;
    let mut request = fetching(id, 15, &[0]);
    request.topics[0].partitions[0].acknowledgement_batches = batches(&[(70, 71, &[ACCEPT])]);
    session.ask_showing("an acknowledgement that fails with a fetch", 2, request, show)?;
    session.ask_showing(
        "another member has a session of its own",
        1,
        ShareFetchRequest { member_id: Some(OTHER_MEMBER.to_owned()), ..fetching(id, 0, &[0]) },
        show,
    )?;
    session.ask(
        "another member's record",
        2,
        ShareAcknowledgeRequest {
            member_id: Some(OTHER_MEMBER.to_owned()),
            ..acknowledging(id, 1, &[(1, 1, &[ACCEPT])])
        },
    )?;
    Ok(())
}

fn session_ends(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask(
        "the last acknowledgement ends the session",
        2,
        acknowledging(id, -1, &[(1, 1, &[RELEASE])]),
    )?;
    session.ask("nothing can be acknowledged then", 2, acknowledging(id, 17, &[(1, 1, &[ACCEPT])]))?;
    session.ask_showing(
        "a session of another member ends",
        2,
        ShareFetchRequest { member_id: Some(OTHER_MEMBER.to_owned()), ..fetching(id, -1, &[]) },
        show,
    )?;
    session.ask_until_showing(
        "what was released goes to the next one",
        2,
        fetching(id, 0, &[0]),
        has_records,
        show,
    )?;
    Ok(())
}

fn has_records(response: &ShareFetchResponse) -> bool {
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.any(|partition| !partition.acquired_records.is_empty())
}

/// In the order of partitions.
fn show(response: &ShareFetchResponse) -> String {
    let mut response = response.clone();
    let mut records = Vec::new();
    for topic in &mut response.responses {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
        for partition in &mut topic.partitions {
            let taken = partition.records.take();
            if !partition.acquired_records.is_empty() {
                records.push(show_records(taken.as_ref()));
            }
        }
    }
    format!("{response:#?}\n{}", records.join("\n"))
}

fn fetching(topic_id: Uuid, share_session_epoch: i32, partitions: &[i32]) -> ShareFetchRequest {
    let partition = |index: &i32| FetchPartition { partition_index: *index, ..Default::default() };
    let topic =
        FetchTopic { topic_id, partitions: partitions.iter().map(partition).collect(), ..Default::default() };
    ShareFetchRequest {
        group_id: Some(GROUP.to_owned()),
        member_id: Some(MEMBER.to_owned()),
        share_session_epoch,
        max_wait_ms: 200,
        min_bytes: 1,
        max_bytes: 1 << 20,
        max_records: 100,
        batch_size: 100,
        topics: if partitions.is_empty() { Vec::new() } else { vec![topic] },
        ..Default::default()
    }
}

fn batches(ranges: &[(i64, i64, &[i8])]) -> Vec<AcknowledgementBatch> {
    let range = |(first, last, kinds): &(i64, i64, &[i8])| AcknowledgementBatch {
        first_offset: *first,
        last_offset: *last,
        acknowledge_types: kinds.to_vec(),
        ..Default::default()
    };
    ranges.iter().map(range).collect()
}

fn acknowledging(
    topic_id: Uuid,
    share_session_epoch: i32,
    ranges: &[(i64, i64, &[i8])],
) -> ShareAcknowledgeRequest {
    let range = |batch: AcknowledgementBatch| share_acknowledge_request::AcknowledgementBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        acknowledge_types: batch.acknowledge_types,
        ..Default::default()
    };
    let partition = AcknowledgePartition {
        acknowledgement_batches: batches(ranges).into_iter().map(range).collect(),
        ..Default::default()
    };
    let topic = AcknowledgeTopic { topic_id, partitions: vec![partition], ..Default::default() };
    ShareAcknowledgeRequest {
        group_id: Some(GROUP.to_owned()),
        member_id: Some(MEMBER.to_owned()),
        share_session_epoch,
        topics: vec![topic],
        ..Default::default()
    }
}
