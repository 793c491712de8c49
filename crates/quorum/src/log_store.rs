//! The partition log as openraft's log: entries in, entries out, each made durable before it counts.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Bytes, BytesMut};
use openraft::{
    ErrorSubject, ErrorVerb, LogState, OptionalSend,
    storage::{LogFlushed, RaftLogStorage},
};
use parking_lot::Mutex;
use protocol::Uuid;
use records::Batch;

use crate::{
    control_batches::{Place, leader_change_batch, metadata_batch, payload_of, voters_batch},
    entry::{LogEntry, Payload},
    error::{QuorumError, storage_error},
    index::{self, Built, IndexedEntry, LogIndex, Purged},
    log_reader,
    settings::{QuorumSettings, QuorumStorage, WallClock},
    snapshot_store::SnapshotStore,
    type_config::{LogId, Membership, StorageError, TypeConfig, Vote, epoch_of},
    vote_file::VoteFile,
};

/// Bytes of the newest batches kept in memory: what is applied and replicated is usually what was just appended.
const RECENT_BYTES: usize = 4 * 1024 * 1024;

/// The log, shared by raft's core, its replication streams and the state machine.
#[derive(Clone)]
pub(crate) struct LogStore {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    replica_id: i32,
    clock: WallClock,
    storage: QuorumStorage,
    votes: VoteFile,
    saved_vote: Mutex<Option<openraft::LeaderId<i32>>>,
    snapshots: Arc<SnapshotStore>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub index: LogIndex,
    /// The last batches, oldest first; the last one is the last entry's.
    pub recent: VecDeque<Bytes>,
    recent_bytes: usize,
    /// Memberships by raft index, for those in the log; the one before all of them is that of the newest snapshot.
    memberships: Vec<(u64, Membership)>,
}

impl State {
    /// The batch of an entry, if it is still in memory.
    pub fn recent_batch(&self, index: u64) -> Option<Bytes> {
        let from_end = self.index.next_index().checked_sub(index)?;
        let at = self.recent.len().checked_sub(usize::try_from(from_end).ok()?)?;
        self.recent.get(at).cloned()
    }

    fn remember(&mut self, batch: Bytes) {
        self.recent_bytes += batch.len();
        self.recent.push_back(batch);
        while self.recent_bytes > RECENT_BYTES && self.recent.len() > 1 {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(batch) = self.recent.pop_front() {
            self.recent_bytes -= batch.len();
        }
    }

    fn membership(&self) -> Membership {
        self.memberships.last().map(|(_, membership)| membership.clone()).unwrap_or_default()
    }
}

impl LogStore {
    /// Reads every batch header there is, counts them, and drops a log that a snapshot has left behind.
    pub fn open(
        settings: &QuorumSettings,
        storage: QuorumStorage,
        snapshots: Arc<SnapshotStore>,
    ) -> Result<Self, QuorumError> {
        let mut batches = Vec::new();
        let mut voters = Vec::new();
        log_reader::for_each_batch(&storage.log, |batch| {
            if let Payload::Voters(membership) = payload_of(batch)? {
                voters.push((batch.header.next_offset(), membership));
            }
            batches.push(indexed(batch));
            Ok(())
        })?;
        let newest = snapshots.newest();
        let log_start_offset = storage.log.log_start_offset();
        let oldest = snapshots.list().into_iter().find(|snapshot| snapshot.end_offset >= log_start_offset);
        let (newest_purged, oldest) = (newest.as_ref().map(|s| s.as_purged()), oldest.map(|s| s.as_purged()));
        let index = match index::build(batches, newest_purged, oldest) {
            Built::Whole(index) => index,
            Built::LeftBehind(purged) => {
                let emptied =
                    storage.log.truncate_fully_and_start_at(purged.end_offset, settings.clock.now_ms());
                emptied.map_err(|error| QuorumError::corrupt(error.to_string()))?;
                LogIndex::new(Some(purged))
            }
            Built::Hole => {
                return Err(QuorumError::corrupt(
                    "records between the newest snapshot and the log are missing",
                ));
            }
        };
        let mut memberships: Vec<_> =
            newest.iter().map(|snapshot| (0, snapshot.meta.last_membership.membership().clone())).collect();
        let in_log = voters.into_iter();
        memberships.extend(
            in_log.filter_map(|(end, membership)| Some((index.entry_ending_at(end)?.index, membership))),
        );
        memberships.sort_by_key(|(index, _)| *index);
        let votes = VoteFile::new(storage.disk.clone(), &storage.directory);
        let state = State { index, recent: VecDeque::new(), recent_bytes: 0, memberships };
        let shared = Shared {
            replica_id: settings.replica_id,
            clock: settings.clock.clone(),
            storage,
            votes,
            saved_vote: Mutex::new(None),
            snapshots,
            state: Mutex::new(state),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub fn with_state<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.shared.state.lock())
    }

    pub fn log(&self) -> &Arc<storage::PartitionLog> {
        &self.shared.storage.log
    }

    /// Says durably that an empty log is ours.
    pub fn claim(&self) -> Result<(), QuorumError> {
        match self.shared.votes.is_ours()? {
            Some(true) => Ok(()),
            _ => self.shared.votes.hand_over(0, true),
        }
    }

    fn directory_of(&self, replica_id: i32) -> Uuid {
        self.with_state(State::membership)
            .get_node(&replica_id)
            .map(|node| node.directory_id)
            .unwrap_or_default()
    }

