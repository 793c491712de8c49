//! Handing records out: what came back first, then what nobody has seen yet.

use std::sync::Arc;

use super::in_flight::Run;
use super::{Limits, SharePartition};
use crate::record_state::RecordState;

/// How strictly a member's record limit is taken (KIP-1206).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireMode {
    /// Whole batches, if need be beyond the limit: the cheapest.
    BatchOptimized,
    /// Never more than the limit.
    RecordLimit,
}

impl AcquireMode {
    /// The mode of this number in ShareFetch v2.
    pub fn from_i8(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::BatchOptimized),
            1 => Some(Self::RecordLimit),
            _ => None,
        }
    }
}

/// A batch of the log that was read for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchedBatch {
    /// Its first offset.
    pub base_offset: i64,
    /// Its last offset.
    pub last_offset: i64,
    /// Whether it belongs to an aborted transaction and the group reads committed records only.
    pub is_aborted: bool,
}

/// Who wants records, how many, and what was read.
#[derive(Debug)]
pub struct AcquireRequest<'a> {
    /// The member.
    pub member_id: &'a Arc<str>,
    /// How strictly `max_records` is taken.
    pub mode: AcquireMode,
    /// Most records that it wants of this partition.
    pub max_records: i64,
    /// About how many records it wants to acknowledge together.
    pub batch_size: i64,
    /// Where the log was read from: a [`SharePartition::next_fetch_offset`].
    pub fetch_offset: i64,
    /// What was found there, in the log's order.
    pub batches: &'a [FetchedBatch],
    /// The group's configuration.
    pub limits: &'a Limits,
    /// The time, in milliseconds.
    pub now_ms: i64,
}

/// Records that are the member's now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquiredRecords {
    /// The first of them.
    pub first_offset: i64,
    /// The last of them, itself included.
    pub last_offset: i64,
    /// For the how-many-th time they are handed out.
    pub delivery_count: i16,
}

/// What has been handed out so far, and how much more may be.
struct Taken {
    records: Vec<AcquiredRecords>,
    count: i64,
    room: i64,
}

impl Taken {
    fn add(&mut self, first_offset: i64, last_offset: i64, delivery_count: i16) {
        self.records.push(AcquiredRecords { first_offset, last_offset, delivery_count });
        self.count += last_offset - first_offset + 1;
    }

    fn left(&self) -> i64 {
        self.room - self.count
    }
}

impl SharePartition {
    /// Hands out what is available of the batches that were read. The lock of each record begins now.
    ///
    /// Nothing comes back if somebody else was faster, if too many records are out already, or if all that was read was
    /// aborted.
    pub fn acquire(&mut self, request: &AcquireRequest<'_>) -> Vec<AcquiredRecords> {
        let (Some(first), Some(last)) = (request.batches.first(), request.batches.last()) else {
            return Vec::new();
        };
        let mut last_offset = last.last_offset;
        let mut room = request.max_records.min(request.limits.max_record_locks - self.in_flight_records());
        if room <= 0 {
            // What came back may go out again, however many are out.
            room = request.max_records.min(self.next_offset - request.fetch_offset);
            last_offset = last_offset.min(self.next_offset - 1);
        }
        if room <= 0 || last_offset < self.start_offset {
            return Vec::new();
        }
        self.archive_missing(request.fetch_offset, first.base_offset);
        let from = first.base_offset.max(self.start_offset);
        let mut taken = Taken { records: Vec::new(), count: 0, room };
        let goes_on = self.acquire_again(request, &mut taken, from, last_offset);
        if goes_on && taken.left() > 0 && self.next_offset <= last_offset {
            self.acquire_new(request, &mut taken, from, last_offset);
        }
        self.take_aborted_away(request, &mut taken.records);
        self.settle();
        taken.records
    }

    /// What the log does not have any more between where it was asked and where it went on: compacted away.
    fn archive_missing(&mut self, fetch_offset: i64, base_offset: i64) {
        if fetch_offset >= base_offset {
            return;
        }
        for first in self.runs.isolate(fetch_offset, base_offset - 1) {
            self.runs.change(first, |run| {
                if run.state == RecordState::Available && run.pending.is_none() {
                    run.state = RecordState::Archived;
                }
            });
        }
        self.runs.merge_settled(fetch_offset, base_offset - 1);
    }

