//! Damage by numbers: one seed, one way to spoil the bytes of a file.

/// A number generator (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    /// A range that is short more often than long.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let longest = [1, 8, 64, length][self.below(4)];
        let start = self.below(length);
        start..(start + 1 + self.below(longest)).min(length)
    }
}

/// The damaged bytes, and what was done to them.
pub fn damaged(bytes: &[u8], dice: &mut Dice) -> (Vec<u8>, String) {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return (vec![0; 1 + dice.below(40)], "grown from nothing".to_owned());
    }
    let range = dice.range(bytes.len());
    let place = format!("at {range:?}");
    let what = match dice.below(7) {
        0 => {
            bytes[range.start] ^= 1 << dice.below(8);
            "one bit flipped"
        }
        1 => {
            bytes[range].fill_with(|| dice.below(256) as u8);
            "overwritten"
        }
        2 => {
            bytes.truncate(range.start);
            "truncated"
        }
        3 => {
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, copy);
            "a range duplicated"
        }
        4 => {
            bytes[range].fill(0);
            "zeroed"
        }
        5 => {
            bytes.drain(range);
            "a range removed"
        }
        _ => {
            let length = range.len().min(bytes.len() / 2);
            let other = dice.below(bytes.len() - length + 1);
            let start = range.start.min(bytes.len() - length);
            if start.abs_diff(other) >= length {
                let (low, high) = bytes.split_at_mut(start.max(other));
                low[start.min(other)..][..length].swap_with_slice(&mut high[..length]);
            }
            "two ranges swapped"
        }
    };
    (bytes, format!("{what} {place}"))
}