    /// The batch of an entry, made here if we are the leader that proposes it.
    fn batch_of(&self, entry: &LogEntry, base_offset: i64) -> Result<Bytes, QuorumError> {
        let epoch = epoch_of(&entry.log_id);
        let place = Place { base_offset, epoch, now_ms: self.shared.clock.now_ms() };
        let batch = match &entry.payload {
            _ if !entry.batch.is_empty() => entry.batch.clone(),
            Payload::Records(proposal) => {
                metadata_batch(base_offset, epoch, proposal.timestamp, &proposal.records)
            }
            Payload::Voters(membership) => voters_batch(place, membership, entry.log_id.index == 0)?,
            Payload::LeaderChange => {
                leader_change_batch(place, self.shared.replica_id, &self.with_state(State::membership))?
            }
        };
        Ok(batch)
    }

    fn append_entries(&self, entries: impl Iterator<Item = LogEntry>) -> Result<(), QuorumError> {
        let mut base_offset = self.with_state(|state| state.index.end_offset());
        let mut appended = Vec::new();
        let mut joined = BytesMut::new();
        for entry in entries {
            let bytes = self.batch_of(&entry, base_offset)?;
            let batch = records::batches(&bytes).next();
            let batch = batch.ok_or_else(|| QuorumError::corrupt(format!("entry {entry} is empty")))??;
            let epoch_fits = batch.header.partition_leader_epoch == epoch_of(&entry.log_id);
            if batch.header.base_offset != base_offset || batch.bytes.len() != bytes.len() || !epoch_fits {
                let found = batch.header.base_offset;
                return Err(QuorumError::corrupt(format!(
                    "entry {entry} begins at {found}, not at {base_offset}"
                )));
            }
            base_offset = batch.header.next_offset();
            joined.extend_from_slice(&bytes);
            appended.push((entry, batch));
        }
        let now_ms = self.shared.clock.now_ms();
        let log = self.log();
        log.append_as_follower(&joined.freeze(), now_ms)
            .map_err(|error| QuorumError::corrupt(error.to_string()))?;
        // One append at a time waits for the disk here: openraft waits for each of them anyway.
        log.flush().map_err(|error| QuorumError::corrupt(error.to_string()))?;
        let mut state = self.shared.state.lock();
        for (entry, batch) in appended {
            state.index.push(indexed(&batch));
            state.remember(batch.bytes);
            if let Payload::Voters(membership) = entry.payload {
                state.memberships.push((entry.log_id.index, membership));
            }
        }
        Ok(())
    }

    fn truncate_from(&self, index: u64) -> Result<(), QuorumError> {
        let mut state = self.shared.state.lock();
        let Some(base_offset) = state.index.get(index).map(|entry| entry.base_offset) else { return Ok(()) };
        let cut = self.log().truncate_to(base_offset, self.shared.clock.now_ms());
        cut.map_err(|error| QuorumError::corrupt(error.to_string()))?;
        state.index.truncate(index);
        state.recent.clear();
        state.recent_bytes = 0;
        state.memberships.retain(|(at, _)| *at < index);
        Ok(())
    }

    async fn purge_to(&self, log_id: LogId) -> Result<(), QuorumError> {
        let present = self.with_state(|state| state.index.end_offset_of(log_id.index));
        let purged = match present {
            Some(end_offset) => Purged { log_id, end_offset },
            None => self.shared.snapshots.wait_for(log_id).await,
        };
        let now_ms = self.shared.clock.now_ms();
        let mut state = self.shared.state.lock();
        let log = self.log();
        let behind_all = log_id.index >= state.index.next_index();
        let result = if behind_all {
            log.truncate_fully_and_start_at(purged.end_offset, now_ms)
        } else {
            log.advance_log_start_offset(purged.end_offset)
                .and_then(|()| log.delete_old_segments(now_ms).map(|_| ()))
        };
        result.map_err(|error| QuorumError::corrupt(error.to_string()))?;
        state.index.purge(purged);
        while state.recent.len() as u64 > state.index.next_index() - state.index.first_index() {
            state.forget_oldest();
        }
        Ok(())
    }
}

fn indexed(batch: &Batch) -> IndexedEntry {
    IndexedEntry {
        epoch: batch.header.partition_leader_epoch,
        base_offset: batch.header.base_offset,
        end_offset: batch.header.next_offset(),
        size_in_bytes: u32::try_from(batch.bytes.len()).unwrap_or(u32::MAX),
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        Ok(self.with_state(|state| LogState {
            last_purged_log_id: state.index.purged().map(|purged| purged.log_id),
            last_log_id: state.index.last_log_id(),
        }))
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        // That we won with a vote for ourselves, which is on disk, is forgotten with the process anyway.
        let own = vote.leader_id.voted_for == Some(self.shared.replica_id);
        if own && vote.committed && self.shared.saved_vote.lock().as_ref() == Some(&vote.leader_id) {
            return Ok(());
        }
        let saved = self.shared.votes.save(vote, |replica_id| self.directory_of(replica_id));
        *self.shared.saved_vote.lock() = Some(vote.leader_id);
        saved.map_err(|error| storage_error(ErrorSubject::Vote, ErrorVerb::Write, error))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let vote = self.shared.votes.load(self.shared.replica_id);
        vote.map_err(|error| storage_error(ErrorSubject::Vote, ErrorVerb::Read, error))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let appended = self.append_entries(entries.into_iter());
        appended.map_err(|error| storage_error(ErrorSubject::Logs, ErrorVerb::Write, error))?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let cut = self.truncate_from(log_id.index);
        cut.map_err(|error| storage_error(ErrorSubject::Log(log_id), ErrorVerb::Delete, error))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let purged = self.purge_to(log_id).await;
        purged.map_err(|error| storage_error(ErrorSubject::Log(log_id), ErrorVerb::Delete, error))
    }
}
