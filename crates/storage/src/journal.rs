//! The journal of a log directory: pieces of many segments made durable by one write and one sync.
//!
//! A round of group commit with many files would pay a sync for each, or write the whole volume back. Instead the
//! bytes that wait are copied into one preallocated file. The segments are synced later, in the background, before
//! that half of the journal is written again; after an unclean stop the pieces are brought back into them.
//!
//! What is cut, replaced, renamed or deleted must not come back: whoever does that calls [`Journal::retire`] first and
//! holds rounds back until it is done.

mod format;
mod replay;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

pub(crate) use self::replay::replay;

use self::format::{BLOCK_BYTES, Turn};
use crate::disk::{DiskFile, OpenMode, WRITE_BYTES_MAX, read_full_at, write_all_at};
use crate::error::StorageError;
use crate::file_names::{JOURNAL_FILE, LogFileKind};
use crate::log_directory::LogDirectory;
use crate::partition_log::PartitionLog;
use crate::segment::Segment;
use crate::sync_batch::SyncBatch;

/// With fewer files a round syncs them one by one.
pub(crate) const JOURNAL_FILES_MIN: usize = 3;
/// More than this in one round is worth syncs of its own.
const ROUND_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A segment with bytes that are to be durable.
pub(crate) struct SegmentSync {
    pub(crate) log: Arc<PartitionLog>,
    pub(crate) segment: Arc<Segment>,
    /// Up to here it is durable already.
    pub(crate) from: u32,
    /// Up to here it is to be.
    pub(crate) to: u32,
}

type LiveSegment = (Arc<PartitionLog>, Arc<Segment>);

/// The journal of one directory.
#[derive(Default)]
pub(crate) struct Journal {
    state: Mutex<State>,
    chores: Mutex<Chores>,
    chore_came: Condvar,
}

#[derive(Default)]
struct State {
    /// None as long as there was no round for it.
    file: Option<Arc<dyn DiskFile>>,
    half_bytes: u64,
    halves: [Half; 2],
    current: usize,
    generation: u64,
}

#[derive(Default)]
struct Half {
    generation: u64,
    position: u64,
    sequence: u32,
    /// Segments with bytes that only this half has made durable, by address.
    live: BTreeMap<usize, LiveSegment>,
}

/// What the background has to do.
#[derive(Default)]
struct Chores {
    creates: bool,
    settles: [bool; 2],
    is_stopping: bool,
    /// 0 is for a directory without a journal; also once it could not be made.
    bytes: u64,
}

impl Journal {
    /// A journal of `bytes`, made when it is first needed.
    pub(crate) fn new(bytes: u64) -> Journal {
        let journal = Journal::default();
        journal.chores.lock().bytes = bytes;
        journal
    }

    /// Makes pieces of segments durable; false if the journal cannot take them and they are to be synced as usual.
    pub(crate) fn write(
        &self,
        directory: &LogDirectory,
        pieces: &[SegmentSync],
    ) -> Result<bool, StorageError> {
        let mut state = self.state.lock();
        let Some(file) = state.file.clone() else {
            self.ask(|chores| chores.creates = true);
            return Ok(false);
        };
        let size: usize = pieces
            .iter()
            .map(|piece| (piece.to - piece.from) as usize + format::overhead(&piece.name()))
            .sum();
        if size > ROUND_BYTES_MAX || !self.make_room(&mut state, size) {
            return Ok(false);
        }
        let (generation, current, half_bytes) = (state.generation, state.current, state.half_bytes);
        let half = &mut state.halves[current];
        half.generation = generation;
        let mut round = Vec::with_capacity(size.next_multiple_of(BLOCK_BYTES));
        for piece in pieces {
            let turn = Turn { generation, sequence: half.sequence };
            match piece.encode(turn, &mut round) {
                Err(_) if piece.segment.is_discarded() => continue,
                encoded => encoded.map_err(|error| directory.fail(error))?,
            }
            half.sequence += 1;
            let live = || (Arc::clone(&piece.log), Arc::clone(&piece.segment));
            half.live.entry(Arc::as_ptr(&piece.segment).addr()).or_insert_with(live);
        }
        round.resize(round.len().next_multiple_of(BLOCK_BYTES), 0);
        let position = half.position;
        half.position += round.len() as u64;
        let at = position + half_bytes * current as u64;
        let written = write_all_at(file.as_ref(), at, &[&round]).map_err(|failure| failure.source);
        let synced = written.and_then(|()| file.sync_data());
        synced.map_err(|error| directory.fail(StorageError::io("write", &path(directory), error)))?;
        Ok(true)
    }

