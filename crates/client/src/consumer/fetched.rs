//! From a partition's fetched bytes to batches that may be seen: control batches and aborted records are left out.

use std::collections::HashSet;

use bytes::Bytes;
use protocol::messages::fetch_response::AbortedTransaction;
use records::RecordsError;

use crate::consumer::subscriptions::Fetched;

/// The batches from `offset` on, in order. With `aborted` only records of committed transactions and of none are left.
pub(crate) fn visible(
    bytes: &Bytes,
    mut offset: i64,
    aborted: Option<Vec<AbortedTransaction>>,
) -> (Vec<Fetched>, Option<RecordsError>) {
    let mut fetched = Vec::new();
    let mut aborting = Aborting::new(aborted);
    for batch in records::batches(bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return (fetched, Some(error)),
        };
        if batch.header.last_offset() < offset {
            continue;
        }
        let next_offset = batch.header.next_offset();
        // Whatever a broker sends, reading never goes backwards.
        offset = next_offset;
        let is_visible = match aborting.is_visible(&batch) {
            Ok(is_visible) => is_visible,
            Err(error) => return (fetched, Some(error)),
        };
        // Compaction leaves batches without records.
        let is_visible = is_visible && batch.header.record_count > 0;
        let epoch = Some(batch.header.partition_leader_epoch).filter(|epoch| *epoch >= 0);
        fetched.push(Fetched { batch: is_visible.then_some(batch), next_offset, epoch });
    }
    (fetched, None)
}

/// Which producers' transactions are known to be aborted at this point of the log.
struct Aborting {
    /// Latest first; none without `read_committed`.
    ahead: Option<Vec<AbortedTransaction>>,
    producers: HashSet<i64>,
}

impl Aborting {
    fn new(aborted: Option<Vec<AbortedTransaction>>) -> Self {
        let ahead = aborted.map(|mut aborted| {
            aborted.sort_by_key(|one| std::cmp::Reverse(one.first_offset));
            aborted
        });
        Self { ahead, producers: HashSet::new() }
    }

    fn is_visible(&mut self, batch: &records::Batch) -> Result<bool, RecordsError> {
        if let Some(ahead) = &mut self.ahead {
            while let Some(begun) = ahead.pop_if(|one| one.first_offset <= batch.header.last_offset()) {
                self.producers.insert(begun.producer_id);
            }
        }
        if batch.header.is_control() {
            let marker = batch.end_transaction_marker()?;
            if marker.is_some_and(|(marker, _)| !marker.committed) {
                self.producers.remove(&batch.header.producer_id);
            }
            return Ok(false);
        }
        Ok(!batch.header.is_transactional() || !self.producers.contains(&batch.header.producer_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::{BatchBuilder, ControlRecordType, EndTransactionMarker};

    fn data(offset: i64, producer_id: i64) -> Bytes {
        let mut builder = BatchBuilder::new(offset).producer(producer_id, 0, 0);
        if producer_id >= 0 {
            builder = builder.transactional();
        }
        builder.append(0, None, Some(b"v"), &[]);
        builder.build()
    }

    fn marker(offset: i64, producer_id: i64, committed: bool) -> Bytes {
        let kind = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut builder = BatchBuilder::new(offset).producer(producer_id, 0, -1).transactional().control();
        builder.append_control(0, kind, &EndTransactionMarker { committed, coordinator_epoch: 0 }.value());
        builder.build()
    }

    #[test]
    fn aborted_records_are_left_out_until_their_marker() {
        let log = [
            data(0, 1),
            data(1, 2),
            data(2, -1),
            marker(3, 1, false),
            data(4, 1),
            marker(5, 2, true),
            marker(6, 1, true),
        ];
        let bytes = Bytes::from(log.concat());
        let aborted =
            || vec![AbortedTransaction { producer_id: 1, first_offset: 0, ..AbortedTransaction::default() }];
        let seen = |offset, aborted| -> Vec<i64> {
            let (fetched, error) = visible(&bytes, offset, aborted);
            assert!(error.is_none());
            assert_eq!(fetched.last().map(|one| one.next_offset), Some(7));
            fetched.iter().filter_map(|one| Some(one.batch.as_ref()?.header.base_offset)).collect()
        };
        assert_eq!(seen(0, Some(aborted())), [1, 2, 4]);
        assert_eq!(seen(2, Some(aborted())), [2, 4]);
        assert_eq!(seen(0, None), [0, 1, 2, 4]);
    }

    #[test]
    fn damage_ends_what_is_visible() {
        let mut bytes = [data(0, -1), data(1, -1)].concat();
        let second = bytes.len() / 2;
        bytes[second + 16] = 9;
        let (fetched, error) = visible(&bytes.into(), 0, None);
        assert_eq!((fetched.len(), error.is_some()), (1, true));
    }
}
