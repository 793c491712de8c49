//! How a shard comes into being: its partition is replayed on a thread of its own.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use coordinator::{CoordinatorEvent, CoordinatorShard};
use parking_lot::Mutex;
use tracing::{error, info};

use super::{CoordinatorRuntime, Shard, ShardState};
use crate::coordinator_log;
use crate::partition::Partition;

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// Replaying reads whole partitions: neither on a core nor on the thread that commits metadata.
    pub(super) fn start_loader(self: &Arc<Self>, to_load: mpsc::Receiver<Arc<Shard<S>>>) {
        let loader = Arc::downgrade(self);
        std::thread::Builder::new()
            .name(self.settings.loader.to_string())
            .spawn(move || {
                for shard in to_load {
                    let Some(coordinator) = loader.upgrade() else { return };
                    coordinator.load(&shard);
                }
            })
            .expect("the process may start threads");
    }

    pub(super) fn load_partition(&self, partition: Arc<Partition>, leader_epoch: i32) {
        let index = partition.topic_partition.partition;
        let state = ShardState {
            engine: None,
            next_request: 0,
            waiting: HashMap::new(),
            armed_for: None,
            awaits_reload: false,
            missed: Vec::new(),
        };
        let shard = Arc::new(Shard { index, leader_epoch, partition, state: Mutex::new(state) });
        self.shards.write().insert(index, shard.clone());
        self.load_later(shard);
    }

    pub(super) fn load_later(&self, shard: Arc<Shard<S>>) {
        self.loading.send(shard).expect("the thread that replays outlives the coordinator");
    }

    fn load(&self, shard: &Arc<Shard<S>>) {
        let is_wanted = || self.shards.read().get(&shard.index).is_some_and(|held| Arc::ptr_eq(held, shard));
        if !is_wanted() {
            return;
        }
        let config = self.config.read().clone();
        let batch_bytes_max = coordinator_log::batch_bytes_max(&shard.partition);
        let mut engine = S::new(&config, batch_bytes_max);
        match coordinator_log::replay(&shard.partition, self.settings.load_buffer_bytes, &mut engine) {
            Ok(replayed) if replayed > 0 => info!(
                topic_partition = %shard.partition.topic_partition,
                records = replayed,
                "replayed a coordinator's partition"
            ),
            Ok(_) => {}
            Err(reason) => {
                error!(
                    topic_partition = %shard.partition.topic_partition,
                    %reason,
                    "cannot replay a coordinator's partition; what it holds stays without a coordinator"
                );
                let mut shards = self.shards.write();
                if shards.get(&shard.index).is_some_and(|held| Arc::ptr_eq(held, shard)) {
                    shards.remove(&shard.index);
                }
                return;
            }
        }
        let mut state = shard.state.lock();
        if is_wanted() {
            // Settings may have changed while nobody could be told.
            let config = self.config.read().clone();
            engine.configure(&config, coordinator_log::batch_bytes_max(&shard.partition));
            state.engine = Some(engine);
            self.step(shard, &mut state, CoordinatorEvent::Loaded { leader_epoch: shard.leader_epoch });
            for notice in std::mem::take(&mut state.missed) {
                self.step(shard, &mut state, CoordinatorEvent::Notice(notice));
            }
        }
    }
}
