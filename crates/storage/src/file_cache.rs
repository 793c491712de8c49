//! Open files behind a budget: opened at first use, closed again when others need the place.
//!
//! A second-chance queue: a file used since the queue last passed it stays. Closing only drops this cache's handle;
//! whoever still sends from a file or waits for its sync keeps it open.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::disk::DiskFile;

/// The place of one file's handle.
#[derive(Debug, Default)]
pub(crate) struct FileSlot {
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    used: AtomicBool,
}

/// Something that owns slots, reachable from the queue without being kept alive by it.
pub(crate) trait SlotOwner: Send + Sync {
    /// The slot of this index.
    fn slot(&self, index: usize) -> &FileSlot;
}

/// The budget shared by every log of a log manager.
pub(crate) struct FileCache {
    budget: usize,
    open: Mutex<VecDeque<(Weak<dyn SlotOwner>, usize)>>,
}

impl FileCache {
    /// A cache that keeps at most `budget` files open, plus those in use.
    pub(crate) fn new(budget: usize) -> FileCache {
        FileCache { budget: budget.max(1), open: Mutex::new(VecDeque::new()) }
    }

    /// The file in slot `index` of `owner`, opened by `open` if it is not.
    pub(crate) fn get(
        &self,
        owner: &Arc<impl SlotOwner + 'static>,
        index: usize,
        open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let slot = owner.slot(index);
        let mut file = slot.file.lock();
        if let Some(file) = file.as_ref() {
            slot.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(file));
        }
        let opened = open()?;
        *file = Some(Arc::clone(&opened));
        // The slot is unlocked first: eviction locks slots while it holds the queue.
        drop(file);
        let weak: Weak<dyn SlotOwner> = Arc::downgrade(&(Arc::clone(owner) as Arc<dyn SlotOwner>));
        let mut queue = self.open.lock();
        queue.push_back((weak, index));
        self.evict(&mut queue);
        Ok(opened)
    }

    /// Files the cache holds open now.
    #[cfg(test)]
    pub(crate) fn open_files(&self) -> usize {
        let queue = self.open.lock();
        queue
            .iter()
            .filter(|(owner, index)| owner.upgrade().is_some_and(|owner| owner.slot(*index).is_open()))
            .count()
    }

    fn evict(&self, queue: &mut VecDeque<(Weak<dyn SlotOwner>, usize)>) {
        // Every entry gets one second chance, so two rounds always suffice.
        let mut rounds = queue.len() * 2;
        while queue.len() > self.budget && rounds > 0 {
            rounds -= 1;
            let Some((owner, index)) = queue.pop_front() else { return };
            let Some(alive) = owner.upgrade() else { continue };
            let slot = alive.slot(index);
            if !slot.is_open() {
                continue;
            }
            if slot.used.swap(false, Ordering::Relaxed) {
                queue.push_back((owner, index));
            } else {
                slot.close();
            }
        }
    }
}

impl FileSlot {
    /// Drops the handle.
    pub(crate) fn close(&self) {
        self.file.lock().take();
    }

    fn is_open(&self) -> bool {
        self.file.lock().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::{Disk, OpenMode, SimDisk};

    #[derive(Default)]
    struct Owner([FileSlot; 2]);

    impl SlotOwner for Owner {
        fn slot(&self, index: usize) -> &FileSlot {
            &self.0[index]
        }
    }

    #[test]
    fn the_budget_holds_and_used_files_stay() {
        let disk = SimDisk::new();
        let cache = FileCache::new(4);
        let owners: Vec<Arc<Owner>> = (0..10).map(|_| Arc::default()).collect();
        let opened = Mutex::new(0);
        let get = |owner: usize, slot| {
            cache
                .get(&owners[owner], slot, || {
                    *opened.lock() += 1;
                    disk.open(Path::new(&format!("/{owner}-{slot}")), OpenMode::Create)
                })
                .expect("opens")
        };
        for owner in 0..10 {
            get(owner, 0);
            get(owner, 1);
            get(0, 0);
            assert!(cache.open_files() <= 4);
        }
        assert!(*opened.lock() <= 22, "the busy file was opened again and again");
        let busy = *opened.lock();
        get(0, 0);
        assert_eq!(*opened.lock(), busy, "the busy file stayed open");
    }
}
