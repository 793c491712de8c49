//! Files and directories of the simulated disk, each with a durable state and the changes not yet synced.

use std::collections::BTreeMap;

use super::CrashStyle;

/// The unit in which a torn write reaches the medium.
const SECTOR_BYTES: usize = 512;

#[derive(Debug)]
pub(super) enum Inode {
    File(FileContent),
    Directory(Directory),
}

#[derive(Clone, Debug)]
pub(super) enum FileChange {
    Write { position: u64, bytes: Vec<u8> },
    Length(u64),
}

#[derive(Debug, Default)]
pub(super) struct FileContent {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<FileChange>,
    /// Bytes that were taken in advance.
    allocated: u64,
}

#[derive(Clone, Debug)]
pub(super) enum DirectoryChange {
    Link { name: String, inode: u64 },
    Unlink { name: String },
    Rename { from: String, to: String, inode: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    now: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<DirectoryChange>,
}

/// Decides the fate of unsynced changes.
pub(super) struct Choices {
    style: CrashStyle,
    state: u64,
}

impl Choices {
    pub(super) fn new(style: CrashStyle) -> Choices {
        let state = if let CrashStyle::Seeded(seed) = style { seed } else { 0 };
        Choices { style, state }
    }

    /// A number below `bound` (splitmix64).
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

impl Inode {
    pub(super) fn after_crash(&self, choices: &mut Choices) -> Inode {
        match self {
            Inode::File(file) => Inode::File(file.after_crash(choices)),
            Inode::Directory(directory) => Inode::Directory(directory.after_crash(choices)),
        }
    }
}

impl FileContent {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.now
    }

    /// Bytes that the file takes on the disk.
    pub(super) fn occupied(&self) -> u64 {
        self.allocated.max(self.now.len() as u64)
    }

    pub(super) fn allocate(&mut self, length: u64) {
        self.allocated = self.allocated.max(length);
    }

    pub(super) fn change(&mut self, change: FileChange) {
        if let FileChange::Length(_) = change {
            self.allocated = 0;
        }
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    pub(super) fn damage(&mut self, position: u64, bytes: &[u8]) {
        let change = FileChange::Write { position, bytes: bytes.to_vec() };
        apply(&mut self.now, &change);
        apply(&mut self.durable, &change);
    }

    fn after_crash(&self, choices: &mut Choices) -> FileContent {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            match choices.style {
                CrashStyle::KeepAll => apply(&mut bytes, change),
                CrashStyle::DropAll => {}
                CrashStyle::Seeded(_) => apply_by_chance(&mut bytes, change, choices),
            }
        }
        FileContent { now: bytes.clone(), durable: bytes, pending: Vec::new(), allocated: self.allocated }
    }
}

impl Directory {
    pub(super) fn lookup(&self, name: &str) -> Option<u64> {
        self.now.get(name).copied()
    }

    pub(super) fn names(&self) -> &BTreeMap<String, u64> {
        &self.now
    }

    pub(super) fn change(&mut self, change: DirectoryChange) {
        change_names(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.now.clone();
        self.pending.clear();
    }

    fn after_crash(&self, choices: &mut Choices) -> Directory {
        let kept = match choices.style {
            CrashStyle::KeepAll => self.pending.len(),
            CrashStyle::DropAll => 0,
            CrashStyle::Seeded(_) => choices.below(self.pending.len() + 1),
        };
        let mut names = self.durable.clone();
        for change in &self.pending[..kept] {
            change_names(&mut names, change);
        }
        Directory { now: names.clone(), durable: names, pending: Vec::new() }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &FileChange) {
    match change {
        FileChange::Write { position, bytes: written } => {
            let start = *position as usize;
            let end = start + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(written);
        }
        FileChange::Length(length) => bytes.resize(*length as usize, 0),
    }
}

fn apply_by_chance(bytes: &mut Vec<u8>, change: &FileChange, choices: &mut Choices) {
    match (change, choices.below(4)) {
        (_, 0) => {}
        (FileChange::Write { position, bytes: written }, 1) => {
            // Torn: some sectors arrived, the rest of the range reads as zeros or is missing.
            let kept = choices.below(written.len() + 1);
            let kept = if choices.below(2) == 0 { kept } else { kept / SECTOR_BYTES * SECTOR_BYTES };
            apply(bytes, &FileChange::Write { position: *position, bytes: written[..kept].to_vec() });
            let end = *position as usize + written.len();
            if choices.below(2) == 0 && bytes.len() < end {
                bytes.resize(end, 0);
            }
        }
        (change, _) => apply(bytes, change),
    }
}

fn change_names(names: &mut BTreeMap<String, u64>, change: &DirectoryChange) {
    match change {
        DirectoryChange::Link { name, inode } => {
            names.insert(name.clone(), *inode);
        }
        DirectoryChange::Unlink { name } => {
            names.remove(name);
        }
        DirectoryChange::Rename { from, to, inode } => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}
