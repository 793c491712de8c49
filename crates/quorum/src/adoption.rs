//! A metadata log that Apache Kafka has written becomes ours, and back: what is read, checked and written for it.
//!
//! The files are Kafka's formats on both sides. What Kafka's log lacks is the raft index of an entry and a mark that
//! says whose it is: the first comes with a snapshot at the log's end, the second with `quorum-state`, whose replacement
//! is the moment of take-over. Until then Kafka finds nothing but one more valid snapshot of its own log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::metadata_records::MetadataRecord;
use records::Batch;
use storage::disk::{Disk, DiskFile, OpenMode, read_full_at, write_all_at};
use storage::file_names::{LogFileKind, PartitionDirectory, PartitionFile};
use storage::file_names::{parse_partition_directory, parse_partition_file};

use crate::adoption_scan::{Tail, scan};
use crate::control_batches::{
    kraft_version_of, metadata_batch, record_values, voters_at_leader_change, voters_of,
};
use crate::error::QuorumError;
use crate::machine::{CommittedBatch, LoadedSnapshot};
use crate::snapshot_format;
use crate::snapshot_store::{SnapshotStore, newest_file, snapshot_files, snapshot_id};
use crate::type_config::{Membership, SnapshotMeta, StoredMembership, VoterNode, log_id};
use crate::vote_file::VoteFile;

/// A metadata log as it was found.
#[derive(Debug)]
pub struct FoundMetadata {
    /// Offset behind the last whole record.
    pub end_offset: i64,
    /// Epoch of the last record.
    pub epoch: i32,
    /// Timestamp of the last record, ms; -1 in an empty log.
    pub last_timestamp: i64,
    /// `kraft.version`: 0 where the voters are in the configuration, 1 where they are in the log.
    pub kraft_version: i16,
    /// The voters by id, with the directory id if the log says it; empty where the log says nothing.
    pub voters: Vec<(i32, Option<Uuid>)>,
    /// The newest snapshot.
    pub snapshot: Option<LoadedSnapshot>,
    /// What the log holds behind it.
    pub batches: Vec<CommittedBatch>,
    /// Bytes at the log's end that are no whole batch: what a crash leaves; they go with the first start.
    pub torn_bytes: u64,
    /// Whether the log is ours already.
    pub is_ours: bool,
    nodes: Vec<(i32, VoterNode)>,
    batch_count: u64,
    /// Ends of the batches.
    ends: Vec<i64>,
    /// End offset and raft index of an earlier snapshot of ours: what was counted once is counted on.
    anchors: Vec<(i64, u64)>,
    /// Where the log begins.
    first_offset: i64,
    /// In `quorum-state`.
    known_epoch: Option<i32>,
    term: i32,
    last_segment: Option<PathBuf>,
}

/// Reads the metadata log in `directory` and changes nothing. `None` where nothing was ever written to it.
///
/// # Errors
/// The file that cannot be read, is damaged, or holds what this build does not know.
pub fn read_metadata_log(
    disk: &Arc<dyn Disk>,
    directory: &Path,
) -> Result<Option<FoundMetadata>, QuorumError> {
    let entries = disk.list(directory).map_err(|error| QuorumError::io("list", directory, &error))?;
    let votes = VoteFile::new(disk.clone(), directory);
    let (is_ours, known_epoch) = (votes.is_ours()?, votes.epoch()?);
    let mut found = FoundMetadata {
        end_offset: 0,
        epoch: 0,
        last_timestamp: -1,
        kraft_version: 0,
        voters: Vec::new(),
        snapshot: None,
        batches: Vec::new(),
        torn_bytes: 0,
        is_ours: is_ours == Some(true),
        nodes: Vec::new(),
        batch_count: 0,
        ends: Vec::new(),
        anchors: Vec::new(),
        first_offset: 0,
        known_epoch,
        term: known_epoch.unwrap_or(0),
        last_segment: None,
    };
    if let Some((name, end_offset, epoch)) = newest_file(&entries) {
        found.load_snapshot(&**disk, &directory.join(name), end_offset, epoch)?;
    }
    for (name, end_offset) in snapshot_files(&entries) {
        let path = directory.join(name);
        let file =
            disk.open(&path, OpenMode::Read).map_err(|error| QuorumError::io("open", &path, &error))?;
        // One that cannot be read is no anchor; the newest was read whole above.
        let Ok(header) = snapshot_format::read_header(&*file, &path) else { continue };
        let last = header.meta.and_then(|meta| meta.last_log_id);
        found.anchors.extend(last.map(|log_id| (end_offset, log_id.index)));
    }
    let mut segments: Vec<(i64, PathBuf)> = entries
        .iter()
        .filter(|entry| entry.length > 0)
        .filter_map(|entry| match parse_partition_file(&entry.name) {
            PartitionFile::Log(offset, LogFileKind::Log) => Some((offset, directory.join(&entry.name))),
            _ => None,
        })
        .collect();
    segments.sort();
    let mut next_offset = None;
    let count = segments.len();
    for (index, (base_offset, path)) in segments.into_iter().enumerate() {
        found.read_segment(&**disk, &path, base_offset, &mut next_offset, index + 1 == count)?;
        found.last_segment = Some(path);
    }
    found.term = found.term.max(found.epoch);
    let is_empty = found.batch_count == 0 && found.snapshot.as_ref().is_none_or(|s| s.end_offset == 0);
    Ok((!is_empty).then_some(found))
}

