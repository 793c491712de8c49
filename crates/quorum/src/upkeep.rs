//! When to take a snapshot, and what to delete behind it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    log_store::LogStore, settings::QuorumSettings, snapshot_store::SnapshotStore, type_config::Raft,
};

/// What has happened since the last snapshot.
#[derive(Debug)]
pub(crate) struct Upkeep {
    max_record_bytes: u64,
    record_bytes: AtomicU64,
    written: AtomicBool,
    due: Notify,
}

impl Upkeep {
    pub fn new(settings: &QuorumSettings) -> Self {
        Self {
            max_record_bytes: settings.max_record_bytes_between_snapshots,
            record_bytes: AtomicU64::new(0),
            written: AtomicBool::new(false),
            due: Notify::new(),
        }
    }

    /// A batch was applied.
    pub fn applied(&self, bytes: usize) {
        let before = self.record_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        // Again with every batch until there is a snapshot: raft passes over a wish while it writes one.
        if before + bytes as u64 >= self.max_record_bytes {
            self.due.notify_one();
        }
    }

    /// Whether so much was applied that there should be a snapshot.
    pub fn is_due_by_size(&self) -> bool {
        self.record_bytes.load(Ordering::Relaxed) >= self.max_record_bytes
    }

    /// A snapshot covers all that was applied so far.
    pub fn snapshot_taken(&self) {
        self.record_bytes.store(0, Ordering::Relaxed);
    }

    /// A snapshot of ours is on disk.
    pub fn snapshot_written(&self) {
        self.written.store(true, Ordering::Relaxed);
        self.due.notify_one();
    }
}

/// Takes snapshots and cleans up until raft has stopped.
pub(crate) async fn run(
    raft: Raft,
    upkeep: Arc<Upkeep>,
    log: LogStore,
    snapshots: Arc<SnapshotStore>,
    settings: QuorumSettings,
) {
    let interval = settings.max_snapshot_interval;
    let mut next_by_time = tokio::time::Instant::now() + interval;
    loop {
        let by_time = tokio::select! {
            () = upkeep.due.notified() => false,
            () = tokio::time::sleep_until(next_by_time), if !interval.is_zero() => true,
        };
        if upkeep.written.swap(false, Ordering::Relaxed) {
            next_by_time = tokio::time::Instant::now() + interval;
            if clean(&raft, &log, &snapshots, &settings).await.is_err() {
                return;
            }
        } else if by_time {
            next_by_time = tokio::time::Instant::now() + interval;
        }
        let is_due = upkeep.is_due_by_size() || (by_time && upkeep.record_bytes.load(Ordering::Relaxed) > 0);
        if is_due && raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Deletes the oldest snapshots while they are too old or all together too large, and the log in front of those left.
async fn clean(
    raft: &Raft,
    log: &LogStore,
    snapshots: &SnapshotStore,
    settings: &QuorumSettings,
) -> Result<(), openraft::error::Fatal<i32>> {
    loop {
        let stored = snapshots.list();
        let [oldest, next, ..] = &stored[..] else { return Ok(()) };
        let size = log.log().size() + stored.iter().map(|snapshot| snapshot.size_in_bytes).sum::<u64>();
        let is_too_large = settings.retention_bytes.is_some_and(|most| size > most);
        let age = settings.clock.now_ms() - oldest.last_contained_log_timestamp;
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let is_too_old = settings.retention.is_some_and(|longest| age > longest);
        if !is_too_large && !is_too_old {
            return Ok(());
        }
        let upto = next.last_log_id.index;
        if let Err(error) = snapshots.delete_oldest() {
            tracing::error!(%error, "cannot delete a metadata snapshot");
            return Ok(());
        }
        raft.trigger().purge_log(upto).await?;
        // Handled in order: when raft answers, the purge has been taken up.
        raft.with_raft_state(|_| ()).await?;
    }
}
