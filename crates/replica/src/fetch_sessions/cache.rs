//! The slots for sessions, and who must go when they are full.
//!
//! A session unused for the minimum time goes first. Else the smallest old one goes, if it is not larger than the
//! newcomer; sessions of followers go only for other followers, and for these any consumer's goes, however young.

use std::collections::{BTreeSet, HashMap};

use super::session::Session;

/// Followers' sessions after consumers', larger ones after smaller ones.
type EvictionKey = (bool, usize, i32);

/// A session with the keys it stands under.
#[derive(Debug)]
struct Slot {
    session: Session,
    last_used_ms: i64,
    counted_size: usize,
}

impl Slot {
    fn eviction_key(&self, id: i32) -> EvictionKey {
        (self.session.is_privileged, self.counted_size, id)
    }
}

/// Sessions by id, by last use and by what they may be evicted for.
#[derive(Debug)]
pub(super) struct Cache {
    max_slots: usize,
    min_eviction_ms: i64,
    slots: HashMap<i32, Slot>,
    by_last_use: BTreeSet<(i64, i32)>,
    evictable_by_all: BTreeSet<EvictionKey>,
    evictable_by_privileged: BTreeSet<EvictionKey>,
    partition_count: usize,
    evictions: u64,
}

impl Cache {
    pub(super) fn new(max_slots: usize, min_eviction_ms: i64) -> Self {
        Self {
            max_slots,
            min_eviction_ms,
            slots: HashMap::new(),
            by_last_use: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_privileged: BTreeSet::new(),
            partition_count: 0,
            evictions: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    pub(super) fn get_mut(&mut self, id: i32) -> Option<&mut Session> {
        self.slots.get_mut(&id).map(|slot| &mut slot.session)
    }

    /// Whether a session of this kind may be inserted, after evicting another if need be.
    pub(super) fn maybe_make_room(&mut self, is_privileged: bool, size: usize, now_ms: i64) -> bool {
        if self.slots.len() < self.max_slots {
            return true;
        }
        let Some((last_used_ms, oldest)) = self.by_last_use.first() else { return false };
        let evicted = if now_ms.saturating_sub(*last_used_ms) > self.min_eviction_ms {
            *oldest
        } else {
            let candidates =
                if is_privileged { &self.evictable_by_privileged } else { &self.evictable_by_all };
            match candidates.first() {
                Some(first) if (is_privileged, size, 0) >= *first => first.2,
                _ => return false,
            }
        };
        self.remove(evicted);
        self.evictions += 1;
        true
    }

    /// Puts a session into a slot under a new id, which is returned.
    pub(super) fn insert(&mut self, session: Session, random: u32, now_ms: i64) -> i32 {
        let mut id = (random & 0x7fff_ffff) as i32;
        while id == super::NO_SESSION || self.slots.contains_key(&id) {
            id = id.checked_add(1).unwrap_or(1);
        }
        self.slots.insert(id, Slot { session, last_used_ms: now_ms, counted_size: 0 });
        self.touch(id, now_ms);
        id
    }

    /// Notes a use, and the session's new size.
    pub(super) fn touch(&mut self, id: i32, now_ms: i64) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let key = slot.eviction_key(id);
        self.by_last_use.remove(&(slot.last_used_ms, id));
        self.evictable_by_all.remove(&key);
        self.evictable_by_privileged.remove(&key);
        self.partition_count -= slot.counted_size;
        slot.last_used_ms = now_ms;
        slot.counted_size = slot.session.len();
        self.partition_count += slot.counted_size;
        self.by_last_use.insert((now_ms, id));
        let is_old = now_ms.saturating_sub(slot.session.created_ms) > self.min_eviction_ms;
        let key = slot.eviction_key(id);
        if is_old || !slot.session.is_privileged {
            self.evictable_by_privileged.insert(key);
        }
        if is_old {
            self.evictable_by_all.insert(key);
        }
    }

    pub(super) fn remove(&mut self, id: i32) {
        let Some(slot) = self.slots.remove(&id) else { return };
        let key = slot.eviction_key(id);
        self.by_last_use.remove(&(slot.last_used_ms, id));
        self.evictable_by_all.remove(&key);
        self.evictable_by_privileged.remove(&key);
        self.partition_count -= slot.counted_size;
    }
}