impl FoundMetadata {
    fn load_snapshot(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        end_offset: i64,
        epoch: i32,
    ) -> Result<(), QuorumError> {
        let file = disk.open(path, OpenMode::Read).map_err(|error| QuorumError::io("open", path, &error))?;
        let content = snapshot_format::read_content(&file, path)
            .map_err(|error| QuorumError::corrupt(format!("{}: {}", path.display(), reason(&error))))?;
        self.kraft_version = content.kraft_version.unwrap_or(0);
        if let Some(voters) = content.voters {
            self.note_voters(&voters);
        }
        self.end_offset = end_offset;
        self.epoch = epoch;
        self.last_timestamp = content.header.last_contained_log_timestamp;
        self.snapshot = Some(LoadedSnapshot {
            end_offset,
            epoch,
            last_contained_log_timestamp: content.header.last_contained_log_timestamp,
            records: content.records,
        });
        Ok(())
    }

    fn note_voters(&mut self, membership: &Membership) {
        let ids: Vec<i32> = membership.voter_ids().collect();
        let nodes = membership.nodes().filter(|(id, _)| ids.contains(id));
        self.nodes = nodes.map(|(id, node)| (*id, node.clone())).collect();
        let known = |id: Uuid| (id != Uuid::ZERO).then_some(id);
        self.voters = self.nodes.iter().map(|(id, node)| (*id, known(node.directory_id))).collect();
    }

    fn read_segment(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        base_offset: i64,
        next_offset: &mut Option<i64>,
        is_last: bool,
    ) -> Result<(), QuorumError> {
        let bytes = read_file(disk, path)?;
        let damaged = |at: usize, why: &str| {
            QuorumError::corrupt(format!("{} is damaged at position {at}: {why}", path.display()))
        };
        let (batches, tail) = scan(&bytes);
        let (mut last_epoch, known_epoch) = (0, self.known_epoch);
        for batch in &batches {
            let header = &batch.header;
            let expected = next_offset.unwrap_or(base_offset);
            if header.base_offset != expected {
                let why = format!("offset {} where {expected} is due", header.base_offset);
                return Err(QuorumError::corrupt(format!("{}: {why}", path.display())));
            }
            let epoch = header.partition_leader_epoch;
            // Votes are on disk before anybody writes in their epoch.
            let newest = known_epoch.unwrap_or(i32::MAX);
            if epoch < last_epoch || epoch > newest {
                let why = format!("epoch {epoch} at offset {expected}, between {last_epoch} and {newest}");
                return Err(QuorumError::corrupt(format!("{}: {why}", path.display())));
            }
            last_epoch = epoch;
            self.take_batch(batch, path)?;
            *next_offset = Some(header.next_offset());
        }
        match tail {
            Tail::Nothing => Ok(()),
            Tail::Torn { position } if is_last => {
                self.torn_bytes = (bytes.len() - position) as u64;
                Ok(())
            }
            Tail::Torn { position } => Err(damaged(position, "a whole record batch is due")),
            Tail::Damage { position } => {
                Err(damaged(position, "a record batch is broken although whole ones follow it"))
            }
        }
    }

