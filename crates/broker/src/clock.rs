//! The clock seam: what time it is, really or in a simulation, and a clock for timers that nobody can set.

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Wall-clock time, in ms since the epoch. It jumps when somebody sets it.
    fn now_ms(&self) -> i64;

    /// Time that has passed since some fixed moment, in ms. Nobody can set it.
    fn elapsed_ms(&self) -> i64;
}

/// The machine's own clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn elapsed_ms(&self) -> i64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// A clock that was set is caught up with by one ms in so many.
const CATCH_UP_ONE_IN: i64 = 10;

/// Wall-clock time without its jumps, for engines whose timers and timestamps come from one clock.
///
/// It goes as fast as time passes. When the wall clock says something else, it runs a tenth faster or slower until it agrees
/// again: a member whose session lasts 10 s does not expire because an hour has been skipped, and the timestamps are right in
/// the end. It never goes back.
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    last: Mutex<Reading>,
}

struct Reading {
    elapsed_ms: i64,
    now_ms: i64,
    /// What is left of a tenth of a ms, so that many short steps catch up, too.
    remainder: i64,
}

impl SteadyClock {
    /// Begins at the wall-clock time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let last = Reading { elapsed_ms: clock.elapsed_ms(), now_ms: clock.now_ms(), remainder: 0 };
        SteadyClock { clock, last: Mutex::new(last) }
    }
}

impl Clock for SteadyClock {
    fn now_ms(&self) -> i64 {
        let mut last = self.last.lock();
        let elapsed_ms = self.clock.elapsed_ms();
        let passed = elapsed_ms.saturating_sub(last.elapsed_ms).max(0);
        let expected = last.now_ms.saturating_add(passed);
        let allowance = last.remainder.saturating_add(passed);
        let most = allowance / CATCH_UP_ONE_IN;
        // Never back, even if more may be taken off than has passed.
        let least = -most.min(passed);
        let change = self.clock.now_ms().saturating_sub(expected).clamp(least, most);
        let remainder = allowance % CATCH_UP_ONE_IN;
        *last = Reading { elapsed_ms, now_ms: expected.saturating_add(change), remainder };
        last.now_ms
    }

    fn elapsed_ms(&self) -> i64 {
        self.clock.elapsed_ms()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Default)]
    struct ByHand {
        wall: AtomicI64,
        elapsed: AtomicI64,
    }

    impl Clock for ByHand {
        fn now_ms(&self) -> i64 {
            self.wall.load(Ordering::Relaxed)
        }

        fn elapsed_ms(&self) -> i64 {
            self.elapsed.load(Ordering::Relaxed)
        }
    }

    impl ByHand {
        fn pass(&self, ms: i64) {
            self.wall.fetch_add(ms, Ordering::Relaxed);
            self.elapsed.fetch_add(ms, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_jump_is_caught_up_with_slowly_in_steps_of_any_size() {
        for (jump, step, after_1000) in [(3_600_000, 1, 1_100), (3_600_000, 250, 1_100), (-3_600_000, 1, 900)]
        {
            let by_hand = Arc::new(ByHand::default());
            by_hand.wall.store(10_000_000, Ordering::Relaxed);
            let steady = SteadyClock::new(by_hand.clone());
            by_hand.wall.fetch_add(jump, Ordering::Relaxed);
            let begun = steady.now_ms();
            assert_eq!(begun, 10_000_000);
            let mut last = begun;
            for _ in 0..1_000 / step {
                by_hand.pass(step);
                let now = steady.now_ms();
                assert!(now >= last);
                last = now;
            }
            assert_eq!(last - begun, after_1000, "jump {jump}, step {step}");
            by_hand.pass(100_000_000);
            assert_eq!(steady.now_ms(), by_hand.now_ms());
        }
    }

    #[test]
    fn without_a_jump_it_is_the_wall_clock() {
        let by_hand = Arc::new(ByHand::default());
        let steady = SteadyClock::new(by_hand.clone());
        for ms in [1, 0, 17, 1_000_000] {
            by_hand.pass(ms);
            assert_eq!(steady.now_ms(), by_hand.now_ms());
        }
    }
}
