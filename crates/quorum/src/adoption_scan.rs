//! Whole batches of a segment that nobody has recovered yet, and what comes behind them.

use bytes::Bytes;
use records::Batch;

/// What comes behind the whole batches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    Nothing,
    /// A batch that a crash has cut.
    Torn {
        position: usize,
    },
    /// A broken batch with whole ones behind it: no crash leaves that.
    Damage {
        position: usize,
    },
}

/// The batches from the first on whose checksum is right, each behind the last.
pub(crate) fn scan(bytes: &Bytes) -> (Vec<Batch>, Tail) {
    let (batches, position) = whole_batches(bytes);
    let rest = bytes.slice(position..);
    let tail = if rest.iter().all(|byte| *byte == 0) {
        // Kafka preallocates segments where it is told to.
        Tail::Nothing
    } else if is_followed_by_a_batch(&rest, batches.last()) {
        Tail::Damage { position }
    } else {
        Tail::Torn { position }
    };
    (batches, tail)
}

fn whole_batches(bytes: &Bytes) -> (Vec<Batch>, usize) {
    let (mut whole, mut position) = (Vec::new(), 0);
    for batch in records::batches(bytes) {
        let Ok(batch) = batch else { break };
        if batch.verify_crc().is_err() {
            break;
        }
        position += batch.bytes.len();
        whole.push(batch);
    }
    (whole, position)
}

/// Whether a whole batch with a later offset begins anywhere behind the first byte.
fn is_followed_by_a_batch(rest: &Bytes, last: Option<&Batch>) -> bool {
    const MAGIC_AT: usize = 16;
    let end_offset = last.map_or(0, |batch| batch.header.next_offset());
    let candidates = 1..rest.len().saturating_sub(MAGIC_AT);
    candidates.filter(|at| rest[at + MAGIC_AT] == 2).any(|at| {
        let first = records::batches(&rest.slice(at..)).next();
        let Some(Ok(batch)) = first else { return false };
        batch.header.base_offset > end_offset && batch.verify_crc().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_batches::metadata_batch;

    fn log(count: i64) -> Vec<u8> {
        let record = Bytes::from_static(b"a record of some length");
        (0..count).flat_map(|offset| metadata_batch(offset, 1, 5, std::slice::from_ref(&record))).collect()
    }

    #[test]
    fn a_cut_is_told_from_damage() {
        let whole = log(3);
        let size = whole.len() / 3;
        assert_eq!(scan(&Bytes::from(whole.clone())).1, Tail::Nothing);
        // The first seven bytes of an offset are zeros, which are no sign of anything.
        for cut in 2 * size + 8..whole.len() {
            let (batches, tail) = scan(&Bytes::copy_from_slice(&whole[..cut]));
            assert_eq!((batches.len(), tail), (2, Tail::Torn { position: 2 * size }), "{cut}");
        }
        // Offset, length and epoch are not under the checksum.
        for flipped in 16..size {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 0x10;
            let (batches, tail) = scan(&Bytes::from(bytes));
            assert_eq!((batches.len(), tail), (0, Tail::Damage { position: 0 }), "{flipped}");
        }
        let mut preallocated = whole;
        preallocated.resize(size * 10, 0);
        assert_eq!(scan(&Bytes::from(preallocated)).1, Tail::Nothing);
    }
}