    /// Sees to it that the current half has room; false as long as the other one is not settled.
    fn make_room(&self, state: &mut State, size: usize) -> bool {
        let size = size.next_multiple_of(BLOCK_BYTES) as u64;
        let fits = |half: &Half| half.position + size <= state.half_bytes;
        if fits(&state.halves[state.current]) {
            return true;
        }
        let (full, other) = (state.current, 1 - state.current);
        self.ask(|chores| chores.settles[full] = true);
        if !state.halves[other].live.is_empty() || !fits(&Half::default()) {
            return false;
        }
        state.generation += 1;
        state.current = other;
        state.halves[other] = Half::default();
        true
    }

    /// Before bytes of a log that were durable are cut, replaced, renamed or deleted: nothing in the journal may bring
    /// them back. The caller holds rounds back from before this call until that is done.
    pub(crate) fn retire(&self, directory: &LogDirectory, log: &PartitionLog) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        let is_live = |half: &Half| half.live.values().any(|(live, _)| std::ptr::eq(Arc::as_ptr(live), log));
        if state.halves.iter().any(is_live) { settle_all(&mut state, directory) } else { Ok(()) }
    }

    /// Ends it at a clean stop, when no round is to come: the file goes.
    pub(crate) fn close(&self, directory: &LogDirectory) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        if state.file.is_none() {
            return Ok(());
        }
        settle_all(&mut state, directory)?;
        state.file = None;
        let path = path(directory);
        let removed = directory.disk().remove_file(&path);
        let removed = removed.and_then(|()| directory.disk().sync_dir(directory.path()));
        removed.map_err(|error| directory.fail(StorageError::io("remove", &path, error)))
    }

    /// Lets go of every log.
    pub(crate) fn release(&self) {
        *self.state.lock() = State::default();
    }

    fn ask(&self, change: impl FnOnce(&mut Chores)) {
        let mut chores = self.chores.lock();
        if chores.bytes > 0 {
            change(&mut chores);
            self.chore_came.notify_one();
        }
    }

    /// Does what has to be done in the background, in the foreground.
    pub(crate) fn do_chores(&self, directory: &LogDirectory) -> Result<(), StorageError> {
        self.do_these(directory, self.chores.lock())
    }

    /// Does it until [`Journal::stop`]: the loop of a thread.
    pub(crate) fn run(&self, directory: &LogDirectory) {
        loop {
            let mut chores = self.chores.lock();
            while !chores.creates && chores.settles == [false; 2] && !chores.is_stopping {
                self.chore_came.wait(&mut chores);
            }
            // A directory that failed has said why.
            if chores.is_stopping || self.do_these(directory, chores).is_err() {
                return;
            }
        }
    }

    /// Ends [`Journal::run`].
    pub(crate) fn stop(&self) {
        self.chores.lock().is_stopping = true;
        self.chore_came.notify_all();
    }

    fn do_these(
        &self,
        directory: &LogDirectory,
        mut chores: MutexGuard<'_, Chores>,
    ) -> Result<(), StorageError> {
        let (creates, settles) = (std::mem::take(&mut chores.creates), std::mem::take(&mut chores.settles));
        let bytes = chores.bytes;
        drop(chores);
        directory.check_online()?;
        for index in (0..settles.len()).filter(|index| settles[*index]) {
            self.settle(directory, index)?;
        }
        if creates && bytes > 0 && self.state.lock().file.is_none() {
            match create(directory, bytes) {
                Ok((file, half_bytes)) => {
                    let mut state = self.state.lock();
                    *state = State { file: Some(file), half_bytes, generation: 1, ..State::default() };
                }
                Err(error) => {
                    tracing::warn!(
                        directory = %directory.path().display(),
                        %error,
                        "no journal: syncs of many partitions at a time take longer"
                    );
                    self.chores.lock().bytes = 0;
                }
            }
        }
        Ok(())
    }

    /// Syncs what a half has made durable, while rounds go on with the other one.
    fn settle(&self, directory: &LogDirectory, index: usize) -> Result<(), StorageError> {
        let (generation, live) = {
            let state = self.state.lock();
            let half = &state.halves[index];
            if index == state.current {
                return Ok(());
            }
            (half.generation, half.live.values().cloned().collect::<Vec<_>>())
        };
        sync_segments(directory, &live)?;
        let mut state = self.state.lock();
        if state.halves[index].generation == generation && index != state.current {
            empty(&mut state, directory, index)?;
        }
        Ok(())
    }
}

