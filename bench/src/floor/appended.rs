//! The file that the floor program appends to, in each of the ways that were tried for the server.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};
use rustix::fs::{FallocateFlags, OFlags};

/// Bytes of a file that is appended to: then it begins again, or another one does.
const FILE_BYTES: u64 = 1 << 30;
/// Full files that are kept, so that a long run fills no disk.
const FILES_KEPT: usize = 8;
/// What direct writes must be multiples of.
const BLOCK_BYTES: usize = 4096;
/// Written back ahead of a sync in pieces of this size.
const PIECE_BYTES: u64 = 8 << 20;

/// How the floor program appends.
#[derive(Debug, Clone, Args)]
pub struct Design {
    /// Appends to ever new files, as a log has to, instead of writing over one gibibyte again and again.
    #[arg(long)]
    pub appends: bool,
    /// Takes the blocks of a new file in advance.
    #[arg(long, value_enum, default_value_t = Preallocation::None)]
    pub preallocates: Preallocation,
    /// Syncs on another thread, so many milliseconds from the beginning of one to that of the next; 0 never.
    #[arg(long, default_value_t = 0)]
    pub syncs_every_ms: u64,
    /// Has the kernel write back finished pieces before the sync comes.
    #[arg(long)]
    pub writes_ahead: bool,
    /// Past the page cache: whole blocks, the last one again with what comes next.
    #[arg(long)]
    pub direct: bool,
    /// Only whole pages are written, at page boundaries, and the rest with what comes next: what alignment would be worth.
    #[arg(long)]
    pub aligned: bool,
}

/// When a new file gets its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preallocation {
    /// With its content.
    None,
    /// At once; its length grows with the content.
    KeepSize,
    /// At once, and its whole length.
    WholeLength,
}

/// Where appends go.
pub struct Appended {
    design: Design,
    file: File,
    full: VecDeque<File>,
    position: u64,
    /// The beginning of a block that is not full.
    block: AlignedBytes,
    to_syncer: Option<Sender<Step>>,
}

/// What the sync thread is told.
enum Step {
    Began(File),
    Reached(u64),
}

/// Memory that begins at a block's boundary.
#[derive(Default)]
struct AlignedBytes {
    memory: Vec<u8>,
    filled: usize,
}

impl AlignedBytes {
    fn start(&self) -> usize {
        self.memory.as_ptr().align_offset(BLOCK_BYTES)
    }

    fn extend(&mut self, bytes: &[u8]) {
        let wanted = self.filled + bytes.len() + 2 * BLOCK_BYTES;
        if self.memory.len() < wanted {
            let mut larger = AlignedBytes { memory: vec![0; wanted.next_power_of_two()], filled: 0 };
            if self.filled > 0 {
                let start = larger.start();
                larger.memory[start..start + self.filled].copy_from_slice(self.bytes(self.filled));
            }
            larger.filled = self.filled;
            *self = larger;
        }
        let at = self.start() + self.filled;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn bytes(&self, length: usize) -> &[u8] {
        &self.memory[self.start()..self.start() + length]
    }

    /// Keeps only what lies behind the whole blocks; how much those were.
    fn drop_whole_blocks(&mut self) -> usize {
        let whole = self.filled / BLOCK_BYTES * BLOCK_BYTES;
        let start = self.start();
        self.memory.copy_within(start + whole..start + self.filled, start);
        self.filled -= whole;
        whole
    }
}

impl Appended {
    pub fn new(design: &Design) -> Result<Self> {
        let file = new_file(design)?;
        let to_syncer = if design.syncs_every_ms > 0 || design.writes_ahead {
            let (sender, receiver) = channel();
            let (distance, ahead) = (Duration::from_millis(design.syncs_every_ms), design.writes_ahead);
            std::thread::spawn(move || sync(&receiver, distance, ahead));
            sender.send(Step::Began(file.try_clone()?))?;
            Some(sender)
        } else {
            None
        };
        let block = AlignedBytes::default();
        Ok(Appended { design: design.clone(), file, full: VecDeque::new(), position: 0, block, to_syncer })
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.position + bytes.len() as u64 > FILE_BYTES {
            self.begin_anew()?;
        }
        if self.design.direct || self.design.aligned {
            self.append_blocks(bytes)?;
        } else {
            self.file.write_all_at(bytes, self.position)?;
            self.position += bytes.len() as u64;
        }
        if let Some(syncer) = &self.to_syncer {
            syncer.send(Step::Reached(self.position))?;
        }
        Ok(())
    }

    fn append_blocks(&mut self, bytes: &[u8]) -> Result<()> {
        self.block.extend(bytes);
        let length = if self.design.direct {
            self.block.filled.next_multiple_of(BLOCK_BYTES)
        } else {
            self.block.filled / BLOCK_BYTES * BLOCK_BYTES
        };
        self.file.write_all_at(self.block.bytes(length), self.position)?;
        self.position += self.block.drop_whole_blocks() as u64;
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<()> {
        self.position = 0;
        self.block.filled = 0;
        if !self.design.appends {
            return Ok(());
        }
        self.full.push_back(std::mem::replace(&mut self.file, new_file(&self.design)?));
        if self.full.len() > FILES_KEPT {
            self.full.pop_front();
        }
        if let Some(syncer) = &self.to_syncer {
            syncer.send(Step::Began(self.file.try_clone()?))?;
        }
        Ok(())
    }
}

fn new_file(design: &Design) -> Result<File> {
    let file = tempfile::tempfile()?;
    let flags = match design.preallocates {
        Preallocation::None => None,
        Preallocation::KeepSize => Some(FallocateFlags::KEEP_SIZE),
        Preallocation::WholeLength => Some(FallocateFlags::empty()),
    };
    if let Some(flags) = flags {
        rustix::fs::fallocate(&file, flags, 0, FILE_BYTES)?;
    }
    if design.direct {
        let present = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, present | OFlags::DIRECT)?;
    }
    Ok(file)
}

/// The sync thread: writes back whole pieces as they are finished, and syncs all of a file from time to time.
fn sync(steps: &Receiver<Step>, distance: Duration, ahead: bool) {
    let mut file: Option<File> = None;
    let (mut reached, mut behind, mut begun) = (0, 0, Instant::now());
    while let Ok(step) = steps.recv() {
        for step in std::iter::once(step).chain(steps.try_iter()) {
            match step {
                Step::Began(next) => {
                    if let Some(ended) = file.replace(next).filter(|_| !distance.is_zero()) {
                        report(ended.sync_data());
                    }
                    (reached, behind) = (0, 0);
                }
                Step::Reached(position) => reached = position,
            }
        }
        let Some(file) = &file else { continue };
        while ahead && behind + PIECE_BYTES <= reached {
            report(write_back(file, behind, PIECE_BYTES));
            behind += PIECE_BYTES;
        }
        if !distance.is_zero() {
            let due = begun + distance;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            begun = Instant::now();
            report(file.sync_data());
        }
    }
}

fn report(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        eprintln!("the sync thread: {error}");
    }
}

fn write_back(file: &File, from: u64, length: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (from, length) = (from as libc::off64_t, length as libc::off64_t);
    // SAFETY: the descriptor is open as long as the file is borrowed; the call touches no memory of ours.
    let outcome =
        unsafe { libc::sync_file_range(file.as_raw_fd(), from, length, libc::SYNC_FILE_RANGE_WRITE) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
