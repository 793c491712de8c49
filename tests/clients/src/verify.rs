//! Compares what was read with what was sent, byte by byte and offset by offset.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};

use crate::client::{Offsets, Produced, ReadRecord};
use crate::dataset::{Richness, SentRecord};

/// What tells records apart whose place is not known.
type KeyAndValue = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What must lie in a topic: each partition's records in the order of their offsets, from 0 without a gap.
#[derive(Default)]
pub struct Expected {
    partitions: BTreeMap<i32, Vec<SentRecord>>,
    /// Sent by a client that does not tell where records went.
    somewhere: Vec<SentRecord>,
}

impl Expected {
    /// Takes in what a producer sent and learned.
    pub fn add(&mut self, records: Vec<SentRecord>, produced: &Produced) -> Result<()> {
        let Produced::Places(places) = produced else {
            self.somewhere.extend(records);
            return Ok(());
        };
        ensure!(places.len() == records.len(), "{} records, {} answers", records.len(), places.len());
        let mut placed: Vec<(i32, i64, SentRecord)> = records
            .into_iter()
            .zip(places)
            .map(|(record, (partition, offset))| (*partition, *offset, record))
            .collect();
        // A stable order by place; within a partition the order of sending must be the order of offsets.
        let mut last: HashMap<i32, i64> = HashMap::new();
        for (partition, offset, _) in &placed {
            let before = last.insert(*partition, *offset);
            ensure!(
                before.is_none_or(|before| before < *offset),
                "partition {partition}: offset {offset} after {before:?}"
            );
        }
        placed.sort_by_key(|(partition, offset, _)| (*partition, *offset));
        for (partition, offset, record) in placed {
            let known = self.partitions.entry(partition).or_default();
            let next = i64::try_from(known.len())?;
            ensure!(offset == next, "partition {partition}: acknowledged at {offset}, expected at {next}");
            known.push(record);
        }
        Ok(())
    }

    /// The end offset of each partition that has records.
    pub fn ends(&self) -> Offsets {
        self.partitions.iter().map(|(partition, records)| (*partition, records.len() as i64)).collect()
    }

    /// The first offset whose record is not older, -1 where there is none.
    pub fn offset_for_time(&self, partition: i32, timestamp: i64) -> i64 {
        let records = self.partitions.get(&partition).map_or(&[][..], Vec::as_slice);
        records.iter().position(|record| record.timestamp >= timestamp).map_or(-1, |offset| offset as i64)
    }

    /// Places records that went somewhere where they were read, if they are the very records that were sent.
    pub fn settle(&mut self, read: &[ReadRecord]) -> Result<()> {
        let mut waiting: HashMap<KeyAndValue, usize> = HashMap::new();
        for record in self.somewhere.drain(..) {
            *waiting.entry((record.key, record.value)).or_default() += 1;
        }
        let mut sorted: Vec<&ReadRecord> = read.iter().collect();
        sorted.sort_by_key(|read| (read.partition, read.offset));
        for read in sorted {
            let known = self.partitions.entry(read.partition).or_default();
            if read.offset < known.len() as i64 {
                continue;
            }
            ensure!(
                read.offset == known.len() as i64,
                "partition {}: a gap before {}",
                read.partition,
                read.offset
            );
            let key = (read.record.key.clone(), read.record.value.clone());
            let left = waiting.get_mut(&key).with_context(|| format!("nobody sent {read:?}"))?;
            ensure!(*left > 0, "read twice: {read:?}");
            *left -= 1;
            known.push(read.record.clone());
        }
        let missing = waiting.values().sum::<usize>();
        ensure!(missing == 0, "{missing} records were sent and never read");
        Ok(())
    }

    /// Everything from `starts` on was read exactly once.
    pub fn check_complete(&self, read: &[ReadRecord], starts: &Offsets, richness: Richness) -> Result<()> {
        self.check_bytes(read, richness)?;
        let mut next: Offsets =
            self.ends().keys().map(|partition| (*partition, *starts.get(partition).unwrap_or(&0))).collect();
        for read in read {
            let next =
                next.get_mut(&read.partition).with_context(|| format!("no partition {}", read.partition))?;
            ensure!(
                read.offset == *next,
                "partition {}: {} read, {next} expected",
                read.partition,
                read.offset
            );
            *next += 1;
        }
        ensure!(next == self.ends(), "read up to {next:?} of {:?}", self.ends());
        Ok(())
    }

    /// Each record read is the one that was sent.
    pub fn check_bytes(&self, read: &[ReadRecord], richness: Richness) -> Result<()> {
        for read in read {
            let sent = self.record_at(read.partition, read.offset)?;
            let is_equal = match richness {
                Richness::Everything => *sent == read.record,
                Richness::Lines => {
                    SentRecord { timestamp: 0, ..sent.clone() }
                        == SentRecord { timestamp: 0, ..read.record.clone() }
                }
            };
            ensure!(
                is_equal,
                "partition {} offset {}: sent {sent:?}, read {:?}",
                read.partition,
                read.offset,
                read.record
            );
        }
        Ok(())
    }

    /// Records of one key lie in one partition, in the order of sending. The index is part of each value and header.
    pub fn check_key_order(&self, sent: &[SentRecord]) -> Result<()> {
        let mut place: HashMap<&Option<Vec<u8>>, i32> = HashMap::new();
        let mut order: HashMap<&Option<Vec<u8>>, Vec<&SentRecord>> = HashMap::new();
        for (partition, records) in &self.partitions {
            for record in records {
                let first = place.insert(&record.key, *partition);
                ensure!(first.is_none_or(|first| first == *partition), "a key in two partitions: {record:?}");
                order.entry(&record.key).or_default().push(record);
            }
        }
        let mut sent_order: HashMap<&Option<Vec<u8>>, Vec<&SentRecord>> = HashMap::new();
        for record in sent {
            sent_order.entry(&record.key).or_default().push(record);
        }
        for (key, records) in sent_order {
            let values = |records: &[&SentRecord]| {
                records.iter().map(|record| record.value.clone()).collect::<Vec<_>>()
            };
            let stored = order.get(key).map(|records| values(records)).unwrap_or_default();
            ensure!(stored == values(&records), "records of key {key:?} are not in the order of sending");
        }
        Ok(())
    }

    fn record_at(&self, partition: i32, offset: i64) -> Result<&SentRecord> {
        let record =
            self.partitions.get(&partition).and_then(|records| records.get(usize::try_from(offset).ok()?));
        match record {
            Some(record) => Ok(record),
            None => bail!("partition {partition}: nothing was acknowledged at offset {offset}"),
        }
    }
}
