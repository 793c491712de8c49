//! What compaction may clean now, how urgent it is, and which segments become one, by the rules of Kafka's cleaner.

use std::ops::Range;

/// A segment as compaction sees it, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentToClean {
    /// Its first offset.
    pub base_offset: i64,
    /// Bytes of its batches.
    pub size: u64,
    /// Bytes of its offset index and its time index.
    pub index_bytes: (u64, u64),
}

/// The offsets and limits of a log that compaction must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleaningBounds {
    /// First offset that can be read.
    pub log_start_offset: i64,
    /// Offset the next record will get.
    pub log_end_offset: i64,
    /// Nothing at or above is cleaned: it is undecided or not replicated.
    pub last_stable_offset: i64,
    /// Up to where the last compaction came; none if there was none.
    pub cleaned_offset: Option<i64>,
}

/// What of a log is to be cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanableRange {
    /// Where the part begins that no compaction has seen.
    pub first_dirty_offset: i64,
    /// Base offset of the first segment that must stay as it is.
    pub first_uncleanable_offset: i64,
    /// Bytes below the first dirty offset.
    pub clean_bytes: u64,
    /// Bytes that this compaction would look at for the first time.
    pub cleanable_bytes: u64,
    /// Whether the saved offset was outside of the log, so that it is to be saved anew.
    pub is_reset: bool,
}

impl CleanableRange {
    /// Part of the log that is new, from 0 to 1: the filthiest log is cleaned first.
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether there is enough to do (`min.cleanable.dirty.ratio`), or it has waited too long.
    pub fn is_due(&self, dirty_ratio_min: f64, is_overdue: bool) -> bool {
        (is_overdue && self.cleanable_bytes > 0) || self.dirty_ratio() > dirty_ratio_min
    }
}

/// Where the part begins that no compaction has seen, and whether the saved offset was of no use.
pub fn first_dirty_offset(bounds: &CleaningBounds) -> (i64, bool) {
    let start = bounds.log_start_offset;
    match bounds.cleaned_offset {
        None => (start, false),
        Some(offset) if offset < start || offset > bounds.log_end_offset => (start, true),
        Some(offset) => (offset, false),
    }
}

/// The segments, by index, that no compaction has seen wholly; the active one, which is the last, is not among them.
pub fn dirty_segments(segments: &[SegmentToClean], first_dirty_offset: i64) -> Range<usize> {
    let active = segments.len().saturating_sub(1);
    floor(segments, first_dirty_offset).min(active)..active
}

/// Whether a record has waited longer than `max.compaction.lag.ms`. `earliest_timestamp` is the smallest positive
/// timestamp of the first batches of the dirty segments, ms.
pub fn is_overdue(earliest_timestamp: Option<i64>, max_compaction_lag_ms: i64, now_ms: i64) -> bool {
    earliest_timestamp
        .is_some_and(|timestamp| timestamp < now_ms.saturating_sub(max_compaction_lag_ms.max(0)))
}

/// The range to clean. `too_young_offset` is the base offset of the first dirty segment with a record younger than
/// `min.compaction.lag.ms`.
pub fn choose_range(
    segments: &[SegmentToClean],
    bounds: &CleaningBounds,
    too_young_offset: Option<i64>,
) -> CleanableRange {
    let (first_dirty_offset, is_reset) = first_dirty_offset(bounds);
    let active_offset = segments.last().map_or(bounds.log_end_offset, |active| active.base_offset);
    let limits = [Some(bounds.last_stable_offset), Some(active_offset), too_young_offset];
    let uncleanable = limits.into_iter().flatten().min().unwrap_or(active_offset).max(first_dirty_offset);
    // Segments are cleaned whole or not at all.
    let first_uncleanable_offset = segments
        .get(floor(segments, uncleanable))
        .map_or(active_offset, |segment| segment.base_offset.min(active_offset));
    let from = first_dirty_offset.min(first_uncleanable_offset);
    let sum = |segments: &[SegmentToClean]| segments.iter().map(|segment| segment.size).sum();
    let below = |offset: i64| segments.partition_point(|segment| segment.base_offset < offset);
    let cleanable = floor(segments, from)..below(first_uncleanable_offset);
    CleanableRange {
        first_dirty_offset,
        first_uncleanable_offset,
        clean_bytes: sum(&segments[..below(first_dirty_offset)]),
        cleanable_bytes: segments.get(cleanable).map_or(0, sum),
        is_reset,
    }
}

/// Index of the segment that holds `offset`, or of the first one.
fn floor(segments: &[SegmentToClean], offset: i64) -> usize {
    segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
}

/// Joins neighbours as long as one segment and its indexes can hold what they hold now. `end_offset` is the first
/// offset behind the last of them.
pub fn group_segments(
    segments: &[SegmentToClean],
    segment_bytes: u64,
    index_bytes: u64,
    end_offset: i64,
) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut first = 0;
    while first < segments.len() {
        let mut sum = segments[first];
        let mut end = first + 1;
        while let Some(next) = segments.get(end) {
            let next_end = segments.get(end + 1).map_or(end_offset, |after| after.base_offset);
            let index = (sum.index_bytes.0 + next.index_bytes.0, sum.index_bytes.1 + next.index_bytes.1);
            let fits = sum.size + next.size <= segment_bytes
                && index.0 <= index_bytes
                && index.1 <= index_bytes
                && (next.size == 0 || next_end - 1 - sum.base_offset <= i64::from(i32::MAX));
            if !fits {
                break;
            }
            sum.size += next.size;
            sum.index_bytes = index;
            end += 1;
        }
        groups.push(first..end);
        first = end;
    }
    groups
}

#[cfg(test)]
mod tests;
