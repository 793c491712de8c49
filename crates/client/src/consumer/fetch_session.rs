//! The client's side of a fetch session: only what changed is told again (KIP-227).

use std::collections::HashMap;

use protocol::ErrorCode;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};

use crate::consumer::subscriptions::Want;
use crate::topic_partition::TopicPartition;

/// Since this version topics are named by id.
pub(crate) const TOPIC_IDS_SINCE: i16 = 13;
const FULL_EPOCH: i32 = 0;

/// One broker's session.
#[derive(Debug, Default)]
pub(crate) struct FetchSession {
    id: i32,
    epoch: i32,
    /// What the broker knows to be wanted.
    known: HashMap<TopicPartition, Want>,
}

impl FetchSession {
    /// Fills a request with what has changed, or with all at a session's start.
    pub(crate) fn fill(&mut self, request: &mut FetchRequest, wants: &[Want], version: i16, bytes_max: i32) {
        let is_full = self.epoch == FULL_EPOCH;
        if is_full {
            self.known.clear();
        }
        (request.session_id, request.session_epoch) = (self.id, self.epoch);
        let wanted: HashMap<&TopicPartition, &Want> =
            wants.iter().map(|want| (&want.topic_partition, want)).collect();
        let is_replaced = |known: &Want| {
            wanted.get(&known.topic_partition).is_none_or(|want| want.topic_id != known.topic_id)
        };
        let mut gone: Vec<Want> = self.known.values().filter(|known| is_replaced(known)).cloned().collect();
        gone.sort_by(|a, b| a.topic_partition.cmp(&b.topic_partition));
        for one in &gone {
            self.known.remove(&one.topic_partition);
        }
        request.forgotten_topics_data = forgotten(&gone, version);
        for want in wants {
            if self.known.get(&want.topic_partition) == Some(want) {
                continue;
            }
            self.known.insert(want.topic_partition.clone(), want.clone());
            let partition = FetchPartition {
                partition: want.topic_partition.partition,
                current_leader_epoch: want.leader_epoch,
                fetch_offset: want.offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: bytes_max,
                ..FetchPartition::default()
            };
            match request.topics.last_mut().filter(|last| is_same_topic(last, want, version)) {
                Some(last) => last.partitions.push(partition),
                None => {
                    request.topics.push(FetchTopic { partitions: vec![partition], ..named(want, version) })
                }
            }
        }
    }

    /// What was asked of this partition.
    pub(crate) fn asked(&self, topic_partition: &TopicPartition) -> Option<&Want> {
        self.known.get(topic_partition)
    }

    /// The broker answered. False: the session is lost, all is to be told again.
    pub(crate) fn answered(&mut self, code: i16, session_id: i32) -> bool {
        if code == ErrorCode::FetchSessionIdNotFound.as_i16() {
            self.id = 0;
        }
        if code != ErrorCode::None.as_i16() {
            self.epoch = FULL_EPOCH;
            return false;
        }
        self.id = session_id;
        self.epoch = match (session_id, self.epoch) {
            // The broker keeps no session: each request is a whole one.
            (0, _) => FULL_EPOCH,
            (_, i32::MAX) => 1,
            (_, epoch) => epoch + 1,
        };
        true
    }

    /// There was no answer: what the broker knows is not certain.
    pub(crate) fn lost(&mut self) {
        self.epoch = FULL_EPOCH;
    }
}

fn named(want: &Want, version: i16) -> FetchTopic {
    match version {
        TOPIC_IDS_SINCE.. => FetchTopic { topic_id: want.topic_id, ..FetchTopic::default() },
        _ => FetchTopic { topic: want.topic_partition.topic.to_string(), ..FetchTopic::default() },
    }
}

fn is_same_topic(topic: &FetchTopic, want: &Want, version: i16) -> bool {
    match version {
        TOPIC_IDS_SINCE.. => topic.topic_id == want.topic_id,
        _ => *topic.topic == *want.topic_partition.topic,
    }
}

fn forgotten(gone: &[Want], version: i16) -> Vec<ForgottenTopic> {
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    for want in gone {
        let named = named(want, version);
        let last =
            topics.last_mut().filter(|last| last.topic == named.topic && last.topic_id == named.topic_id);
        match last {
            Some(last) => last.partitions.push(want.topic_partition.partition),
            None => topics.push(ForgottenTopic {
                topic: named.topic,
                topic_id: named.topic_id,
                partitions: vec![want.topic_partition.partition],
                ..ForgottenTopic::default()
            }),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Uuid;

    fn want(partition: i32, offset: i64) -> Want {
        Want {
            topic_partition: TopicPartition::new("t", partition),
            topic_id: Uuid::from_u128(7),
            stamp: 1,
            offset,
            leader_epoch: 0,
        }
    }

    fn filled(session: &mut FetchSession, wants: &[Want]) -> (i32, i32, Vec<i32>, Vec<i32>) {
        let mut request = FetchRequest::default();
        session.fill(&mut request, wants, TOPIC_IDS_SINCE, 1);
        let told = request.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.partition);
        let gone = request.forgotten_topics_data.iter().flat_map(|topic| topic.partitions.clone());
        (request.session_id, request.session_epoch, told.collect(), gone.collect())
    }

    #[test]
    fn only_changes_are_told() {
        let mut session = FetchSession::default();
        assert_eq!(filled(&mut session, &[want(0, 0), want(1, 0)]), (0, 0, vec![0, 1], vec![]));
        assert!(session.answered(0, 9));
        assert_eq!(filled(&mut session, &[want(0, 0), want(1, 5)]), (9, 1, vec![1], vec![]));
        assert!(session.answered(0, 9));
        assert_eq!(filled(&mut session, &[want(1, 5)]), (9, 2, vec![], vec![0]));
        session.lost();
        assert_eq!(filled(&mut session, &[want(1, 5)]), (9, 0, vec![1], vec![]));
        assert!(session.answered(0, 10));
        assert!(!session.answered(ErrorCode::FetchSessionIdNotFound.as_i16(), 0));
        assert_eq!(filled(&mut session, &[want(1, 5)]), (0, 0, vec![1], vec![]));
        assert!(session.answered(0, 0));
        assert_eq!(filled(&mut session, &[want(1, 5)]), (0, 0, vec![1], vec![]));
    }
}
