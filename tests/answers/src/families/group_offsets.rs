//! OffsetCommit, OffsetFetch and OffsetDelete.

use anyhow::Result;
use protocol::Uuid;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse};

use super::group_membership::{joining, syncing, wait_for_coordinator};
use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 3)?;
    session.create_topic("other", 1)?;
    wait_for_coordinator(session)?;
    simple_commits(session, id)?;
    member_commits(session)?;
    fetches(session, id)?;
    delete(session)
}

fn simple_commits(session: &mut Session, id: Uuid) -> Result<()> {
    for version in 2..=9 {
        let request = committing("simple", "plain", &[(0, i64::from(version), Some("a note"))]);
        session.ask(&format!("commit, version {version}"), version, request)?;
    }
    let mut by_id = committing("simple", "", &[(1, 5, None)]);
    by_id.topics[0].topic_id = id;
    session.ask("commit, version 10", 10, by_id.clone())?;
    by_id.topics[0].topic_id = Uuid::from_u128(u128::MAX / 11);
    session.ask("commit for an unknown topic id", 10, by_id)?;
    session.ask("commit a leader epoch", 9, {
        let mut request = committing("simple", "plain", &[(2, 9, Some(""))]);
        request.topics[0].partitions[0].committed_leader_epoch = 4;
        request
    })?;
    session.ask("commit for an unknown topic", 9, committing("simple", "unknown", &[(0, 1, None)]))?;
    session.ask("commit for an unknown partition", 9, committing("simple", "plain", &[(9, 1, None)]))?;
    session.ask("commit a negative offset", 9, committing("simple", "plain", &[(0, -2, None)]))?;
    session.ask("commit without a group", 9, committing("", "plain", &[(0, 1, None)]))?;
    let long = "m".repeat(4097);
    session.ask("commit too much metadata", 9, committing("simple", "plain", &[(0, 1, Some(&long))]))?;
    let nearly = "m".repeat(4096);
    session.ask(
        "commit just enough metadata",
        9,
        committing("metadata", "plain", &[(0, 1, Some(&nearly))]),
    )?;
    session.ask(
        "commit nothing",
        9,
        OffsetCommitRequest { topics: Vec::new(), ..committing("simple", "", &[]) },
    )?;
    let stranger = OffsetCommitRequest {
        member_id: "nobody".to_owned(),
        ..committing("simple", "plain", &[(0, 1, None)])
    };
    session.ask("commit as somebody unknown", 9, stranger)?;
    let generation = OffsetCommitRequest {
        generation_id_or_member_epoch: 3,
        ..committing("nowhere", "plain", &[(0, 1, None)])
    };
    session.ask("commit with a generation, to an unknown group", 9, generation)?;
    Ok(())
}

fn member_commits(session: &mut Session) -> Result<()> {
    let me = session.quietly(3, joining("group", ""))?.member_id;
    let commit = |generation: i32, member: &str| OffsetCommitRequest {
        generation_id_or_member_epoch: generation,
        member_id: member.to_owned(),
        ..committing("group", "plain", &[(0, 40, Some("from a member"))])
    };
    session.ask("a member commits before it has synced", 9, commit(1, &me))?;
    session.quietly(3, syncing("group", 1, &me, &[(&me, b"all")]))?;
    session.ask("a member commits", 9, commit(1, &me))?;
    session.ask("a member commits for an old generation", 9, commit(0, &me))?;
    session.ask("a member commits for a generation to come", 9, commit(2, &me))?;
    session.ask("somebody unknown commits for the group", 9, commit(1, "nobody"))?;
    session.ask("nobody commits for a living group", 9, commit(-1, ""))?;
    session.ask(
        "a living group cannot be told from outside",
        9,
        committing("group", "plain", &[(0, 1, None)]),
    )?;
    Ok(())
}