    fn take_batch(&mut self, batch: &Batch, path: &Path) -> Result<(), QuorumError> {
        let header = &batch.header;
        let covered = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.end_offset);
        if self.batch_count == 0 {
            self.first_offset = header.base_offset;
            if header.base_offset > covered {
                return Err(QuorumError::corrupt(format!(
                    "offsets {covered} to {} are missing: the log begins with {} and no snapshot covers them",
                    header.base_offset - 1,
                    path.display()
                )));
            }
        }
        self.batch_count += 1;
        self.ends.push(header.next_offset());
        if header.is_control() {
            self.kraft_version = kraft_version_of(batch)?.unwrap_or(self.kraft_version);
            if let Some(voters) = voters_of(batch)? {
                self.note_voters(&voters);
            } else if self.nodes.is_empty()
                && let Some(voters) = voters_at_leader_change(batch)?
            {
                self.voters = voters.into_iter().map(|id| (id, None)).collect();
            }
        }
        if header.next_offset() <= covered {
            return Ok(());
        }
        let mut records = Vec::new();
        let values = if header.is_control() { Vec::new() } else { record_values(batch)? };
        for (offset, value) in (header.base_offset..).zip(values) {
            let record = MetadataRecord::decode_framed(value).map_err(|error| {
                QuorumError::corrupt(format!(
                    "the record at offset {offset} is of a kind that this build does not know, or damaged: {error}"
                ))
            })?;
            records.push(record);
        }
        self.epoch = header.partition_leader_epoch;
        self.end_offset = header.next_offset();
        self.last_timestamp = header.max_timestamp;
        self.batches.push(CommittedBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            epoch: header.partition_leader_epoch,
            timestamp: header.max_timestamp,
            records,
        });
        Ok(())
    }

    /// The raft index of the last entry, from which the others are counted back. A log that has lost its start has had
    /// more than it has; how many nobody can tell, and nobody needs to.
    fn last_index(&self) -> u64 {
        if self.first_offset == 0 {
            return self.batch_count.saturating_sub(1);
        }
        let counted = self.anchors.iter().rev().find_map(|(end_offset, index)| {
            let before = match self.ends.binary_search(end_offset) {
                Ok(at) => at + 1,
                Err(_) if *end_offset == self.first_offset => 0,
                Err(_) => return None,
            };
            Some(index.saturating_add((self.ends.len() - before) as u64))
        });
        counted.unwrap_or(self.batch_count.saturating_add(self.end_offset.unsigned_abs()))
    }

    /// Makes the log ours: a snapshot of `records`, which say the same as the log, at the log's end; then `quorum-state`.
    /// A crash leaves it Kafka's or makes it ours, and Kafka can still read it either way.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn take_over(
        &self,
        disk: &Arc<dyn Disk>,
        directory: &Path,
        (node_id, directory_id): (i32, Uuid),
        now_ms: i64,
        records: Vec<MetadataRecord>,
    ) -> Result<(), QuorumError> {
        let node = match self.nodes.iter().find(|(id, _)| *id == node_id) {
            Some((_, node)) => node.clone(),
            None if self.kraft_version == 0 => VoterNode::default(),
            None => VoterNode { directory_id, endpoints: Vec::new() },
        };
        let membership = Membership::from(std::collections::BTreeMap::from([(node_id, node)]));
        let last_log_id = log_id(self.epoch, self.last_index());
        let meta = SnapshotMeta {
            last_log_id: Some(last_log_id),
            last_membership: StoredMembership::new(Some(last_log_id), membership),
            snapshot_id: snapshot_id(self.end_offset, self.epoch),
        };
        let store = SnapshotStore::unlisted(disk.clone(), directory.to_owned());
        store.write(meta, self.end_offset, self.last_timestamp, now_ms, records.into_iter())?;
        VoteFile::new(disk.clone(), directory).hand_over(self.term, true)
    }

    /// Makes the log Kafka's: `last_words` are appended to it, then `quorum-state` loses our mark. The caller has seen to
    /// it that the log was closed cleanly.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn give_back(
        &self,
        disk: &Arc<dyn Disk>,
        directory: &Path,
        now_ms: i64,
        last_words: &[MetadataRecord],
    ) -> Result<(), QuorumError> {
        if !last_words.is_empty() {
            let path = self.last_segment.as_ref();
            let path = path.ok_or_else(|| QuorumError::corrupt("the log has no segment to append to"))?;
            let framed = last_words.iter().map(MetadataRecord::encode_framed);
            let framed = framed.collect::<Result<Vec<_>, _>>()?;
            let batch = metadata_batch(self.end_offset, self.epoch, now_ms, &framed);
            let file = disk.open(path, OpenMode::ReadWrite);
            let file = file.map_err(|error| QuorumError::io("open", path, &error))?;
            let end = file.length().map_err(|error| QuorumError::io("read", path, &error))?;
            write_all_at(&*file, end, &[&batch])
                .map_err(|failure| QuorumError::io("write", path, &failure.source))?;
            file.sync_data().map_err(|error| QuorumError::io("sync", path, &error))?;
        }
        VoteFile::new(disk.clone(), directory).hand_over(self.term, false)
    }
}

