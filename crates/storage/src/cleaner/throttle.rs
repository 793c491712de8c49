//! How fast compaction may read and write, over all its threads.

use std::time::Duration;

/// How much unused allowance counts at most.
const BURST: Duration = Duration::from_millis(300);

/// Spreads bytes over time.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second: f64,
    /// When everything charged so far is paid for, from an arbitrary beginning.
    paid_until: Duration,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: f64) -> Throttle {
        Throttle { bytes_per_second, paid_until: Duration::ZERO }
    }

    /// Another rate from now on.
    pub(crate) fn set_rate(&mut self, bytes_per_second: f64) {
        self.bytes_per_second = bytes_per_second;
    }

    /// Charges bytes at `now`; how long to wait before going on.
    pub(crate) fn charge(&mut self, bytes: usize, now: Duration) -> Duration {
        let seconds = bytes as f64 / self.bytes_per_second.max(1.0);
        let cost = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.paid_until = self.paid_until.max(now.saturating_sub(BURST)).saturating_add(cost);
        self.paid_until.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time() {
        let mut throttle = Throttle::new(1000.0);
        let mut now = Duration::from_secs(50);
        for _ in 0..100 {
            now += throttle.charge(500, now);
        }
        let seconds = (now - Duration::from_secs(50)).as_secs_f64();
        assert!((49.0..=50.5).contains(&seconds), "50,000 bytes took {seconds} s");
        now += Duration::from_secs(60);
        assert_eq!(throttle.charge(300, now), Duration::ZERO, "a little may be saved up");
        assert_eq!(throttle.charge(300, now), Duration::from_millis(300));
        throttle.set_rate(f64::MAX);
        now += Duration::from_secs(1);
        assert_eq!(throttle.charge(usize::MAX, now), Duration::ZERO);
    }
}