    /// Hands out what came back. Returns whether more may follow: records near their last delivery go out in ever smaller
    /// portions, the last time alone, so that one bad record does not take others with it.
    fn acquire_again(
        &mut self,
        request: &AcquireRequest<'_>,
        taken: &mut Taken,
        from: i64,
        last: i64,
    ) -> bool {
        let limit = request.limits.delivery_count_limit;
        let throttled_from = 2.max((limit + 1) / 2);
        for begin in self.runs.available_in(from, last) {
            if taken.left() <= 0 {
                return false;
            }
            let Some((_, run)) = self.runs.overlapping(begin, begin).next() else { continue };
            let (count, first) = (run.delivery_count, begin.max(from));
            let mut end = run.last_offset.min(last);
            let is_throttled = count >= throttled_from;
            if is_throttled {
                if taken.count > 0 {
                    return false;
                }
                let shift = u32::try_from(count - throttled_from + 1).unwrap_or(0).min(62);
                let portion =
                    if limit > 2 && count == limit - 1 { 1 } else { (run.batch_records >> shift).max(1) };
                end = end.min(first + portion - 1);
            }
            if request.mode == AcquireMode::RecordLimit {
                end = end.min(first + taken.left() - 1);
            }
            self.lock(request, first, end);
            taken.add(first, end, count.saturating_add(1));
            if is_throttled {
                return false;
            }
        }
        true
    }

    /// Gives `first..=last` to the member, one delivery more each.
    fn lock(&mut self, request: &AcquireRequest<'_>, first: i64, last: i64) {
        for begin in self.runs.isolate(first, last) {
            self.runs.change(begin, |run| {
                run.state = RecordState::Acquired;
                run.delivery_count = run.delivery_count.saturating_add(1);
                run.holder = Some(request.member_id.clone());
                run.lock_until_ms = request.now_ms.saturating_add(request.limits.record_lock_duration_ms);
            });
        }
    }

    /// Hands out what nobody has seen yet.
    fn acquire_new(&mut self, request: &AcquireRequest<'_>, taken: &mut Taken, from: i64, last: i64) {
        let first = self.next_offset.max(from);
        if self.next_offset < first {
            // The log has nothing here, so nobody waits for it.
            let missing = first - self.next_offset;
            self.runs.put(self.next_offset, Run::free(first - 1, RecordState::Archived, 0, missing));
            self.runs.merge_settled(self.next_offset, first - 1);
        }
        let mut end = last;
        if taken.left() < last - first + 1 {
            end = first + taken.left() - 1;
            if request.mode == AcquireMode::BatchOptimized {
                let cut =
                    request.batches.iter().find(|batch| batch.base_offset <= end && end <= batch.last_offset);
                end = cut.map_or(end, |batch| batch.last_offset).min(last);
            }
        }
        let mut begin = first;
        if request.mode == AcquireMode::BatchOptimized {
            for batch in
                request.batches.iter().filter(|batch| first < batch.base_offset && batch.base_offset <= end)
            {
                if batch.base_offset - begin >= request.batch_size.max(1) {
                    self.lock_new(request, taken, begin, batch.base_offset - 1);
                    begin = batch.base_offset;
                }
            }
        }
        self.lock_new(request, taken, begin, end);
        self.next_offset = end + 1;
    }

    fn lock_new(&mut self, request: &AcquireRequest<'_>, taken: &mut Taken, first: i64, last: i64) {
        self.runs.put(first, Run::free(last, RecordState::Available, 0, last - first + 1));
        self.lock(request, first, last);
        taken.add(first, last, 1);
    }

    /// Records of aborted transactions are nobody's: the group reads committed ones only.
    fn take_aborted_away(&mut self, request: &AcquireRequest<'_>, taken: &mut Vec<AcquiredRecords>) {
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return };
        let (first, last) = (first.first_offset, last.last_offset);
        for batch in request.batches.iter().filter(|batch| batch.is_aborted) {
            let (from, to) = (batch.base_offset.max(first), batch.last_offset.min(last));
            if from > to {
                continue;
            }
            for begin in self.runs.isolate(from, to) {
                self.runs.change(begin, |run| {
                    if run.is_held_by(request.member_id) {
                        run.state = RecordState::Archived;
                        run.holder = None;
                    }
                });
            }
            self.runs.merge_settled(from, to);
            *taken = std::mem::take(taken).into_iter().flat_map(|row| without(row, from, to)).collect();
        }
    }
}

/// What is left of a row without `from..=to`.
fn without(row: AcquiredRecords, from: i64, to: i64) -> impl Iterator<Item = AcquiredRecords> {
    let before = AcquiredRecords { last_offset: row.last_offset.min(from - 1), ..row };
    let after = AcquiredRecords { first_offset: row.first_offset.max(to + 1), ..row };
    [before, after].into_iter().filter(|row| row.first_offset <= row.last_offset)
}
