//! Runs of records in the same state, and how newer ones go over older ones.

use std::collections::BTreeMap;

/// Records of one partition, one after the other, that are in the same state and were delivered equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateBatch {
    /// The first of them.
    pub first_offset: i64,
    /// The last of them, itself included.
    pub last_offset: i64,
    /// A [`crate::RecordState`] by its number; kept as it came, so that what a later version wrote is not lost.
    pub delivery_state: i8,
    /// How often they were handed out.
    pub delivery_count: i16,
}

impl StateBatch {
    /// Whether it names records at all: hostile requests and damaged records may not.
    pub fn is_valid(&self) -> bool {
        0 <= self.first_offset && self.first_offset <= self.last_offset && self.last_offset < i64::MAX
    }
}

/// One state out of two: of what is said about an offset, the higher delivery count holds, and for equal counts the
/// higher state. Deliveries only go up and so do states within one delivery, so this is the newer one, in whatever order
/// the two came. What lies before `start_offset` is left out (-1: nothing is). Invalid batches are left out, too.
///
/// The result is in order, nothing overlaps, and neighbours that say the same are one.
pub fn combine(so_far: &[StateBatch], newer: &[StateBatch], start_offset: i64) -> Vec<StateBatch> {
    let mut edges: Vec<(i64, bool, (i16, i8))> = Vec::with_capacity(2 * (so_far.len() + newer.len()));
    for batch in so_far.iter().chain(newer).filter(|batch| batch.is_valid()) {
        if start_offset == -1 || batch.last_offset >= start_offset {
            let said = (batch.delivery_count, batch.delivery_state);
            edges.push((batch.first_offset.max(start_offset), true, said));
            edges.push((batch.last_offset + 1, false, said));
        }
    }
    edges.sort_unstable_by_key(|edge| edge.0);
    let mut open: BTreeMap<(i16, i8), usize> = BTreeMap::new();
    let mut combined: Vec<StateBatch> = Vec::new();
    let mut position = 0;
    for (offset, begins, said) in edges {
        if let Some(((delivery_count, delivery_state), _)) = open.last_key_value()
            && position < offset
        {
            push(
                &mut combined,
                StateBatch {
                    first_offset: position,
                    last_offset: offset - 1,
                    delivery_state: *delivery_state,
                    delivery_count: *delivery_count,
                },
            );
        }
        position = offset;
        let held = open.entry(said).or_default();
        if begins {
            *held += 1;
        } else if *held > 1 {
            *held -= 1;
        } else {
            open.remove(&said);
        }
    }
    combined
}

/// Adds a batch to the end, into the last one if it goes on with it.
pub(crate) fn push(batches: &mut Vec<StateBatch>, batch: StateBatch) {
    if let Some(last) = batches.last_mut()
        && last.last_offset + 1 == batch.first_offset
        && (last.delivery_state, last.delivery_count) == (batch.delivery_state, batch.delivery_count)
    {
        last.last_offset = batch.last_offset;
        return;
    }
    batches.push(batch);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_offset: i64, last_offset: i64, delivery_state: i8, delivery_count: i16) -> StateBatch {
        StateBatch { first_offset, last_offset, delivery_state, delivery_count }
    }

    #[test]
    fn a_newer_state_cuts_an_older_one_in_pieces() {
        let combined = combine(&[batch(0, 9, 0, 1)], &[batch(3, 4, 2, 2)], -1);
        assert_eq!(combined, [batch(0, 2, 0, 1), batch(3, 4, 2, 2), batch(5, 9, 0, 1)]);
        let other_way_round = combine(&[batch(3, 4, 2, 2)], &[batch(0, 9, 0, 1)], -1);
        assert_eq!(other_way_round, combined);
    }

    #[test]
    fn neighbours_that_say_the_same_are_one() {
        assert_eq!(
            combine(&[batch(0, 4, 2, 1)], &[batch(5, 9, 2, 1), batch(8, 12, 2, 1)], -1),
            [batch(0, 12, 2, 1)]
        );
        assert_eq!(
            combine(&[batch(0, 4, 2, 1)], &[batch(6, 9, 2, 1)], -1),
            [batch(0, 4, 2, 1), batch(6, 9, 2, 1)]
        );
    }

    #[test]
    fn what_lies_before_the_start_goes() {
        assert_eq!(combine(&[batch(0, 9, 0, 1)], &[batch(10, 19, 2, 1)], 12), [batch(12, 19, 2, 1)]);
    }

    #[test]
    fn what_names_no_records_goes() {
        let hostile = [batch(5, 4, 2, 1), batch(-3, 4, 2, 1), batch(0, i64::MAX, 2, 1)];
        assert_eq!(combine(&hostile, &[batch(7, 7, 0, 1)], -1), [batch(7, 7, 0, 1)]);
    }
}
