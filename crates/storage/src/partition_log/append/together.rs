//! Appending what several requests of a connection have brought by one write.

use std::sync::Arc;

use bytes::Bytes;
use config::TopicConfig;
use records::AppendOrigin;
use replica::PreparedAppend;
use smallvec::SmallVec;

use super::{AppendError, AppendInfo, Judged, Leading, PlacedBatch, validated};
use crate::partition_log::{LogState, PartitionLog};

impl PartitionLog {
    /// Appends what clients sent in several requests, in order: an outcome for each, as if they had come one by one. Requests
    /// that only go on where the log and their producers stand are written at once.
    pub fn append_together(
        self: &Arc<Self>,
        requests: &[Bytes],
        leader_epoch: i32,
        now_ms: i64,
    ) -> Vec<Result<AppendInfo, AppendError>> {
        let config = self.config();
        let judged: Vec<_> = requests
            .iter()
            .map(|records| validated(records, &config, AppendOrigin::Client, now_ms))
            .collect();
        let has_space = self.directory().reserve().check_space();
        let mut state = match has_space.and_then(|()| self.writable_state()) {
            Ok(state) => state,
            Err(error) => return all_refused(judged, &AppendError::from(error)),
        };
        let leading = Leading { leader_epoch, origin: AppendOrigin::Client, transaction_version: 0 };
        let first_offset = self.log_end_offset();
        let appended = self.append_joined(&mut state, judged, &config, leader_epoch, now_ms);
        let outcomes = appended.unwrap_or_else(|judged| {
            let append =
                |batches: Judged| self.append_batches(&mut state, batches?, &config, leading, now_ms);
            judged.into_iter().map(append).collect()
        });
        drop(state);
        self.after_append(&config, first_offset);
        outcomes
    }

    /// Appends all that is valid by one write; gives everything back if that is not the same as appending one by one.
    fn append_joined(
        self: &Arc<Self>,
        state: &mut LogState,
        mut judged: Vec<Judged>,
        config: &TopicConfig,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Vec<Result<AppendInfo, AppendError>>, Vec<Judged>> {
        let first_offset = self.log_end_offset();
        let mut next_offset = first_offset;
        let mut size = 0;
        let mut goes_on = true;
        for batch in judged.iter_mut().flatten().flatten() {
            batch.assign(next_offset, leader_epoch);
            next_offset = batch.header.next_offset();
            size += batch.size_in_bytes();
            // Of a producer that is new here the first batch says what is in order.
            goes_on &= !batch.header.has_producer_id()
                || state
                    .producers
                    .get(batch.header.producer_id)
                    .is_some_and(|producer| producer.producer_epoch == batch.header.producer_epoch);
        }
        if !goes_on || size == 0 {
            return Err(judged);
        }
        let valid = || judged.iter().flatten().flatten();
        let prepared = self.judge_producers(state, valid(), AppendOrigin::Client, 0);
        let Ok(PreparedAppend::Append(update)) = prepared else { return Err(judged) };
        let placed: SmallVec<[PlacedBatch<'_>; 8]> = valid().map(PlacedBatch::from).collect();
        // Where a segment ends depends on each batch.
        if !self.has_room(&placed, next_offset - 1, config, now_ms) {
            drop(placed);
            return Err(judged);
        }
        let written = self
            .write(state, &placed, config, now_ms)
            .and_then(|()| self.take_over(state, update, &placed, config));
        drop(placed);
        if let Err(error) = written {
            return Ok(all_refused(judged, &AppendError::from(error)));
        }
        Ok(judged.into_iter().map(|batches| Ok(self.info_of(&batches?, config, now_ms))).collect())
    }

    /// Whether the active segment takes these batches whichever way they come.
    fn has_room(
        &self,
        batches: &[PlacedBatch<'_>],
        last_offset: i64,
        config: &TopicConfig,
        now_ms: i64,
    ) -> bool {
        let Some(active) = self.active_segment().filter(|active| active.size() > 0) else { return false };
        matches!(self.must_roll(&active, last_offset, batches, batches.len(), config, now_ms), Ok(false))
    }
}

fn all_refused(judged: Vec<Judged>, refusal: &AppendError) -> Vec<Result<AppendInfo, AppendError>> {
    judged.into_iter().map(|judged| Err(judged.err().unwrap_or(refusal.clone()))).collect()
}