fn fetches(session: &mut Session, id: Uuid) -> Result<()> {
    for version in 1..=7 {
        let request = fetching_one("simple", Some(&[("plain", &[0, 1, 2])]));
        session.ask(&format!("fetch, version {version}"), version, request)?;
    }
    for version in 8..=9 {
        session.ask(
            &format!("fetch, version {version}"),
            version,
            fetching(&[("simple", Some(&[("plain", &[0, 2])]))]),
        )?;
    }
    let mut by_id = fetching(&[("simple", Some(&[("", &[0, 1])]))]);
    let topic = |request: &mut OffsetFetchRequest, topic_id| {
        for topics in request.groups.iter_mut().filter_map(|group| group.topics.as_mut()) {
            topics.iter_mut().for_each(|topic| topic.topic_id = topic_id);
        }
    };
    topic(&mut by_id, id);
    session.ask("fetch, version 10", 10, by_id.clone())?;
    topic(&mut by_id, Uuid::from_u128(u128::MAX / 11));
    session.ask("fetch for an unknown topic id", 10, by_id)?;
    session.ask_showing("fetch everything", 9, fetching(&[("simple", None)]), show_fetched)?;
    session.ask_showing("fetch everything, version 10", 10, fetching(&[("simple", None)]), show_fetched)?;
    session.ask_showing("fetch everything, version 2", 2, fetching_one("simple", None), show_fetched)?;
    session.ask("fetch of a group nobody knows", 9, fetching(&[("nowhere", Some(&[("plain", &[0])]))]))?;
    session.ask("fetch everything of a group nobody knows", 9, fetching(&[("nowhere", None)]))?;
    session.ask("fetch for an unknown topic", 9, fetching(&[("simple", Some(&[("unknown", &[0])]))]))?;
    session.ask("fetch for an unknown partition", 9, fetching(&[("simple", Some(&[("plain", &[77])]))]))?;
    session.ask(
        "fetch of two groups",
        9,
        fetching(&[("simple", Some(&[("plain", &[0])])), ("group", None)]),
    )?;
    session.ask("fetch without a group", 9, fetching(&[("", None)]))?;
    session.ask("fetch of no groups", 9, fetching(&[]))?;
    session.ask("fetch of no partitions", 9, fetching(&[("simple", Some(&[]))]))?;
    let stable =
        OffsetFetchRequest { require_stable: true, ..fetching(&[("simple", Some(&[("plain", &[0])]))]) };
    session.ask("fetch what is stable", 9, stable)?;
    let mut as_member = fetching(&[("group", Some(&[("plain", &[0])]))]);
    as_member.groups[0].member_id = Some("nobody".to_owned());
    as_member.groups[0].member_epoch = 3;
    session.ask("fetch as somebody unknown", 9, as_member)?;
    Ok(())
}

fn delete(session: &mut Session) -> Result<()> {
    session.ask("delete an offset", 0, deleting("simple", "plain", &[0]))?;
    session.ask("delete it again", 0, deleting("simple", "plain", &[0]))?;
    session.ask("delete for an unknown topic", 0, deleting("simple", "unknown", &[0]))?;
    session.ask("delete for an unknown partition", 0, deleting("simple", "plain", &[9]))?;
    session.ask("delete in an unknown group", 0, deleting("nowhere", "plain", &[0]))?;
    session.ask("delete without a group", 0, deleting("", "plain", &[0]))?;
    session.ask("delete what a member reads", 0, deleting("group", "plain", &[0]))?;
    session.ask("delete nothing", 0, deleting("simple", "plain", &[]))?;
    session.ask_showing("what is left", 9, fetching(&[("simple", None)]), show_fetched)?;
    Ok(())
}

/// Kafka's offsets come in the order of a hash table.
fn show_fetched(response: &OffsetFetchResponse) -> String {
    let mut response = response.clone();
    for topic in &mut response.topics {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    for topic in response.groups.iter_mut().flat_map(|group| &mut group.topics) {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    format!("{response:#?}")
}

/// Offsets with a note, committed from outside of any generation.
pub fn committing(group_id: &str, topic: &str, offsets: &[(i32, i64, Option<&str>)]) -> OffsetCommitRequest {
    let partition = |(index, offset, note): &(i32, i64, Option<&str>)| OffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: *offset,
        committed_metadata: note.map(str::to_owned),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned(),
        partitions: offsets.iter().map(partition).collect(),
        ..Default::default()
    };
    OffsetCommitRequest { group_id: group_id.to_owned(), topics: vec![topic], ..Default::default() }
}

type Wanted<'a> = Option<&'a [(&'a str, &'a [i32])]>;

fn fetching_one(group_id: &str, topics: Wanted<'_>) -> OffsetFetchRequest {
    let topic = |(name, indexes): &(&str, &[i32])| OffsetFetchRequestTopic {
        name: (*name).to_owned(),
        partition_indexes: indexes.to_vec(),
        ..Default::default()
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    OffsetFetchRequest { group_id: group_id.to_owned(), topics, ..Default::default() }
}

fn fetching(groups: &[(&str, Wanted<'_>)]) -> OffsetFetchRequest {
    let topic = |(name, indexes): &(&str, &[i32])| OffsetFetchRequestTopics {
        name: (*name).to_owned(),
        partition_indexes: indexes.to_vec(),
        ..Default::default()
    };
    let group = |(group_id, topics): &(&str, Wanted<'_>)| OffsetFetchRequestGroup {
        group_id: (*group_id).to_owned(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    };
    OffsetFetchRequest { groups: groups.iter().map(group).collect(), ..Default::default() }
}

/// Offsets to be deleted.
pub fn deleting(group_id: &str, topic: &str, partitions: &[i32]) -> OffsetDeleteRequest {
    let partition = |index: &i32| OffsetDeleteRequestPartition { partition_index: *index };
    let topic = OffsetDeleteRequestTopic {
        name: topic.to_owned(),
        partitions: partitions.iter().map(partition).collect(),
    };
    OffsetDeleteRequest { group_id: group_id.to_owned(), topics: vec![topic] }
}
