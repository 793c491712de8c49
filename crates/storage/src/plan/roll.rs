//! Whether the next append needs a new segment, by the rules of Kafka's `LogSegment.shouldRoll`.

use config::TopicConfig;

/// What the decision looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollInput {
    /// Base offset of the active segment.
    pub base_offset: i64,
    /// Bytes in the active segment.
    pub size: u32,
    /// Entries in its offset index and its time index.
    pub index_entries: (u32, u32),
    /// When it was created, ms.
    pub created_ms: i64,
    /// Largest timestamp of its first batch, ms; negative if it has none.
    pub first_timestamp: i64,
    /// Bytes to be appended.
    pub appended_bytes: usize,
    /// Largest timestamp in them, ms.
    pub appended_max_timestamp: i64,
    /// Last offset of them.
    pub appended_last_offset: i64,
    /// Time, ms.
    pub now_ms: i64,
}

/// The limits of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollLimits {
    /// `segment.bytes`.
    pub segment_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// What this segment's share of `segment.jitter.ms` takes off, ms.
    pub jitter_ms: i64,
    /// `segment.index.bytes`, the limit of either index.
    pub segment_index_bytes: i32,
}

/// `segment.ms`, or `max.compaction.lag.ms` where that is shorter: an active segment is never compacted.
pub fn segment_ms(config: &TopicConfig) -> i64 {
    if config.compacts() && config.max_compaction_lag_ms > 0 {
        config.segment_ms.min(config.max_compaction_lag_ms)
    } else {
        config.segment_ms
    }
}

/// Whether to roll before the append.
pub fn should_roll(input: &RollInput, limits: &RollLimits) -> bool {
    let waited_ms = if input.first_timestamp >= 0 {
        input.appended_max_timestamp.saturating_sub(input.first_timestamp)
    } else {
        input.now_ms.saturating_sub(input.created_ms)
    };
    let is_too_large = i64::from(input.size) + input.appended_bytes as i64 > i64::from(limits.segment_bytes);
    let is_too_old = input.size > 0 && waited_ms > limits.segment_ms.saturating_sub(limits.jitter_ms);
    let offset_entries_max = u32::try_from(limits.segment_index_bytes / 8).unwrap_or(0);
    // One place is kept for the entry that closes the time index.
    let time_entries_max = u32::try_from(limits.segment_index_bytes / 12 - 1).unwrap_or(0);
    let is_index_full =
        input.index_entries.0 >= offset_entries_max || input.index_entries.1 >= time_entries_max;
    let overflows = input.appended_last_offset.saturating_sub(input.base_offset) > i64::from(i32::MAX);
    (input.size > 0 && (is_too_large || is_index_full)) || is_too_old || overflows
}

/// A segment's share of the jitter, ms: spread evenly, the same again after a restart.
pub fn jitter_ms(
    topic: &str,
    partition: i32,
    base_offset: i64,
    segment_jitter_ms: i64,
    segment_ms: i64,
) -> i64 {
    let bound = segment_jitter_ms.min(segment_ms);
    if bound <= 0 {
        return 0;
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let numbers = partition.to_be_bytes().into_iter().chain(base_offset.to_be_bytes());
    for byte in topic.bytes().chain(numbers) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The low bits of this hash mix best.
    ((hash ^ (hash >> 32)) % bound as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RollLimits =
        RollLimits { segment_bytes: 1000, segment_ms: 100, jitter_ms: 0, segment_index_bytes: 24 * 8 };

    const INPUT: RollInput = RollInput {
        base_offset: 10,
        size: 500,
        index_entries: (1, 1),
        created_ms: 0,
        first_timestamp: 50,
        appended_bytes: 500,
        appended_max_timestamp: 150,
        appended_last_offset: 20,
        now_ms: 1_000_000,
    };

    #[test]
    fn each_limit_rolls_only_when_it_is_passed() {
        assert!(!should_roll(&INPUT, &LIMITS));
        assert!(should_roll(&RollInput { appended_bytes: 501, ..INPUT }, &LIMITS));
        assert!(should_roll(&RollInput { appended_max_timestamp: 151, ..INPUT }, &LIMITS));
        assert!(should_roll(&INPUT, &RollLimits { jitter_ms: 1, ..LIMITS }));
        assert!(should_roll(&RollInput { index_entries: (24, 1), ..INPUT }, &LIMITS));
        assert!(!should_roll(&RollInput { index_entries: (23, 14), ..INPUT }, &LIMITS));
        assert!(should_roll(&RollInput { index_entries: (1, 15), ..INPUT }, &LIMITS));
        let last = 10 + i64::from(i32::MAX);
        assert!(!should_roll(&RollInput { appended_last_offset: last, ..INPUT }, &LIMITS));
        assert!(should_roll(&RollInput { appended_last_offset: last + 1, ..INPUT }, &LIMITS));
    }

    #[test]
    fn without_timestamps_the_age_of_the_segment_counts() {
        let input = RollInput { first_timestamp: -1, now_ms: 100, ..INPUT };
        assert!(!should_roll(&input, &LIMITS));
        assert!(should_roll(&RollInput { now_ms: 101, ..input }, &LIMITS));
        assert!(
            !should_roll(&RollInput { now_ms: 101, size: 0, ..input }, &LIMITS),
            "an empty segment stays"
        );
    }

    #[test]
    fn jitter_spreads_and_is_bounded() {
        let shares: Vec<i64> = (0..100).map(|partition| jitter_ms("t", partition, 0, 1000, 500)).collect();
        assert!(shares.iter().all(|share| (0..500).contains(share)));
        assert!(shares.iter().any(|share| *share < 100) && shares.iter().any(|share| *share > 400));
        assert_eq!(jitter_ms("t", 0, 0, 0, 500), 0);
    }
}
