//! What must be verified when a log is opened, and what damage means.

/// Where to begin verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryPlan {
    /// The last stop was clean: nothing is verified.
    TrustAll,
    /// The segments from this index on are verified, the others trusted.
    VerifyFrom(usize),
}

/// Chooses the segments to verify: the one that holds the recovery point and all after it.
///
/// `base_offsets` ascend. A recovery point below the first segment means that all are verified.
pub fn choose_verified(base_offsets: &[i64], recovery_point: i64, was_clean: bool) -> RecoveryPlan {
    if was_clean {
        return RecoveryPlan::TrustAll;
    }
    let index = base_offsets.partition_point(|base| *base <= recovery_point).saturating_sub(1);
    RecoveryPlan::VerifyFrom(index)
}

/// What to do about a log whose valid batches end before its files do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A torn tail, as a crash leaves one: cut it off and go on.
    CutTail,
    /// Bytes that were known to be on disk are gone: touch nothing, tell people.
    Quarantine,
}

/// Judges where valid batches end. Everything from the log start offset to the recovery point was synced, so a
/// crash cannot explain damage there; what lies below the start was to go anyway.
pub fn judge_end(valid_end_offset: i64, log_start_offset: i64, recovery_point: i64) -> Verdict {
    if valid_end_offset.max(log_start_offset) < recovery_point {
        Verdict::Quarantine
    } else {
        Verdict::CutTail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_begins_with_the_segment_of_the_recovery_point() {
        let bases = [0, 100, 200];
        for (recovery_point, index) in [(0, 0), (99, 0), (100, 1), (150, 1), (200, 2), (9999, 2)] {
            assert_eq!(choose_verified(&bases, recovery_point, false), RecoveryPlan::VerifyFrom(index));
        }
        assert_eq!(choose_verified(&[50], 10, false), RecoveryPlan::VerifyFrom(0));
        assert_eq!(choose_verified(&[], 10, false), RecoveryPlan::VerifyFrom(0));
        assert_eq!(choose_verified(&bases, 0, true), RecoveryPlan::TrustAll);
    }

    #[test]
    fn damage_before_the_recovery_point_is_no_torn_tail() {
        assert_eq!(judge_end(99, 0, 100), Verdict::Quarantine);
        assert_eq!(judge_end(99, 99, 100), Verdict::Quarantine);
        assert_eq!(judge_end(100, 0, 100), Verdict::CutTail);
        assert_eq!(judge_end(0, 100, 100), Verdict::CutTail);
    }
}