/// Syncs everything that is live, and begins again.
fn settle_all(state: &mut State, directory: &LogDirectory) -> Result<(), StorageError> {
    let live: Vec<LiveSegment> = state.halves.iter().flat_map(|half| half.live.values().cloned()).collect();
    sync_segments(directory, &live)?;
    empty(state, directory, 0)?;
    empty(state, directory, 1)?;
    state.generation += 1;
    Ok(())
}

fn sync_segments(directory: &LogDirectory, live: &[LiveSegment]) -> Result<(), StorageError> {
    let mut batch = SyncBatch::default();
    for (log, segment) in live {
        if segment.is_discarded() {
            continue;
        }
        // Whoever has taken it before may not have synced it yet.
        segment.take_unsynced(LogFileKind::Log);
        let (place, kind) = (log.place(), LogFileKind::Log);
        let added = batch.add_file(segment.path(place, kind), || segment.file(place, kind));
        match added {
            // Deleted since.
            Err(_) if segment.is_discarded() => {}
            added => added.map_err(|error| directory.fail(error))?,
        }
    }
    batch.commit(directory)
}

/// Marks a half as settled: nothing of it is brought back any more.
fn empty(state: &mut State, directory: &LogDirectory, index: usize) -> Result<(), StorageError> {
    let Some(file) = &state.file else { return Ok(()) };
    if state.halves[index].position == 0 {
        return Ok(());
    }
    let at = state.half_bytes * index as u64;
    let written = write_all_at(file.as_ref(), at, &[&[0; BLOCK_BYTES]]).map_err(|failure| failure.source);
    let synced = written.and_then(|()| file.sync_data());
    synced.map_err(|error| directory.fail(StorageError::io("write", &path(directory), error)))?;
    state.halves[index] = Half::default();
    Ok(())
}

/// Makes the file, with zeros on disk, so that a round changes nothing but contents.
fn create(directory: &LogDirectory, bytes: u64) -> io::Result<(Arc<dyn DiskFile>, u64)> {
    let half_bytes = (bytes / 2 / BLOCK_BYTES as u64).max(1) * BLOCK_BYTES as u64;
    let (disk, path) = (directory.disk(), path(directory));
    let made = disk.open(&path, OpenMode::Truncate).and_then(|file| {
        let zeros = vec![0; WRITE_BYTES_MAX];
        let mut position = 0;
        while position < half_bytes * 2 {
            let step = (half_bytes * 2 - position).min(WRITE_BYTES_MAX as u64);
            write_all_at(file.as_ref(), position, &[&zeros[..step as usize]])
                .map_err(|failure| failure.source)?;
            position += step;
        }
        file.sync_data()?;
        disk.sync_dir(directory.path())?;
        Ok(file)
    });
    if made.is_err() {
        // It is empty or holds zeros; the next start removes it if this does not.
        let _ = disk.remove_file(&path);
    }
    Ok((made?, half_bytes))
}

fn path(directory: &LogDirectory) -> PathBuf {
    directory.path().join(JOURNAL_FILE)
}

impl SegmentSync {
    fn name(&self) -> String {
        let path = self.log.place().path();
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn encode(&self, turn: Turn, into: &mut Vec<u8>) -> Result<(), StorageError> {
        let place = self.log.place();
        let failed = |error| StorageError::io("read", &self.path(), error);
        let file = self.segment.file(place, LogFileKind::Log).map_err(failed)?;
        let key = (self.name(), self.segment.base_offset, self.from);
        let length = (self.to - self.from) as usize;
        format::encode(into, turn, (&key.0, key.1, key.2), length, |room| {
            if read_full_at(file.as_ref(), u64::from(self.from), room)? == length {
                Ok(())
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        })
        .map_err(failed)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.segment.path(self.log.place(), LogFileKind::Log)
    }

    /// The open file.
    pub(crate) fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        self.segment.file(self.log.place(), LogFileKind::Log)
    }
}
