//! Which kinds of offsets differ from those in the checkpoints of a log directory.

use std::sync::atomic::{AtomicBool, Ordering};

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

/// Most notes find the flag set; those leave the cache line alone.
fn note(flag: &AtomicBool) {
    if !flag.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Release);
    }
}
