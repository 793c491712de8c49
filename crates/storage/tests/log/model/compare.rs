//! What is read from the log must be what the model holds.

use bytes::Bytes;
use records::batches;

use super::expected::{Batch, Ended};
use super::run::Pair;

impl Pair {
    /// Whatever is read, from any offset in pieces of any size: the model's batches, none left out, none changed.
    pub fn compare_reads(&self, at: i64, max_bytes: usize) {
        let read = self.log.read(at, max_bytes, i64::MAX, false).expect("reads");
        let bytes = read.records.to_bytes().expect("bytes");
        assert!(bytes.len() <= max_bytes);
        let next = self.compare_batches(at, &bytes);
        if !bytes.is_empty() {
            assert_eq!(read.end_offset, next);
        }
    }

    /// The offset after the last batch.
    fn compare_batches(&self, at: i64, bytes: &Bytes) -> i64 {
        let mut next = at;
        // Compaction leaves batches without records where a producer's state needs them, and takes others.
        let mut expected = self.model.batches_from(at).peekable();
        for batch in batches(bytes) {
            let batch = batch.expect("well formed");
            batch.verify_crc().expect("checksum");
            let header = &batch.header;
            assert!(header.last_offset() >= next, "a batch before the one asked for");
            while let Some(skipped) = expected.next_if(|expected| expected.last < header.base_offset) {
                assert!(skipped.records.is_empty(), "{skipped:?} is left out");
            }
            let held = expected.next().unwrap_or_else(|| panic!("{header:?} was never written"));
            self.compare_batch(held, &batch);
            next = header.next_offset();
        }
        next
    }

    fn compare_batch(&self, held: &Batch, batch: &records::Batch) {
        let header = &batch.header;
        assert!(header.base_offset >= held.base && header.last_offset() <= held.last, "{header:?}, {held:?}");
        assert_eq!(header.is_control(), held.is_control, "{header:?}");
        assert_eq!(header.producer_id, held.producer, "{header:?}");
        if held.is_control {
            return;
        }
        let found: Vec<_> = batch
            .records(1 << 20)
            .expect("readable")
            .map(|record| record.expect("well formed"))
            .map(|record| (record.offset, record.timestamp, record.key, record.value))
            .collect();
        let owned = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
        let wanted = held.records.iter();
        let wanted: Vec<_> = wanted
            .map(|record| (record.offset, record.timestamp, owned(&record.key), owned(&record.value)))
            .collect();
        assert_eq!(found, wanted);
    }

    /// As a `read_committed` consumer: the aborted transactions are those of Kafka's rule, and what is left after
    /// leaving them out is what was committed. Returns where the next fetch begins.
    pub fn compare_committed(&self, from: i64, max_bytes: usize) -> i64 {
        let bound = self.log.last_stable_offset();
        if from >= bound {
            return from;
        }
        let (read, named) = self.log.read_committed(from, max_bytes, bound, true).expect("reads");
        let bytes = read.records.to_bytes().expect("bytes");
        let next = self.compare_batches(from, &bytes);
        assert!(next <= bound);
        if bytes.is_empty() {
            return bound;
        }
        let mut named: Vec<_> = named.iter().map(|one| (one.producer_id, one.first_offset)).collect();
        let mut visible = Vec::new();
        // As Kafka's broker does, ours may name some that follow.
        let may_be = |one: &(i64, i64)| {
            self.model.aborted(from, self.model.end).any(|ended| self.is_named(ended, one))
        };
        assert!(named.iter().all(may_be), "from {from}: {named:?} in {:?}", self.model.ended);
        // Once nothing of an aborted transaction is left, nobody needs to know of it.
        let has_data = |ended: &&Ended| self.model.first_data(ended).is_some_and(|first| first < next);
        for ended in self.model.aborted(from, next).filter(has_data).filter(|_| !self.is_compacted) {
            let is_there = named.iter().any(|one| self.is_named(ended, one));
            assert!(is_there, "from {from}: {ended:?} is not named: {named:?}");
        }
        named.sort_by_key(|(_, first)| *first);
        let mut skipped: Vec<i64> = Vec::new();
        for batch in batches(&bytes) {
            let batch = batch.expect("well formed");
            let header = &batch.header;
            let begun = named.extract_if(.., |(_, first)| *first <= header.last_offset());
            skipped.extend(begun.map(|(producer, _)| producer));
            if header.is_control() {
                skipped.retain(|producer| *producer != header.producer_id);
            } else if !(header.is_transactional() && skipped.contains(&header.producer_id)) {
                let records = batch.records(1 << 20).expect("readable");
                visible.extend(records.map(|record| record.expect("well formed").offset));
            }
        }
        let committed = self.model.batches_from(from).filter(|batch| !self.model.is_aborted(batch));
        let committed = committed.flat_map(|batch| &batch.records).map(|record| record.offset);
        let committed: Vec<i64> = committed.filter(|offset| (from..next).contains(offset)).collect();
        visible.retain(|offset| *offset >= from);
        assert_eq!(visible, committed, "from {from} to {next}");
        next
    }

    /// Whether an aborted transaction is the one that is named. What was known of one whose first records are gone is
    /// where it began, or where what is left of it begins.
    fn is_named(&self, ended: &Ended, (producer, first): &(i64, i64)) -> bool {
        let begins = if self.is_compacted { 0 } else { ended.first };
        let last = self.model.first_data(ended).unwrap_or(ended.marker);
        *producer == ended.producer && (begins..=last).contains(first)
    }

    pub fn compare_times(&self, timestamp: i64) {
        let found = self.log.offset_for_timestamp(timestamp).expect("reads");
        let found = found.map(|found| (found.timestamp, found.offset));
        match self.is_compacted {
            false => assert_eq!(found, self.model.at_time(timestamp)),
            // Whether a marker is still there the model does not know.
            true => assert!(found.is_none_or(|(at, _)| at >= timestamp), "{found:?}"),
        }
    }
}
