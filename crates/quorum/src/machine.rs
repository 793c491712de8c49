//! Committed entries on their way to whoever keeps the metadata, and snapshots on their way back.

use std::sync::Arc;

use openraft::{
    ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot, storage::RaftStateMachine,
};
use parking_lot::Mutex;
use protocol::metadata_records::MetadataRecord;

use crate::{
    control_batches::record_values,
    entry::{LogEntry, Payload},
    error::{QuorumError, storage_error},
    log_store::LogStore,
    proposer::Applied,
    settings::WallClock,
    snapshot_file::SnapshotFile,
    snapshot_store::{SnapshotStore, snapshot_id},
    type_config::{LogId, SnapshotMeta, StorageError, StoredMembership, TypeConfig, epoch_of},
    upkeep::Upkeep,
};

/// One committed batch.
#[derive(Debug, Clone, PartialEq)]
pub struct CommittedBatch {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Epoch of the leader that appended it.
    pub epoch: i32,
    /// When it was proposed or appended, ms.
    pub timestamp: i64,
    /// Metadata records in order; none in a control batch (a leader change, new voters).
    pub records: Vec<MetadataRecord>,
}

/// The content of a snapshot that replaces all state.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedSnapshot {
    /// Offset behind the last record it covers: that of the next batch to be replayed.
    pub end_offset: i64,
    /// Epoch of the last record it covers.
    pub epoch: i32,
    /// Timestamp of the last record it covers, ms.
    pub last_contained_log_timestamp: i64,
    /// Records that recreate the state.
    pub records: Vec<MetadataRecord>,
}

/// Records of a snapshot, made as they are written.
pub type SnapshotRecords = Box<dyn Iterator<Item = MetadataRecord> + Send>;

/// Keeps the state that the metadata log describes. Called on the quorum's thread, one call at a time.
pub trait MetadataStateMachine: Send + Sync + 'static {
    /// Applies the next committed batch. Offsets follow each other without a hole.
    fn replay(&mut self, batch: CommittedBatch);

    /// Records that recreate the state after all batches replayed so far. Should only take hold of an immutable
    /// image: the records are asked for later, while further batches are replayed.
    fn snapshot(&self) -> SnapshotRecords;

    /// Replaces the state.
    fn load(&mut self, snapshot: LoadedSnapshot);
}

/// What openraft applies entries to.
pub(crate) struct Machine {
    state_machine: Box<dyn MetadataStateMachine>,
    log: LogStore,
    snapshots: Arc<SnapshotStore>,
    upkeep: Arc<Upkeep>,
    clock: WallClock,
    last_applied: Option<LogId>,
    end_offset: i64,
    last_timestamp: i64,
    membership: StoredMembership,
}

impl Machine {
    /// Begins with the newest snapshot.
    pub fn open(
        mut state_machine: Box<dyn MetadataStateMachine>,
        log: LogStore,
        snapshots: Arc<SnapshotStore>,
        upkeep: Arc<Upkeep>,
        clock: WallClock,
    ) -> Result<Self, QuorumError> {
        let mut machine_state = (None, 0, -1, StoredMembership::default());
        if let Some(newest) = snapshots.newest() {
            state_machine.load(LoadedSnapshot {
                end_offset: newest.end_offset,
                epoch: epoch_of(&newest.last_log_id),
                last_contained_log_timestamp: newest.last_contained_log_timestamp,
                records: snapshots.load(&newest)?,
            });
            log.log().set_high_watermark(newest.end_offset);
            let membership = newest.meta.last_membership.clone();
            let timestamp = newest.last_contained_log_timestamp;
            machine_state = (Some(newest.last_log_id), newest.end_offset, timestamp, membership);
        }
        let (last_applied, end_offset, last_timestamp, membership) = machine_state;
        Ok(Self {
            state_machine,
            log,
            snapshots,
            upkeep,
            clock,
            last_applied,
            end_offset,
            last_timestamp,
            membership,
        })
    }

