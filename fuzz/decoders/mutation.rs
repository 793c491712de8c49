//! Cheap deterministic mutations of valid inputs, for the runs on stable Rust.

/// A xorshift generator: the same seed gives the same inputs everywhere.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, or 0 where there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }

    /// Random bytes, fewer than `limit`.
    pub fn random(&mut self, limit: usize) -> Vec<u8> {
        (0..self.below(limit)).map(|_| self.next() as u8).collect()
    }

    /// The input with one to three things wrong with it.
    pub fn mutated(&mut self, valid: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for _ in 0..=self.below(3) {
            let position = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(position),
                1 => {
                    if let Some(byte) = bytes.get_mut(position) {
                        *byte ^= 1 << (self.next() % 8);
                    }
                }
                2 => {
                    if let Some(byte) = bytes.get_mut(position) {
                        *byte = self.next() as u8;
                    }
                }
                3 => self.overwrite_with_a_length(&mut bytes, position),
                4 => {
                    let inserted = self.random(9);
                    bytes.splice(position..position, inserted);
                }
                _ => {
                    let end = (position + self.below(9)).min(bytes.len());
                    bytes.drain(position.min(end)..end);
                }
            }
        }
        bytes
    }

    /// A length or count as it hurts: huge, negative, just beyond the end.
    fn overwrite_with_a_length(&mut self, bytes: &mut [u8], position: usize) {
        let remaining = (bytes.len() - position) as u32;
        let lengths = [u32::MAX, i32::MAX as u32, i32::MIN as u32, 1_000_001, remaining, remaining + 1, 0];
        let length = lengths[self.below(lengths.len())];
        let compact =
            [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8 | 0x80, 0xff, 0x0f];
        let (plain, short) = (length.to_be_bytes(), (length as u16).to_be_bytes());
        let source: &[u8] = [&compact[..], &plain[..], &short[..]][self.below(3)];
        for (byte, new) in bytes[position..].iter_mut().zip(source) {
            *byte = *new;
        }
    }
}
