//! Which producers may open a transaction on a partition: only those whose coordinator says that it is open (KIP-890).
//!
//! The first records of a transaction are appended after its coordinator was asked. What ends a transaction in between takes
//! the permission back, so that no transaction opens that nobody will end.

use std::collections::HashMap;

/// A permission to open a transaction, good until one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationGuard(u64);

/// The producers whose coordinator is being asked, or has been and whose records are not there yet.
#[derive(Debug, Default)]
pub struct Verifications {
    asked: HashMap<i64, Verification>,
    next_guard: u64,
    /// At this many, those that nobody came back for are thrown away.
    sweep_at: usize,
}

#[derive(Debug)]
struct Verification {
    guard: VerificationGuard,
    producer_epoch: i16,
    lowest_sequence: i32,
    bumps_epochs: bool,
    since_ms: i64,
}

/// Records that come with or without permission.
#[derive(Debug, Clone, Copy)]
pub struct FirstBatch {
    /// Whose they are.
    pub producer_id: i64,
    /// At which epoch.
    pub producer_epoch: i16,
    /// From which sequence on.
    pub base_sequence: i32,
}

/// Why records may not open a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotVerified {
    /// Nobody asked the coordinator, or a transaction has ended since.
    Unknown,
    /// Earlier records were asked for and must come first.
    OutOfOrder,
}

const SWEEP_MIN: usize = 64;

impl Verifications {
    /// Somebody asks the coordinator now. `bumps_epochs`: the client speaks `transaction.version` 2.
    pub fn begin(
        &mut self,
        batch: FirstBatch,
        bumps_epochs: bool,
        now_ms: i64,
        expiration_ms: i64,
    ) -> VerificationGuard {
        self.sweep(now_ms, expiration_ms);
        let next = VerificationGuard(self.next_guard);
        let entry = self.asked.entry(batch.producer_id).or_insert_with(|| {
            self.next_guard += 1;
            Verification {
                guard: next,
                producer_epoch: batch.producer_epoch,
                lowest_sequence: batch.base_sequence,
                bumps_epochs,
                since_ms: now_ms,
            }
        });
        if batch.producer_epoch > entry.producer_epoch {
            entry.producer_epoch = batch.producer_epoch;
            entry.lowest_sequence = batch.base_sequence;
        } else if batch.producer_epoch == entry.producer_epoch {
            entry.lowest_sequence = entry.lowest_sequence.min(batch.base_sequence);
        }
        entry.guard
    }

    fn sweep(&mut self, now_ms: i64, expiration_ms: i64) {
        if self.asked.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.asked.retain(|_, entry| now_ms.saturating_sub(entry.since_ms) < expiration_ms);
            self.sweep_at = self.asked.len().saturating_mul(2);
        }
    }

    /// Whether `batch` may open a transaction with `guard`. `is_known`: the partition remembers the producer.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        batch: FirstBatch,
        guard: Option<VerificationGuard>,
        is_known: bool,
    ) -> Result<(), NotVerified> {
        let asked = self.asked.get(&batch.producer_id);
        let Some(asked) = asked.filter(|asked| Some(asked.guard) == guard) else {
            return Err(NotVerified::Unknown);
        };
        let skips_first = asked.bumps_epochs && batch.base_sequence > 0 && !is_known;
        if skips_first || batch.base_sequence > asked.lowest_sequence {
            return Err(NotVerified::OutOfOrder);
        }
        Ok(())
    }

    /// A transaction of this producer has begun here.
    pub fn begun(&mut self, producer_id: i64) {
        self.asked.remove(&producer_id);
    }

    /// A transaction of this producer has ended here by a marker at `marker_epoch`. Where every end bumps the epoch, the
    /// marker has that of the transaction after, whose permission stays good.
    pub fn ended(&mut self, producer_id: i64, marker_epoch: i16, bumps_epochs: bool) {
        let is_after = |asked: &Verification| bumps_epochs && asked.producer_epoch >= marker_epoch;
        if !self.asked.get(&producer_id).is_some_and(is_after) {
            self.asked.remove(&producer_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base_sequence: i32) -> FirstBatch {
        FirstBatch { producer_id: 7, producer_epoch: 1, base_sequence }
    }

    #[test]
    fn a_guard_is_good_until_a_transaction_ends() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(batch(0), true, 0, 1000);
        assert_eq!(verifications.check(batch(0), None, false), Err(NotVerified::Unknown));
        assert_eq!(verifications.check(batch(0), Some(guard), false), Ok(()));
        verifications.ended(7, 2, true);
        assert_eq!(verifications.check(batch(0), Some(guard), false), Err(NotVerified::Unknown));
        let again = verifications.begin(batch(0), true, 0, 1000);
        assert_ne!(again, guard);
        assert_eq!(verifications.check(batch(0), Some(guard), false), Err(NotVerified::Unknown));
    }

    #[test]
    fn the_end_of_the_transaction_before_takes_nothing_back() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(batch(0), true, 0, 1000);
        verifications.ended(7, 1, true);
        assert_eq!(verifications.check(batch(0), Some(guard), false), Ok(()));
        verifications.ended(7, 1, false);
        assert_eq!(verifications.check(batch(0), Some(guard), false), Err(NotVerified::Unknown));
    }

    #[test]
    fn the_lowest_sequence_that_was_asked_for_comes_first() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(batch(5), false, 0, 1000);
        assert_eq!(verifications.begin(batch(3), false, 0, 1000), guard);
        assert_eq!(verifications.check(batch(5), Some(guard), true), Err(NotVerified::OutOfOrder));
        assert_eq!(verifications.check(batch(3), Some(guard), true), Ok(()));
        let newer = FirstBatch { producer_epoch: 2, ..batch(9) };
        verifications.begin(newer, false, 0, 1000);
        assert_eq!(verifications.check(newer, Some(guard), true), Ok(()));
    }

    #[test]
    fn bumped_epochs_begin_at_sequence_zero_where_nobody_remembers_the_producer() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(batch(4), true, 0, 1000);
        assert_eq!(verifications.check(batch(4), Some(guard), false), Err(NotVerified::OutOfOrder));
        assert_eq!(verifications.check(batch(4), Some(guard), true), Ok(()));
    }

    #[test]
    fn those_that_nobody_came_back_for_are_thrown_away() {
        let mut verifications = Verifications::default();
        for producer_id in 0..64 {
            verifications.begin(FirstBatch { producer_id, ..batch(0) }, true, 0, 1000);
        }
        verifications.begin(batch(0), true, 5000, 1000);
        assert_eq!(verifications.asked.len(), 1);
    }
}
