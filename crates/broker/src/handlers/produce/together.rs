//! Produces of one connection that came together: what they bring for one partition reaches its log by one write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use network::Outcome;
use protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use protocol::messages::{ProduceRequest, ProduceResponse};

use super::{Awaited, Permissions, Refusal};
use crate::context::RequestContext;
use crate::partition::Partition;

/// Where in the answers a partition stands.
#[derive(Clone, Copy)]
struct Place {
    request: usize,
    topic: usize,
    partition: usize,
}

/// What the requests bring for one partition, in their order.
struct Brought {
    partition: Arc<Partition>,
    records: Vec<Bytes>,
    places: Vec<Place>,
}

/// Appends and answers requests as if one had come after the other. `None`, and nothing has happened, if one of them has to wait
/// for a coordinator, is refused as a whole, or must not be followed by the next once it has failed.
pub fn handle_together(requests: Vec<(RequestContext, ProduceRequest)>) -> Option<Vec<Outcome>> {
    let is_plain = |request: &ProduceRequest| {
        request.transactional_id.is_none() && super::refusal_of_all(request).is_none()
    };
    if !requests.iter().all(|(_, request)| is_plain(request)) {
        return None;
    }
    let acks = requests.first()?.1.acks;
    if requests.len() == 1 {
        let alone = requests.into_iter().map(|(context, request)| {
            let timeout = super::timeout(&request);
            let (response, awaited) = super::append_all(&context, request, &Permissions::default());
            super::answer(context, acks, timeout, response, awaited)
        });
        return Some(alone.collect());
    }
    if acks == 0 || requests.iter().any(|(_, request)| request.acks != acks) {
        return None;
    }
    Some(append_together(requests, acks))
}

fn append_together(requests: Vec<(RequestContext, ProduceRequest)>, acks: i16) -> Vec<Outcome> {
    let mut brought: Vec<Brought> = Vec::with_capacity(1);
    let mut answers: Vec<(RequestContext, Duration, ProduceResponse, Vec<Awaited>)> =
        Vec::with_capacity(requests.len());
    for (context, request) in requests {
        let timeout = super::timeout(&request);
        let response = look_up_all(&context, request, answers.len(), &mut brought);
        answers.push((context, timeout, response, Vec::new()));
    }
    let now_ms = answers.first().map_or(0, |(context, ..)| context.now_ms);
    for Brought { partition, records, places } in brought {
        let outcomes = partition.append_together_from_client(&records, acks, now_ms);
        for (place, outcome) in places.into_iter().zip(outcomes) {
            let (_, _, response, awaited) = &mut answers[place.request];
            let row = &mut response.responses[place.topic].partition_responses[place.partition];
            match outcome {
                Ok(appended) => {
                    *row = super::accepted(row.index, &appended);
                    if acks == -1 {
                        let (topic, position, log) = (place.topic, place.partition, partition.clone());
                        awaited.push(Awaited { topic, partition: position, log, appended });
                    }
                }
                Err(refusal) => *row = super::refused(row.index, Refusal::by_log(refusal, &partition)),
            }
        }
    }
    let answer =
        |(context, timeout, response, awaited)| super::answer(context, acks, timeout, response, awaited);
    answers.into_iter().map(answer).collect()
}

/// The answer to one request as far as it is known, and what of it is to be appended.
fn look_up_all(
    context: &RequestContext,
    request: ProduceRequest,
    request_index: usize,
    brought: &mut Vec<Brought>,
) -> ProduceResponse {
    let acks = request.acks;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let mut rows = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            rows.push(match super::look_up(context, &topic.name, topic.topic_id, data, acks) {
                Ok((partition, records)) => {
                    let place =
                        Place { request: request_index, topic: responses.len(), partition: rows.len() };
                    bring(brought, partition, records, place);
                    PartitionProduceResponse { index, ..Default::default() }
                }
                Err(refusal) => super::refused(index, refusal),
            });
        }
        responses.push(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses: rows,
            ..Default::default()
        });
    }
    ProduceResponse { responses, ..Default::default() }
}

/// Partitions that were looked at last are looked at first: most requests name the same few.
const PARTITIONS_COMPARED: usize = 64;

fn bring(brought: &mut Vec<Brought>, partition: Arc<Partition>, records: Bytes, place: Place) {
    let latest = brought.iter_mut().rev().take(PARTITIONS_COMPARED);
    // One that is farther back is appended to a second time, later: still in order.
    match latest.into_iter().find(|one| Arc::ptr_eq(&one.partition, &partition)) {
        Some(one) => {
            one.records.push(records);
            one.places.push(place);
        }
        None => brought.push(Brought { partition, records: vec![records], places: vec![place] }),
    }
}
