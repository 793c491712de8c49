//! The rules of Kafka's `LeaderEpochFileCache`.

use super::*;

fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
    LeaderEpochs { entries: entries.iter().copied().collect() }
}

#[test]
fn an_epoch_is_assigned_once() {
    let mut cache = LeaderEpochs::default();
    assert!(cache.assign(2, 6));
    assert!(!cache.assign(2, 7), "a later offset of the same epoch changes nothing");
    assert!(!cache.assign(-1, 8) && !cache.assign(3, -1));
    assert_eq!(cache, epochs(&[(2, 6)]));
    assert!(cache.assign(2, 4), "an earlier offset of the newest epoch replaces it");
    assert_eq!(cache, epochs(&[(2, 4)]));
}

#[test]
fn conflicting_entries_give_way_to_the_newest() {
    let mut cache = epochs(&[(1, 5), (3, 10), (4, 20)]);
    assert!(cache.assign(5, 10));
    assert_eq!(cache, epochs(&[(1, 5), (5, 10)]));
    assert!(cache.assign(2, 30), "an older epoch drops newer ones");
    assert_eq!(cache, epochs(&[(1, 5), (2, 30)]));
}

#[test]
fn end_offsets_follow_kafka() {
    let cache = epochs(&[(2, 5), (4, 10), (7, 20)]);
    let end = |epoch| {
        let answer = cache.end_offset_for(epoch, 30);
        (answer.epoch, answer.end_offset)
    };
    assert_eq!(end(-1), (-1, -1), "undefined");
    assert_eq!(end(7), (7, 30), "the newest ends at the end of the log");
    assert_eq!(end(8), (-1, -1), "newer than the newest");
    assert_eq!(end(1), (1, 5), "older than the oldest: itself, to where the oldest begins");
    assert_eq!(end(2), (2, 10));
    assert_eq!(end(3), (2, 10), "between: the one below");
    assert_eq!(LeaderEpochs::default().end_offset_for(0, 3).end_offset, -1);
}

#[test]
fn truncation_from_both_ends() {
    let mut cache = epochs(&[(2, 5), (4, 10), (7, 20)]);
    assert!(!cache.truncate_from_end(21) && !cache.truncate_from_end(-1));
    assert!(cache.truncate_from_end(10));
    assert_eq!(cache, epochs(&[(2, 5)]));
    let mut cache = epochs(&[(2, 5), (4, 10), (7, 20)]);
    assert!(!cache.truncate_from_start(4));
    assert!(!cache.truncate_from_start(5), "nothing changes at the exact start");
    assert!(cache.truncate_from_start(12));
    assert_eq!(cache, epochs(&[(4, 12), (7, 20)]));
    assert!(cache.truncate_from_start(20));
    assert_eq!(cache, epochs(&[(7, 20)]));
}

#[test]
fn neighbours_and_offsets() {
    let cache = epochs(&[(2, 5), (4, 10)]);
    assert_eq!(cache.epoch_for_offset(4), None);
    assert_eq!(cache.epoch_for_offset(9), Some(2));
    assert_eq!(cache.epoch_for_offset(10), Some(4));
    assert_eq!(cache.previous(4), Some(EpochEntry { epoch: 2, start_offset: 5 }));
    assert_eq!(cache.next(2), Some(EpochEntry { epoch: 4, start_offset: 10 }));
    assert_eq!((cache.previous(2), cache.next(4), cache.next(i32::MAX)), (None, None, None));
}

#[test]
fn the_checkpoint_is_kafkas_text() {
    let cache = epochs(&[(0, 0), (3, 1_234_567)]);
    assert_eq!(cache.to_checkpoint(), "0\n2\n0 0\n3 1234567\n");
    assert_eq!(LeaderEpochs::from_checkpoint(&cache.to_checkpoint()), Ok(cache));
    for empty in ["", "0\n", "0\n0\n"] {
        assert_eq!(LeaderEpochs::from_checkpoint(empty), Ok(LeaderEpochs::default()));
    }
    for bad in [
        "1\n0\n",
        "\n",
        "0\nx\n",
        "0\n2\n0 0\n",
        "0\n1\n0\n",
        "0\n1\n0 0 0\n",
        "0\n1\n-1 0\n",
        "0\n1\n0 -1\n",
    ] {
        LeaderEpochs::from_checkpoint(bad).expect_err(bad);
    }
}
