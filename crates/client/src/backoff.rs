//! How long to wait before the next attempt: exponential, with jitter (KIP-580).

/// A source of jitter that a test can seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// The same seed gives the same waits.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// A number from 0.0 to 1.0.
    fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Grows from `initial_ms` twofold with each failure to `max_ms`, 20 % up or down by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first failure, ms.
    pub initial_ms: i64,
    /// Longest wait, ms, before jitter.
    pub max_ms: i64,
}

const JITTER: f64 = 0.2;

impl Backoff {
    /// The wait in ms after so many failures in a row; none before the first.
    pub fn wait_ms(self, failures: u32, jitter: &mut Jitter) -> i64 {
        if failures == 0 {
            return 0;
        }
        let doublings = (failures - 1).min(30);
        let plain = self.initial_ms.saturating_mul(1 << doublings).min(self.max_ms.max(self.initial_ms));
        let factor = 1.0 - JITTER + 2.0 * JITTER * jitter.fraction();
        (plain as f64 * factor) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit() {
        let backoff = Backoff { initial_ms: 100, max_ms: 1000 };
        let mut jitter = Jitter::new(7);
        assert_eq!(backoff.wait_ms(0, &mut jitter), 0);
        for (failures, plain) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            for _ in 0..100 {
                let wait = backoff.wait_ms(failures, &mut jitter);
                assert!((plain * 8 / 10..=plain * 12 / 10).contains(&wait), "{failures}: {wait}");
            }
        }
    }
}
