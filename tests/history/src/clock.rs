//! A time that all processes of a machine agree on.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the machine started; never goes back.
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
