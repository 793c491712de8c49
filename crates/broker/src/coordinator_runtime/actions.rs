//! What shards want done outside of their partitions, carried out when it is committed that they want it.

use std::sync::Arc;

use coordinator::CoordinatorShard;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{CoordinatorRuntime, Shard};

/// Which shard an action comes from: its outcome is for this one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardAddress {
    /// The partition of the coordinator's topic.
    pub index: i32,
    /// The epoch in which this broker leads it.
    pub leader_epoch: i32,
}

/// The actions of one step.
pub(super) struct Due<S: CoordinatorShard> {
    pub(super) shard: Arc<Shard<S>>,
    pub(super) committed_at: i64,
    pub(super) actions: Vec<S::Action>,
}

pub(super) struct DueActions<S: CoordinatorShard> {
    sender: UnboundedSender<Due<S>>,
    receiver: Mutex<Option<UnboundedReceiver<Due<S>>>>,
}

impl<S: CoordinatorShard> Default for DueActions<S> {
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        DueActions { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl<S: CoordinatorShard> DueActions<S> {
    pub(super) fn push(&self, due: Due<S>) {
        // Nobody is left to act when the node stops; the shard asks again when it is replayed.
        let _ = self.sender.send(due);
    }
}

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// Lets `carry_out` do what shards ask for, many at once, each when its step is committed. Runs as long as the node
    /// does, and once only. What a shard asked for in an epoch that is over is dropped: its successor asks again.
    pub async fn run_actions(&self, carry_out: impl AsyncFn(ShardAddress, S::Action)) {
        let receiver = self.due.receiver.lock().take();
        let mut receiver = receiver.expect("one task carries out a coordinator's actions");
        let mut running = FuturesUnordered::new();
        let carry_out = &carry_out;
        loop {
            tokio::select! {
                due = receiver.recv() => {
                    let Some(due) = due else { return };
                    running.push(async move {
                        let Due { shard, committed_at, actions } = due;
                        if shard.partition.committed(committed_at, shard.leader_epoch).await.is_ok() {
                            let address = ShardAddress { index: shard.index, leader_epoch: shard.leader_epoch };
                            let all: FuturesUnordered<_> =
                                actions.into_iter().map(|action| carry_out(address, action)).collect();
                            all.collect::<()>().await;
                        }
                    });
                }
                Some(()) = running.next(), if !running.is_empty() => {}
            }
        }
    }
}
