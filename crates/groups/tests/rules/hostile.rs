//! Bytes from a disk that lies: whatever stands in the partition, the shard stays whole.

use bytes::Bytes;
use groups::{Event, GroupShard, RecordPosition, coordinator_key_partition};
use proptest::prelude::*;

use crate::bench::*;

/// Records of a real group, one of them with some bytes changed.
fn damaged_log() -> impl Strategy<Value = Vec<(Bytes, Option<Bytes>)>> {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    bench.commit_as(9, commit(&members[0], 1, "topic"));
    let log: Vec<(Bytes, Option<Bytes>)> =
        bench.log.iter().map(|record| (record.key.clone(), record.value.clone())).collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (Just(log), any::<prop::sample::Index>(), any::<bool>(), changes).prop_map(
        |(mut log, which, in_key, changes)| {
            let which = which.index(log.len());
            let (key, value) = &log[which];
            let mut bytes = if in_key { key.to_vec() } else { value.clone().unwrap_or_default().to_vec() };
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if in_key {
                log[which].0 = bytes.into();
            } else {
                log[which].1 = Some(bytes.into());
            }
            log
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_replayed_or_named(
        key in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
        record_type in 0_u8..25,
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..120)),
    ) {
        let mut bench = Bench::new();
        let key = key.map(|mut key| {
            if let [first, second, ..] = &mut key[..] {
                (*first, *second) = (0, record_type);
            }
            Bytes::from(key)
        });
        let position = RecordPosition { offset: i64::MAX, producer_id: -1 };
        let kept = bench.shard.replay(position, key, value.map(Bytes::from));
        prop_assert!(kept.is_ok() || bench.shard.group_count() == 0);
        bench.commit("topic");
        prop_assert_eq!(bench.fetch("topic"), 7);
    }

    #[test]
    fn a_damaged_log_leaves_a_shard_that_serves(log in damaged_log()) {
        let mut bench = Bench::new();
        bench.shard = GroupShard::new(bench.config.clone());
        for (offset, (key, value)) in log.into_iter().enumerate() {
            let position = RecordPosition { offset: offset as i64, producer_id: -1 };
            let _ = bench.shard.replay(position, Some(key), value);
        }
        bench.step(Event::Loaded);
        bench.describe();
        bench.advance(300_000);
        bench.join_dynamic();
        bench.advance(300_000);
        bench.describe();
        bench.step(Event::Unload);
        prop_assert_eq!(bench.shard.group_count(), 0);
    }

    #[test]
    fn every_key_has_a_partition(key in ".{0,40}", partitions in 1_i32..10_000) {
        prop_assert!((0..partitions).contains(&coordinator_key_partition(&key, partitions)));
    }
}
