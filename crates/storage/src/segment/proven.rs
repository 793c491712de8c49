//! Which bytes of a segment are known to be good: those that this process wrote, and those it has checked since.
//!
//! What lay on the disk before this process began may have been damaged there. It is checked when it is first read,
//! so that a log opens in no time and a wrong byte still reaches nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::Segment;
use super::recover::{Expected, LogRules, verify_range};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::place::Place;

/// What is known to be good in one segment.
#[derive(Debug)]
pub(super) struct Proven {
    /// From here on everything is.
    from: AtomicU32,
    /// One range below that was checked: its start in the upper half, its end in the lower.
    checked: AtomicU64,
    is_reported: AtomicBool,
    /// Whether the transaction index is.
    has_transactions: AtomicBool,
}

impl Proven {
    /// Everything from `from` on is good.
    pub(super) fn from(from: u32) -> Proven {
        Proven {
            from: AtomicU32::new(from),
            checked: AtomicU64::new(0),
            is_reported: AtomicBool::new(false),
            has_transactions: AtomicBool::new(from == 0),
        }
    }

    fn covers(&self, start: u32, end: u32) -> bool {
        if start >= self.from.load(Ordering::Relaxed) {
            return true;
        }
        let (checked_from, checked_to) = unpack(self.checked.load(Ordering::Relaxed));
        checked_from <= start && end <= checked_to
    }

    /// Remembers a checked range: the newest one, together with the one before if they touch.
    fn extend(&self, start: u32, end: u32) {
        let (from, to) = unpack(self.checked.load(Ordering::Relaxed));
        let (from, to) =
            if start <= to && from <= end { (from.min(start), to.max(end)) } else { (start, end) };
        self.checked.store(u64::from(from) << 32 | u64::from(to), Ordering::Relaxed);
        if to >= self.from.load(Ordering::Relaxed) {
            self.from.fetch_min(from, Ordering::Relaxed);
        }
    }

    /// What lies at or beyond `size` is going to be written by this process.
    pub(super) fn cut(&self, size: u32) {
        self.from.fetch_min(size, Ordering::Relaxed);
    }
}

fn unpack(range: u64) -> (u32, u32) {
    ((range >> 32) as u32, range as u32)
}

impl Segment {
    /// Whether `start..end` needs no check.
    pub(crate) fn is_proven(&self, start: u32, end: u32) -> bool {
        self.proven.covers(start, end)
    }

    /// Notes that all batches in `start..end` were checked.
    pub(crate) fn note_proven(&self, start: u32, end: u32) {
        self.proven.extend(start, end);
    }

    /// Whether the transaction index needs no check.
    pub(crate) fn has_proven_transactions(&self) -> bool {
        self.proven.has_transactions.load(Ordering::Acquire)
    }

    /// Notes that the transaction index was checked, or written by this process.
    pub(crate) fn note_proven_transactions(&self) {
        self.proven.has_transactions.store(true, Ordering::Release);
    }

    /// Whether damage of this segment is met for the first time; people are told once, clients every time.
    pub(crate) fn report_damage(&self) -> bool {
        !self.proven.is_reported.swap(true, Ordering::Relaxed)
    }

    /// Whether damage of this segment was met before.
    pub(crate) fn has_damage(&self) -> bool {
        self.proven.is_reported.load(Ordering::Relaxed)
    }

    /// Checks the batches from `start` (position and the offset due there) up to byte `limit` and below
    /// `upper_bound_offset`; returns where the last good one ends and the offset after it. Damage that is met first
    /// is an error, damage further on is left to who reads there.
    pub(crate) fn checked_end(
        self: &Arc<Self>,
        place: &Place,
        start: (u32, i64),
        limit: u32,
        upper_bound_offset: i64,
        rules: &LogRules<'_>,
    ) -> Result<(u32, i64), StorageError> {
        let file = self
            .file(place, LogFileKind::Log)
            .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        let offset_max = self.offset_max().min(self.next_offset() - 1);
        let expected = Expected { offset: start.1, leader_epoch: -1, is_inside: true, offset_max };
        let mut end = start;
        let checked = verify_range(
            file.as_ref(),
            start.0..limit,
            self.size(),
            expected,
            |header| header.last_offset() < upper_bound_offset,
            rules,
            |position, header| end = (position + header.size_in_bytes() as u32, header.next_offset()),
        )
        .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        match checked {
            Some(reason) if end == start => Err(StorageError::damaged(
                &self.path(place, LogFileKind::Log),
                format!("batch at byte {}, offset {}: {reason}", start.0, start.1),
            )),
            _ => {
                self.note_proven(start.0, end.0);
                Ok(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_ranges_grow_together() {
        let proven = Proven::from(100);
        assert!(proven.covers(100, 200) && !proven.covers(99, 120) && !proven.covers(0, 10));
        proven.extend(0, 40);
        proven.extend(40, 60);
        assert!(proven.covers(0, 60) && proven.covers(30, 50) && !proven.covers(0, 61));
        // A reader elsewhere: only its range is remembered from now on.
        proven.extend(80, 100);
        assert!(proven.covers(80, 300) && !proven.covers(0, 60));
        proven.extend(0, 80);
        assert!(proven.covers(0, 1000));
    }

    #[test]
    fn what_is_cut_is_written_anew() {
        let proven = Proven::from(100);
        proven.cut(70);
        assert!(proven.covers(70, 100) && !proven.covers(60, 70));
    }
}