/// Fails unless the metadata log in `metadata_directory` is ours or there is none yet. `log_directories` must hold no
/// partitions where there is none: they belong to somebody. Says whether there is none.
///
/// # Errors
/// Whose it is, and what makes it ours.
pub fn check_ownership(
    disk: &Arc<dyn Disk>,
    metadata_directory: &Path,
    log_directories: &[PathBuf],
) -> Result<bool, QuorumError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| QuorumError::io("read", &path, &error)
    };
    let log_directory = metadata_directory.parent().unwrap_or(metadata_directory).display();
    let adopt = format!("stop Kafka and run `klamm storage adopt {log_directory}`; nothing was changed");
    if disk.entry(metadata_directory).map_err(io(metadata_directory))?.is_some() {
        match VoteFile::new(disk.clone(), metadata_directory).is_ours()? {
            Some(true) => return Ok(false),
            Some(false) => {
                return Err(QuorumError::Storage(format!(
                    "the one in {log_directory} is Apache Kafka's, and Klamm has not taken it over: {adopt}"
                )));
            }
            None => {}
        }
        let entries = disk.list(metadata_directory).map_err(io(metadata_directory))?;
        let is_used = entries.iter().any(|entry| entry.length > 0 && entry.name.ends_with(".log"))
            || newest_file(&entries).is_some_and(|(_, end_offset, _)| end_offset > 0);
        if is_used {
            return Err(QuorumError::Storage(format!(
                "the one in {log_directory} has no quorum-state, so that nobody can tell whose it is: {adopt}"
            )));
        }
    }
    for directory in log_directories {
        let Ok(entries) = disk.list(directory) else { continue };
        let foreign = entries.into_iter().filter(|entry| entry.is_directory).find(|entry| {
            let parsed = parse_partition_directory(&entry.name);
            matches!(parsed, PartitionDirectory::Log { topic, .. } if topic != "__cluster_metadata")
        });
        if let Some(entry) = foreign {
            return Err(QuorumError::Storage(format!(
                "there is none in {log_directory}, but {} holds {}: name the directory of the metadata log first in log.dirs, \
                 or a directory that is empty; if the partitions are Apache Kafka's, {adopt}",
                directory.display(),
                entry.name
            )));
        }
    }
    Ok(true)
}

fn read_file(disk: &dyn Disk, path: &Path) -> Result<Bytes, QuorumError> {
    let io = |error| QuorumError::io("read", path, &error);
    let file: Arc<dyn DiskFile> = disk.open(path, OpenMode::Read).map_err(io)?;
    let length = usize::try_from(file.length().map_err(io)?)
        .map_err(|_| QuorumError::corrupt(format!("{} is too large", path.display())))?;
    let mut bytes = vec![0; length];
    let read = read_full_at(&*file, 0, &mut bytes).map_err(io)?;
    bytes.truncate(read);
    Ok(Bytes::from(bytes))
}

/// An error's text without the words that every error of this crate begins with.
fn reason(error: &QuorumError) -> String {
    let text = error.to_string();
    text.strip_prefix("metadata log: ").map_or(text.clone(), str::to_owned)
}
