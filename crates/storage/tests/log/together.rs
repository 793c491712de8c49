//! Requests appended together against the same requests appended one by one: outcomes and files are the same.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use records::BatchBuilder;
use storage::{AppendError, AppendInfo, AppendOrigin, PartitionLog};

use crate::harness::*;

/// One request of a producer (0: none), its sequence relative to where that producer is.
#[derive(Clone, Copy, Debug)]
struct Step {
    producer: i64,
    epoch: i16,
    sequence_step: i32,
    is_damaged: bool,
    value_bytes: usize,
    ends_group: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let sequence_step = prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1), 1 => Just(-1000)];
    (0i64..3, prop_oneof![20 => Just(0i16), 1 => Just(1)], sequence_step, 0u8..30, 0usize..300, 0u8..4)
        .prop_map(|(producer, epoch, sequence_step, damage, value_bytes, group)| Step {
            producer,
            epoch,
            sequence_step,
            is_damaged: damage == 0,
            value_bytes,
            ends_group: group == 0,
        })
}

fn request(step: Step, sequences: &mut [i32; 3]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    if step.producer > 0 {
        let next = &mut sequences[step.producer as usize];
        let sequence = (*next + step.sequence_step).max(0);
        builder = builder.producer(step.producer, step.epoch, sequence);
        *next = sequence + 1;
    }
    builder.append(NOW_MS, None, Some(&vec![b'v'; step.value_bytes]), &[]);
    let bytes = builder.build();
    if !step.is_damaged {
        return bytes;
    }
    let mut damaged = bytes.to_vec();
    *damaged.last_mut().expect("a batch has bytes") ^= 1;
    Bytes::from(damaged)
}

fn told(outcome: Result<AppendInfo, AppendError>) -> Result<(i64, i64, usize, bool), (i16, String)> {
    outcome
        .map(|info| (info.first_offset, info.last_offset, info.size_in_bytes, info.duplicate))
        .map_err(|error| (error.error_code.as_i16(), error.message))
}

fn one_by_one(log: &Arc<PartitionLog>, requests: &[Bytes]) -> Vec<Result<AppendInfo, AppendError>> {
    let append = |records| log.append_as_leader(records, 0, AppendOrigin::Client, NOW_MS);
    requests.iter().map(append).collect()
}

fn compare(steps: &[Step]) {
    let (disk, manager, log) = new_log(small_segments());
    let (other_disk, other_manager, other_log) = new_log(small_segments());
    let mut sequences = [0; 3];
    for group in steps.split_inclusive(|step| step.ends_group) {
        let requests: Vec<Bytes> = group.iter().map(|step| request(*step, &mut sequences)).collect();
        let together = log.append_together(&requests, 0, NOW_MS);
        let apart = one_by_one(&other_log, &requests);
        let told_of: (Vec<_>, Vec<_>) =
            (together.into_iter().map(told).collect(), apart.into_iter().map(told).collect());
        assert_eq!(told_of.0, told_of.1);
    }
    manager.shutdown(1).expect("stops");
    other_manager.shutdown(1).expect("stops");
    if log.log_end_offset() == 0 {
        // A log without records has no files.
        return;
    }
    let files = names(&disk, "/data/t-0");
    assert_eq!(files, names(&other_disk, "/data/t-0"));
    for file in files.iter().filter(|name| *name != "partition.metadata") {
        let path = format!("/data/t-0/{file}");
        assert_eq!(contents(&disk, &path), contents(&other_disk, &path), "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn together_is_as_one_by_one(steps in prop::collection::vec(step(), 1..60)) {
        compare(&steps);
    }
}

#[test]
fn a_new_producers_sequences_are_checked_within_a_group() {
    let (_, _manager, log) = new_log(small_segments());
    let request = |sequence| {
        let mut builder = BatchBuilder::new(0).producer(5, 0, sequence);
        builder.append(NOW_MS, None, Some(b"value"), &[]);
        builder.build()
    };
    let outcomes = log.append_together(&[request(0), request(2), request(1), request(1)], 0, NOW_MS);
    let told: Vec<_> = outcomes.into_iter().map(|outcome| told(outcome).map_err(|(code, _)| code)).collect();
    let size = told[0].expect("appended").2;
    let out_of_order = protocol::ErrorCode::OutOfOrderSequenceNumber.as_i16();
    assert_eq!(
        told,
        [Ok((0, 0, size, false)), Err(out_of_order), Ok((1, 1, size, false)), Ok((1, 1, 0, true))]
    );
}
