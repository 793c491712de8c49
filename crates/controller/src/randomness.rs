//! Random numbers from a seed that the caller drew: the same seed gives the same decisions.

use protocol::Uuid;

/// A generator (xoroshiro128++, Blackman and Vigna) for placements and topic ids; not for secrets.
#[derive(Clone, Debug)]
pub struct Randomness {
    state: [u64; 2],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Randomness {
    /// Starts from 128 random bits: fewer would let two topics get the same id.
    pub fn new(seed: u128) -> Self {
        let (mut low, mut high) = (seed as u64, (seed >> 64) as u64);
        let state = [split_mix(&mut low), split_mix(&mut high)];
        // All zeros is the one state that the generator never leaves.
        Self { state: if state == [0, 0] { [1, 0] } else { state } }
    }

    fn next(&mut self) -> u64 {
        let [first, mut second] = self.state;
        let result = first.wrapping_add(second).rotate_left(17).wrapping_add(first);
        second ^= first;
        self.state = [first.rotate_left(49) ^ second ^ (second << 21), second.rotate_left(28)];
        result
    }

    /// A number below `bound`, which is not 0; the bias is below 2⁻³² for any list that fits in memory.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Puts a slice in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A version 4 UUID. Like Kafka's it never starts with `-` in text, which command lines take for an option.
    pub fn uuid(&mut self) -> Uuid {
        loop {
            let random = (u128::from(self.next()) << 64) | u128::from(self.next());
            let version_4 = (random & !(0xf << 76)) | (4 << 76);
            let uuid = Uuid::from_u128((version_4 & !(3 << 62)) | (2 << 62));
            if !uuid.to_string().starts_with('-') {
                return uuid;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_numbers() {
        let (mut a, mut b, mut c) = (Randomness::new(7), Randomness::new(7), Randomness::new(8));
        let draw = |r: &mut Randomness| (r.below(1000), r.uuid());
        assert_eq!(draw(&mut a), draw(&mut b));
        assert_ne!(draw(&mut a), draw(&mut c));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut randomness = Randomness::new(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[randomness.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn uuids_are_of_version_4_and_printable_as_arguments() {
        let mut randomness = Randomness::new(3);
        for _ in 0..1000 {
            let uuid = randomness.uuid();
            assert_eq!((uuid.as_u128() >> 76) & 0xf, 4);
            assert_eq!((uuid.as_u128() >> 62) & 3, 2);
            assert!(!uuid.to_string().starts_with('-'));
        }
    }
}