    fn apply_entry(&mut self, entry: LogEntry) -> Result<Applied, QuorumError> {
        let batch = records::batches(&entry.batch).next();
        let batch = batch.ok_or_else(|| QuorumError::corrupt(format!("entry {entry} has no batch")))??;
        let mut decoded = Vec::new();
        match entry.payload {
            Payload::Records(_) => {
                for value in record_values(&batch)? {
                    decoded.push(MetadataRecord::decode_framed(value)?);
                }
            }
            Payload::Voters(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership)
            }
            Payload::LeaderChange => {}
        }
        let (base_offset, last_offset) = (batch.header.base_offset, batch.header.last_offset());
        let epoch = epoch_of(&entry.log_id);
        self.state_machine.replay(CommittedBatch {
            base_offset,
            last_offset,
            epoch,
            timestamp: batch.header.max_timestamp,
            records: decoded,
        });
        self.last_applied = Some(entry.log_id);
        self.end_offset = last_offset + 1;
        self.last_timestamp = batch.header.max_timestamp;
        self.log.log().set_high_watermark(self.end_offset);
        self.upkeep.applied(batch.bytes.len());
        Ok(Applied { base_offset, last_offset, epoch })
    }

    fn install(&mut self, meta: &SnapshotMeta, received: &SnapshotFile) -> Result<(), QuorumError> {
        let (stored, records) = self.snapshots.install(meta, received)?;
        self.last_applied = Some(stored.last_log_id);
        self.end_offset = stored.end_offset;
        self.last_timestamp = stored.last_contained_log_timestamp;
        self.membership = stored.meta.last_membership.clone();
        self.state_machine.load(LoadedSnapshot {
            end_offset: stored.end_offset,
            epoch: epoch_of(&stored.last_log_id),
            last_contained_log_timestamp: stored.last_contained_log_timestamp,
            records,
        });
        self.upkeep.snapshot_taken();
        Ok(())
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut applied = Vec::new();
        for entry in entries {
            let log_id = entry.log_id;
            let result = self.apply_entry(entry);
            applied.push(
                result.map_err(|error| storage_error(ErrorSubject::Apply(log_id), ErrorVerb::Read, error))?,
            );
        }
        Ok(applied)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        // Only whole segments can be deleted behind a snapshot.
        if self.upkeep.is_due_by_size()
            && let Err(error) = self.log.log().roll(self.clock.now_ms())
        {
            tracing::error!(%error, "cannot roll the metadata log");
        }
        self.upkeep.snapshot_taken();
        Builder {
            snapshots: self.snapshots.clone(),
            upkeep: self.upkeep.clone(),
            meta: SnapshotMeta {
                last_log_id: self.last_applied,
                last_membership: self.membership.clone(),
                snapshot_id: snapshot_id(
                    self.end_offset,
                    self.last_applied.as_ref().map(epoch_of).unwrap_or(0),
                ),
            },
            end_offset: self.end_offset,
            last_timestamp: self.last_timestamp,
            now_ms: self.clock.now_ms(),
            records: Mutex::new(Some(self.state_machine.snapshot())),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        let file = self.snapshots.receive();
        Ok(Box::new(
            file.map_err(|error| storage_error(ErrorSubject::Snapshot(None), ErrorVerb::Write, error))?,
        ))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        received: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let installed = self.install(meta, &received);
        installed.map_err(|error| {
            storage_error(ErrorSubject::Snapshot(Some(meta.signature())), ErrorVerb::Write, error)
        })
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let Some(newest) = self.snapshots.newest() else { return Ok(None) };
        let file = self.snapshots.open_file(&newest);
        let file = file.map_err(|error| {
            storage_error(ErrorSubject::Snapshot(Some(newest.meta.signature())), ErrorVerb::Read, error)
        })?;
        Ok(Some(Snapshot { meta: newest.meta, snapshot: Box::new(file) }))
    }
}

/// Writes one snapshot, while the machine goes on.
pub(crate) struct Builder {
    snapshots: Arc<SnapshotStore>,
    upkeep: Arc<Upkeep>,
    meta: SnapshotMeta,
    end_offset: i64,
    last_timestamp: i64,
    now_ms: i64,
    records: Mutex<Option<SnapshotRecords>>,
}

impl Builder {
    async fn build(&mut self) -> Result<Snapshot<TypeConfig>, QuorumError> {
        if let Some(records) = self.records.get_mut().take() {
            let (meta, snapshots) = (self.meta.clone(), self.snapshots.clone());
            let (end_offset, last_timestamp, now_ms) = (self.end_offset, self.last_timestamp, self.now_ms);
            // The quorum answers others meanwhile, however large the state is.
            let writing = tokio::task::spawn_blocking(move || {
                snapshots.write(meta, end_offset, last_timestamp, now_ms, records)
            });
            writing.await.map_err(|_| QuorumError::Stopped)??;
            self.upkeep.snapshot_written();
        }
        let stored = self.snapshots.list().into_iter().find(|snapshot| snapshot.meta == self.meta);
        let stored = stored.ok_or_else(|| QuorumError::corrupt("a snapshot of nothing"))?;
        Ok(Snapshot { snapshot: Box::new(self.snapshots.open_file(&stored)?), meta: stored.meta })
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        let signature = self.meta.signature();
        self.build()
            .await
            .map_err(|error| storage_error(ErrorSubject::Snapshot(Some(signature)), ErrorVerb::Write, error))
    }
}
