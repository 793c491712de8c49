//! The newest offset of each key, in a table of fixed size.
//!
//! A key is known by a hash of 16 bytes, so that memory does not depend on the length of keys. The seed is random:
//! nobody can choose keys that are taken for one another.

use twox_hash::XxHash3_128;

/// Bytes of one entry: a hash and an offset.
pub(crate) const ENTRY_BYTES: usize = 24;

/// An entry: both halves of the hash, and the offset plus one; 0 there marks a free place.
type Entry = [u64; 3];

/// A map from keys to offsets.
pub(crate) struct KeyOffsets {
    entries: Vec<Entry>,
    count: usize,
    count_max: usize,
    latest_offset: i64,
    seed: u64,
}

impl KeyOffsets {
    /// A map that takes at most `memory_bytes` and counts as full at `load_factor`; `None` if not even one key
    /// would fit. Memory is touched only as keys come.
    pub(crate) fn new(memory_bytes: usize, load_factor: f64, seed: u64) -> Option<KeyOffsets> {
        // A prime, so that every step size visits every place.
        let places = (2..=memory_bytes / ENTRY_BYTES).rev().find(|number| is_prime(*number))?;
        let count_max = ((places as f64 * load_factor) as usize).min(places - 1);
        if count_max == 0 {
            return None;
        }
        Some(KeyOffsets { entries: vec![[0; 3]; places], count: 0, count_max, latest_offset: -1, seed })
    }

    /// How many keys are known.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Up to which offset the log is reflected here.
    pub(crate) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    /// Notes that the log is reflected up to here, whether or not its records had keys.
    pub(crate) fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = offset;
    }

    /// The newest offset of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        let (_, entry) = self.find(XxHash3_128::oneshot_with_seed(self.seed, key))?;
        entry[2].checked_sub(1).map(|offset| offset as i64)
    }

    /// Notes a key's newest offset; false, and nothing noted, if the map is full, be it for a key that is known.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        if self.count >= self.count_max {
            return false;
        }
        let hash = XxHash3_128::oneshot_with_seed(self.seed, key);
        let Some((place, entry)) = self.find(hash) else { return false };
        self.count += usize::from(entry[2] == 0);
        self.entries[place] = [hash as u64, (hash >> 64) as u64, offset as u64 + 1];
        self.latest_offset = offset;
        true
    }

    /// Where the hash is, or belongs.
    fn find(&self, hash: u128) -> Option<(usize, Entry)> {
        let (low, high) = (hash as u64, (hash >> 64) as u64);
        let places = self.entries.len() as u64;
        let step = 1 + high % (places - 1);
        let mut place = low % places;
        for _ in 0..places {
            let entry = self.entries[place as usize];
            if entry[2] == 0 || (entry[0] == low && entry[1] == high) {
                return Some((place as usize, entry));
            }
            place = (place + step) % places;
        }
        None
    }
}

fn is_prime(number: usize) -> bool {
    number >= 2
        && (2..).take_while(|factor| factor * factor <= number).all(|factor| !number.is_multiple_of(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_each_key_is_found() {
        let mut map = KeyOffsets::new(ENTRY_BYTES * 1000, 0.9, 7).expect("fits");
        let key = |number: i64| number.to_be_bytes();
        for number in 0..800 {
            assert!(map.put(&key(number), number));
        }
        for number in (0..800).step_by(3) {
            assert!(map.put(&key(number), 1000 + number));
        }
        assert_eq!(map.count(), 800);
        for number in 0..800 {
            let newest = if number % 3 == 0 { 1000 + number } else { number };
            assert_eq!(map.get(&key(number)), Some(newest));
        }
        assert_eq!(map.get(&key(801)), None);
        assert_eq!(map.get(b""), None);
        assert_eq!(map.latest_offset(), 1000 + 798);
    }

    #[test]
    fn a_full_map_takes_nothing_more_and_finds_everything() {
        let mut map = KeyOffsets::new(ENTRY_BYTES * 103, 1.0, 0).expect("fits");
        let mut taken = 0;
        while map.put(format!("key {taken}").as_bytes(), taken) {
            taken += 1;
        }
        assert_eq!(taken, 102, "one place stays free, so that a search ends");
        assert!((0..taken).all(|number| map.get(format!("key {number}").as_bytes()) == Some(number)));
        assert_eq!(map.latest_offset(), taken - 1);
        let mut half = KeyOffsets::new(ENTRY_BYTES * 103, 0.5, 0).expect("fits");
        assert_eq!((0..).take_while(|number: &i64| half.put(&number.to_be_bytes(), *number)).count(), 51);
        assert!(KeyOffsets::new(ENTRY_BYTES, 0.9, 0).is_none());
        assert!(KeyOffsets::new(ENTRY_BYTES * 100, 0.0, 0).is_none());
    }
}
