//! Incremental fetch sessions (KIP-227, topic ids by KIP-516): what a fetcher has asked for before, and was told.
//!
//! Rules of Kafka's `FetchManager`, `FetchContext` and `FetchSessionCacheShard`. A fetch [`begin`](FetchSessions::begin)s,
//! the partitions of its context are read in order, and it is [`complete`](FetchSessions::complete)d.

mod cache;
mod session;

use std::sync::Arc;

use cache::Cache;
use protocol::{ErrorCode, Uuid};
use session::Session;

/// Session id of a fetch outside of any session.
pub const NO_SESSION: i32 = 0;
/// Epoch of a fetch that begins a session.
pub const INITIAL_EPOCH: i32 = 0;
/// Epoch of a fetch that closes its session, or wants none.
pub const FINAL_EPOCH: i32 = -1;

/// How a request names a topic: by id since version 13.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FetchTopic {
    /// Topic id.
    Id(Uuid),
    /// Topic name.
    Name(Arc<str>),
}

/// A partition as a fetch names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchPartition {
    /// Its topic.
    pub topic: FetchTopic,
    /// Its index.
    pub partition: i32,
}

/// What a fetch asks of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchParameters {
    /// First offset wanted.
    pub fetch_offset: i64,
    /// Start of the follower's log, or -1.
    pub log_start_offset: i64,
    /// Most bytes wanted.
    pub max_bytes: i32,
    /// Leader epoch the fetcher knows.
    pub current_leader_epoch: Option<i32>,
    /// Epoch of the last record the fetcher has (KIP-595).
    pub last_fetched_epoch: Option<i32>,
}

/// What was found for a partition, as far as it decides whether the answer mentions it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchAnswer {
    /// Bytes of records.
    pub records_bytes: usize,
    /// High watermark answered.
    pub high_watermark: i64,
    /// Log start offset answered.
    pub log_start_offset: i64,
    /// Whether a preferred read replica is named.
    pub has_preferred_read_replica: bool,
    /// Whether a diverging epoch is named.
    pub has_diverging_epoch: bool,
    /// Whether it is an error.
    pub is_error: bool,
}

/// The session part of a fetch request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchMetadata {
    /// Session id, or 0.
    pub session_id: i32,
    /// Session epoch.
    pub session_epoch: i32,
    /// Whether the request names topics by id (version 13 and later).
    pub uses_topic_ids: bool,
    /// Whether a follower fetches: its sessions are evicted last.
    pub is_from_follower: bool,
}

/// What kind of fetch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sessionless,
    Full { uses_topic_ids: bool, is_from_follower: bool },
    Incremental { session_id: i32, next_epoch: i32 },
}

/// A fetch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchContext {
    kind: Kind,
    /// What is to be read, in this order.
    pub partitions: Vec<(FetchPartition, FetchParameters)>,
}

/// How a fetch is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchCompletion {
    /// Error of the whole answer. If it is one, no partition is mentioned.
    pub error_code: ErrorCode,
    /// Session id of the answer, or 0.
    pub session_id: i32,
    /// For each answered partition, in order, whether the answer mentions it.
    pub is_mentioned: Vec<bool>,
}

/// All fetch sessions of a broker.
#[derive(Debug)]
pub struct FetchSessions {
    cache: Cache,
}

impl FetchSessions {
    /// Room for `max_slots` sessions (`max.incremental.fetch.session.cache.slots`). A session may be evicted for
    /// another once it is `min_eviction_ms` old (Kafka: 120,000).
    pub fn new(max_slots: usize, min_eviction_ms: i64) -> Self {
        Self { cache: Cache::new(max_slots, min_eviction_ms) }
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of partitions in all sessions.
    pub fn partition_count(&self) -> usize {
        self.cache.partition_count()
    }

    /// Number of sessions that had to make room for others.
    pub fn evictions(&self) -> u64 {
        self.cache.evictions()
    }

    /// Takes a request in. An error answers the whole request, with session id 0.
    pub fn begin(
        &mut self,
        request: FetchMetadata,
        partitions: Vec<(FetchPartition, FetchParameters)>,
        forgotten: &[FetchPartition],
        now_ms: i64,
    ) -> Result<FetchContext, ErrorCode> {
        let FetchMetadata { session_id, session_epoch, uses_topic_ids, is_from_follower } = request;
        if session_epoch == INITIAL_EPOCH || session_epoch == FINAL_EPOCH {
            if session_id != NO_SESSION {
                self.cache.remove(session_id);
            }
            let kind = match session_epoch {
                FINAL_EPOCH => Kind::Sessionless,
                _ => Kind::Full { uses_topic_ids, is_from_follower },
            };
            return Ok(FetchContext { kind, partitions });
        }
        let session = self.cache.get_mut(session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.update(&partitions, forgotten);
        if session.is_empty() {
            self.cache.remove(session_id);
            return Ok(FetchContext { kind: Kind::Sessionless, partitions });
        }
        session.epoch = next_epoch(session.epoch);
        let kind = Kind::Incremental { session_id, next_epoch: session.epoch };
        let partitions = session.requested();
        self.cache.touch(session_id, now_ms);
        Ok(FetchContext { kind, partitions })
    }

    /// Ends a fetch. `answers` are in the order in which they will stand in the answer; `random` is any random number,
    /// used for the id of a new session.
    pub fn complete(
        &mut self,
        context: &FetchContext,
        answers: &[(FetchPartition, FetchAnswer)],
        now_ms: i64,
        random: u32,
    ) -> FetchCompletion {
        let mentioned = |session_id| FetchCompletion {
            error_code: ErrorCode::None,
            session_id,
            is_mentioned: vec![true; answers.len()],
        };
        match context.kind {
            Kind::Sessionless => mentioned(NO_SESSION),
            Kind::Full { uses_topic_ids, is_from_follower } => {
                if !self.cache.maybe_make_room(is_from_follower, answers.len(), now_ms) {
                    return mentioned(NO_SESSION);
                }
                let epoch = next_epoch(INITIAL_EPOCH);
                let mut session = Session::new(epoch, uses_topic_ids, is_from_follower, now_ms);
                session.fill(&context.partitions, answers);
                mentioned(self.cache.insert(session, random, now_ms))
            }
            Kind::Incremental { session_id, next_epoch } => {
                self.complete_incremental(session_id, next_epoch, answers)
            }
        }
    }

    fn complete_incremental(
        &mut self,
        session_id: i32,
        next_epoch: i32,
        answers: &[(FetchPartition, FetchAnswer)],
    ) -> FetchCompletion {
        // KAFKA: a session that was closed or evicted meanwhile still completes; only a newer fetch of it is in the
        // way. What it remembers is gone then, so everything is mentioned.
        let Some(session) = self.cache.get_mut(session_id) else {
            return FetchCompletion {
                error_code: ErrorCode::None,
                session_id,
                is_mentioned: vec![true; answers.len()],
            };
        };
        if session.epoch != next_epoch {
            return FetchCompletion {
                error_code: ErrorCode::InvalidFetchSessionEpoch,
                session_id,
                is_mentioned: vec![false; answers.len()],
            };
        }
        let is_mentioned =
            answers.iter().map(|(partition, answer)| session.answer(partition, *answer)).collect();
        FetchCompletion { error_code: ErrorCode::None, session_id, is_mentioned }
    }
}

/// Epochs of a session wrap from 2^31-1 to 1, for 0 and -1 mean something else.
fn next_epoch(epoch: i32) -> i32 {
    if epoch < 0 { FINAL_EPOCH } else { epoch.checked_add(1).unwrap_or(1) }
}

#[cfg(test)]
mod tests;
