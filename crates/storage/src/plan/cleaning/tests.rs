//! The plan of a compaction, rule by rule.

use super::*;

/// Segments of ten offsets and a hundred bytes each; the last is active.
fn segments(count: i64) -> Vec<SegmentToClean> {
    (0..count).map(|i| SegmentToClean { base_offset: i * 10, size: 100, index_bytes: (8, 12) }).collect()
}

const BOUNDS: CleaningBounds =
    CleaningBounds { log_start_offset: 0, log_end_offset: 50, last_stable_offset: 50, cleaned_offset: None };

fn range(bounds: CleaningBounds, too_young: Option<i64>) -> (i64, i64, u64, u64, bool) {
    let range = choose_range(&segments(5), &bounds, too_young);
    let CleanableRange {
        first_dirty_offset,
        first_uncleanable_offset,
        clean_bytes,
        cleanable_bytes,
        is_reset,
    } = range;
    (first_dirty_offset, first_uncleanable_offset, clean_bytes, cleanable_bytes, is_reset)
}

#[test]
fn everything_but_the_active_segment_is_cleanable() {
    assert_eq!(range(BOUNDS, None), (0, 40, 0, 400, false));
    assert_eq!(range(CleaningBounds { cleaned_offset: Some(20), ..BOUNDS }, None), (20, 40, 200, 200, false));
    assert_eq!(range(CleaningBounds { cleaned_offset: Some(40), ..BOUNDS }, None), (40, 40, 400, 0, false));
    assert_eq!(range(CleaningBounds { cleaned_offset: Some(45), ..BOUNDS }, None), (45, 40, 500, 0, false));
    let nothing = choose_range(&[], &CleaningBounds { log_end_offset: 0, ..BOUNDS }, None);
    assert_eq!((nothing.cleanable_bytes, nothing.dirty_ratio()), (0, 0.0));
}

#[test]
fn undecided_and_young_records_stay() {
    let undecided = CleaningBounds { last_stable_offset: 25, ..BOUNDS };
    assert_eq!(range(undecided, None), (0, 20, 0, 200, false), "the segment with the undecided record stays");
    assert_eq!(range(BOUNDS, Some(10)), (0, 10, 0, 100, false));
    assert_eq!(range(undecided, Some(30)), (0, 20, 0, 200, false));
    assert_eq!(range(CleaningBounds { last_stable_offset: 0, ..BOUNDS }, None), (0, 0, 0, 0, false));
}

#[test]
fn a_saved_offset_outside_of_the_log_counts_for_nothing() {
    let bounds = CleaningBounds { cleaned_offset: Some(51), ..BOUNDS };
    assert_eq!(range(bounds, None), (0, 40, 0, 400, true));
    let bounds = CleaningBounds { cleaned_offset: Some(5), log_start_offset: 15, ..BOUNDS };
    assert_eq!(range(bounds, None), (15, 40, 200, 300, true), "the segment of the start is dirty as a whole");
}

#[test]
fn a_log_is_due_by_ratio_or_by_age() {
    let range = |clean_bytes, cleanable_bytes| CleanableRange {
        first_dirty_offset: 0,
        first_uncleanable_offset: 0,
        clean_bytes,
        cleanable_bytes,
        is_reset: false,
    };
    assert!(!range(100, 100).is_due(0.5, false), "the ratio must be exceeded");
    assert!(range(100, 101).is_due(0.5, false));
    assert!(range(100, 1).is_due(0.5, true));
    assert!(!range(100, 0).is_due(0.0, true), "without anything to clean no age matters");
    assert!(!range(0, 0).is_due(0.0, false));
    assert!(is_overdue(Some(899), 100, 1000) && !is_overdue(Some(900), 100, 1000));
    assert!(!is_overdue(None, 0, 1000) && !is_overdue(Some(1), i64::MAX, 1000));
}

#[test]
fn only_ended_segments_can_be_dirty() {
    let segments = segments(3);
    assert_eq!(dirty_segments(&segments, 0), 0..2);
    assert_eq!(dirty_segments(&segments, 15), 1..2);
    assert_eq!(dirty_segments(&segments, 25), 2..2);
    assert_eq!(dirty_segments(&[], 0), 0..0);
}

#[test]
fn neighbours_are_joined_while_they_fit() {
    let groups = |segment_bytes, index_bytes| group_segments(&segments(5), segment_bytes, index_bytes, 50);
    assert_eq!(groups(250, 1000), [0..2, 2..4, 4..5]);
    assert_eq!(groups(99, 1000), [0..1, 1..2, 2..3, 3..4, 4..5], "a segment that is too large stands alone");
    assert_eq!(groups(1000, 36), [0..3, 3..5], "the time index is full first");
    assert_eq!(group_segments(&[], 10, 10, 0), []);
}

#[test]
fn a_segment_never_spans_more_offsets_than_its_index_can_tell() {
    let far = i64::from(i32::MAX) - 5;
    let mut segments = segments(2);
    segments[1].base_offset = far;
    assert_eq!(group_segments(&segments, 1000, 1000, far + 6).len(), 1);
    assert_eq!(group_segments(&segments, 1000, 1000, far + 7), [0..1, 1..2]);
    segments[1].size = 0;
    assert_eq!(group_segments(&segments, 1000, 1000, far + 7).len(), 1, "an empty one has no offsets");
}
