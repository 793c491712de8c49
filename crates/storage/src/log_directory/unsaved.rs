//! Which kinds of offsets differ from those in the checkpoints of a log directory.

use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Kinds of offsets that differ from those in the checkpoints.
#[derive(Default)]
pub(crate) struct Unsaved {
    pub(super) recovery_points: AtomicBool,
    pub(super) high_watermarks: AtomicBool,
    pub(super) log_start_offsets: AtomicBool,
}

impl Unsaved {
    pub(crate) fn note_recovery_point(&self) {
        note(&self.recovery_points);
    }

    pub(crate) fn note_high_watermark(&self) {
        note(&self.high_watermarks);
    }

    pub(crate) fn note_log_start_offset(&self) {
        note(&self.log_start_offsets);
        note(&self.recovery_points);
    }
}

/// To be called after the offset was stored. Most notes find the flag set; those leave the cache line alone.
///
/// The fences here and in [`take`] order "offset, then flag" on this side against "flag, then offset" on the other:
/// whichever fence comes second in their common order, its side sees what the other stored before. So either this
/// finds the flag taken and sets it again, or who took it reads the new offset. Without them both could miss, each
/// store still waiting in its core's buffer.
fn note(flag: &AtomicBool) {
    fence(Ordering::SeqCst);
    if !flag.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Release);
    }
}

/// Clears a flag before the offsets it speaks of are read.
pub(super) fn take(flag: &AtomicBool) {
    flag.store(false, Ordering::Release);
    fence(Ordering::SeqCst);
}
