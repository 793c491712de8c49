//! The rules of Kafka's `ProducerStateManager` and `ProducerAppendInfo`.

use super::*;
use crate::error::ProducerError;
use records::{AppendOrigin, BatchHeader};

#[test]
fn a_first_batch_may_begin_anywhere() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(7, 0, 5, 100, 2)).expect("KIP-360: nobody remembers the producer");
    assert_eq!(states.get(7).map(ProducerState::last_sequence), Some(6));
}

fn batch(producer_id: i64, epoch: i16, sequence: i32, base_offset: i64, count: i32) -> BatchHeader {
    let mut builder = records::BatchBuilder::new(base_offset).producer(producer_id, epoch, sequence);
    for _ in 0..count {
        builder.append(1_000, None, None, &[]);
    }
    BatchHeader::parse(&builder.build()).expect("built")
}

fn append(states: &mut ProducerStates, header: &BatchHeader) -> Result<Option<ProducerBatch>, ProducerError> {
    match states.prepare([AppendedBatch { header, marker: None }], AppendOrigin::Client, 0)? {
        PreparedAppend::Duplicate(batch) => Ok(Some(batch)),
        PreparedAppend::Append(update) => {
            states.apply(update);
            Ok(None)
        }
    }
}
