//! Groups of the consumer protocol (KIP-848).

mod conversion;
mod epochs;
mod membership;
mod offsets;
mod reconciliation;
mod records;
mod regex;
mod validation;

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::bench::{Bench, GROUP, error};
use crate::cluster::{Cluster, topic_id};

/// What a member owns: topic numbers and partitions.
type Owned = Vec<(u128, Vec<i32>)>;

/// A bench with a cluster: `foo` (number 1) has 6 partitions, `bar` (number 2) has 3.
fn bench() -> (Bench, Cluster) {
    bench_with(groups::GroupCoordinatorConfig::default())
}

fn bench_with(config: groups::GroupCoordinatorConfig) -> (Bench, Cluster) {
    let mut bench = Bench::with(config);
    let mut cluster = Cluster::default();
    bench.step(cluster.topic("foo", 1, 0..6));
    bench.step(cluster.topic("bar", 2, 0..3));
    (bench, cluster)
}

fn beat(member_id: &str, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn join(member_id: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
        topic_partitions: Some(Vec::new()),
        ..beat(member_id, 0)
    }
}

fn owning(member_id: &str, member_epoch: i32, owned: &Owned) -> ConsumerGroupHeartbeatRequest {
    let topics = owned.iter().map(|(number, partitions)| TopicPartitions {
        topic_id: topic_id(*number),
        partitions: partitions.clone(),
        ..TopicPartitions::default()
    });
    ConsumerGroupHeartbeatRequest {
        topic_partitions: Some(topics.collect()),
        ..beat(member_id, member_epoch)
    }
}

fn send(bench: &mut Bench, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let id = bench.send(1, Request::ConsumerGroupHeartbeat(request));
    match bench.take(id) {
        Some(Reply::ConsumerGroupHeartbeat(response)) => response,
        other => panic!("no answer to a heartbeat: {other:?}"),
    }
}

fn accepted(bench: &mut Bench, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let response = send(bench, request);
    assert_eq!(error(response.error_code), ErrorCode::None, "{:?}", response.error_message);
    response
}

fn refused(bench: &mut Bench, request: ConsumerGroupHeartbeatRequest) -> (ErrorCode, String) {
    let response = send(bench, request);
    (error(response.error_code), response.error_message.unwrap_or_default())
}

/// The assignment in an answer, if it has one.
fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Option<Owned> {
    let assignment = response.assignment.as_ref()?;
    let topics = assignment.topic_partitions.iter();
    Some(topics.map(|topic| (topic.topic_id.as_u128(), topic.partitions.clone())).collect())
}

/// A member that does what it is told, as clients do.
struct Follower {
    member_id: String,
    epoch: i32,
    owned: Owned,
}

impl Follower {
    fn join(bench: &mut Bench, member_id: &str, topics: &[&str]) -> Self {
        let response = accepted(bench, join(member_id, topics));
        let owned = assigned(&response).expect("a join is told its assignment");
        Self { member_id: member_id.to_owned(), epoch: response.member_epoch, owned }
    }

    /// One heartbeat that says what it owns.
    fn beat(&mut self, bench: &mut Bench) -> ConsumerGroupHeartbeatResponse {
        let response = accepted(bench, owning(&self.member_id, self.epoch, &self.owned));
        self.epoch = response.member_epoch;
        if let Some(owned) = assigned(&response) {
            self.owned = owned;
        }
        response
    }

    fn partition_count(&self) -> usize {
        self.owned.iter().map(|(_, partitions)| partitions.len()).sum()
    }
}

/// Lets everybody go on until nobody gets anything new; past the pause between two assignments.
fn settle(bench: &mut Bench, members: &mut [Follower]) {
    bench.advance(1_000);
    for _ in 0..4 {
        members.iter_mut().for_each(|member| drop(member.beat(bench)));
    }
}

fn described(bench: &mut Bench) -> protocol::messages::consumer_group_describe_response::DescribedGroup {
    let id = bench.send(1, Request::ConsumerGroupDescribe(vec![GROUP.to_owned()]));
    match bench.take(id) {
        Some(Reply::ConsumerGroupDescribe(mut groups)) => groups.remove(0),
        other => panic!("no answer to a describe: {other:?}"),
    }
}
