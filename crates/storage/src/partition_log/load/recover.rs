//! After a crash: verify from the recovery point on, cut the torn tail, refuse to cut anything else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::{LogState, PartitionLog};
use super::LoadedLog;
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::plan::recovery::{Verdict, judge_end};
use crate::segment::Segment;
use crate::segment::recover::{Expected, LogRules, RebuiltIndexes, Verified, verify};

impl PartitionLog {
    /// Verifies the segments from `first` on. Returns the offset from which on derived files (transaction indexes,
    /// producer snapshots) are not trusted.
    pub(super) fn recover(
        &self,
        state: &mut LogState,
        first: usize,
        known: LoadedLog,
        now_ms: i64,
    ) -> Result<i64, StorageError> {
        let segments = self.segments();
        let Some(start) = segments.get(first) else {
            return self.check_nothing_lost(0, known, None).map(|()| 0);
        };
        let verified_from = start.base_offset;
        let saved = state.epochs.clone();
        // `truncate_from_end` ignores nothing but negative offsets, so 0 clears.
        state.epochs_are_unsaved |= state.epochs.truncate_from_end(verified_from);
        // What recovery trusts was saved before the recovery point was.
        let epoch_of = |offset: i64| match offset < known.recovery_point {
            true => saved.epoch_for_offset(offset),
            false => None,
        };
        let mut end_offset = verified_from;
        let mut kept = first;
        for segment in &segments[first..] {
            if segment.base_offset != end_offset && self.is_torn_off(segment, end_offset, known) {
                break;
            }
            let verified =
                self.verify_segment(state, segment, end_offset.max(segment.base_offset), &epoch_of)?;
            end_offset = verified.next_offset;
            kept += 1;
            if let Some(damage) = &verified.damage {
                self.check_nothing_lost(end_offset, known, Some((segment, damage)))?;
                self.cut_segment(segment, &verified, damage)?;
                break;
            }
        }
        self.check_nothing_lost(end_offset, known, None)?;
        for segment in segments[kept..].iter().rev() {
            tracing::warn!(
                topic = %self.topic,
                partition = self.partition,
                log_end_offset = end_offset,
                segment = %segment.path(&self.place, LogFileKind::Log).display(),
                bytes = segment.size(),
                "dropping a segment behind the torn tail"
            );
            self.discard_segment(segment, now_ms)?;
        }
        if kept < segments.len() {
            self.sync_names()?;
        }
        self.replace_segments(segments[..kept].to_vec());
        self.log_end_offset.store(end_offset, Ordering::Release);
        self.names_are_unsynced.store(true, Ordering::Release);
        self.parent_is_unsynced.store(true, Ordering::Release);
        Ok(verified_from)
    }

    /// A segment that does not begin where the one before ends was written after something that is lost. Only below
    /// the recovery point, where nothing can be lost, compaction has made the gap; and a leader's log may have one
    /// that is wider than a segment can be.
    fn is_torn_off(&self, segment: &Segment, end_offset: i64, known: LoadedLog) -> bool {
        let gap = segment.base_offset - end_offset;
        gap < 0 || (segment.base_offset > known.recovery_point && gap <= i64::from(i32::MAX))
    }

    fn verify_segment(
        &self,
        state: &mut LogState,
        segment: &Arc<Segment>,
        offset: i64,
        epoch_of: &dyn Fn(i64) -> Option<i32>,
    ) -> Result<Verified, StorageError> {
        let path = segment.path(&self.place, LogFileKind::Log);
        // A checkpoint that names a later epoch than the batches have is damaged: it must not cut them off.
        let found = state.epochs.latest().filter(|latest| epoch_of(latest.start_offset).is_none());
        let expected = Expected {
            offset,
            leader_epoch: found.map_or(-1, |latest| latest.epoch),
            is_inside: false,
            offset_max: if segment.next_offset() > segment.base_offset {
                segment.next_offset() - 1
            } else {
                segment.offset_max()
            },
        };
        let admits_gap = |offset| self.admits_gap(offset);
        let rules = LogRules { admits_gap: &admits_gap, epoch_of };
        let mut rebuilt = RebuiltIndexes::new(segment.base_offset);
        let verified = segment
            .file(&self.place, LogFileKind::Log)
            .and_then(|file| {
                verify(file.as_ref(), segment.size(), expected, &rules, |position, header| {
                    rebuilt.add(position, header);
                    let epoch = header.partition_leader_epoch;
                    state.epochs_are_unsaved |= state.epochs.assign(epoch, header.base_offset);
                })
            })
            .map_err(|error| StorageError::io("read", &path, error))?;
        segment.set_end(verified.valid_bytes, verified.next_offset);
        segment.note_proven(0, verified.valid_bytes);
        segment
            .replace_indexes(&self.place, rebuilt)
            .map_err(|source| self.write_error("rebuild the index of", &path, source))?;
        if segment.has_transaction_index() {
            self.empty_transaction_index(segment)?;
        }
        // Bytes that survived the crash in the page cache are not on disk yet.
        segment.mark_unsynced(LogFileKind::Log);
        segment.forget_durable();
        Ok(verified)
    }

    fn cut_segment(
        &self,
        segment: &Arc<Segment>,
        verified: &Verified,
        damage: &str,
    ) -> Result<(), StorageError> {
        let path = segment.path(&self.place, LogFileKind::Log);
        let file = segment.file(&self.place, LogFileKind::Log);
        let cut = file.and_then(|file| {
            let length = file.length()?;
            tracing::warn!(
                topic = %self.topic,
                partition = self.partition,
                offset = verified.next_offset,
                bytes = length.saturating_sub(u64::from(verified.valid_bytes)),
                segment = %path.display(),
                position = verified.valid_bytes,
                reason = damage,
                "cutting off a torn tail"
            );
            file.set_length(u64::from(verified.valid_bytes))?;
            // A later segment must never stand behind a tail that comes back with the next crash.
            file.sync_data()
        });
        cut.map_err(|source| self.write_error("truncate", &path, source))
    }

    pub(super) fn check_nothing_lost(
        &self,
        end_offset: i64,
        known: LoadedLog,
        damage: Option<(&Arc<Segment>, &str)>,
    ) -> Result<(), StorageError> {
        let recovery_point = known.recovery_point;
        if judge_end(end_offset, known.log_start_offset, recovery_point) == Verdict::CutTail {
            return Ok(());
        }
        let lost =
            format!("valid batches end at offset {end_offset}, but up to {recovery_point} all was on disk");
        Err(match damage {
            Some((segment, damage)) => StorageError::damaged(
                &segment.path(&self.place, LogFileKind::Log),
                format!("{damage}; {lost}"),
            ),
            None => StorageError::damaged(&self.place.path(), lost),
        })
    }
}
