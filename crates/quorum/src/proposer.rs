//! Proposals in line: whatever has come while the last batch was made durable goes into the next one together.

use std::collections::VecDeque;

use bytes::Bytes;
use openraft::error::{ClientWriteError, RaftError};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{entry::Proposal, error::QuorumError, settings::WallClock, type_config::Raft};

/// Bytes of one proposal, and of those put together: what Kafka's controllers accept as one batch.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where committed records ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedAt {
    /// Offset of the last of them.
    pub last_offset: i64,
    /// Epoch of the leader that appended them.
    pub epoch: i32,
}

/// What applying an entry says about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) epoch: i32,
}

/// One proposal in line.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// In Kafka's frame; at least one.
    pub records: Vec<Bytes>,
    pub reply: oneshot::Sender<Result<CommittedAt, QuorumError>>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

/// Proposes until the last handle is gone.
pub(crate) async fn run(raft: Raft, mut line: mpsc::UnboundedReceiver<Waiting>, clock: WallClock) {
    let mut held_over = None;
    loop {
        let first = match held_over.take() {
            Some(waiting) => waiting,
            None => match line.recv().await {
                Some(waiting) => waiting,
                None => return,
            },
        };
        let mut bytes = first.bytes();
        let mut together = VecDeque::from([first]);
        while let Ok(next) = line.try_recv() {
            bytes += next.bytes();
            if bytes > BATCH_BYTES_MAX {
                held_over = Some(next);
                break;
            }
            together.push_back(next);
        }
        let records = together.iter().flat_map(|waiting| waiting.records.iter().cloned()).collect();
        let written = raft.client_write(Proposal { records, timestamp: clock.now_ms() }).await;
        answer(together, written.map(|response| response.data).map_err(refusal));
    }
}

fn answer(together: VecDeque<Waiting>, result: Result<Applied, QuorumError>) {
    let mut next_offset = result.as_ref().map_or(0, |applied| applied.base_offset);
    for waiting in together {
        next_offset += waiting.records.len() as i64;
        let result =
            result.clone().map(|applied| CommittedAt { last_offset: next_offset - 1, epoch: applied.epoch });
        // Whoever proposed it may have gone; the records stay committed.
        let _ = waiting.reply.send(result);
    }
}

fn refusal(error: RaftError<i32, ClientWriteError<i32, crate::VoterNode>>) -> QuorumError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            QuorumError::NotLeader { leader: forward.leader_id }
        }
        _ => QuorumError::Stopped,
    }
}
