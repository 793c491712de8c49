//! Which of the oldest segments may go, by the rules of Kafka's `UnifiedLog.deleteOldSegments`.

/// A segment as retention sees it, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentAge {
    /// Its first offset.
    pub base_offset: i64,
    /// The offset after it: base offset of the next segment, or the log end offset.
    pub next_offset: i64,
    /// Bytes.
    pub size: u64,
    /// Its largest timestamp, or when it was created if it has none, ms.
    pub largest_timestamp: i64,
}

/// The limits of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// `retention.ms`; negative is unlimited.
    pub retention_ms: i64,
    /// `retention.bytes`; negative is unlimited.
    pub retention_bytes: i64,
    /// Whether `cleanup.policy` contains delete; otherwise only the log start offset counts.
    pub deletes: bool,
    /// Nothing at or above is deleted.
    pub high_watermark: i64,
    /// Segments that end at or below are deleted whatever the policy.
    pub log_start_offset: i64,
}

/// How many segments, counted from the oldest, may be deleted now. All of them means that a new, empty one is
/// rolled first; an active segment that is empty already always stays.
pub fn choose_deletable(segments: &[SegmentAge], limits: &RetentionLimits, now_ms: i64) -> usize {
    let reachable = segments.iter().enumerate().take_while(|(index, segment)| {
        let is_empty_active = index + 1 == segments.len() && segment.size == 0;
        segment.next_offset <= limits.high_watermark && !is_empty_active
    });
    let reachable = reachable.count();
    let below_start = segments[..reachable]
        .iter()
        .enumerate()
        .take_while(|(index, segment)| {
            index + 1 < segments.len() && segment.next_offset <= limits.log_start_offset
        })
        .count();
    if !limits.deletes {
        return below_start;
    }
    let too_old = if limits.retention_ms < 0 {
        0
    } else {
        let is_old =
            |segment: &&SegmentAge| now_ms.saturating_sub(segment.largest_timestamp) > limits.retention_ms;
        segments[..reachable].iter().take_while(is_old).count()
    };
    below_start.max(too_old).max(beyond_size(segments, reachable, limits))
}

/// A segment goes as long as what is left is not below the limit.
fn beyond_size(segments: &[SegmentAge], reachable: usize, limits: &RetentionLimits) -> usize {
    let Ok(retention_bytes) = u64::try_from(limits.retention_bytes) else { return 0 };
    let total: u64 = segments.iter().map(|segment| segment.size).sum();
    let Some(mut excess) = total.checked_sub(retention_bytes) else { return 0 };
    let mut count = 0;
    for segment in &segments[..reachable] {
        match excess.checked_sub(segment.size) {
            Some(rest) => excess = rest,
            None => break,
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<SegmentAge> {
        (0..4)
            .map(|i| SegmentAge {
                base_offset: i * 10,
                next_offset: i * 10 + 10,
                size: 100,
                largest_timestamp: 1000 + i * 100,
            })
            .collect()
    }

    const LIMITS: RetentionLimits = RetentionLimits {
        retention_ms: -1,
        retention_bytes: -1,
        deletes: true,
        high_watermark: 40,
        log_start_offset: 0,
    };

    #[test]
    fn by_time() {
        let limits = RetentionLimits { retention_ms: 500, ..LIMITS };
        assert_eq!(choose_deletable(&segments(), &limits, 1500), 0);
        assert_eq!(choose_deletable(&segments(), &limits, 1501), 1);
        assert_eq!(choose_deletable(&segments(), &limits, 1701), 3);
        assert_eq!(choose_deletable(&segments(), &limits, 9999), 4, "the active one too, after a roll");
        let behind = RetentionLimits { high_watermark: 25, ..limits };
        assert_eq!(choose_deletable(&segments(), &behind, 9999), 2, "not beyond the high watermark");
        let mut with_empty = segments();
        with_empty.push(SegmentAge { base_offset: 40, next_offset: 40, size: 0, largest_timestamp: 0 });
        assert_eq!(choose_deletable(&with_empty, &limits, 9999), 4, "an empty active segment stays");
    }

    #[test]
    fn by_size() {
        for (retention_bytes, deleted) in [(400, 0), (399, 0), (300, 1), (299, 1), (200, 2), (0, 4)] {
            let limits = RetentionLimits { retention_bytes, ..LIMITS };
            assert_eq!(choose_deletable(&segments(), &limits, 0), deleted, "{retention_bytes}");
        }
    }

    #[test]
    fn by_log_start_offset_whatever_the_policy() {
        let limits = RetentionLimits { deletes: false, retention_ms: 0, log_start_offset: 20, ..LIMITS };
        assert_eq!(choose_deletable(&segments(), &limits, i64::MAX), 2);
        let limits = RetentionLimits { log_start_offset: 40, ..limits };
        assert_eq!(choose_deletable(&segments(), &limits, i64::MAX), 3, "the active segment stays");
    }
}
